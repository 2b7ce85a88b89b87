package pubsub

import (
	"strings"
	"testing"
)

// TestNewestWhileItsWalkIsUnderWay has a reader drain that is owed messages in its own way, when the others of its interval are
// just getting the newest: it gets that with them, once.
func TestNewestWhileItsWalkIsUnderWay(t *testing.T) {
	w := newWorld(t, nil)
	s := w.newShard()
	for owner := uint32(1); owner <= 2; owner++ {
		id := s.add(owner, kindLine).id
		if _, err := s.shard.Subscribe(id, &Request{Filter: "a/+", Terms: Terms{EveryMillis: 1000}}); err != nil {
			t.Fatal(err)
		}
	}
	slow := s.readers[2]
	s.subscribe(2, "#")
	slow.room = 3
	for _, payload := range []string{"1", "2", "3"} {
		w.publish("a/x", payload)
		s.run()
	}
	s.shard.Unsubscribe(slow.id, "#") // from now on it goes by the interval, which holds back what it has by its mark
	slow.room = allTheRoom
	s.drain(2)
	w.mono += 1000 * nanosPerMilli
	s.shard.every, w.step = looks{notes: 1, writes: 1, encodings: 1}, 2000 // one reader a slice
	s.shard.Turn()
	if s.shard.walks.len() == 0 || strings.Count(string(slow.got), "\n") != 1 {
		t.Fatalf("the slow one has %q, and %d walks are under way", slow.got, s.shard.walks.len())
	}
	s.run()
	if want := "a/x 1 1\na/x 3 3\n"; string(slow.got) != want {
		t.Errorf("the slow one got %q, want %q", slow.got, want)
	}
}

// What is held back for an interval when its subscriber resumes by another pattern comes, also if the loop has not taken it
// yet.
func TestResumeBesideAnInterval(t *testing.T) {
	for _, taken := range []bool{false, true} {
		w := newWorld(t, nil)
		s := w.newShard()
		r := s.add(1, kindLine)
		s.add(2, kindLine)
		s.ask(2, Request{Filter: "+/+"}) // so that the pattern has looked before
		s.ask(1, Request{Filter: "#", Terms: Terms{EveryMillis: 10_000}})
		w.publish("t/1", "one")
		s.run()
		w.wall += 5
		w.publish("t/1", "two")
		if taken {
			s.run()
		}
		w.wall += 5
		s.ask(1, Request{Filter: "+/+", Since: &Since{Epoch: "e", TS: w.wall - 1}})
		s.run()
		w.publish("t/1", "three")
		s.run()
		if got := lines(r.got); got != "t/1 1 one; t/1 2 two; t/1 3 three" {
			t.Errorf("taken before: %v: got %q", taken, got)
		}
	}
}
