package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync/atomic"
	"testing"
)

// What is published while some do not read: 40 MiB in rounds, each with some messages of every heavy topic
// and one of the light topic.
const (
	heavyTopics   = 8
	heavyBytes    = 4096 // of a message's data
	heavyPerRound = 32
	roundsTotal   = 40
	lightTopic    = "stall/light"

	// roundsAhead is how far the publisher may be ahead of the slowest healthy reader: 384 KiB of a topic, of
	// which the rings hold 1 MiB by default. Who keeps that pace must lose nothing.
	roundsAhead = 3

	healthyReaders = 200
	stalledReaders = 40
	stalledRaws    = 5

	// pingsWhileStalled are answered between the messages, once there is room.
	pingsWhileStalled = 50

	memoryGrowthMax = 96 << 20
)

func heavyTopic(i int) string { return fmt.Sprintf("stall/heavy/%d", i%heavyTopics) }

// lastSeq is the newest sequence number of a topic once everything is published.
func lastSeq(topic string) uint64 {
	if topic == lightTopic {
		return roundsTotal
	}
	return roundsTotal * heavyPerRound
}

var padding = bytes.Repeat([]byte("x"), heavyBytes)

// appendStallData appends the data of a topic's message.
func appendStallData(dst []byte, topic string, seq uint64) []byte {
	dst = append(append(dst, `{"topic":"`...), topic...)
	dst = strconv.AppendUint(append(dst, `","n":`...), seq, 10)
	dst = append(dst, `,"pad":"`...)
	if topic != lightTopic {
		dst = append(dst, padding[:heavyBytes-len(topic)]...)
	}
	return append(dst, `"}`...)
}

func appendStallLine(dst []byte, topic string, seq uint64) []byte {
	dst = append(append(dst, `{"topic":"`...), topic...)
	return append(appendStallData(append(dst, `","data":`...), topic, seq), "}\n"...)
}

// rounds lets the publisher wait for the readers.
type rounds struct {
	left [roundsTotal]atomic.Int32
	done [roundsTotal]chan struct{} // closed when every healthy reader has had the round
}

func newRounds(readers int) *rounds {
	r := &rounds{}
	for i := range r.done {
		r.done[i] = make(chan struct{})
		r.left[i].Store(int32(readers))
	}
	return r
}

func (r *rounds) had(i int) {
	if r.left[i].Add(-1) == 0 {
		close(r.done[i])
	}
}

// body is the NDJSON of all rounds, held back for the readers.
func (r *rounds) body(ctx context.Context) io.Reader {
	pr, pw := io.Pipe()
	go func() {
		var lines []byte
		for i := range roundsTotal {
			if i >= roundsAhead {
				select {
				case <-r.done[i-roundsAhead]:
				case <-ctx.Done():
					_ = pw.CloseWithError(errors.New("a reader has failed"))
					return
				}
			}
			lines = appendStallLine(lines[:0], lightTopic, uint64(i+1))
			for n := range heavyPerRound {
				for topic := range heavyTopics {
					lines = appendStallLine(lines, heavyTopic(topic), uint64(i*heavyPerRound+n+1))
				}
			}
			if _, err := pw.Write(lines); err != nil {
				return // the reader has gone, and says why
			}
		}
		_ = pw.Close()
	}()
	return pr
}

// keepUp reads a heavy topic to its end; nothing may be missing.
func (p *peer) keepUp(topic string, r *rounds) error {
	var want []byte
	for seq := uint64(1); seq <= lastSeq(topic); seq++ {
		op, text, err := p.next()
		if err != nil {
			return fmt.Errorf("%s, message %d: %w", topic, seq, err)
		}
		want = appendStallData(want[:0], topic, seq)
		m, ok := cutMessage(text)
		if op != opText || !ok || string(m.topic) != topic || m.seq != seq || !bytes.Equal(m.data, want) {
			return fmt.Errorf("%s: got %.200q, want message %d", topic, text, seq)
		}
		if seq%heavyPerRound == 0 {
			r.had(int(seq/heavyPerRound) - 1)
		}
	}
	return nil
}

// account reads what a stalled reader is owed, up to the newest message of each topic: for each of them the
// messages seen and those told missing must add up to what was published, in order and without overlap. The
// answers to its pings may stand anywhere between them.
func (p *peer) account(topics []string) (missing map[string]uint64, err error) {
	missing = map[string]uint64{}
	next := map[string]uint64{}
	for _, topic := range topics {
		next[topic] = 1
	}
	var want []byte
	pongs := 0
	for open := len(topics); open > 0 || pongs < pingsWhileStalled; {
		op, text, err := p.next()
		if err == nil && op == opPong && string(text) == strconv.Itoa(pongs) {
			pongs++
			continue
		}
		if err != nil || op != opText {
			return nil, fmt.Errorf("opcode %#x, error %w; next would be %v", op, err, next)
		}
		m, ok := cutMessage(text)
		if !ok {
			var g gap
			err := json.Unmarshal(text, &g)
			if err != nil || g.Op != "gap" || g.Reason != "slow" || g.From != next[g.Topic] || g.To < g.From || g.To >= lastSeq(g.Topic) {
				return nil, fmt.Errorf("got %s, next would be %v", text, next)
			}
			missing[g.Topic] += g.To - g.From + 1
			next[g.Topic] = g.To + 1
			continue
		}
		topic := string(m.topic)
		want = appendStallData(want[:0], topic, m.seq)
		if m.seq != next[topic] || !bytes.Equal(m.data, want) {
			return nil, fmt.Errorf("got %.200s, next would be %v", text, next)
		}
		next[topic]++
		if m.seq == lastSeq(topic) {
			open--
		}
	}
	return missing, nil
}

