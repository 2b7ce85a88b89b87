package pubsub

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// The bound on all rings holds whatever is published where; topics without subscribers go for it, the one
// just used not being among the first.
func TestNewestMessagesAreWithinTheBound(t *testing.T) {
	const size = 1 << 10
	w := newWorld(t, func(o *Options) { o.RetainTotalBytesMax, o.InFlightTotalBytesMax = 8*size, 8*size })
	for i := range 500 {
		w.wall++
		w.publish(fmt.Sprint("t", i), strings.Repeat("x", size-200))
		if s := w.hub.Stats(); s.RingBytes > 17*size || i > 40 && s.Topics > 40 {
			t.Fatalf("after %d topics: %+v", i+1, s)
		}
		if w.hub.lookup(fmt.Sprint("t", i)) == nil {
			t.Fatalf("t%d went at once", i)
		}
	}
	if s := w.hub.Stats(); s.TopicsEvicted == 0 || s.TopicsEvicted+uint64(s.Topics) != 500 {
		t.Errorf("%+v", s)
	}
}

// A topic with subscribers does not go. Where all have some, more is refused, other than what replaces a
// message as large.
func TestFullOfTopicsWithSubscribers(t *testing.T) {
	const size = 1 << 10
	w := newWorld(t, func(o *Options) { o.RetainTotalBytesMax, o.InFlightTotalBytesMax = 2*size, 2*size })
	s := w.hub.NewShard(&fakeSink{w: w, readers: map[uint32]*reader{}}, func() {})
	id := s.NewSubscriber(1, 0)
	payload := strings.Repeat("x", size-300)
	var full int
	for i := range 8 {
		name := fmt.Sprint("t", i)
		if _, err := s.Subscribe(id, &Request{Filter: name}); err != nil {
			t.Fatal(err)
		}
		_, err := w.hub.Publish(&Publication{Topic: name, Content: JSON, Payload: []byte(payload)}, nil)
		if errors.Is(err, ErrFull) {
			full++
		} else if err != nil && !errors.Is(err, ErrNoRoom) {
			t.Fatal(err)
		}
		s.Take()
	}
	if full == 0 || w.hub.Stats().RingBytes > 5*size || w.hub.Stats().TopicsEvicted != 0 {
		t.Errorf("%d refused, %+v", full, w.hub.Stats())
	}
	if _, err := w.hub.Publish(&Publication{Topic: "t0", Payload: []byte(payload)}, nil); err != nil {
		t.Errorf("one in place of another: %v", err)
	}
}

// Names that clients only ask for take nobody's place.
func TestSubscribersEvictNothing(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.TopicsMax = 2 })
	w.publish("a", "1")
	w.publish("b", "1")
	s := w.hub.NewShard(&fakeSink{w: w, readers: map[uint32]*reader{}}, func() {})
	if _, err := s.Subscribe(s.NewSubscriber(1, 0), &Request{Filter: "c"}); !errors.Is(err, ErrTooManyTopics) {
		t.Errorf("got %v", err)
	}
	w.publish("c", "1")
	if n := w.hub.Stats(); n.Topics != 2 || n.TopicsEvicted != 1 {
		t.Errorf("%+v", n)
	}
}

// A topic that went between a sweep's look at the index and its turn is not counted twice.
func TestSweepOfATopicThatWent(t *testing.T) {
	w := newWorld(t, nil)
	w.publish("a", "1", "2", "3")
	gone := w.topic("a")
	if !w.hub.letGo(gone, func() bool { return true }) {
		t.Fatal("it did not go")
	}
	w.hub.age(gone, w.wall+1<<40)
	if s := w.hub.Stats(); s != (Stats{}) {
		t.Errorf("%+v", s)
	}
}
