package pubsub

import (
	"cmp"
	"math"
	"slices"
)

// lag is the side record of a subscriber that does not keep up, or that has yet to get what its subscription begins
// with: which topics have news for it, and from where. It is bounded by the subscriber's topics, and for patterns by
// Options.LagTopicsMax.
type lag struct {
	subscriber uint32
	marks      fifo[mark]
	waiting    []mark              // whose interval has not passed
	unsorted   bool                // marks of topics that have expired may stand behind others
	of         map[uint32]struct{} // the locals in marks and waiting, for a subscriber of patterns; nil for others
}

// mark says that a subscriber is owed a topic's messages from pos on; prev is the sequence number before. There is one
// for a subscriber and topic at most.
type mark struct {
	local   uint32
	expired bool // what is missing at pos was gone before the subscriber was slow
	pos     uint64
	prev    uint64
	full    uint64 // below this position every message is owed, whatever the mode: a snapshot's end
	due     int64  // of one that waits: when its interval has passed
}

func (s *Shard) startLag(id uint32, u *subscriber) *lag {
	if u.lag == 0 {
		u.lag = s.lags.New()
		s.lags.At(u.lag).subscriber = id
	}
	return s.lags.At(u.lag)
}

func (s *Shard) endLag(u *subscriber) {
	s.lags.Free(u.lag)
	u.lag = 0
}

// mark notes what a subscriber is owed of a topic, unless it is owed more already. exact is its subscription to the
// very topic, 0 where it has the topic by a pattern.
func (s *Shard) mark(id uint32, u *subscriber, exact uint32, x mark) {
	g := s.startLag(id, u)
	x = s.normal(x)
	if exact != 0 {
		e := s.entryOf(exact)
		if e.behind() {
			return
		}
		e.bits |= behindBit
	} else if _, has := g.of[x.local]; has {
		return
	}
	if u.wild {
		if g.of == nil {
			g.of = make(map[uint32]struct{})
		}
		if exact == 0 && len(g.of) >= s.hub.o.LagTopicsMax {
			s.overrun(u)
			return
		}
		g.of[x.local] = struct{}{}
	}
	s.locals.At(x.local).refs++
	s.line(g, x)
}

