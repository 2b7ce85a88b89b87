package pubsub

// lag is the side record of a subscriber that does not keep up: which of its topics have news, and from
// where. It is bounded by the subscriber's subscriptions.
type lag struct {
	marks fifo[mark]
}

// mark says that a subscription is owed the messages from pos on; prev is the sequence number before.
type mark struct {
	subscription uint32
	pos, prev    uint64
}

func (s *Shard) startLag(u *subscriber) {
	if u.lag == 0 {
		u.lag = s.lags.New()
	}
}

func (s *Shard) endLag(u *subscriber) {
	s.lags.Free(u.lag)
	u.lag = 0
}

// mark notes that a subscription is owed what lies from pos on, unless it is owed more already.
func (s *Shard) mark(u *subscriber, subscription uint32, pos, prev uint64) {
	s.startLag(u)
	b := s.subscriptions.At(subscription)
	if e := &s.locals.At(b.local).entries[b.at]; !e.behind() {
		e.bits |= behindBit
		s.lags.At(u.lag).marks.push(mark{subscription, pos, prev})
	}
}

// markBack is mark for what had been noted and is not to be written now: a mark that was moved past it
// moves back.
func (s *Shard) markBack(u *subscriber, subscription uint32, pos, prev uint64) {
	s.mark(u, subscription, pos, prev)
	m := &s.lags.At(u.lag).marks
	for i := m.head; i < len(m.items); i++ {
		if x := &m.items[i]; x.subscription == subscription && pos < x.pos {
			x.pos, x.prev = pos, prev
		}
	}
}

// unmark takes back what a subscription was owed.
func (s *Shard) unmark(u *subscriber, subscription uint32) {
	m := &s.lags.At(u.lag).marks
	for n := m.len(); n > 0; n-- {
		if x := m.pop(); x.subscription != subscription {
			m.push(x)
		}
	}
}

// limit is how far a subscription may be served from the ring: what a walk under way has yet to offer
// it will come by that walk.
func (lo *local) limit(at uint32) (pos, prev uint64) {
	if w := lo.walk; w != nil && at >= w.next && at < w.end {
		return w.first, w.prev
	}
	return lo.cursor, lo.prev
}

// recover turns marks into notes of about one write's bytes, topics in turn.
func (s *Shard) recover(u *subscriber) {
	m := &s.lags.At(u.lag).marks
	for room := writeBytesMax; room > 0 && u.notes < notesMax && m.len() > 0; {
		x := m.pop()
		b := s.subscriptions.At(x.subscription)
		lo := s.locals.At(b.local)
		limit, limitPrev := lo.limit(b.at)
		room -= s.serve(u, b.local, &x, limit, limitPrev, room)
		if x.pos < limit {
			m.push(x)
		} else {
			lo.entries[b.at].bits &^= behindBit
		}
	}
}

// serve notes what the ring has of a mark, moves the mark on and returns the bytes noted.
func (s *Shard) serve(u *subscriber, l uint32, x *mark, limit, limitPrev uint64, room int) (bytes int) {
	if x.pos >= limit {
		return 0
	}
	t := s.locals.At(l).link.topic
	t.mu.Lock()
	pos, prev := x.pos, x.prev
	if pos < t.ring.tail {
		pos, prev = limit, limitPrev
		if t.ring.tail < limit {
			pos, prev = t.ring.tail, t.ring.at(t.ring.tail).prev
		}
	}
	s.pieces = s.pieces[:0]
	if pos < limit {
		s.pieces = t.view(s.pieces, u.kind, pos, limit, room)
	}
	t.mu.Unlock()
	if pos > x.pos && !s.tellGap(u, l, x, prev) {
		return 0
	}
	x.pos, x.prev = pos, prev
	for i := range s.pieces {
		p := &s.pieces[i]
		n := p.len()
		bytes += len(p.buf)
		x.pos, x.prev = p.first+uint64(n), p.prevOf(n)
		if len(p.holes()) > 0 && s.leftOut(u, p) {
			s.noteAround(u, l, p)
		} else {
			s.note(u, s.newSpan(l, p))
		}
	}
	clear(s.pieces)
	return bytes
}

// tellGap notes that the messages from the mark up to the sequence number prev are gone. Where the kind has no way to say so
// the mark is spent and the sink is told.
func (s *Shard) tellGap(u *subscriber, l uint32, x *mark, prev uint64) bool {
	g, ok := s.gap(u.kind, l, x.pos, x.prev, prev, ReasonSlow)
	if !ok {
		x.pos = ^uint64(0)
		s.counts.Overruns++
		s.sink.Overrun(u.owner)
		return false
	}
	g.lost = prev - x.prev
	s.note(u, s.newSpan(l, &g))
	return true
}
