package pubsub

import "slices"

// aside is what sets a subscriber apart, at one topic, from the others of its interval.
type aside struct {
	has       uint64 // the position up to which it has what is held back, or is to do without it
	notBefore int64  // when its own interval has passed, on the hub's Clock
}

// asides are those of a shard, by subscriber and local.
type asides struct {
	of    map[uint32]map[uint32]aside
	len   int
	alive int // that were of any use when they were last looked through
}

func (a *asides) get(id, l uint32) (aside, bool) {
	if a.len == 0 {
		return aside{}, false
	}
	x, ok := a.of[id][l]
	return x, ok
}

func (a *asides) set(id, l uint32, x aside) {
	m := a.of[id]
	if m == nil {
		m = make(map[uint32]aside)
		a.of[id] = m
	}
	if _, has := m[l]; !has {
		a.len++
	}
	m[l] = x
}

func (a *asides) drop(id, l uint32) {
	m := a.of[id]
	if _, has := m[l]; !has {
		return
	}
	delete(m, l)
	a.len--
	if len(m) == 0 {
		delete(a.of, id)
	}
}

func (a *asides) dropSubscriber(id uint32) {
	a.len -= len(a.of[id])
	delete(a.of, id)
}

// setAside notes that a subscriber has, by a mark or because it came later, all of a topic up to a position, and that
// its next message is not to come before a time, 0 where that is the others' too.
func (s *Shard) setAside(id, l uint32, has uint64, notBefore int64) {
	lo := s.locals.At(l)
	if notBefore == 0 && !lo.holdsBack() {
		return
	}
	if s.asides.len >= 2*s.asides.alive+64 {
		s.pruneAsides()
	}
	before, _ := s.asides.get(id, l)
	s.asides.set(id, l, aside{has, max(notBefore, before.notBefore)})
	lo.own().asides = true
}

// rejoin is for a subscriber whose mark is given up for the newest that the others of its interval get: what it had by
// the mark it has no more. notBefore is as for setAside.
func (s *Shard) rejoin(id, l uint32, notBefore int64) {
	before, set := s.asides.get(id, l)
	if set {
		s.asides.set(id, l, aside{notBefore: before.notBefore})
	}
	if notBefore > 0 {
		s.setAside(id, l, 0, notBefore)
	}
}

// setAsideIfTimed is setAside for what is held back of a topic, where a subscriber goes by an interval there from now on.
func (s *Shard) setAsideIfTimed(id, l uint32) {
	if h := s.deciding(id, l); h != 0 && s.rolls.At(s.subscriptions.At(h).roll()).every > 0 {
		s.setAside(id, l, s.locals.At(l).cursor, 0)
	}
}

// hasInterval says that one of a subscriber's subscriptions has one.
func (s *Shard) hasInterval(u *subscriber) bool {
	for h := u.first; h != 0; h = s.subscriptions.At(h).next {
		if s.rolls.At(s.subscriptions.At(h).roll()).every > 0 {
			return true
		}
	}
	return false
}

// pruneAsides drops those that do not matter any more.
func (s *Shard) pruneAsides() {
	now := s.hub.o.Clock()
	for id, m := range s.asides.of {
		for l, a := range m {
			if a.notBefore <= now && !s.locals.At(l).holdsBack() {
				s.asides.drop(id, l)
			}
		}
	}
	s.asides.alive = s.asides.len
}

func (lo *local) holdsBack() bool {
	return slices.ContainsFunc(lo.more().cadences, func(c cadence) bool { return c.dirty })
}

// forgetAsides drops those of a local that ends.
func (s *Shard) forgetAsides(l uint32) {
	if !s.locals.At(l).more().asides {
		return
	}
	for id := range s.asides.of {
		s.asides.drop(id, l)
	}
}

// offerNewest notes a walk's newest message on a member of its interval; passed is how many it leaves behind.
func (s *Shard) offerNewest(e entry, u *subscriber, exact, l, h uint32, passed uint64) {
	sp := s.spans.At(h)
	x := mark{local: l, pos: sp.first, prev: sp.prev}
	a, set := s.asides.get(e.subscriber, l)
	switch {
	case sp.first < a.has:
		return
	case set:
		s.asides.drop(e.subscriber, l)
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
		g := s.lags.At(u.lag)
		for _, x := range g.waiting {
			add(x.local)
		}
		for _, x := range g.marks.items[g.marks.head:] {
			if x.due > 0 {
				add(x.local)
			}
		}
	}
	for l := range s.asides.of[id] {
		add(l)
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
	changed := make(map[uint32]struct{})
	for _, b := range before {
		if s.termsOf(id, b.local) != b.terms {
			changed[b.local] = struct{}{}
		}
	}
	s.hurry(id, u, changed)
}

// hurry makes what a subscriber waits for in these topics due. It goes over what is owed once, however many they are.
func (s *Shard) hurry(id uint32, u *subscriber, topics map[uint32]struct{}) {
	for l := range topics {
		if a, ok := s.asides.get(id, l); ok {
			s.asides.set(id, l, aside{has: a.has})
		}
	}
	if u.lag == 0 || len(topics) == 0 {
		return
	}
	g := s.lags.At(u.lag)
	for i := g.marks.head; i < len(g.marks.items); i++ {
		if x := &g.marks.items[i]; x.due > 0 {
			if _, is := topics[x.local]; is {
				x.due = 0
			}
		}
	}
	waiting := len(g.waiting)
	g.waiting = slices.DeleteFunc(g.waiting, func(x mark) bool {
		_, is := topics[x.local]
		if is {
			x.due = 0
			s.line(g, x)
		}
		return is
	})
	if len(g.waiting) < waiting {
		s.enqueue(id, u)
		s.mailbox.wake()
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
	a, _ := s.asides.get(id, l)
	if every == 0 || c == nil || !c.dirty || a.has >= lo.cursor {
		return
	}
	t := lo.link.topic
	x := mark{local: l, due: c.due}
	t.mu.Lock()
	from := max(c.sent, a.has, t.ring.tail)
	pos, kept := t.newestFor(s.sink.Client(u.owner), from, max(from, lo.cursor)) // else newer ones are in flight
	if x.pos = pos; kept {
		x.prev = t.ring.at(x.pos).prev
	}
	t.mu.Unlock()
	if kept {
		s.owe(id, u, x)
	}
}
