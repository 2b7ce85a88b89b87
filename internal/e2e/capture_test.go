package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/megawire/megawire/server/config"
	"github.com/megawire/megawire/server/demo"
)

// capture is a recorded feed.
type capture struct {
	lines  [][]byte            // with their newlines
	at     []time.Duration     // when each happened, from the first
	topics []string            // in order of appearance
	data   map[string][][]byte // what was published to each topic, in order, byte for byte
}

// exchangeSeconds makes the generated capture as long as the recorded one.
const exchangeSeconds = 31

// exchangeCapture is the recorded feed of an exchange where MEGAWIRE_CAPTURES names a folder that has it, else
// one that the demo generates.
func exchangeCapture(t *testing.T) *capture {
	t.Helper()
	return loadCapture(t, "coinbase.ndjson", func(w io.Writer) error { return demo.Capture(w, exchangeSeconds, 1) })
}

// sensorsCapture has few topics with many messages each.
func sensorsCapture(t *testing.T) *capture {
	t.Helper()
	return loadCapture(t, "sensors.ndjson", func(w io.Writer) error {
		for i := range 20_000 {
			if _, err := fmt.Fprintf(w, `{"ts":%d,"topic":"sensors/mote%d","data":{"reading":%d,"humidity":%d.5}}`+"\n",
				5000*(i/4), i%4, i/4, i%100); err != nil {
				return err
			}
		}
		return nil
	})
}

func loadCapture(t *testing.T, name string, generate func(w io.Writer) error) *capture {
	t.Helper()
	var text []byte
	var err error
	if dir := os.Getenv("MEGAWIRE_CAPTURES"); dir != "" {
		t.Logf("capture: the recorded %s", name)
		text, err = os.ReadFile(filepath.Join(dir, name))
	} else {
		t.Logf("capture: a generated stand-in for %s, as MEGAWIRE_CAPTURES is not set", name)
		var buf bytes.Buffer
		err = generate(&buf)
		text = buf.Bytes()
	}
	if err != nil {
		t.Fatal(err)
	}
	return parseCapture(t, text)
}

func parseCapture(t *testing.T, text []byte) *capture {
	t.Helper()
	c := &capture{data: map[string][][]byte{}}
	var first int64
	for line := range bytes.Lines(text) {
		var m struct {
			TS    int64           `json:"ts"`
			Topic string          `json:"topic"`
			Data  json.RawMessage `json:"data"`
		}
		if err := json.Unmarshal(line, &m); err != nil {
			t.Fatalf("capture, line %d: %v", len(c.lines)+1, err)
		}
		if len(c.lines) == 0 {
			first = m.TS
		}
		if c.data[m.Topic] == nil {
			c.topics = append(c.topics, m.Topic)
		}
		c.lines = append(c.lines, line)
		c.at = append(c.at, time.Duration(m.TS-first)*time.Millisecond)
		c.data[m.Topic] = append(c.data[m.Topic], m.Data)
	}
	t.Logf("%d messages on %d topics in %v", len(c.lines), len(c.topics), c.at[len(c.at)-1])
	return c
}

// body streams the capture at a multiple of its own pace; 0 is as fast as the server takes it. Each line is
// sent when it is due by the clock, so that late ones do not put off those after them.
func (c *capture) body(pace float64) io.Reader {
	if pace == 0 {
		return bytes.NewReader(bytes.Join(c.lines, nil))
	}
	r, w := io.Pipe()
	go func() {
		start := time.Now()
		for i, line := range c.lines {
			time.Sleep(time.Until(start.Add(time.Duration(float64(c.at[i]) / pace)))) //nolint:forbidigo // the capture's own pace
			if _, err := w.Write(line); err != nil {
				return // the reader has gone, and says why
			}
		}
		_ = w.Close()
	}()
	return r
}

// mixes gives each of n subscribers topics of its own: the first one all, the others some, no two the same
// as long as there are enough topics.
func (c *capture) mixes(n int) [][]string {
	mixes := [][]string{c.topics}
	seen := map[string]bool{}
	for i := uint64(1); len(mixes) < n; i++ {
		rng := rand.New(rand.NewPCG(i, 0))
		topics := slices.Clone(c.topics)
		rng.Shuffle(len(topics), func(i, j int) { topics[i], topics[j] = topics[j], topics[i] })
		topics = topics[:1+rng.IntN(max(1, len(topics)/2))]
		name := strings.Join(slices.Sorted(slices.Values(topics)), ",")
		if seen[name] && i < 10*uint64(n) {
			continue
		}
		seen[name] = true
		mixes = append(mixes, topics)
	}
	return mixes
}

// marker is published last on every topic: who has seen it can have nothing of the capture still to come.
const marker = `{"marker":"end of capture"}`

