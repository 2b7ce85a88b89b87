package pubsub

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// ask subscribes, and fails the test where it is refused.
func (s *fakeSink) ask(owner uint32, r Request) Joined {
	s.w.t.Helper()
	j, err := s.shard.Subscribe(s.readers[owner].id, &r)
	if err != nil {
		s.w.t.Fatalf("subscribe %d %+v: %v", owner, r, err)
	}
	return j
}

// TestLinkOfAnEndedPattern: a publisher links a shard for a pattern, which ends before the shard takes the message.
func TestLinkOfAnEndedPattern(t *testing.T) {
	w := newWorld(t, nil)
	s := w.newShard()
	s.add(1, kindLine)
	s.subscribe(1, "#")
	w.publish("a", "1")
	s.shard.Unsubscribe(s.readers[1].id, "#")
	s.run()
	s.remove(1)
	s.settled()
	if n := len(w.topic("a").links); n != 0 {
		t.Errorf("the topic has %d links", n)
	}
}

// TestFirstReaderOfAllIsWaitedFor: where all others want the latest, publishers do not wait for the loop. From the first
// that wants all on they do, however it came to that.
func TestFirstReaderOfAllIsWaitedFor(t *testing.T) {
	latest := Request{Filter: "a", Terms: Terms{Mode: ModeLatest}}
	for _, c := range []struct {
		why     string
		asks    []Request // before the first message
		then    Request
		another bool // somebody else asks it
	}{
		{"a pattern that is new", []Request{latest}, Request{Filter: "#", Terms: Terms{Mode: ModeAll}}, true},
		{"other terms of a pattern", []Request{{Filter: "#", Terms: Terms{Mode: ModeLatest}}}, Request{Filter: "#", Terms: Terms{Mode: ModeAll}}, false},
		{"another one of a pattern", []Request{{Filter: "#", Terms: Terms{Mode: ModeLatest}}}, Request{Filter: "#"}, true},
		{"other terms of a topic", []Request{latest}, Request{Filter: "a", Terms: Terms{Mode: ModeAll}}, false},
	} {
		w := newWorld(t, func(o *Options) { o.RetainMessagesMax = 1 })
		s := w.newShard()
		reader := s.add(1, kindLine)
		for _, r := range c.asks {
			s.ask(1, r)
		}
		w.publish("a", "1")
		s.run()
		owner := uint32(1)
		if c.another {
			owner, reader = 2, s.add(2, kindLine)
		}
		s.ask(owner, c.then)
		reader.got = nil
		w.publish("a", "2", "3", "4")
		s.run()
		if got := lines(reader.got); got != "a 2 2; a 3 3; a 4 4" {
			t.Errorf("%s: a quick reader of all got %q", c.why, got)
		}
	}
}

// TestResumeOverAClockSetBack: what is published after the clock was set back is not older than what went before.
func TestResumeOverAClockSetBack(t *testing.T) {
	w := newWorld(t, nil)
	s := w.newShard()
	w.publish("x", "1")
	left := w.topic("x").ts
	w.wall -= 10_000
	w.publish("y", "1")
	r := s.add(1, kindLine)
	j := s.ask(1, Request{Filter: "#", Since: &Since{Epoch: "e", TS: left, Seqs: map[string]uint64{"x": 1}}})
	s.run()
	if j.Recovered != 1 || lines(r.got) != "y 1 1" {
		t.Errorf("recovered %d, got %q", j.Recovered, r.got)
	}
	if j.TS < left {
		t.Errorf("the answer's time %d lies before a message's, %d", j.TS, left)
	}
}

// TestSnapshotsWithinTheBoundOfLag: two snapshots that each fit are refused together, rather than that a quick reader is
// cut off.
func TestSnapshotsWithinTheBoundOfLag(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.LagTopicsMax = 10 })
	s := w.newShard()
	for i := range 8 {
		w.publish(fmt.Sprint("a/", i), "1")
		w.publish(fmt.Sprint("b/", i), "1")
	}
	r := s.add(1, kindLine)
	s.ask(1, Request{Filter: "a/#", Last: 1})
	if _, err := s.shard.Subscribe(r.id, &Request{Filter: "b/#", Last: 1}); !errors.Is(err, ErrSnapshot) {
		t.Errorf("the second one: %v", err)
	}
	s.run()
	s.ask(1, Request{Filter: "b/#", Last: 1})
	s.run()
	if n := s.shard.Counts().Deliveries; n != 16 || r.overruns != 0 {
		t.Errorf("%d messages came, %d overruns", n, r.overruns)
	}
}

// TestSnapshotWhileOneIsServed: a reader asks for a snapshot of many topics again and again, while it is served an earlier
// one and is owed more of other topics: each time it gets the newest of all.
func TestSnapshotWhileOneIsServed(t *testing.T) {
	w := newWorld(t, nil)
	s := w.newShard()
	r := s.add(1, kindLine)
	s.subscribe(1, "other/#")
	const topics = 300
	for i := range topics {
		w.publish(fmt.Sprintf("snap/%d", i), "x")
	}
	for round := range 200 {
		r.room = round * 37 % 2000
		w.mono += topics * (1 + looksAJoin) * nanosPerLook // in which it is paid for
		w.publish(fmt.Sprintf("other/%d", round), "y")
		if _, err := s.shard.Subscribe(r.id, &Request{Filter: "snap/#", Last: 1}); err != nil {
			t.Fatal(err)
		}
		for range round % 5 {
			s.shard.Turn()
			s.drain(1)
		}
	}
	r.got, r.room = nil, allTheRoom
	s.drain(1)
	s.run()
	if _, err := s.shard.Subscribe(r.id, &Request{Filter: "snap/#", Last: 1}); err != nil {
		t.Fatal(err)
	}
	r.got = nil
	s.run()
	if n := strings.Count(string(r.got), "snap/"); n != topics {
		t.Errorf("%d messages of %d topics", n, topics)
	}
	s.settled()
}

// What was published before somebody subscribed is not for them, although the loop had yet to take it.
func TestPatternBeginsWhereItIsAskedFor(t *testing.T) {
	w := newWorld(t, nil)
	s := w.newShard()
	s.add(1, kindLine)
	r := s.add(2, kindLine)
	s.ask(1, Request{Filter: "a/x"})
	s.run()
	w.publish("a/x", "before")
	s.ask(2, Request{Filter: "a/+"})
	s.run()
	w.publish("a/x", "after")
	s.run()
	if got := lines(r.got); got != "a/x 2 after" {
		t.Errorf("got %q", got)
	}
}
