package pubsub

import (
	"fmt"
	"testing"
	"unsafe"
)

// TestLagBytes: it grows with the topics that a subscriber is behind in, not with their messages, and ends with its lag.
func TestLagBytes(t *testing.T) {
	const topics, messages = 100, 50
	for _, filter := range []string{"", "t/#"} {
		w := newWorld(t, nil)
		s := w.newShard()
		r := s.add(1, kindLine)
		for i := range topics {
			name := fmt.Sprintf("t/%d", i)
			w.publish(name, "0")
			if filter == "" {
				s.subscribe(1, name)
			}
		}
		if filter != "" {
			s.subscribe(1, filter)
		}
		s.run()
		if n := s.shard.LagBytes(r.id); n != 0 {
			t.Errorf("%q: nobody is behind, and %d bytes", filter, n)
		}
		r.room = 1 // the first message is cut off, so that the next ones are owed
		w.publish("t/0", "1")
		s.run()
		var first int
		for round := range messages {
			for i := range topics {
				w.publish(fmt.Sprintf("t/%d", i), "x")
			}
			s.run()
			if n := s.shard.LagBytes(r.id); round == 0 {
				first = n
			} else if n != first {
				t.Fatalf("%q: %d bytes, and %d after more messages of the same topics", filter, first, n)
			}
		}
		if least := topics * int(unsafe.Sizeof(mark{})); first < least || first > 4*least {
			t.Errorf("%q: %d bytes for %d topics, of which each takes %d", filter, first, topics, least/topics)
		}
		r.room = allTheRoom
		s.drain(1)
		s.run()
		if n := s.shard.LagBytes(r.id); n != 0 {
			t.Errorf("%q: it has caught up, and %d bytes", filter, n)
		}
	}
}
