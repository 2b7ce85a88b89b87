package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/megawire/megawire/internal/model"
)

// size is how many clients a test has: fewer with -short.
func size(full, short int) int {
	if testing.Short() {
		return short
	}
	return full
}

// quietHeartbeat keeps pings, and who does not answer them, out of a test.
var quietHeartbeat = []string{"--heartbeat.ping_interval=5m", "--heartbeat.pong_timeout=5m"}

// stormOf is a storm in which a capture is published, then the marker to each topic.
func stormOf(t *testing.T, s *site, c *capture) *storm {
	storm := newStorm(t, s)
	for _, topic := range c.topics {
		storm.expects(topic, published, append(c.data[topic][:len(c.data[topic]):len(c.data[topic])], []byte(marker))...)
	}
	return storm
}

// publishing streams the capture, and the markers behind it. What became of it comes on the channel.
func (s *site) publishing(c *capture, pace float64) <-chan error {
	done := make(chan error, 1)
	go func() {
		err := s.stream(c.body(pace), len(c.lines))
		if err == nil {
			_, _, err = s.post(typeJSON, strings.NewReader(c.markers()))
		}
		done <- err
	}()
	return done
}

// choice draws what a client asks for, so that few of them have much to read.
type choice struct {
	c     *capture
	rnd   *rand.Rand
	heavy []string // topics with many bytes
}

func newChoice(c *capture) *choice {
	x := &choice{c: c, rnd: rand.New(rand.NewPCG(1, 0))}
	for _, topic := range c.topics {
		if len(bytes.Join(c.data[topic], nil)) > 100_000 {
			x.heavy = append(x.heavy, topic)
		}
	}
	return x
}

// usual is up to three topics with about a hundred messages.
func (x *choice) usual() (asks []model.Ask) {
	seen := map[string]bool{}
	for budget, tries := 100, 0; tries < 10 && len(asks) < 3 || len(asks) == 0; tries++ {
		topic := x.c.topics[x.rnd.IntN(len(x.c.topics))]
		if n := len(x.c.data[topic]); n <= budget && !seen[topic] {
			seen[topic] = true
			budget -= n
			asks = append(asks, x.terms(model.Ask{Filter: topic}))
		}
	}
	return asks
}

func (x *choice) terms(a model.Ask) model.Ask {
	switch x.rnd.IntN(8) {
	case 0:
		a.Mode = model.Latest
	case 1:
		a.Every = 100
	}
	return a
}

// pattern puts a wildcard in place of a topic's last level.
func (x *choice) pattern() model.Ask {
	topic := x.c.topics[x.rnd.IntN(len(x.c.topics))]
	return model.Ask{Filter: topic[:strings.LastIndexByte(topic, '/')+1] + "+"}
}

// much is a topic that fills the buffers of a connection.
func (x *choice) much() model.Ask { return model.Ask{Filter: x.heavy[x.rnd.IntN(len(x.heavy))]} }

// of is what client i asks for.
func (x *choice) of(i int) []model.Ask {
	switch {
	case i%200 == 1:
		return []model.Ask{{Filter: "#", Terms: model.Terms{Mode: model.Latest}}}
	case i%50 == 2:
		return append(x.usual(), x.much())
	case i%10 == 3:
		a := x.pattern()
		a.Every = 200
		return append(x.usual(), a)
	}
	return x.usual()
}

// Thousands of clients while a capture goes through at full speed, one in twenty of which does not read. In the
// end every client holds every message, or was told in its place which ones are missing; those who did not read,
// as soon as they read on.
func TestStalledCrowd(t *testing.T) {
	const keeps = 256
	p := launch(t, 0, append(quietHeartbeat, fmt.Sprint("--ring.retain_messages=", keeps), "--socket.send_buffer_bytes=16KiB")...)
	c := exchangeCapture(t)
	s, x := stormOf(t, &p.site, c), newChoice(c)
	s.keeps(keeps)
	var stalled []*trail
	for i := range size(10_000, 300) {
		if i%20 == 0 {
			stalled = append(stalled, s.sets(true, x.much(), x.pattern()))
		} else {
			s.sets(false, x.of(i)...)
		}
	}
	s.answered()
	for _, one := range stalled {
		one.m.listen(false)
	}
	publishing := p.publishing(c, 0)
	s.until("all who read have seen everything", func() bool { return s.open == len(stalled) })
	before := s.gaps
	p.awaitMetricAtLeast("megawire_connections_lagging", float64(len(stalled)*9/10))
	for _, one := range stalled {
		one.m.listen(true)
	}
	s.complete(publishing)
	if s.gaps == before {
		t.Error("nobody who did not read was told of a gap: nothing is tested")
	}
	t.Logf("%d clients, %d gaps before the stalled ones read on, %d afterwards", len(s.trails), before, s.gaps-before)
}

