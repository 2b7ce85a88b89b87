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
	if left := s.shard.Looks() - before; left < 100*looksAJoin-littleLooks {
		t.Errorf("leaving 100 topics cost %d looks", left)
	}
}

// What is let through whatever was spent costs little, however much news there is, and is nobody's debt.
func TestLittleSubscriptionsAreLittle(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.TopicsMax, o.LagTopicsMax = 10_000, 10_000 })
	s := w.newShard()
	s.add(1, kindLine)
	s.add(2, kindLine)
	for i := range 5000 {
		w.publish(fmt.Sprint("many/", i), "x")
	}
	w.publish("few/1", "x")
	since := &Since{Epoch: "e", TS: 1}
	s.ask(2, Request{Filter: "#", Since: since}) // from now on the shard knows all topics with news
	s.ask(2, Request{Filter: "few/+", Since: since})
	s.run()
	s.shard.budget.spend(2 * looksBurstMax)
	before, debt := s.shard.Looks(), s.shard.budget.looks
	s.ask(1, Request{Filter: "few/+", Since: since})
	if looks := s.shard.Looks() - before; looks == 0 || looks > littleLooks || s.shard.budget.looks != debt {
		t.Errorf("%d looks were charged, the debt was %d and is %d", looks, debt, s.shard.budget.looks)
	}
	w.mono += 4 * looksBurstMax * nanosPerLook
	left := s.shard.budget.looks
	if s.ask(1, Request{Filter: "few/#", Last: 1}); !s.shard.budget.affords(w.mono) || s.shard.budget.looks < left {
		t.Errorf("of the %d looks for all %d are left after a little one", left, s.shard.budget.looks)
	}
	s.shard.budget.spend(2 * looksBurstMax)
	before = s.shard.Looks()
	if _, err := s.shard.Subscribe(s.readers[1].id, &Request{Filter: "#", Since: since}); !errors.Is(err, ErrBusy) || s.shard.Looks() == before {
		t.Errorf("a large one: %v, for %d looks", err, s.shard.Looks()-before)
	}
}

// Who is owed much and unsubscribes all the time pays for what that takes, and the others do not.
func TestUnsubscribingIsNotTheOthersDebt(t *testing.T) {
	w := newWorld(t, nil)
	s := w.newShard()
	r := s.add(1, kindLine)
	for i := range 1000 {
		w.publish(fmt.Sprint("a/", i), "x")
	}
	r.room = 0
	s.ask(1, Request{Filter: "a/+", Last: 1})
	s.run()
	before, left := s.shard.Looks(), s.shard.budget.looks
	for range 10 {
		s.ask(1, Request{Filter: "b"})
		s.shard.Unsubscribe(r.id, "b")
	}
	if looks := s.shard.Looks() - before; looks < 10*1000 || s.shard.budget.looks != left {
		t.Errorf("%d looks were charged, %d of %d are left for all", looks, s.shard.budget.looks, left)
	}
}

func TestDebtEnds(t *testing.T) {
	b := newBudget(0)
	for range 1000 {
		b.spend(looksBurstMax)
	}
	if !b.affords(looksDebtMax*nanosPerLook + nanosPerLook) {
		t.Errorf("%d looks are owed", -b.looks)
	}
}