// Some stop reading while 40 MiB are published. Nobody else notices, the server holds no copies for them,
// and once they read again they can account for every message.
func TestStalledReaders(t *testing.T) {
	p := launch(t, 0, "--heartbeat.ping_interval=5m", "--heartbeat.pong_timeout=5m")
	progress := newRounds(healthyReaders)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	healthy := p.healthyReaders(progress, cancel)
	stalled := make([]*peer, stalledReaders)
	topicsOf := func(i int) []string { return []string{heavyTopic(i), heavyTopic(i + 3), lightTopic} }
	for i := range stalled {
		stalled[i] = p.dialNarrow("/ws")
		stalled[i].subscribe(topicsOf(i)...)
	}
	raws := make([]*peer, stalledRaws)
	for i := range raws {
		raws[i] = p.dialNarrow("/raw/" + heavyTopic(i))
	}
	before, _ := p.memory()

	if err := p.stream(progress.body(ctx), roundsTotal*(heavyTopics*heavyPerRound+1)); err != nil {
		select {
		case reason := <-healthy:
			t.Fatalf("%v: %v", err, reason)
		default:
			t.Fatal(err)
		}
	}
	for range healthyReaders {
		if err := <-healthy; err != nil {
			t.Fatal(err)
		}
	}
	_, most := p.memory()
	t.Logf("memory: %d KiB before, %d KiB at most", before>>10, most>>10)
	if most-before >= memoryGrowthMax {
		t.Errorf("the server grew by %d bytes, want less than %d", most-before, memoryGrowthMax)
	}
	for _, c := range stalled {
		for i := range pingsWhileStalled {
			c.write(frame(final(opPing), []byte(strconv.Itoa(i))))
		}
	}
	if n := p.metrics()["megawire_gaps_total"]; n != 0 {
		t.Errorf("%v gaps before a stalled reader reads again", n)
	}
	p.awaitMetricIs("megawire_connections_lagging", stalledReaders+stalledRaws)

	told := p.readAgain(stalled, topicsOf)
	for _, c := range raws {
		c.readUntilGivenUp(t)
	}
	p.awaitMetricAtLeast(`megawire_websocket_closes_total{code="4002"}`, stalledRaws)
	p.awaitMetricIs("megawire_gap_messages_total", float64(told))
	p.awaitMetricIs("megawire_connections_lagging", 0)
	if _, most = p.memory(); most-before >= memoryGrowthMax {
		t.Errorf("the server grew by %d bytes while it caught them up, want less than %d", most-before, memoryGrowthMax)
	}
}

// healthyReaders starts those who keep up, and sends what each found. The first failure gives up: the
// publisher would wait for that reader.
func (p *process) healthyReaders(r *rounds, giveUp func()) <-chan error {
	p.t.Helper()
	results := make(chan error, healthyReaders)
	for i := range healthyReaders {
		topic := heavyTopic(i)
		c := p.dial("/ws")
		c.subscribe(topic)
		c.extend(4 * patience)
		go func() {
			err := c.keepUp(topic, r)
			results <- err
			if err != nil {
				giveUp()
			}
		}()
	}
	return results
}

// readAgain lets all stalled readers read at once. It returns how many messages they were told to miss.
func (p *process) readAgain(stalled []*peer, topicsOf func(i int) []string) (told uint64) {
	p.t.Helper()
	type result struct {
		missing map[string]uint64
		err     error
	}
	results := make(chan result, len(stalled))
	for i, c := range stalled {
		c.extend(2 * patience)
		go func() {
			missing, err := c.account(topicsOf(i))
			results <- result{missing, err}
		}()
	}
	for range stalled {
		r := <-results
		if r.err != nil {
			p.t.Error(r.err)
			continue
		}
		if len(r.missing) != 2 || r.missing[lightTopic] != 0 {
			p.t.Errorf("missing are %v, want some of each heavy topic and none of the light one", r.missing)
		}
		for _, n := range r.missing {
			told += n
		}
	}
	return told
}

// readUntilGivenUp reads what a client on /raw gets before it is closed for having lost messages.
func (p *peer) readUntilGivenUp(t *testing.T) {
	t.Helper()
	for seq := uint64(1); ; seq++ {
		op, payload, err := p.next()
		if err != nil {
			t.Errorf("on /raw: %v", err)
			return
		}
		if op == opClose {
			if len(payload) < 2 || payload[0] != 4002>>8 || payload[1] != 4002&0xff {
				t.Errorf("on /raw: closed with %q, want 4002", payload)
			}
			return
		}
		if !bytes.Contains(payload, fmt.Appendf(nil, `"n":%d,`, seq)) {
			t.Errorf("on /raw: got %.100s, want message %d", payload, seq)
			return
		}
	}
}
