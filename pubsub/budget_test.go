package pubsub

import (
	"errors"
	"fmt"
	"testing"
)

func TestBudget(t *testing.T) {
	b := newBudget(1)
	for _, c := range []struct {
		why   string
		now   int64 // ns
		want  bool
		spend int
	}{
		{"it begins with a burst", 1, true, looksBurstMax + 10},
		{"in debt", 1, false, 0},
		{"not yet paid, however often it is asked", 5*nanosPerLook + 1, false, 0},
		{"to the last look", 10*nanosPerLook + 1, false, 0},
		{"parts of a look add up", 11*nanosPerLook - 1, false, 0},
		{"to a whole one", 11*nanosPerLook + 1, true, 1},
		{"spent", 11*nanosPerLook + 1, false, 0},
		{"a long rest is worth a burst, and no more", 1 << 60, true, looksBurstMax},
		{"which is gone then", 1 << 60, false, 0},
	} {
		if got := b.affords(c.now); got != c.want {
			t.Errorf("%s: %v", c.why, got)
		}
		b.spend(c.spend)
	}
}

// A client that has a loop look at topics without end is refused, others' exact subscriptions and those to few topics are
// not.
func TestBusyLoopRefusesLargePatterns(t *testing.T) {
	since := func(seqs int) *Since {
		x := &Since{Epoch: "e", Seqs: map[string]uint64{}}
		for i := range seqs {
			x.Seqs[fmt.Sprint("few/", i)] = 0
		}
		return x
	}
	for _, c := range []struct {
		why     string
		request Request
		want    error
	}{
		{"no snapshot", Request{Filter: "many/+"}, nil},
		{"an exact topic", Request{Filter: "many/1", Last: 1}, nil},
		{"a snapshot of few", Request{Filter: "few/+", Last: 1}, nil},
		{"since, of few", Request{Filter: "few/#", Since: since(3)}, nil},
		{"since, with many numbers", Request{Filter: "few/#", Since: since(littleLooks)}, ErrBusy},
		{"a snapshot of many", Request{Filter: "many/+", Last: 1}, ErrBusy},
		{"a look at many, of which few match", Request{Filter: "+/x", Last: 1}, ErrBusy},
		{"an interval, for which all known topics are looked at", Request{Filter: "few/+", Terms: Terms{EveryMillis: 10}}, ErrBusy},
	} {
		w := newWorld(t, nil)
		s := w.newShard()
		s.add(1, kindLine)
		for i := range littleLooks {
			if w.publish(fmt.Sprint("many/", i), "x"); i < 3 {
				w.publish(fmt.Sprint("few/", i), "x")
			}
			w.publish(fmt.Sprint(i), "x")
		}
		c.request.SnapshotMax = 0
		s.shard.budget.spend(2 * looksBurstMax)
		if _, err := s.shard.Subscribe(s.readers[1].id, &c.request); !errors.Is(err, c.want) {
			t.Errorf("%s, on a loop in debt: %v", c.why, err)
		}
		w.mono += 3 * looksBurstMax * nanosPerLook
		if _, err := s.shard.Subscribe(s.readers[1].id, &c.request); err != nil {
			t.Errorf("%s, when the debt is paid: %v", c.why, err)
		}
	}
}

// Who comes and goes pays for both.
func TestLeavingIsPaidFor(t *testing.T) {
	w := newWorld(t, nil)
	s := w.newShard()
	for i := range 100 {
		w.publish(fmt.Sprint("a/", i), "x")
	}
	s.add(1, kindLine)
	if _, err := s.shard.Subscribe(s.readers[1].id, &Request{Filter: "a/+", Last: 1}); err != nil {
		t.Fatal(err)
	}
	before := s.shard.Looks()
	s.shard.Remove(s.readers[1].id)
	s.run()
	if left := s.shard.Looks() - before; left < 100*looksAJoin {
		t.Errorf("leaving 100 topics cost %d looks", left)
	}
}