// Everybody is cut off at once and comes back at once, while publishing goes on: each gets exactly what it
// missed.
func TestResumeStorm(t *testing.T) {
	const groups, perGroup, messages = 20, 5, 10
	p := launch(t, 0, quietHeartbeat...)
	s := newStorm(t, &p.site)
	var parts [3]bytes.Buffer
	for part, during := range []model.Span{model.At(1), model.At(3), {Began: 5, Done: 7}} {
		for n := range messages {
			for i := range groups * perGroup {
				topic, data := fmt.Sprintf("storm/%d/%d", i/perGroup, i%perGroup), fmt.Sprint(part*messages+n)
				fmt.Fprintf(&parts[part], `{"topic":%q,"data":%s}`+"\n", topic, data)
				s.expects(topic, during, []byte(data))
			}
		}
	}
	publish := func(part int) <-chan error {
		done := make(chan error, 1)
		go func() { done <- p.stream(&parts[part], groups*perGroup*messages) }()
		return done
	}
	most := 0
	for i := range size(10_000, 300) {
		asks := []model.Ask{
			{Filter: fmt.Sprintf("storm/%d/%d", i%groups, i/7%perGroup)}, {Filter: fmt.Sprintf("storm/%d/%d", (i+3)%groups, i%perGroup)},
		}
		if i%10 == 0 {
			asks = []model.Ask{{Filter: fmt.Sprintf("storm/%d/+", i/10%groups)}}
		}
		s.sets(false, asks...)
		for range s.trails[i].ends {
			most += messages
		}
	}
	s.answered()
	first, taken := publish(0), 0
	for _, one := range s.trails {
		one.after = func() { taken++ }
	}
	s.until("the first part has come", func() bool { return taken == most })
	if err := <-first; err != nil {
		t.Fatal(err)
	}
	for _, one := range s.trails {
		one.m.cut()
	}
	if err := <-publish(1); err != nil {
		t.Fatal(err)
	}
	s.now = model.Span{Began: 4, Done: 8}
	third := publish(2)
	for _, one := range s.trails {
		one.resume()
	}
	s.complete(third)
	if taken != 3*most || s.gaps > 0 {
		t.Errorf("%d messages came, want %d; %d gaps", taken, 3*most, s.gaps)
	}
}

// Clients are killed at random while a capture is replayed, and resume: over all its connections each has every
// message once, or knows which ones are gone.
func TestKilledAndResumed(t *testing.T) {
	for _, row := range []struct {
		says  string
		keeps uint64
	}{
		{"while everything is kept", 0},
		{"while little is kept", 20},
	} {
		t.Run(row.says, func(t *testing.T) {
			args := quietHeartbeat
			if row.keeps > 0 {
				args = append(args, fmt.Sprint("--ring.retain_messages=", row.keeps))
			}
			p, c := launch(t, 0, args...), exchangeCapture(t)
			s, x := stormOf(t, &p.site, c), newChoice(c)
			if row.keeps > 0 {
				s.keeps(row.keeps)
			}
			killed := 0
			for i := range size(1000, 100) {
				asks := append(x.usual(), model.Ask{Filter: "+/ticker/+"})
				if i%20 == 0 {
					asks = append(asks, x.much())
				}
				one := s.sets(false, asks...)
				rnd := rand.New(rand.NewPCG(uint64(i), 3))
				next, lives := 1+rnd.IntN(60), 2+rnd.IntN(4)
				one.after = func() {
					if next--; next == 0 && lives > 0 && len(one.ends) > 0 {
						next = 1 + rnd.IntN(200)
						lives--
						killed++
						one.m.cut()
						one.resume()
					}
				}
			}
			s.answered()
			s.now = meanwhile
			s.complete(p.publishing(c, 10))
			t.Logf("%d clients, killed %d times, %d gaps", len(s.trails), killed, s.gaps)
			if killed < len(s.trails) {
				t.Error("too few were killed")
			}
		})
	}
}

// A thousand clients join a topic at once. Who watches its presence is told in few messages.
func TestPresenceOfAThousand(t *testing.T) {
	const joins, framesASecond = 1000, 10
	p := launch(t, 0, append(quietHeartbeat, `--rules=[{"filter":"room/#","presence":true}]`)...)
	c := newCrowd(t, &p.site)
	count, joined, frames := 0, 0, 0
	watching := false
	c.join(false, func(text []byte) error {
		m, ok := cutMessage(text)
		if !ok {
			watching = true
			return nil
		}
		var x struct {
			Join, Leave []json.RawMessage
			Count       int
		}
		err := json.Unmarshal(m.data, &x)
		count, joined, frames = x.Count, joined+len(x.Join), frames+1
		return err
	}, `{"op":"subscribe","topics":["$presence/room/1"]}`)
	ready := 0
	members := make([]*member, joins)
	for i := range members {
		members[i] = c.join(false, func([]byte) error { ready++; return nil }, `{"op":"ping"}`)
	}
	c.until("all are connected", func() bool { return watching && ready == joins })
	began := time.Now()
	for _, m := range members {
		m.send(`{"op":"subscribe","topics":["room/1"]}`)
	}
	c.until("all have joined", func() bool { return count == joins })
	most := framesASecond * (1 + int(time.Since(began).Seconds()))
	if joined != joins || frames > most {
		t.Errorf("%d joined in %d frames, want %d in %d at most", joined, frames, joins, most)
	}
	t.Logf("%d joins in %d frames", joined, frames)
}