// line puts a mark among those to be served now.
func (s *Shard) line(g *lag, x mark) {
	g.marks.push(x)
	g.unsorted = g.unsorted || s.locals.At(x.local).gone
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

// normal gives a mark the number that its subscriber goes on from: a topic's first message follows 0, whatever its own
// number is, but only who resumes can know of less than where the topic began.
func (s *Shard) normal(x mark) mark {
	if !x.expired {
		x.prev = max(x.prev, s.locals.At(x.local).link.topic.born)
	}
	return x
}

// goneFirst puts the marks of topics that have expired in front, if that is to be done, and of those the ones of earlier
// lives of a name first.
func (s *Shard) goneFirst(g *lag) {
	if !g.unsorted {
		return
	}
	g.unsorted = false
	life := func(x mark) uint64 {
		if lo := s.locals.At(x.local); lo.gone {
			return lo.link.topic.born // rises from life to life
		}
		return math.MaxUint64
	}
	slices.SortStableFunc(g.marks.items[g.marks.head:], func(a, b mark) int { return cmp.Compare(life(a), life(b)) })
}

func (s *Shard) overrun(u *subscriber) {
	s.counts.Overruns++
	s.sink.Overrun(u.owner)
}

func (s *Shard) entryOf(h uint32) *entry {
	b := s.subscriptions.At(h)
	return &s.rolls.At(b.roll()).entries[b.at]
}

// markBack is mark for what comes before what is owed already, if anything is: that mark moves back.
func (s *Shard) markBack(id uint32, u *subscriber, x mark) { s.markBackAt(id, u, x, nil) }

// markBackAt is markBack for many, with the places of what is owed already.
func (s *Shard) markBackAt(id uint32, u *subscriber, x mark, places map[uint32]int) {
	x = s.normal(x)
	g := s.startLag(id, u)
	n := g.marks.len()
	s.mark(id, u, s.findExact(id, x.local), x)
	if g.marks.len() > n {
		if places != nil {
			places[x.local] = g.marks.len() - 1
		}
		return
	}
	var m *mark
	if i, ok := places[x.local]; ok {
		m = &g.marks.items[g.marks.head+i]
	} else {
		m = g.markOf(x.local)
	}
	if m == nil {
		return // there were too many: the sink has been told
	}
	switch {
	case x.expired && m.expired: // of two resumes the newer one knows what the subscriber has
		m.pos, m.prev = x.pos, x.prev
	case x.prev < m.prev || x.expired && x.prev == m.prev: // the position may be the same: that of the oldest message kept
		m.prev, m.expired = x.prev, x.expired
	}
	m.pos = min(m.pos, x.pos)
	m.full = max(m.full, x.full)
	if m.pos < m.full {
		s.unwait(id, u, x.local) // a snapshot waits for no interval
	}
}

// places says where the marks of a subscriber stand, counted from the first, if so many are to be looked up that it is worth
// it. A push moves them all to the front where that makes room.
func (s *Shard) places(u *subscriber, lookups int) map[uint32]int {
	const worth = 16
	if lookups < worth {
		return nil
	}
	places := make(map[uint32]int)
	if u.lag != 0 {
		g := s.lags.At(u.lag)
		for i := g.marks.head; i < len(g.marks.items); i++ {
			places[g.marks.items[i].local] = i - g.marks.head
		}
	}
	return places
}

// unwait puts the mark of a topic among those to be served now, if it waits.
func (s *Shard) unwait(id uint32, u *subscriber, l uint32) {
	g := s.lags.At(u.lag)
	i := slices.IndexFunc(g.waiting, func(x mark) bool { return x.local == l })
	if i < 0 {
		return
	}
	s.line(g, g.waiting[i])
	g.waiting = slices.Delete(g.waiting, i, i+1)
	s.enqueue(id, u)
	s.mailbox.wake()
}

func (g *lag) markOf(l uint32) *mark {
	for i := g.marks.head; i < len(g.marks.items); i++ {
		if x := &g.marks.items[i]; x.local == l {
			return x
		}
	}
	for i := range g.waiting {
		if x := &g.waiting[i]; x.local == l {
			return x
		}
	}
	return nil
}

// unmarked says that a mark of a topic is no more.
func (s *Shard) unmarked(id uint32, g *lag, l uint32) {
	if h := s.findExact(id, l); h != 0 {
		s.entryOf(h).bits &^= behindBit
	}
	delete(g.of, l)
	s.unref(l)
}

// forgetMarksOf takes back what a subscriber was owed of topics for which forget is true.
func (s *Shard) forgetMarksOf(id uint32, u *subscriber, forget func(l uint32) bool) {
	if u.lag == 0 {
		return
	}
	g := s.lags.At(u.lag)
	s.budget.charge(g.marks.len() + len(g.waiting))
	for n := g.marks.len(); n > 0; n-- {
		if x := g.marks.pop(); forget(x.local) {
			s.unmarked(id, g, x.local)
		} else {
			g.marks.push(x)
		}
	}
	kept := g.waiting[:0]
	for _, x := range g.waiting {
		if forget(x.local) {
			s.unmarked(id, g, x.local)
		} else {
			kept = append(kept, x)
		}
	}
	g.waiting = kept
}

// forgetMarks ends a subscriber's lag.
func (s *Shard) forgetMarks(id uint32, u *subscriber) {
	if u.lag != 0 {
		s.forgetMarksOf(id, u, func(uint32) bool { return true })
		s.endLag(u)
	}
}

// turnWild makes a subscriber one of patterns: from now on its marks are found by a map.
func (s *Shard) turnWild(u *subscriber) {
	u.wild = true
	if u.lag == 0 {
		return
	}
	g := s.lags.At(u.lag)
	g.of = make(map[uint32]struct{})
	for i := g.marks.head; i < len(g.marks.items); i++ {
		g.of[g.marks.items[i].local] = struct{}{}
	}
	for i := range g.waiting {
		g.of[g.waiting[i].local] = struct{}{}
	}
}

// limit is how far a subscription may be served from the ring: what a walk under way has yet to offer
// it will come by that walk.
func (lo *local) limit(b *subscription) (pos, prev uint64, coming bool) {
	if w := lo.walk; w != nil {
		for i := w.part; i < len(w.parts); i++ {
			if p := &w.parts[i]; p.roll == b.roll() && b.at < p.end && (i > w.part || b.at >= w.next) {
				return w.first, w.prev, true
			}
		}
	}
	return lo.cursor, lo.prev, false
}
