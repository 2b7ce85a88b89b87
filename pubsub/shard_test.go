package pubsub

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestShortWriteAtEveryByte lets the kernel stop at each byte of a write, and of the one that follows:
// the reader has whole frames in order, every message once.
func TestShortWriteAtEveryByte(t *testing.T) {
	want := "a 1 one\na 2 two\nb 1 uno\na gap 3-3 excluded\na 4 four\nb 2 dos\n"
	for first := range len(want) + 1 {
		for second := range 12 {
			w := newWorld(t, nil)
			s := w.newShard()
			r := s.add(1, kindLine)
			s.subscribe(1, "a", "b")
			w.publish("a", "one", "two")
			w.publish("b", "uno")
			if _, err := w.hub.Publish(&Publication{Topic: "a", Payload: []byte("three"), Exclude: []ClientID{1}}, nil); err != nil {
				t.Fatal(err)
			}
			w.publish("a", "four")
			r.room = first
			s.run()
			w.publish("b", "dos")
			s.run()
			r.room = second
			s.drain(1)
			s.run()
			r.room = allTheRoom
			s.drain(1)
			s.run()
			s.settled()
			got := strings.SplitAfter(string(r.got), "\n")
			for _, topic := range []string{"a ", "b "} {
				other := func(l string) bool { return !strings.HasPrefix(l, topic) }
				if g, w := slices.DeleteFunc(slices.Clone(got), other), slices.DeleteFunc(strings.SplitAfter(want, "\n"), other); !slices.Equal(g, w) {
					t.Fatalf("%d bytes, then %d: got %q", first, second, r.got)
				}
			}
			if c := s.shard.Counts(); c.Deliveries != 5 || c.Gaps != 0 {
				t.Fatalf("%d bytes, then %d: %+v", first, second, c)
			}
		}
	}
}

// TestOneWriteForAllTopics: what k topics have for a subscriber is one write, of up to 64 KiB.
func TestOneWriteForAllTopics(t *testing.T) {
	w := newWorld(t, nil)
	s := w.newShard()
	r := s.add(1, kindLine)
	var want []byte
	for i := range 50 {
		name := fmt.Sprint("t", i)
		s.subscribe(1, name)
		w.publish(name, "x", "y")
		want = fmt.Appendf(want, "%s 1 x\n%s 2 y\n", name, name)
	}
	s.run()
	if s.writes != 1 || !bytes.Equal(r.got, want) {
		t.Fatalf("%d writes of %q", s.writes, r.got)
	}
	for _, c := range []struct {
		why    string
		sizes  []int
		writes int
	}{
		{"two frames of half a write are one", []int{writeBytesMax/2 - 20, writeBytesMax/2 - 20}, 1},
		{"a little more is two", []int{writeBytesMax / 2, writeBytesMax / 2}, 2},
		{"a frame longer than a write goes alone", []int{3 * writeBytesMax, 10, 10}, 2},
		{"also behind others", []int{10, 10, 3 * writeBytesMax}, 2},
	} {
		s.writes, r.got = 0, nil
		total := 0
		for i, n := range c.sizes {
			w.publish(fmt.Sprint("t", i), strings.Repeat("x", n))
			total += n
		}
		s.run()
		if s.writes != c.writes || bytes.Count(r.got, []byte("x")) != total || cap(s.shard.scratch) > writeBytesMax {
			t.Errorf("%s: %d writes of %d bytes", c.why, s.writes, len(r.got))
		}
	}
	s.settled()
}

// TestTooManyNotes: one that would get more notes than it may have is caught up from the rings instead.
func TestTooManyNotes(t *testing.T) {
	w := newWorld(t, nil)
	s := w.newShard()
	r := s.add(1, kindLine)
	topics := notesMax + 10
	for i := range topics {
		s.subscribe(1, fmt.Sprint("t", i))
		w.publish(fmt.Sprint("t", i), "x")
	}
	u := s.shard.subscribers.At(uint32(r.id))
	for _, l := range s.shard.mailbox.take() {
		s.shard.pending.push(l)
	}
	if s.shard.noteNews(1 << 60); int(u.notes) != notesMax || !s.shard.Lagging(r.id) {
		t.Fatalf("%d notes, lagging %v", u.notes, s.shard.Lagging(r.id))
	}
	w.publish("t0", "y")
	s.run()
	s.settled()
	if s.writes != 2 || bytes.Count(r.got, []byte(" 1 x\n")) != topics || bytes.Count(r.got, []byte("t0 2 y\n")) != 1 {
		t.Fatalf("%d writes of %q", s.writes, r.got)
	}
}

// TestTurnIsSliced: a turn ends when its time is over, the next one goes on where it ended, and what is
// published meanwhile joins what is still waiting.
func TestTurnIsSliced(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.SliceNanos = 1 })
	w.step = 1 // every look at the clock says that the slice is over
	s := w.newShard()
	const readers = 5000
	for owner := uint32(1); owner <= readers; owner++ {
		s.add(owner, kindLine)
		s.subscribe(owner, "a")
	}
	w.publish("a", "1")
	turns := 0
	for s.shard.Turn() {
		if turns++; turns == 1 {
			if s.writes != usualLooks.writes || s.shard.walks.len() != 1 {
				t.Fatalf("a slice made %d writes, %d walks are under way", s.writes, s.shard.walks.len())
			}
			w.publish("a", "2")
		}
	}
	if least := readers / usualLooks.writes; turns < least-1 {
		t.Errorf("%d turns for %d writes of %d a turn", turns, readers, usualLooks.writes)
	}
	both := 0
	for owner, r := range s.readers {
		if got := lines(r.got); got != "a 1 1; a 2 2" {
			t.Fatalf("%d got %q", owner, got)
		}
		both++
	}
	if s.writes >= 2*both {
		t.Errorf("%d writes: the second message never joined the first", s.writes)
	}
	s.settled()
}

