package pubsub

import "slices"

// timer is something due later: the dirty cadences of a topic, or the subscriber that waits for one.
type timer struct {
	due        int64
	link       *link // nil: a subscriber's
	subscriber uint32
}

// timers is a binary heap, the earliest on top.
type timers struct {
	heap  []timer
	alive int // that were of any use when the heap was last looked through
}

// setTimer adds a timer. Intervals may be a day long, so those that nobody waits for any more are dropped when they
// are as many as the others.
func (s *Shard) setTimer(t timer) {
	if q := &s.timers; len(q.heap) >= 2*q.alive+64 {
		q.heap = slices.DeleteFunc(q.heap, func(t timer) bool { return !s.awaited(t) })
		for i := len(q.heap)/2 - 1; i >= 0; i-- {
			q.sink(i)
		}
		q.alive = len(q.heap)
	}
	s.timers.push(t)
}

func (s *Shard) awaited(t timer) bool {
	if t.link != nil {
		return !t.link.dead && slices.ContainsFunc(s.locals.At(t.link.local).more().cadences, func(c cadence) bool { return c.dirty && c.due == t.due })
	}
	u := s.subscribers.At(t.subscriber)
	return u.live && u.lag != 0 && slices.ContainsFunc(s.lags.At(u.lag).waiting, func(x mark) bool { return x.due == t.due })
}

func (q *timers) push(t timer) {
	q.heap = append(q.heap, t)
	for i := len(q.heap) - 1; i > 0; {
		parent := (i - 1) / 2
		if q.heap[parent].due <= q.heap[i].due {
			return
		}
		q.heap[parent], q.heap[i] = q.heap[i], q.heap[parent]
		i = parent
	}
}

func (q *timers) pop() timer {
	top, last := q.heap[0], len(q.heap)-1
	q.heap[0], q.heap[last] = q.heap[last], timer{}
	q.heap = q.heap[:last]
	q.sink(0)
	return top
}

func (q *timers) sink(i int) {
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(q.heap); child++ {
			if q.heap[child].due < q.heap[least].due {
				least = child
			}
		}
		if least == i {
			return
		}
		q.heap[i], q.heap[least] = q.heap[least], q.heap[i]
		i = least
	}
}

// Due says when, on Options.Clock, the shard wants a turn at the latest, for the sake of subscribers with an
// interval. ok is false where nothing waits for time to pass.
func (s *Shard) Due() (nanos int64, ok bool) {
	if len(s.timers.heap) == 0 {
		return 0, false
	}
	return s.timers.heap[0].due, true
}
