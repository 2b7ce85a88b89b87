package pubsub

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
)

// The kinds of encoding that the tests serve.
const (
	kindLine  Kind = iota // "topic seq payload\n", and "topic gap from-to reason\n"
	kindUpper             // the same with a mark in front: encoded lazily, payload not kept in place
	kindBare              // "payload\n", with no way to tell of a gap
)

type lineEncoder struct{ mark string }

func (e lineEncoder) AppendMessage(dst []byte, m *Message) ([]byte, int) {
	dst = append(dst, e.mark...)
	dst = append(append(dst, m.Topic...), ' ')
	dst = append(strconv.AppendUint(dst, m.Seq, 10), ' ')
	if m.Prev != m.Seq-1 {
		dst = append(strconv.AppendUint(append(dst, '^'), m.Prev, 10), ' ')
	}
	at := len(dst)
	return append(append(dst, m.Payload...), '\n'), at
}

func (e lineEncoder) AppendGap(dst []byte, topic string, from, to uint64, why Reason) ([]byte, bool) {
	return fmt.Appendf(dst, "%s%s gap %d-%d %s\n", e.mark, topic, from, to, why), true
}

// upperEncoder changes the payload, so that it does not stand in the frame byte for byte.
type upperEncoder struct{ lineEncoder }

func (e upperEncoder) AppendMessage(dst []byte, m *Message) ([]byte, int) {
	up := *m
	up.Payload = bytes.ToUpper(m.Payload)
	dst, _ = e.lineEncoder.AppendMessage(dst, &up)
	return dst, -1
}

type bareEncoder struct{}

func (bareEncoder) AppendMessage(dst []byte, m *Message) ([]byte, int) {
	at := len(dst)
	return append(append(dst, m.Payload...), '\n'), at
}

func (bareEncoder) AppendGap(dst []byte, _ string, _, _ uint64, _ Reason) ([]byte, bool) {
	return dst, false
}

// world is a hub with hand-driven clocks.
type world struct {
	t      testing.TB
	hub    *Hub
	wall   int64 // ms
	jumped int64 // ms that the wall clock has been set ahead
	mono   int64 // ns
	step   int64 // ns that the clock moves each time it is read
}

func testOptions() Options {
	return Options{
		Encoders: []Encoder{lineEncoder{}, upperEncoder{lineEncoder{"! "}}, bareEncoder{}}, Slow: [KindsMax]bool{kindUpper: true}, Epoch: "e",
		InFlightMessagesMax: 4096, InFlightBytesMax: 4 << 20, InFlightTotalBytesMax: 64 << 20,
		RetainMessagesMax: 4096, RetainBytesMax: 1 << 20, RetainMillisMax: 60_000, RetainTotalBytesMax: 64 << 20,
		TopicsMax: 10_000, TopicIdleMillis: 60_000, SubscriptionsMax: 1024, LagTopicsMax: 4096, SliceNanos: 1000,
	}
}

func newWorld(t testing.TB, change func(*Options)) *world {
	t.Helper()
	w := &world{t: t, wall: 1_000_000}
	o := testOptions()
	o.Wall = func() int64 { return w.wall }
	o.Steady = func() int64 { return w.wall - w.jumped }
	o.Clock = func() int64 { w.mono += w.step; return w.mono }
	if change != nil {
		change(&o)
	}
	var err error
	if w.hub, err = New(o); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) publish(topic string, payloads ...string) {
	w.t.Helper()
	for _, p := range payloads {
		if _, err := w.hub.Publish(&Publication{Topic: topic, Content: Text, Payload: []byte(p)}, nil); err != nil {
			w.t.Fatalf("publish %s %s: %v", topic, p, err)
		}
	}
}

// topic is the hub's own, for tests that look inside.
func (w *world) topic(name string) *topic {
	w.t.Helper()
	t := w.hub.lookup(name)
	if t == nil {
		w.t.Fatalf("no topic %q", name)
	}
	return t
}

// skip publishes as a broker does whose sequence numbers are not dense.
func (w *world) skip(name string, by uint64, payload string) {
	t, err := w.hub.hold(name, true)
	if err != nil {
		w.t.Fatal(err)
	}
	defer t.mu.Unlock()
	t.append(&Publication{Topic: name, Content: Text, Payload: []byte(payload)}, t.seq+by, t.seq)
}

// fakeSink is the sink of one shard: readers whose kernel takes as much as the test says.
type fakeSink struct {
	w       *world
	shard   *Shard
	readers map[uint32]*reader
	wakes   int
	writes  int
	log     func(format string, args ...any) // nil, or told of every event
}

type reader struct {
	id     SubscriberID
	client ClientID
	got    []byte
	room   int // bytes that the kernel takes yet

	blocked  bool
	awaits   bool   // Write came short, so Rest comes next
	rest     []byte // as it was handed over
	restCopy []byte // what it was at that time
	overruns int
}

const allTheRoom = math.MaxInt

func (w *world) newShard() *fakeSink {
	s := &fakeSink{w: w, readers: make(map[uint32]*reader)}
	s.shard = w.hub.NewShard(s, func() { s.wakes++ })
	return s
}

