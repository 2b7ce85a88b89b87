package pubsub

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// countSink takes everything and checks only that the numbers of each topic rise by 1.
type countSink struct {
	discardSink
	last     map[uint32]uint64 // by owner
	messages int
	err      error
}

func (s *countSink) Write(owner uint32, p []byte) int {
	for frame := range bytes.Lines(p) {
		words := bytes.Fields(frame)
		if want := s.last[owner] + 1; len(words) != 3 || string(words[1]) != strconv.FormatUint(want, 10) {
			s.err = errors.Join(s.err, fmt.Errorf("%d: %q, want %d", owner, frame, want))
		}
		s.last[owner]++
		s.messages++
	}
	return len(p)
}

// discardSink takes everything.
type discardSink struct{}

func (discardSink) Write(_ uint32, p []byte) int { return len(p) }
func (discardSink) Rest(uint32, []byte)          {}
func (discardSink) Overrun(uint32)               {}
func (discardSink) Client(owner uint32) ClientID { return ClientID(owner) }

// TestPublishersWaitForLoops runs publishers against loops in goroutines of their own: what is in flight
// stays within its bounds, everybody gets everything, and nothing is left over.
func TestPublishersWaitForLoops(t *testing.T) {
	for _, c := range []struct {
		why    string
		change func(*Options)
	}{
		{"bounded by messages of a topic", func(o *Options) { o.InFlightMessagesMax = 3 }},
		{"bounded by bytes of a topic", func(o *Options) { o.InFlightBytesMax = 500 }},
		{"bounded by bytes of all topics", func(o *Options) { o.InFlightTotalBytesMax = 400 }},
	} {
		t.Run(c.why, func(t *testing.T) { publishersWait(t, c.change) })
	}
}

func publishersWait(t *testing.T, change func(*Options)) {
	const loops, topics, publishers, each = 3, 2, 6, 300
	var wall atomic.Int64
	w := newWorld(t, func(o *Options) {
		o.RetainMessagesMax = 1
		o.Wall, o.Steady, o.Clock = wall.Load, wall.Load, func() int64 { return 0 }
		change(o)
	})
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var running, ready sync.WaitGroup
	stop := make(chan struct{})
	sinks := make([]*countSink, loops)
	ready.Add(loops)
	for i := range loops {
		sinks[i] = &countSink{last: make(map[uint32]uint64)}
		running.Go(func() { runLoop(w, sinks[i], topics, &ready, stop) })
	}
	ready.Wait()
	var publishing sync.WaitGroup
	for i := range publishers {
		publishing.Go(func() {
			p := Publication{Topic: fmt.Sprint("t", i%topics), Payload: []byte("xxxxxxxxxxxxxxxx")}
			for range each {
				if _, err := w.hub.PublishWait(ctx, &p); err != nil {
					t.Error(err)
					return
				}
				w.checkInFlight()
			}
		})
	}
	publishing.Wait()
	close(stop)
	running.Wait()
	for i, s := range sinks {
		if s.err != nil || s.messages != publishers*each {
			t.Errorf("loop %d got %d messages of %d: %v", i, s.messages, publishers*each, s.err)
		}
	}
	if got := w.hub.Stats(); got.InFlightBytes != 0 || got.Topics != topics {
		t.Errorf("left over: %+v", got)
	}
	wall.Add(1 << 40)
	for part := range SweepParts {
		w.hub.Sweep(part)
	}
	if got := w.hub.Stats(); got != (Stats{}) {
		t.Errorf("left over when all has expired: %+v", got)
	}
}

// checkInFlight allows for one frame more than the estimate by which publications are let in.
func (w *world) checkInFlight() {
	const frame = recordBytes + 32
	o := &w.hub.o
	for _, name := range []string{"t0", "t1"} {
		tp := w.hub.lookup(name)
		tp.mu.Lock()
		if n := tp.ring.head - tp.takenTo(); n > uint64(o.InFlightMessagesMax) || tp.inFlight > int64(o.InFlightBytesMax+frame) {
			w.t.Errorf("%s has %d messages and %d bytes in flight", name, n, tp.inFlight)
		}
		tp.mu.Unlock()
	}
	if n := w.hub.Stats().InFlightBytes; n > int64(o.InFlightTotalBytesMax+2*frame) { // each topic may pass it by one
		w.t.Errorf("%d bytes in flight in all", n)
	}
}

// runLoop is one event loop: a subscriber to each topic, and turns whenever it is woken. Once stopped it
// takes what is left and removes its subscribers.
func runLoop(w *world, sink *countSink, topics int, ready *sync.WaitGroup, stop <-chan struct{}) {
	wake := make(chan struct{}, 1)
	s := w.hub.NewShard(sink, func() {
		select {
		case wake <- struct{}{}:
		default:
		}
	})
	var ids []SubscriberID
	for i := range topics {
		id := s.NewSubscriber(uint32(i), kindLine)
		if _, err := s.Subscribe(id, &Request{Filter: fmt.Sprint("t", i)}); err != nil {
			w.t.Error(err)
		}
		ids = append(ids, id)
	}
	ready.Done()
	for stopped := false; !stopped; {
		select {
		case <-wake:
		case <-stop:
			stopped = true
		}
		for s.Turn() {
		}
	}
	for _, id := range ids {
		s.Remove(id)
	}
}

