package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// The clients that do nothing wrong, and what they are sent: 200 messages a second, each to 20 of them.
const (
	healthyClients   = 200
	healthyTopics    = 50
	topicsPerHealthy = 5
	healthyASecond   = 200
)

// Of when a message was to be published.
const (
	beforeFault = iota
	duringFault
	phases
)

// healthy are clients who subscribe and read, and somebody who publishes to them at a steady rate whatever happens.
// Message n of all goes to topic n mod healthyTopics, so its number follows from topic and seq, and the instant it was
// planned for from its number: latency counts from there, and what holds the publisher up is seen in it.
type healthy struct {
	began   time.Time
	sent    atomic.Int64 // messages written
	covered atomic.Int64 // messages 0 to this one have come to all their subscribers
	from    atomic.Int64 // the first message of the fault
	to      atomic.Int64 // the first one after it
	failed  atomic.Pointer[error]

	enough    chan struct{} // closed: publish no more
	published chan error
	stop      func() // reads no more
	stopping  <-chan struct{}
	stopped   chan struct{}

	// Of the goroutine that reads.
	crowd   *crowd
	readers []*healthyReader
	latency [phases]*hdrhistogram.Histogram // µs
}

// healthyReader is what one client has had of each of its topics.
type healthyReader struct {
	of   *healthy
	acks int
	seen map[int]*seen // by topic
}

type seen struct{ seq, ts uint64 }

func healthyTopic(n int) string { return "healthy/" + strconv.Itoa(n) }

// newHealthy connects the clients and begins to publish.
func newHealthy(t *testing.T, s *site) *healthy {
	t.Helper()
	h := &healthy{
		crowd: newCrowd(t, s), enough: make(chan struct{}), published: make(chan error, 1), stopped: make(chan struct{}),
	}
	ctx, stop := context.WithCancel(context.Background())
	h.stop, h.stopping = stop, ctx.Done()
	h.from.Store(math.MaxInt64)
	h.to.Store(math.MaxInt64)
	for i := range h.latency {
		h.latency[i] = hdrhistogram.New(1, (10 * time.Minute).Microseconds(), 3)
	}
	for i := range healthyClients {
		h.join(i)
	}
	h.crowd.until("the healthy clients have subscribed", func() bool {
		for _, r := range h.readers {
			if r.acks == 0 {
				return false
			}
		}
		return true
	})
	h.began = time.Now()
	go h.read()
	go func() { h.published <- h.publish(s) }()
	t.Cleanup(h.close) // before the crowd's own
	return h
}

func (h *healthy) join(i int) {
	r := &healthyReader{of: h, seen: map[int]*seen{}}
	var topics []string
	for j := range topicsPerHealthy {
		n := (i + j*healthyTopics/topicsPerHealthy) % healthyTopics
		r.seen[n] = &seen{}
		topics = append(topics, healthyTopic(n))
	}
	list, _ := json.Marshal(topics)
	h.crowd.join(false, r.take, `{"op":"subscribe","topics":`+string(list)+`}`)
	h.readers = append(h.readers, r)
}

// take takes a text frame: the ack, then messages without a hole.
func (r *healthyReader) take(text []byte) error {
	if r.acks == 0 {
		r.acks++
		if !bytes.HasPrefix(text, []byte(`{"op":"ok"`)) || bytes.Contains(text, []byte(`"error"`)) {
			return fmt.Errorf("a healthy client's subscription is answered by %s", text)
		}
		return nil
	}
	m, ok := cutMessage(text)
	number, isHealthy := bytes.CutPrefix(m.topic, []byte("healthy/"))
	topic, err := strconv.Atoi(string(number))
	at := r.seen[topic]
	if !ok || !isHealthy || err != nil || at == nil {
		return fmt.Errorf("a healthy client got %.200s", text)
	}
	n := int64(m.seq-1)*healthyTopics + int64(topic)
	if m.seq != at.seq+1 || string(m.data) != strconv.FormatInt(n, 10) || timestamp(text) < at.ts {
		return fmt.Errorf("a healthy client got %.200s after %+v", text, *at)
	}
	at.seq, at.ts = m.seq, timestamp(text)
	r.of.record(n)
	return nil
}

// timestamp is the ts of a message that is one.
func timestamp(text []byte) uint64 {
	_, rest, _ := bytes.Cut(text, []byte(`,"ts":`))
	digits, _, _ := bytes.Cut(rest, []byte(`,`))
	ts, _ := strconv.ParseUint(string(digits), 10, 64)
	return ts
}

func (h *healthy) record(n int64) {
	phase := beforeFault
	switch {
	case n >= h.to.Load():
		return
	case n >= h.from.Load():
		phase = duringFault
	}
	planned := time.Duration(n) * time.Second / healthyASecond
	_ = h.latency[phase].RecordValue(max(1, (time.Since(h.began) - planned).Microseconds())) // in range for ten minutes
}

// read serves the clients until they are stopped or one of them fails.
func (h *healthy) read() {
	defer close(h.stopped)
	for {
		select {
		case <-h.stopping:
			return
		default:
		}
		h.crowd.round(10)
		if err := h.crowd.failed; err != nil {
			h.failed.Store(&err)
			return
		}
		h.covered.Store(h.coverage())
	}
}

// coverage is the first message that somebody still lacks.
func (h *healthy) coverage() int64 {
	first := int64(math.MaxInt64)
	for _, r := range h.readers {
		for topic, at := range r.seen {
			first = min(first, int64(at.seq)*healthyTopics+int64(topic))
		}
	}
	return first
}

// publish streams the messages through the admin listener, in one request.
func (h *healthy) publish(s *site) error {
	pr, pw := io.Pipe()
	go func() {
		tick := time.NewTicker(time.Second / healthyASecond)
		defer tick.Stop()
		var lines []byte
		for {
			select {
			case <-h.enough:
				_ = pw.Close()
				return
			case <-tick.C:
			}
			due := int64(time.Since(h.began) * healthyASecond / time.Second)
			lines = lines[:0]
			for n := h.sent.Load(); n < due; n++ {
				lines = fmt.Appendf(lines, `{"topic":%q,"data":%d}`+"\n", healthyTopic(int(n%healthyTopics)), n)
			}
			if _, err := pw.Write(lines); err != nil {
				return // the request has ended, and says why
			}
			h.sent.Store(due)
		}
	}()
	status, answer, err := s.post(typeNDJSON, pr)
	_ = pr.Close()
	var a struct{ Published, Failed int64 }
	if err == nil {
		err = json.Unmarshal(answer, &a)
	}
	if err == nil && (status != 200 || a.Failed != 0) {
		err = errors.New("not all was taken")
	}
	if err != nil {
		return fmt.Errorf("the healthy publisher: status %d, %s: %w", status, answer, err)
	}
	if a.Published != h.sent.Load() {
		return fmt.Errorf("the healthy publisher: %d of %d messages were taken", a.Published, h.sent.Load())
	}
	return nil
}

// close ends publishing and reading. Afterwards all is the caller's.
func (h *healthy) close() {
	h.finish()
	h.stop()
	<-h.stopped
}

// finish ends the publishing. A second call does nothing.
func (h *healthy) finish() {
	select {
	case <-h.enough:
	default:
		close(h.enough)
	}
}

// until waits for a condition of the healthy clients', who must not fail meanwhile.
func (h *healthy) until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	eventually(t, func() bool {
		if err := h.failed.Load(); err != nil {
			t.Fatal(*err)
		}
		return holds()
	}, func() string {
		return fmt.Sprintf("still waiting until %s: %d messages sent, all have had %d", what, h.sent.Load(), h.covered.Load())
	})
}
