package pubsub

import "math"

// walk is one batch on its way to the subscribers of a topic: those of the very topic first, then those of each
// pattern that matches.
type walk struct {
	local  uint32
	lapped bool   // the ring no longer holds all of the batch: everybody is served from what there is
	first  uint64 // its first position
	prev   uint64 // the sequence number before that
	parts  []part
	part   int    // the one under way
	next   uint32 // the entry of it to note the batch on next
	spans  [KindsMax][]uint32
	newest [KindsMax]uint32 // the batch's last message alone, for those with an interval

	decided map[uint32]uint32 // by subscriber: its deciding subscription, of those with many; nothing changes it during a walk
}

// part is a roll that a walk goes over.
type part struct {
	roll   uint32
	end    uint32 // the entries there were when the walk began; newcomers lie beyond
	newest bool   // it gets the newest message alone
	passed uint64 // how many messages that leaves behind
	plain  bool   // of the very topic, and every message: the usual case
	wild   bool   // of a pattern
}

func (s *Shard) newWalk() *walk {
	if n := len(s.walksFree); n > 0 {
		w := s.walksFree[n-1]
		s.walksFree = s.walksFree[:n-1]
		return w
	}
	return new(walk)
}

// reuse keeps a walk that has ended for another one.
func (s *Shard) reuse(w *walk) {
	spans := w.spans
	*w = walk{parts: w.parts[:0]}
	for kind := range spans {
		w.spans[kind] = spans[kind][:0]
	}
	s.walksFree = append(s.walksFree, w)
}

// enlistAll makes everybody part of a walk who is to have something of its batch now, which ends at to.
func (s *Shard) enlistAll(w *walk, lo *local, to uint64) {
	now := int64(-1)
	enlist := func(a *audience) {
		if a.plain != 0 {
			s.enlist(w, a.plain, false, 0)
		}
		for _, r := range a.timed {
			if now < 0 {
				now = s.hub.o.Clock()
			}
			if passed, ok := s.pass(lo, s.rolls.At(r).every, now, to); ok {
				s.enlist(w, r, true, passed)
			}
		}
	}
	enlist(&lo.audience)
	for _, a := range lo.more().patterns {
		enlist(&s.patterns.At(a.pattern).audience)
	}
}

func (s *Shard) enlist(w *walk, r uint32, newest bool, passed uint64) {
	ro := s.rolls.At(r)
	wild := ro.owner&patternBit != 0
	w.parts = append(w.parts, part{
		roll: r, end: uint32(len(ro.entries)), newest: newest, passed: passed, wild: wild, plain: !newest && !wild && !w.lapped,
	})
	ro.walks++
}

// start encodes what the parts of a walk need of its positions up to to, and begins it if it has any. The caller
// holds the topic's lock.
func (s *Shard) start(w *walk, lo *local, to uint64) {
	if len(w.parts) == 0 {
		s.reuse(w)
		return
	}
	t := lo.link.topic
	for kind := range s.hub.o.Encoders {
		batch, newest := false, false
		for i := range w.parts {
			if p := &w.parts[i]; s.rolls.At(p.roll).kinds[kind] > 0 {
				batch, newest = batch || !p.newest && !w.lapped, newest || p.newest
			}
		}
		if batch {
			if s.hub.o.Slow[kind] {
				s.encodings += int(to - w.first)
			}
			s.pieces = t.view(s.pieces[:0], Kind(kind), w.first, to, math.MaxInt)
			for i := range s.pieces {
				w.spans[kind] = append(w.spans[kind], s.newSpan(w.local, &s.pieces[i]))
			}
		}
		if newest {
			s.pieces = t.view(s.pieces[:0], Kind(kind), to-1, to, math.MaxInt)
			w.newest[kind] = s.newSpan(w.local, &s.pieces[0])
		}
		clear(s.pieces)
	}
	lo.walk = w
	s.walks.push(w)
}

// step notes a walk's batch on further subscribers, about budget of them, and returns what is left of
// the budget. When the last one is done the walk ends, and its local becomes 0.
func (s *Shard) step(w *walk, budget int) int {
	if w.local == 0 {
		return budget
	}
	for w.part < len(w.parts) && budget > 0 {
		p := &w.parts[w.part]
		if p.plain {
			budget = s.stepPlain(w, p, budget)
		} else {
			budget = s.stepOther(w, p, budget)
		}
		if w.next == p.end {
			w.part, w.next = w.part+1, 0
		}
	}
	if w.part == len(w.parts) {
		s.finish(w)
	}
	return budget
}

// stepPlain is step for those of the very topic who get every message.
func (s *Shard) stepPlain(w *walk, p *part, budget int) int {
	ro := s.rolls.At(p.roll)
	for ; w.next < p.end && budget > 0; w.next++ {
		e := ro.entries[w.next]
		if e.subscriber == 0 {
			continue
		}
		budget--
		if e.behind() {
			continue // it is owed all from an earlier message on
		}
		u := s.subscribers.At(e.subscriber)
		if u.lag != 0 {
			s.mark(e.subscriber, u, e.subscription(), mark{local: w.local, pos: w.first, prev: w.prev})
			s.enqueue(e.subscriber, u)
			continue
		}
		for _, sp := range w.spans[u.kind] {
			s.offer(e, u, e.subscription(), sp)
		}
	}
	return budget
}

// stepOther is step for those of a pattern, those with an interval, and all others of a batch that was lapped.
func (s *Shard) stepOther(w *walk, p *part, budget int) int {
	ro, lo := s.rolls.At(p.roll), s.locals.At(w.local)
	rivals := !lo.empty() || len(lo.more().patterns) > 1
	for ; w.next < p.end && budget > 0; w.next++ {
		e := ro.entries[w.next]
		if e.subscriber == 0 {
			continue
		}
		budget--
		u, exact := s.subscribers.At(e.subscriber), e.subscription()
		if p.wild {
			if rivals && u.count > 1 && w.deciding(s, e.subscriber, u, &budget) != e.subscription() {
				continue // it gets the message by another of its subscriptions
			}
			exact = 0
		}
		switch spans := w.spans[u.kind]; {
		case exact != 0 && e.behind():
		case p.newest:
			s.offerNewest(e, u, exact, w.local, w.newest[u.kind], p.passed)
		case u.lag != 0 || w.lapped:
			s.mark(e.subscriber, u, exact, mark{local: w.local, pos: w.first, prev: w.prev})
		default:
			for _, sp := range spans {
				s.offer(e, u, exact, sp)
			}
		}
		s.enqueue(e.subscriber, u)
	}
	return budget
}

// decidedMin is from how many subscriptions on what decides for a subscriber is only looked up once in a walk: it may
// stand on as many rolls.
const decidedMin = 8

func (w *walk) deciding(s *Shard, id uint32, u *subscriber, budget *int) uint32 {
	if u.count < decidedMin {
		return s.deciding(id, w.local)
	}
	h, ok := w.decided[id]
	if !ok {
		h = s.deciding(id, w.local)
		*budget -= len(s.locals.At(w.local).more().patterns)
		if w.decided == nil {
			w.decided = make(map[uint32]uint32)
		}
		w.decided[id] = h
	}
	return h
}

// finish ends a walk.
func (s *Shard) finish(w *walk) {
	l := w.local
	for kind := range w.spans {
		for _, sp := range w.spans[kind] {
			s.release(sp)
		}
		if w.newest[kind] != 0 {
			s.release(w.newest[kind])
		}
	}
	for i := range w.parts {
		s.walked(w.parts[i].roll)
	}
	w.local = 0
	s.locals.At(l).walk = nil
	s.endLocal(l)
}
