package pubsub

import (
	"maps"
	"slices"
)

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
	return slices.ContainsFunc(lo.more().cadences, func(c cadence) bool { return c.dirty })
}

// forgetAsides drops those of subscribers or locals that are no more.
func (s *Shard) forgetAsides(gone func(member) bool) {
	if len(s.asides) > 0 {
		maps.DeleteFunc(s.asides, func(m member, _ aside) bool { return gone(m) })
	}
}

// offerNewest notes a walk's newest message on a member of its interval; passed is how many it leaves behind.
func (s *Shard) offerNewest(e entry, u *subscriber, exact, l, h uint32, passed uint64) {
	sp := s.spans.At(h)
	x := mark{local: l, pos: sp.first, prev: sp.prev}
	var a aside
	if len(s.asides) > 0 {
		m := member{e.subscriber, l}
		if a = s.asides[m]; sp.first < a.has {
			return
		}
		delete(s.asides, m)
	}
	if len(sp.holes()) > 0 && s.leftOut(u, &sp.piece) { // the newest that is for it may be one of those left behind
		from := max(a.has, sp.first-passed)
		if from == sp.first {
			return
		}
		x = s.markAt(l, from)
	}
	switch early := a.notBefore > 0 && s.hub.o.Clock() < a.notBefore; {
	case early:
		x.due = a.notBefore
		s.mark(e.subscriber, u, exact, x)
	case u.lag != 0 || x.pos < sp.first:
		s.mark(e.subscriber, u, exact, x)
	default:
		s.offer(e, u, exact, h)
		s.counts.Conflated += passed
	}
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
