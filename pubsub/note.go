package pubsub

// span is a piece that is noted on subscribers. It goes when the last of them has it.
type span struct {
	piece
	local uint32
	refs  int32 // loop-owned, so a plain count
}

// note is one span noted on a subscriber beyond its first.
type note struct{ span, next uint32 }

// notesMax bounds the notes on one subscriber; one that would get more is caught up from the rings.
const notesMax = 128

func (s *Shard) newSpan(l uint32, p *piece) uint32 {
	h := s.spans.New()
	*s.spans.At(h) = span{piece: *p, local: l, refs: 1}
	return h
}

func (s *Shard) release(h uint32) {
	sp := s.spans.At(h)
	if sp.refs--; sp.refs == 0 {
		s.spans.Free(h)
	}
}

// offer notes a span of a walk on a subscriber that keeps up so far.
func (s *Shard) offer(e entry, u *subscriber, h uint32) {
	sp := s.spans.At(h)
	if u.lag != 0 || u.notes >= notesMax {
		s.mark(u, e.subscription, sp.first, sp.prev)
	} else if len(sp.holes) > 0 && s.leftOut(u, &sp.piece) {
		p := sp.piece
		s.noteAround(u, sp.local, &p)
	} else {
		sp.refs++
		s.note(u, h)
	}
	s.enqueue(e.subscriber, u)
}

// note appends a span to what is noted on u; the reference goes with it.
func (s *Shard) note(u *subscriber, h uint32) {
	u.notes++
	if u.note == 0 {
		u.note = h
		return
	}
	n := s.notes.New()
	x := s.notes.At(n)
	x.span, x.next = h, n
	if u.more != 0 {
		last := s.notes.At(u.more)
		x.next, last.next = last.next, n
	}
	u.more = n
}

// popNote takes the first note off u and returns its span, with its reference.
func (s *Shard) popNote(u *subscriber) uint32 {
	h := u.note
	u.notes--
	u.note = 0
	if u.more == 0 {
		return h
	}
	last := s.notes.At(u.more)
	n := last.next
	x := s.notes.At(n)
	u.note = x.span
	if n == u.more {
		u.more = 0
	} else {
		last.next = x.next
	}
	s.notes.Free(n)
	return h
}

func (s *Shard) forgetNotes(u *subscriber) {
	for u.note != 0 {
		s.release(s.popNote(u))
	}
}

// forgetNotesOf takes the notes of one topic off u.
func (s *Shard) forgetNotesOf(u *subscriber, l uint32) {
	for n := u.notes; n > 0; n-- {
		h := s.popNote(u)
		if s.spans.At(h).local == l {
			s.release(h)
		} else {
			s.note(u, h)
		}
	}
}

// leftOut reports whether the subscriber is excluded from a message of the piece.
func (s *Shard) leftOut(u *subscriber, p *piece) bool {
	id := s.sink.Client(u.owner)
	for _, h := range p.holes {
		if h.exclude.has(id) {
			return true
		}
	}
	return false
}

// noteAround notes what a subscriber is to get of a piece that it is partly excluded from: the runs
// around its holes, and in place of each hole the notice, where its kind has one.
func (s *Shard) noteAround(u *subscriber, l uint32, p *piece) {
	id := s.sink.Client(u.owner)
	holes, from := p.holes, 0
	for i := 0; i < p.len(); {
		for len(holes) > 0 && holes[0].pos < p.first+uint64(i) {
			holes = holes[1:]
		}
		if len(holes) == 0 {
			break
		}
		at := int(holes[0].pos - p.first)
		if !holes[0].exclude.has(id) {
			i = at + 1
			continue
		}
		if from < at {
			run := p.cut(from, at)
			s.note(u, s.newSpan(l, &run))
		}
		end := at + 1
		for holes = holes[1:]; len(holes) > 0 && holes[0].pos == p.first+uint64(end) && holes[0].exclude.has(id); end++ {
			holes = holes[1:]
		}
		s.counts.Excluded += uint64(end - at)
		if g, ok := s.gap(u.kind, l, p.first+uint64(at), p.prevOf(at), p.prevOf(end), ReasonExcluded); ok {
			s.note(u, s.newSpan(l, &g))
		}
		from, i = end, end
	}
	if from < p.len() {
		run := p.cut(from, p.len())
		s.note(u, s.newSpan(l, &run))
	}
}

// gap is the notice that what follows the sequence number prev, up to to, will not come.
func (s *Shard) gap(kind Kind, l uint32, pos, prev, to uint64, why Reason) (piece, bool) {
	name := s.locals.At(l).link.topic.name
	buf, ok := s.hub.o.Encoders[kind].AppendGap(nil, name, prev+1, to, why)
	if !ok {
		return piece{}, false
	}
	return piece{buf: buf, ends: []uint32{uint32(len(buf))}, first: pos, prev: prev, notice: true}, true
}