// TestJoinAndLeaveDuringAWalk: the batch of a walk goes to exactly those who were there when it began
// and are still there when it comes by.
func TestJoinAndLeaveDuringAWalk(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.SliceNanos = 1 })
	w.step = 1
	s := w.newShard()
	s.shard.every = looks{notes: 3, writes: 1, encodings: 1}
	for owner := uint32(1); owner <= 12; owner++ {
		s.add(owner, kindLine)
		s.subscribe(owner, "a")
	}
	w.publish("a", "1")
	s.shard.Turn()
	if s.shard.walks.len() != 1 {
		t.Fatal("no walk is under way")
	}
	left := []uint32{1, 2, 11, 12, 5} // some that the walk has passed and some that it has not
	for _, owner := range left {
		if !s.shard.Unsubscribe(s.readers[owner].id, "a") {
			t.Fatalf("%d was not subscribed", owner)
		}
	}
	before := make(map[uint32]int)
	for _, owner := range left {
		before[owner] = len(s.readers[owner].got)
	}
	s.remove(6)
	w.publish("a", "2")
	s.add(20, kindLine)
	s.subscribe(20, "a", "b") // finishes the walk, and begins the next one
	if !s.shard.Unsubscribe(s.readers[3].id, "a") {
		t.Fatal("3 was not subscribed")
	}
	before[3] = len(s.readers[3].got)
	w.publish("a", "3")
	s.run()
	s.settled()
	for owner, r := range s.readers {
		switch n, gone := before[owner]; {
		case gone && len(r.got) != n:
			t.Errorf("%d got %q after it had left", owner, r.got[n:])
		case owner == 20 && lines(r.got) != "a 3 3", owner != 20 && !gone && lines(r.got) != "a 1 1; a 2 2; a 3 3":
			t.Errorf("%d got %q", owner, r.got)
		}
	}
}

// TestTheLastOneLeavesDuringAWalk: the shard's interest ends with the walk, unless somebody joins.
func TestTheLastOneLeavesDuringAWalk(t *testing.T) {
	for _, joins := range []bool{false, true} {
		w := newWorld(t, nil)
		s := w.newShard()
		s.add(1, kindLine)
		s.add(2, kindLine)
		s.subscribe(1, "a")
		w.publish("a", "1")
		s.subscribe(2, "a") // begins a walk
		s.remove(1)
		s.remove(2)
		if len(w.topic("a").links) != 1 {
			t.Fatal("interest ended while a walk was under way")
		}
		if joins {
			s.add(3, kindLine)
			s.subscribe(3, "a")
			w.publish("a", "2")
		}
		s.run()
		if joins {
			if got := lines(s.readers[3].got); got != "a 2 2" {
				t.Errorf("3 got %q", got)
			}
			s.remove(3)
		}
		if n := len(w.topic("a").links); n != 0 {
			t.Errorf("%d links are left", n)
		}
		s.settled()
	}
}

// TestCrowdOfSubscriptions: from some number on a subscriber's subscriptions are found by a map.
func TestCrowdOfSubscriptions(t *testing.T) {
	w := newWorld(t, nil)
	s := w.newShard()
	r := s.add(1, kindLine)
	name := func(i int) string { return fmt.Sprint("t", i) }
	for i := range 3 * crowd {
		if got := len(s.shard.crowded) > 0; got != (i >= crowd) {
			t.Fatalf("by a map with %d: %v", i, got)
		}
		s.subscribe(1, name(i), name(i), name(i/2))
		if n := s.shard.SubscriptionCount(r.id); n != i+1 {
			t.Fatalf("%d subscriptions, want %d", n, i+1)
		}
		w.publish(name(i), "x")
	}
	var listed []string
	s.shard.Subscriptions(r.id, func(topic string, at Joined) {
		if at.Seq != 1 || at.Epoch != "e" {
			t.Errorf("%s is at %+v", topic, at)
		}
		listed = append(listed, topic)
	})
	if len(listed) != 3*crowd {
		t.Errorf("%d listed", len(listed))
	}
	for i := 0; i < 3*crowd; i += 2 {
		if !s.shard.Unsubscribe(r.id, name(i)) || s.shard.Unsubscribe(r.id, name(i)) {
			t.Fatalf("%s: not there, or twice", name(i))
		}
	}
	s.run()
	if n := strings.Count(string(r.got), "\n"); n != 3*crowd/2 {
		t.Errorf("%d messages of %d topics", n, 3*crowd/2)
	}
	s.remove(1)
	s.settled()
}

// TestGapInNumbersThatSkip: a notice speaks of sequence numbers as the broker gave them.
func TestGapInNumbersThatSkip(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.RetainMessagesMax = 2 })
	s := w.newShard()
	r := s.add(1, kindLine)
	s.subscribe(1, "a")
	w.skip("a", 5, "x")
	w.skip("a", 5, "x")
	s.run()
	r.room = 0
	w.skip("a", 1, "y")
	s.run()
	for range 3 {
		w.skip("a", 10, "z")
		s.run()
	}
	r.room = allTheRoom
	s.drain(1)
	s.run()
	if got := lines(r.got); got != "a 5 ^0 x; a 10 ^5 x; a gap 11-21 slow; a 31 ^21 z; a 41 ^31 z" {
		t.Errorf("got %q", got)
	}
	if c := s.shard.Counts(); c.Gaps != 1 {
		t.Errorf("%+v", c)
	}
}