func TestNoRoom(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.InFlightMessagesMax = 2 })
	s := w.newShard()
	s.add(1, kindLine)
	s.subscribe(1, "a")
	w.publish("a", "1", "2")
	p := &Publication{Topic: "a", Payload: []byte("3")}
	if _, err := w.hub.Publish(p, nil); !errors.Is(err, ErrNoRoom) {
		t.Fatalf("a third message: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := w.hub.PublishWait(ctx, p); !errors.Is(err, ErrNoRoom) {
		t.Fatalf("waiting with no time left: %v", err)
	}
	published := make(chan error)
	go func() {
		_, err := w.hub.PublishWait(context.Background(), p)
		published <- err
	}()
	for tp, waits := w.topic("a"), false; !waits; { // until it waits
		tp.mu.Lock()
		waits = tp.room != nil
		tp.mu.Unlock()
		runtime.Gosched()
	}
	s.shard.Remove(s.readers[1].id) // a reader that goes makes room too
	if err := <-published; err != nil {
		t.Fatal(err)
	}
	if got := w.hub.Stats().InFlightBytes; got != 0 {
		t.Errorf("%d bytes in flight for nobody", got)
	}
}

// TestOneMessageOfAnySize: a topic with nothing in flight takes a message above its bound.
func TestOneMessageOfAnySize(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.InFlightBytesMax = 100 })
	s := w.newShard()
	s.add(1, kindLine)
	s.subscribe(1, "a")
	long := &Publication{Topic: "a", Payload: make([]byte, 10_000)}
	for want := range 3 {
		if _, err := w.hub.Publish(long, nil); err != nil {
			t.Fatalf("message %d: %v", want, err)
		}
		if _, err := w.hub.Publish(long, nil); !errors.Is(err, ErrNoRoom) {
			t.Fatalf("a second one: %v", err)
		}
		s.run()
	}
}

// TestTopicsComeAndGo publishes, subscribes and sweeps from several goroutines, with topics that expire
// at once: no number is given twice, and the gauges end at nothing.
func TestTopicsComeAndGo(t *testing.T) {
	var wall atomic.Int64
	w := newWorld(t, func(o *Options) {
		o.TopicIdleMillis = 1
		o.Wall, o.Steady, o.Clock = func() int64 { return wall.Add(2) }, wall.Load, func() int64 { return 0 }
	})
	var working sync.WaitGroup
	for i := range 2 {
		working.Go(func() {
			s := w.hub.NewShard(discardSink{}, func() {})
			id := s.NewSubscriber(uint32(i), kindUpper)
			for n := range 2000 {
				name := fmt.Sprint("t", n%3)
				if _, err := s.Subscribe(id, &Request{Filter: name}); err != nil {
					t.Error(err)
				}
				s.Turn()
				s.Unsubscribe(id, name)
				s.Turn()
			}
			s.Remove(id)
		})
		working.Go(func() {
			last := make(map[string]uint64)
			for n := range 3000 {
				name := fmt.Sprint("t", n%3)
				r, err := w.hub.PublishWait(context.Background(), &Publication{Topic: name})
				if err != nil || r.Seq <= last[name] {
					t.Errorf("%s: %d after %d, %v", name, r.Seq, last[name], err)
				}
				last[name] = r.Seq
			}
		})
	}
	working.Go(func() {
		for n := range 20 * SweepParts {
			w.hub.Sweep(n)
		}
	})
	working.Wait()
	wall.Add(1000)
	for part := range SweepParts {
		w.hub.Sweep(part)
	}
	if got := w.hub.Stats(); got != (Stats{}) {
		t.Errorf("left over: %+v", got)
	}
}

// laterBroker answers when told to.
type laterBroker struct {
	Broker
	done func(Receipt, error)
}

func (b *laterBroker) Publish(_ *Publication, done func(Receipt, error)) (Receipt, error) {
	b.done = done
	if b.Broker == nil { // it answers before it returns, as a quick one may
		done(Receipt{Seq: 7}, nil)
	}
	return Receipt{}, ErrPending
}

func TestPublishWaitsForTheBroker(t *testing.T) {
	w := newWorld(t, nil)
	w.hub.broker = &laterBroker{}
	if r, err := w.hub.PublishWait(context.Background(), &Publication{Topic: "a"}); r.Seq != 7 || err != nil {
		t.Errorf("%+v, %v", r, err)
	}
	b := &laterBroker{Broker: &inProcess{}}
	w.hub.broker = b
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := w.hub.PublishWait(ctx, &Publication{Topic: "a"}); !errors.Is(err, context.Canceled) {
		t.Errorf("with no time left: %v", err)
	}
	b.done(Receipt{}, nil) // an answer that nobody waits for harms nobody
}
