package pubsub

import (
	"errors"
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

// TestBusyLoopRefusesPatterns: a client that has a loop look at topics without end is refused, others' exact
// subscriptions are not.
func TestBusyLoopRefusesPatterns(t *testing.T) {
	w := newWorld(t, nil)
	s := w.newShard()
	s.add(1, kindLine)
	s.subscribe(1, "a/+")
	s.shard.budget.spend(2 * looksBurstMax)
	if _, err := s.shard.Subscribe(s.readers[1].id, &Request{Filter: "b/+"}); !errors.Is(err, ErrBusy) {
		t.Errorf("a pattern on a loop in debt: %v", err)
	}
	s.subscribe(1, "b")
	w.mono += 3 * looksBurstMax * nanosPerLook
	s.subscribe(1, "b/+")
}
