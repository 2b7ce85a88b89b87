package pubsub

import (
	"slices"
	"sort"
)

// fate is what becomes of a mark once the ring has been asked.
type fate uint8

const (
	served fate = iota // nothing is left of it
	more               // there is more than this write takes
	later              // when its interval has passed
)

// recover turns marks into notes of about one write's bytes, topics in turn.
func (s *Shard) recover(id uint32, u *subscriber) {
	g := s.lags.At(u.lag)
	s.goneFirst(g)
	for room := writeBytesMax; room > 0 && u.notes < notesMax && g.marks.len() > 0; {
		x := g.marks.pop()
		if s.lost > 0 && len(g.waiting) > 0 {
			s.forgetEarlier(id, g, x.local)
		}
		bytes, next := s.serve(id, u, &x, room)
		room -= bytes
		switch next {
		case served:
			s.unmarked(id, g, x.local)
		case more:
			if s.locals.At(x.local).gone {
				g.marks.pushFront(x)
			} else {
				g.marks.push(x)
			}
		case later:
			g.waiting = append(g.waiting, x)
			s.setTimer(timer{due: x.due, subscriber: id})
		}
	}
}

// forgetEarlier takes back what waits of earlier lives of a topic's name: it is about to be passed by newer ones.
func (s *Shard) forgetEarlier(id uint32, g *lag, l uint32) {
	t := s.locals.At(l).link.topic
	g.waiting = slices.DeleteFunc(g.waiting, func(x mark) bool {
		lo := s.locals.At(x.local)
		earlier := lo.gone && lo.link.topic.name == t.name && lo.link.topic.born < t.born
		if earlier {
			s.unmarked(id, g, x.local)
		}
		return earlier
	})
}

// serve notes what the ring has of a mark and moves it on.
func (s *Shard) serve(id uint32, u *subscriber, x *mark, room int) (bytes int, next fate) {
	lo := s.locals.At(x.local)
	s.attach(x.local, lo)
	h := s.deciding(id, x.local)
	if h == 0 {
		return 0, served
	}
	b := s.subscriptions.At(h)
	every := s.rolls.At(b.roll()).every
	limit, limitPrev, coming := lo.limit(b)
	switch latest := every > 0 || lo.link.topic.rule.mode(b.mode()) == ModeLatest; {
	case x.pos >= limit && !x.expired:
		return 0, served
	case !latest:
		return s.serveAll(u, x, limit, limitPrev, room)
	case x.expired || x.pos < x.full && x.full <= limit:
		return s.serveSnapshot(id, u, x, min(x.full, limit), every, room)
	case every > 0 && coming && !s.withoutNewest(u, lo.walk): // a newer one is on its way to it
		s.rejoin(id, x.local, x.due)
		return 0, served
	case lo.gone && s.hub.holds(lo.link.topic.name):
		return 0, served // its name has newer ones
	case every > 0 && !s.servable(id, x):
		return 0, later
	}
	if bytes = s.serveNewest(u, x, limit); bytes > 0 && every > 0 {
		s.setAside(id, x.local, limit, s.hub.o.Clock()+int64(every)*nanosPerMilli)
	}
	return bytes, served
}

// withoutNewest says that a subscriber is excluded from a walk's newest message.
func (s *Shard) withoutNewest(u *subscriber, w *walk) bool {
	sp := s.spans.At(w.newest[u.kind])
	return len(sp.holes()) > 0 && s.leftOut(u, &sp.piece)
}

// servable says whether a member's own interval has passed; else it sets the mark's due. The others' interval goes on
// as it did: a slow reader is not to hold them up.
func (s *Shard) servable(id uint32, x *mark) bool {
	a, _ := s.asides.get(id, x.local)
	x.due = max(x.due, a.notBefore)
	return x.due <= s.hub.o.Clock()
}

// serveAll notes messages from a mark on, after the notice of those that are gone.
func (s *Shard) serveAll(u *subscriber, x *mark, limit, limitPrev uint64, room int) (bytes int, next fate) {
	t := s.locals.At(x.local).link.topic
	t.mu.Lock()
	pos, over := min(max(x.pos, t.ring.tail), limit), false
	if pos >= x.full {
		pos, over = t.withinBounds(pos, limit)
	}
	prev := t.gapTo(x, pos, limit, limitPrev)
	s.pieces = s.pieces[:0]
	if pos < limit {
		s.pieces = t.view(s.pieces, u.kind, pos, limit, room)
	}
	t.mu.Unlock()
	closes := t.rule.Slow == SlowClose && !x.expired && (over || prev > x.prev)
	if closes || prev > x.prev && !s.tellGap(u, x, prev) {
		clear(s.pieces)
		s.overrun(u)
		return 0, served
	}
	x.pos, x.expired = pos, false
	return s.notePieces(u, x, false), x.fateAt(limit)
}

