package pubsub

import (
	"maps"
	"slices"
)

// cadence is an interval of a topic's subscribers that is under way. When it is over and nothing has come, it goes.
type cadence struct {
	every uint32 // ms
	dirty bool   // something came since; a timer is set
	due   int64  // when the next message may go out, on the hub's Clock
	batch uint64 // that began it
	sent  uint64 // the position up to which messages went out, or were passed over
}

const nanosPerMilli = 1_000_000

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
		return !t.link.dead && slices.ContainsFunc(s.locals.At(t.link.local).cadences, func(c cadence) bool { return c.dirty && c.due == t.due })
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

// fire starts what is due. No walk is under way.
func (s *Shard) fire() {
	if len(s.timers.heap) == 0 {
		return
	}
	for now := s.hub.o.Clock(); len(s.timers.heap) > 0 && s.timers.heap[0].due <= now; {
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
	for i := range lo.cadences {
		if c := &lo.cadences[i]; c.dirty && c.due <= now {
			s.enlistTimed(w, lo, c.every, lo.cursor-1-c.sent)
			c.dirty, c.due, c.sent = false, now+int64(c.every)*nanosPerMilli, lo.cursor
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
	for _, p := range lo.patterns {
		enlist(&s.patterns.At(p.pattern).audience)
	}
}

// pass says whether the interval has passed, so that a batch may go out now; then the next one begins. Else it
// will go out when it has. passed is how many messages the newest one leaves behind. The caller holds the topic's lock.
func (s *Shard) pass(lo *local, every uint32, now int64) (passed uint64, ok bool) {
	head := lo.link.topic.ring.head
	next, batch := now+int64(every)*nanosPerMilli, s.counts.Batches
	c := lo.cadence(every)
	switch {
	case c == nil:
		lo.cadences = slices.DeleteFunc(lo.cadences, func(c cadence) bool { return !c.dirty && c.due <= now })
		lo.cadences = append(lo.cadences, cadence{every: every, due: next, batch: batch, sent: head})
		return head - 1 - lo.cursor, true
	case c.batch == batch: // it has just begun, with another roll of this interval
		return head - 1 - lo.cursor, true
	case c.due <= now:
		passed = head - 1 - c.sent
		c.due, c.dirty, c.batch, c.sent = next, false, batch, head // a timer that is set will find nothing due, or the next one's
		return passed, true
	case !c.dirty:
		c.dirty = true
		s.setTimer(timer{due: c.due, link: lo.link})
	}
	return 0, false
}

// cadence returns the interval under way, or nil.
func (lo *local) cadence(every uint32) *cadence {
	for i := range lo.cadences {
		if c := &lo.cadences[i]; c.every == every {
			return c
		}
	}
	return nil
}

// member is a subscriber of a topic.
type member struct{ subscriber, local uint32 }

// aside is what sets a member apart from the others of its interval.
type aside struct {
	has       uint64 // the position up to which it has what is held back, or is to do without it
	notBefore int64  // when its own interval has passed, on the hub's Clock
}

// setAside notes that a member has, by a mark or because it came later, all up to a position, and that its next
// message is not to come before a time, 0 where that is the others' too.
func (s *Shard) setAside(id, l uint32, has uint64, notBefore int64) {
	lo := s.locals.At(l)
	if notBefore == 0 && !lo.holdsBack() {
		return
	}
	if len(s.asides) >= 2*s.asidesAlive+64 {
		now := s.hub.o.Clock()
		maps.DeleteFunc(s.asides, func(m member, a aside) bool { return a.notBefore <= now && !s.locals.At(m.local).holdsBack() })
		s.asidesAlive = len(s.asides)
	}
	m := member{id, l}
	s.asides[m] = aside{has, max(notBefore, s.asides[m].notBefore)}
}

func (lo *local) holdsBack() bool {
	return slices.ContainsFunc(lo.cadences, func(c cadence) bool { return c.dirty })
}

// forgetAsides drops those of subscribers or locals that are no more.
func (s *Shard) forgetAsides(gone func(member) bool) {
	if len(s.asides) > 0 {
		maps.DeleteFunc(s.asides, func(m member, _ aside) bool { return gone(m) })
	}
}

// offerNewest notes a walk's newest message on a member of its interval.
func (s *Shard) offerNewest(e entry, u *subscriber, exact, l, h uint32, passed uint64) {
	sp, has := s.spans.At(h), uint64(0)
	if len(s.asides) > 0 {
		if a, ok := s.asides[member{e.subscriber, l}]; ok {
			delete(s.asides, member{e.subscriber, l})
			switch has = a.has; {
			case sp.first < a.has:
				s.asides[member{e.subscriber, l}] = a // for what comes next
				return
			case s.hub.o.Clock() < a.notBefore:
				s.mark(e.subscriber, u, exact, mark{local: l, pos: sp.first, prev: sp.prev, due: a.notBefore})
				return
			}
		}
	}
	switch {
	case u.lag != 0:
		s.mark(e.subscriber, u, exact, mark{local: l, pos: sp.first, prev: sp.prev})
		return
	case len(sp.holes()) > 0 && s.leftOut(u, &sp.piece):
		if from := max(has, sp.first-passed); from < sp.first { // the newest that is for it may be one of those
			s.mark(e.subscriber, u, exact, s.markAt(l, from))
		}
		return
	}
	s.offer(e, u, exact, h)
	s.counts.Conflated += passed
}

// eachLocal yields the topics of an owner.
func (s *Shard) eachLocal(owner uint32, yield func(l uint32, lo *local)) {
	if owner&patternBit == 0 {
		yield(owner, s.locals.At(owner))
		return
	}
	for _, l := range s.patterns.At(owner &^ patternBit).locals {
		yield(l, s.locals.At(l))
	}
}

// markAt is a mark at a position, or at the oldest message kept.
func (s *Shard) markAt(l uint32, pos uint64) mark {
	t := s.locals.At(l).link.topic
	t.mu.Lock()
	defer t.mu.Unlock()
	x := mark{local: l, pos: max(pos, t.ring.tail)}
	x.prev = t.ring.at(x.pos).prev
	return x
}

// bound is a topic in which a subscriber waits for its own interval, and what it waits by.
type bound struct{ local, terms uint32 }

// bounds returns those of a subscriber, of one topic or, with 0, of all.
func (s *Shard) bounds(id uint32, u *subscriber, only uint32) (all []bound) {
	add := func(l uint32) {
		if only == 0 || l == only {
			all = append(all, bound{l, s.termsOf(id, l)})
		}
	}
	if u.lag != 0 {
		for _, x := range s.lags.At(u.lag).waiting {
			add(x.local)
		}
	}
	for m := range s.asides {
		if m.subscriber == id {
			add(m.local)
		}
	}
	return all
}

// termsOf stands for what decides at a topic.
func (s *Shard) termsOf(id, l uint32) uint32 {
	s.attach(l, s.locals.At(l))
	if h := s.deciding(id, l); h != 0 {
		return s.subscriptions.At(h).bits
	}
	return 0
}

// rebind lets a subscriber wait no longer where other terms hold than before: the old interval is not the new one.
func (s *Shard) rebind(id uint32, u *subscriber, before []bound) {
	for _, b := range before {
		if s.termsOf(id, b.local) != b.terms {
			s.hurry(id, u, b.local)
		}
	}
}

// hurry makes what a subscriber waits for in a topic due.
func (s *Shard) hurry(id uint32, u *subscriber, l uint32) {
	if a, ok := s.asides[member{id, l}]; ok {
		s.asides[member{id, l}] = aside{has: a.has}
	}
	if u.lag == 0 {
		return
	}
	if x := s.lags.At(u.lag).markOf(l); x != nil {
		x.due = 0
		s.unwait(id, u, l)
	}
}

// oweHeldBack makes what an interval holds back of a topic for a subscriber something it is owed, before other terms
// hold for it there: it is to have the newest whatever comes.
func (s *Shard) oweHeldBack(id uint32, u *subscriber, l uint32) {
	h, lo := s.deciding(id, l), s.locals.At(l)
	if h == 0 || lo.cursor == 0 {
		return
	}
	every := s.rolls.At(s.subscriptions.At(h).roll()).every
	c := lo.cadence(every)
	if every == 0 || c == nil || !c.dirty || s.asides[member{id, l}].has >= lo.cursor {
		return
	}
	t := lo.link.topic
	x := mark{local: l, pos: lo.cursor - 1, due: c.due}
	t.mu.Lock()
	kept := x.pos >= t.ring.tail // else newer ones are in flight
	if kept {
		x.prev = t.ring.at(x.pos).prev
	}
	t.mu.Unlock()
	if kept {
		s.owe(id, u, x)
	}
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
		g.marks.push(x)
		return true
	})
	if g.marks.len() > 0 {
		s.enqueue(id, u)
	}
}