// markers is a body that publishes the marker to all topics.
func (c *capture) markers() string {
	var entries []string
	for _, topic := range c.topics {
		entries = append(entries, fmt.Sprintf(`{"topic":%q,"data":%s}`, topic, marker))
	}
	return "[" + strings.Join(entries, ",") + "]"
}

// follow reads all that the capture has for the topics, and the markers: every message, in order, byte for
// byte, no other one, with sequence numbers from 1 without a gap.
func (p *peer) follow(c *capture, topics []string) error {
	next := map[string]uint64{}
	for _, topic := range topics {
		next[topic] = 1
	}
	for ended := 0; ended < len(topics); {
		op, text, err := p.next()
		if err != nil {
			return fmt.Errorf("with %d of %d topics at their end: %w", ended, len(topics), err)
		}
		m, ok := cutMessage(text)
		if op != opText || !ok {
			return fmt.Errorf("not a message: %.300q", text)
		}
		want, subscribed := next[string(m.topic)]
		switch {
		case !subscribed:
			return fmt.Errorf("a message of another topic: %.300s", text)
		case m.seq != want:
			return fmt.Errorf("%s: seq %d, want %d", m.topic, m.seq, want)
		}
		next[string(m.topic)]++
		if end, err := c.judge(string(m.topic), int(want-1), m.data); err != nil {
			return err
		} else if end {
			ended++
		}
	}
	return nil
}

// followRaw is follow on /raw.
func (p *peer) followRaw(c *capture, topic string) error {
	for i := 0; ; i++ {
		op, payload, err := p.next()
		if err != nil || op != opText {
			return fmt.Errorf("%s, message %d: opcode %#x, error %w", topic, i+1, op, err)
		}
		if end, err := c.judge(topic, i, payload); end || err != nil {
			return err
		}
	}
}

// judge holds the i-th message of a topic against the capture.
func (c *capture) judge(topic string, i int, data []byte) (end bool, err error) {
	published := c.data[topic]
	want := []byte(marker)
	if i < len(published) {
		want = published[i]
	}
	if !bytes.Equal(data, want) {
		return false, fmt.Errorf("%s, message %d: got %.200s, want %.200s", topic, i+1, data, want)
	}
	return i == len(published), nil
}

// A capture goes through one request to subscribers that each want another mix of its topics.
func TestCapture(t *testing.T) {
	for _, row := range []struct {
		says     string
		capture  func(t *testing.T) *capture
		pace     float64
		ws, raws int
		change   func(c *config.Config)
	}{
		{"an exchange at full speed", exchangeCapture, 0, 200, 50, nil},
		{"an exchange at ten times its pace", exchangeCapture, 10, 200, 50, nil},
		{"sensors at full speed, with rings that hold them", sensorsCapture, 0, 40, 10, func(c *config.Config) {
			c.Ring.RetainMessages, c.Ring.RetainBytes = 8192, 4*config.MiB
		}},
	} {
		t.Run(row.says, func(t *testing.T) {
			c := row.capture(t)
			r := serve(t, row.change)
			results := r.followAll(c, row.ws, row.raws)
			if err := r.stream(c.body(row.pace), len(c.lines)); err != nil {
				t.Fatal(err)
			}
			r.publish(c.markers())
			for range row.ws + row.raws {
				if err := <-results; err != nil {
					t.Fatal(err)
				}
			}
			r.awaitMetricIs(`megawire_messages_in_total{source="admin"}`, float64(len(c.lines)+len(c.topics)))
			if n := r.metrics()["megawire_gaps_total"]; n != 0 {
				t.Errorf("%v gaps", n)
			}
		})
	}
}

// followAll starts subscribers, half of those on /ws by their URL. What each found comes on the channel.
func (r *rig) followAll(c *capture, ws, raws int) <-chan error {
	r.t.Helper()
	results := make(chan error, ws+raws)
	report := func(i int, where string, err error) {
		if err != nil {
			err = fmt.Errorf("subscriber %d on %s: %w", i, where, err)
		}
		results <- err
	}
	for i, topics := range c.mixes(ws) {
		p := r.subscriber(i%2 == 0, topics)
		go func() { report(i, "/ws", p.follow(c, topics)) }()
	}
	for i := range raws {
		topic := c.topics[i%len(c.topics)]
		p := r.dial("/raw/" + topic)
		p.extend(4 * patience)
		go func() { report(i, "/raw", p.followRaw(c, topic)) }()
	}
	return results
}

// subscriber subscribes by a request or by the URL.
func (r *rig) subscriber(byRequest bool, topics []string) (p *peer) {
	r.t.Helper()
	if byRequest {
		p = r.dial("/ws")
		p.subscribe(topics...)
	} else {
		p = r.dial("/ws?topics=" + strings.Join(topics, ","))
	}
	p.extend(4 * patience)
	return p
}