// gapTo is the sequence number up to which messages between a mark and a position are gone; if it is not above the
// mark's, none are. The caller holds mu.
func (t *topic) gapTo(x *mark, pos, limit, limitPrev uint64) uint64 {
	prev := limitPrev
	if pos < limit {
		prev = t.ring.at(pos).prev
	}
	if x.expired { // a resume may have left off in an earlier life of the topic, of which nobody knows
		prev = max(prev, t.born)
	}
	return prev
}

// serveSnapshot notes messages up to the end of a snapshot, for subscribers of the latest. Where only a part of it is
// kept they are told of the rest, if they can be; what is missing later they see by the sequence numbers.
func (s *Shard) serveSnapshot(id uint32, u *subscriber, x *mark, to uint64, every uint32, room int) (bytes int, next fate) {
	t := s.locals.At(x.local).link.topic
	t.mu.Lock()
	pos, prev := min(max(x.pos, t.ring.tail), to), x.prev
	s.pieces = s.pieces[:0]
	if pos < to {
		prev = t.gapTo(x, pos, to, 0)
		s.pieces = t.view(s.pieces, u.kind, pos, to, room)
	}
	t.mu.Unlock()
	if x.expired && prev > x.prev {
		s.tellGap(u, x, prev)
	}
	if every > 0 {
		s.setAside(id, x.local, to, s.hub.o.Clock()+int64(every)*nanosPerMilli)
	}
	x.pos, x.expired = pos, false
	return s.notePieces(u, x, true), more
}

func (x *mark) fateAt(limit uint64) fate {
	if x.pos < limit {
		return more
	}
	return served
}

// notePieces notes s.pieces and moves the mark behind them. quiet leaves out the notice of excluded messages.
func (s *Shard) notePieces(u *subscriber, x *mark, quiet bool) (bytes int) {
	for i := range s.pieces {
		p := &s.pieces[i]
		n := p.len()
		bytes += len(p.buf)
		p.full, x.expired = x.full, false
		x.pos, x.prev = p.first+uint64(n), p.prevOf(n)
		if len(p.holes()) > 0 && s.leftOut(u, p) {
			s.noteAround(u, x.local, p, quiet)
		} else {
			s.note(u, s.newSpan(x.local, p))
		}
	}
	clear(s.pieces)
	return bytes
}

// serveNewest notes the newest message before limit that the subscriber is not excluded from.
func (s *Shard) serveNewest(u *subscriber, x *mark, limit uint64) (bytes int) {
	t := s.locals.At(x.local).link.topic
	t.mu.Lock()
	pos, ok := t.newestFor(s.sink.Client(u.owner), max(x.pos, t.ring.tail), limit)
	if ok {
		s.pieces = t.view(s.pieces[:0], u.kind, pos, pos+1, writeBytesMax)
	}
	t.mu.Unlock()
	if !ok {
		return 0
	}
	s.counts.Conflated += pos - x.pos
	p := &s.pieces[0]
	bytes, p.full = len(p.buf), x.full
	p.odd.forgetHoles()
	s.note(u, s.newSpan(x.local, p))
	clear(s.pieces)
	return bytes
}

// newestFor finds the newest message from from to to-1 that a client is not excluded from. The caller holds mu.
func (t *topic) newestFor(client ClientID, from, to uint64) (pos uint64, ok bool) {
	for pos = to; pos > from; {
		pos--
		if e := t.ring.at(pos).exclude; e == nil || !e.has(client) {
			return pos, true
		}
	}
	return 0, false
}

// withinBounds moves a slow reader's position on to what the topic's rule lets it have, and says whether it had to.
// The caller holds mu.
func (t *topic) withinBounds(pos, limit uint64) (from uint64, over bool) {
	r, from := t.rule, pos
	if r.SlowMessagesMax > 0 && limit-from > uint64(r.SlowMessagesMax) {
		from = limit - uint64(r.SlowMessagesMax)
	}
	if r.SlowMillisMax > 0 {
		oldest := t.hub.o.Steady() - r.SlowMillisMax
		from += uint64(sort.Search(int(limit-from), func(i int) bool { return t.ring.at(from+uint64(i)).kept >= oldest }))
	}
	if r.SlowBytesMax > 0 {
		at, bytes := limit, 0
		for at > from && bytes <= r.SlowBytesMax {
			at--
			bytes += int(t.ring.at(at).size)
		}
		if bytes > r.SlowBytesMax {
			from = at + 1
		}
	}
	if from == pos {
		return pos, false
	}
	if r.Slow == SlowLatest || from == limit {
		from = limit - 1 // the newest is never dropped
	}
	return from, true
}

// tellGap notes that the messages from the mark up to the sequence number prev are gone. It reports whether the
// subscriber's kind has a way to say so.
func (s *Shard) tellGap(u *subscriber, x *mark, prev uint64) bool {
	why := ReasonSlow
	if x.expired {
		why = ReasonExpired
	}
	g, ok := s.gap(u.kind, x.local, x.pos, x.prev, prev, why)
	if !ok {
		return false
	}
	if !x.expired {
		g.lost = prev - x.prev
	}
	g.expired, g.full = x.expired, x.full
	s.note(u, s.newSpan(x.local, &g))
	x.prev, x.expired = prev, false
	return true
}