func (s *fakeSink) Write(owner uint32, p []byte) int {
	r := s.readers[owner]
	switch {
	case r == nil:
		s.w.t.Fatalf("a write for %d, which was removed: %q", owner, p)
	case r.blocked || r.awaits:
		s.w.t.Fatalf("a write for %d, which is blocked: %q", owner, p)
	case len(p) == 0 || p[len(p)-1] != '\n':
		s.w.t.Fatalf("a write for %d that does not end with a frame: %q", owner, p)
	}
	n := r.accept(p)
	s.writes++
	r.awaits = n < len(p)
	s.event("%d << %s%s", owner, lines(p[:n]), map[bool]string{true: " [short]"}[r.awaits])
	return n
}

// accept takes of p what there is room for.
func (r *reader) accept(p []byte) int {
	n := min(len(p), r.room)
	r.got = append(r.got, p[:n]...)
	if r.room != allTheRoom {
		r.room -= n
	}
	return n
}

func (s *fakeSink) Rest(owner uint32, rest []byte) {
	r := s.readers[owner]
	if !r.awaits {
		s.w.t.Fatalf("a rest for %d without a short write before it", owner)
	}
	r.awaits, r.blocked = false, true
	r.rest, r.restCopy = rest, bytes.Clone(rest)
	s.event("%d rest %s", owner, lines(rest))
}

func (s *fakeSink) Overrun(owner uint32) {
	s.readers[owner].overruns++
	s.event("%d overrun", owner)
}

func (s *fakeSink) Client(owner uint32) ClientID { return s.readers[owner].client }

func (s *fakeSink) event(format string, args ...any) {
	if s.log != nil {
		s.log(format, args...)
	}
}

func (s *fakeSink) add(owner uint32, kind Kind) *reader {
	r := &reader{id: s.shard.NewSubscriber(owner, kind), client: ClientID(owner), room: allTheRoom}
	s.readers[owner] = r
	return r
}

func (s *fakeSink) subscribe(owner uint32, topics ...string) {
	s.w.t.Helper()
	for _, name := range topics {
		if _, err := s.shard.Subscribe(s.readers[owner].id, &Request{Filter: name}); err != nil {
			s.w.t.Fatalf("subscribe %d %s: %v", owner, name, err)
		}
	}
}

func (s *fakeSink) remove(owner uint32) {
	s.shard.Remove(s.readers[owner].id)
	delete(s.readers, owner)
}

// drain sends the rest a reader was left with, as far as there is room, and says so when it is gone.
func (s *fakeSink) drain(owner uint32) {
	r := s.readers[owner]
	if !r.blocked {
		return
	}
	if !bytes.Equal(r.rest, r.restCopy) {
		s.w.t.Fatalf("the rest of %d changed: %q, was %q", owner, r.rest, r.restCopy)
	}
	n := r.accept(r.rest)
	if r.rest, r.restCopy = r.rest[n:], r.restCopy[n:]; len(r.rest) == 0 {
		r.blocked = false
		s.shard.Drained(r.id)
	}
}

// run takes turns until no work is left.
func (s *fakeSink) run() {
	s.w.t.Helper()
	for n := 0; s.shard.Turn(); n++ {
		if n > 1_000_000 {
			s.w.t.Fatal("turns without an end")
		}
	}
}

func lines(p []byte) string {
	return strings.ReplaceAll(strings.TrimSuffix(string(p), "\n"), "\n", "; ")
}

// settled fails the test where a shard without work still holds something of it.
func (s *fakeSink) settled() {
	s.w.t.Helper()
	h := s.shard
	if len(s.readers) == 0 {
		s.run() // patterns let their topics go in turns
	}
	if h.spans.Len() != 0 || h.blocks.Len() != 0 || h.walks.len() != 0 || h.queue.len() != 0 || h.pending.len() != 0 {
		s.w.t.Fatalf("left behind: %d spans, %d notes, %d walks, %d queued, %d pending",
			h.spans.Len(), h.blocks.Len(), h.walks.len(), h.queue.len(), h.pending.len())
	}
	blocked := 0
	for _, r := range s.readers {
		if u := h.subscribers.At(uint32(r.id)); r.blocked || u.lag != 0 && len(h.lags.At(u.lag).waiting) > 0 {
			blocked++
		}
	}
	if h.lags.Len() != blocked {
		s.w.t.Fatalf("%d lag records for %d blocked readers", h.lags.Len(), blocked)
	}
	if len(s.readers) > 0 {
		return
	}
	for what, n := range map[string]int{
		"subscribers": h.subscribers.Len(), "subscriptions": h.subscriptions.Len(), "rolls": h.rolls.Len(),
		"locals": h.locals.Len(), "topics": len(h.byName), "patterns": h.patterns.Len(), "filters": len(h.byFilter),
		"crowds": len(h.crowded), "lags": h.lags.Len(), "recent": int(h.recent), "lost": h.lost, "asides": h.asides.len + len(h.asides.of),
	} {
		if n != 0 {
			s.w.t.Fatalf("left behind: %d %s", n, what)
		}
	}
}
