package pubsub

import "slices"

// cadence is an interval of a topic's subscribers that is under way. When it is over and nothing has come, it goes.
type cadence struct {
	every uint32 // ms
	dirty bool   // something came since; a timer is set
	due   int64  // when the next message may go out, on the hub's Clock
	batch uint64 // that began it
	sent  uint64 // while dirty: the position from which messages are held back
}

const nanosPerMilli = 1_000_000

// fireMax is how many timers a turn fires at most: each is a topic's lock and encoding, or a subscriber.
const fireMax = 256

// fire starts what is due. No walk is under way.
func (s *Shard) fire() {
	if len(s.timers.heap) == 0 {
		return
	}
	now := s.hub.o.Clock()
	for n := 0; n < fireMax && len(s.timers.heap) > 0 && s.timers.heap[0].due <= now; n++ {
		switch x := s.timers.pop(); {
		case x.link == nil:
			s.waited(x.subscriber, now)
		case !x.link.dead:
			s.flush(x.link.local, now)
		}
	}
}

// flush sends a topic's newest message to the subscribers whose interval has passed.
func (s *Shard) flush(l uint32, now int64) {
	lo := s.locals.At(l)
	t := lo.link.topic
	t.mu.Lock()
	defer t.mu.Unlock()
	if lo.cursor == 0 || lo.cursor-1 < t.ring.tail {
		return // newer ones are in flight, and will go out at once: the interval is over
	}
	w := s.newWalk()
	w.local, w.first, w.prev = l, lo.cursor-1, t.ring.at(lo.cursor-1).prev
	more := lo.more()
	for i := range more.cadences {
		if c := &more.cadences[i]; c.dirty && c.due <= now {
			s.enlistTimed(w, lo, c.every, lo.cursor-1-c.sent)
			c.dirty, c.due = false, now+int64(c.every)*nanosPerMilli
		}
	}
	s.start(w, lo, lo.cursor)
}

func (s *Shard) enlistTimed(w *walk, lo *local, every uint32, passed uint64) {
	enlist := func(a *audience) {
		for _, r := range a.timed {
			if s.rolls.At(r).every == every {
				s.enlist(w, r, true, passed)
			}
		}
	}
	enlist(&lo.audience)
	for _, p := range lo.more().patterns {
		enlist(&s.patterns.At(p.pattern).audience)
	}
}

// pass says whether the interval has passed, so that a batch may go out now; then the next one begins. Else it
// will go out when it has. passed is how many messages its newest one leaves behind; the batch ends at to.
func (s *Shard) pass(lo *local, every uint32, now int64, to uint64) (passed uint64, ok bool) {
	next, batch := now+int64(every)*nanosPerMilli, s.counts.Batches
	c := lo.cadence(every)
	switch {
	case c == nil:
		more := lo.own()
		more.cadences = slices.DeleteFunc(more.cadences, func(c cadence) bool { return !c.dirty && c.due <= now })
		more.cadences = append(more.cadences, cadence{every: every, due: next, batch: batch})
		return to - 1 - lo.cursor, true
	case c.batch == batch: // it has just begun, with another roll of this interval
		return to - 1 - lo.cursor, true
	case c.due <= now:
		passed = to - 1 - lo.cursor
		if c.dirty {
			passed = to - 1 - c.sent
		}
		c.due, c.dirty, c.batch = next, false, batch // a timer that is set will find nothing due, or the next one's
		return passed, true
	case !c.dirty:
		c.dirty, c.sent = true, lo.cursor
		s.setTimer(timer{due: c.due, link: lo.link})
	}
	return 0, false
}

// cadence returns the interval under way, or nil.
func (lo *local) cadence(every uint32) *cadence {
	more := lo.more()
	for i := range more.cadences {
		if c := &more.cadences[i]; c.every == every {
			return c
		}
	}
	return nil
}

// waited lets a subscriber have what it waited for an interval to pass for.
func (s *Shard) waited(id uint32, now int64) {
	u := s.subscribers.At(id)
	if !u.live || u.lag == 0 {
		return // another one has the place by now, or nothing is owed any more
	}
	g := s.lags.At(u.lag)
	g.waiting = slices.DeleteFunc(g.waiting, func(x mark) bool {
		if x.due > now {
			return false
		}
		s.line(g, x)
		return true
	})
	if g.marks.len() > 0 {
		s.enqueue(id, u)
	}
}
