package pubsub

// span is a piece that is noted on subscribers. It goes when the last of them has it.
type span struct {
	refs  int32 // loop-owned, so a plain count
	local uint32
	piece
	_ [24]byte // to a multiple of a cache line: what each of its subscribers reads of it then stands in one
}

// noteBlock holds spans noted on a subscriber beyond its first: a cache line, since a busy subscriber's are
// far from all that was used last.
type noteBlock struct {
	spans [noteBlockSpans]uint32
	next  uint32 // the block behind it; behind the last comes the first
}

const noteBlockSpans = 15

// notesMax bounds the notes on one subscriber; one that would get more is caught up from the rings.
const notesMax = 128

func (s *Shard) newSpan(l uint32, p *piece) uint32 {
	h := s.spans.New()
	*s.spans.At(h) = span{piece: *p, local: l, refs: 1}
	s.locals.At(l).refs++
	return h
}

func (s *Shard) release(h uint32) {
	sp := s.spans.At(h)
	if sp.refs--; sp.refs == 0 {
		l := sp.local
		s.spans.Free(h)
		s.unref(l)
	}
}

// offer notes a span of a walk on a subscriber that keeps up so far. exact is as for mark.
func (s *Shard) offer(e entry, u *subscriber, exact, h uint32) {
	sp := s.spans.At(h)
	if u.lag != 0 || u.notes >= notesMax {
		s.mark(e.subscriber, u, exact, mark{local: sp.local, pos: sp.first, prev: sp.prev})
	} else if len(sp.holes()) > 0 && s.leftOut(u, &sp.piece) {
		p := sp.piece
		s.noteAround(u, sp.local, &p, s.conflates(e.subscription(), sp.local))
	} else {
		sp.refs++
		s.note(u, h)
	}
	s.enqueue(e.subscriber, u)
}

// conflates says that a subscription wants the latest of a topic: it sees by the sequence numbers what it did not get.
func (s *Shard) conflates(h, l uint32) bool {
	b := s.subscriptions.At(h)
	return s.rolls.At(b.roll()).every > 0 || s.locals.At(l).link.topic.rule.mode(b.mode()) == ModeLatest
}

// note appends a span to what is noted on u; the reference goes with it.
func (s *Shard) note(u *subscriber, h uint32) {
	u.notes++
	if u.note == 0 {
		u.note = h
		return
	}
	at := (int(u.taken) + int(u.notes) - 2) % noteBlockSpans
	if at == 0 { // the last block is full, or there is none
		s.addBlock(u)
	}
	s.blocks.At(u.more).spans[at] = h
}

// addBlock puts a block behind the last of u's.
func (s *Shard) addBlock(u *subscriber) {
	n := s.blocks.New()
	b := s.blocks.At(n)
	b.next = n
	if u.more != 0 {
		last := s.blocks.At(u.more)
		b.next, last.next = last.next, n
	}
	u.more = n
}

// popNote takes the first note off u and returns its span, with its reference.
func (s *Shard) popNote(u *subscriber) uint32 {
	h := u.note
	u.notes--
	if u.notes == 0 {
		u.note = 0
		return h
	}
	last := s.blocks.At(u.more)
	n := last.next
	first := s.blocks.At(n)
	u.note = first.spans[u.taken]
	u.taken++
	if u.taken < noteBlockSpans && u.notes > 1 {
		return h
	}
	u.taken = 0
	if n == u.more {
		u.more = 0
	} else {
		last.next = first.next
	}
	s.blocks.FreeAsIs(n)
	return h
}

// freeBlocks gives all of u's blocks back, whatever they hold.
func (s *Shard) freeBlocks(u *subscriber) {
	for n, end := s.blocks.At(u.more).next, false; !end; {
		next := s.blocks.At(n).next
		end = n == u.more
		s.blocks.FreeAsIs(n)
		n = next
	}
	u.more, u.taken = 0, 0
}

// notes walks over what is noted on a subscriber beyond its first span.
type notes struct {
	s     *Shard
	block *noteBlock
	at    int
}

// further begins such a walk. There must be a second note.
func (s *Shard) further(u *subscriber) notes {
	return notes{s, s.blocks.At(s.blocks.At(u.more).next), int(u.taken)}
}

// next returns the next span. The caller knows that there is one.
func (w *notes) next() uint32 {
	if w.at == noteBlockSpans {
		w.block, w.at = w.s.blocks.At(w.block.next), 0
	}
	w.at++
	return w.block.spans[w.at-1]
}

func (s *Shard) forgetNotes(u *subscriber) {
	for u.note != 0 {
		s.release(s.popNote(u))
	}
}

// forgetNotesOf takes the notes of topics for which forget is true off u.
func (s *Shard) forgetNotesOf(u *subscriber, forget func(l uint32) bool) {
	for n := u.notes; n > 0; n-- {
		h := s.popNote(u)
		if forget(s.spans.At(h).local) {
			s.release(h)
		} else {
			s.note(u, h)
		}
	}
}

// leftOut reports whether the subscriber is excluded from a message of the piece.
func (s *Shard) leftOut(u *subscriber, p *piece) bool {
	id := s.sink.Client(u.owner)
	for _, h := range p.holes() {
		if h.exclude.has(id) {
			return true
		}
	}
	return false
}

// noteAround notes what a subscriber is to get of a piece that it is partly excluded from: the runs
// around its holes, and in place of each hole the notice, where its kind has one and it is not to be quiet about it.
func (s *Shard) noteAround(u *subscriber, l uint32, p *piece, quiet bool) {
	id := s.sink.Client(u.owner)
	holes, from := p.holes(), 0
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
		if quiet {
		} else if g, ok := s.gap(u.kind, l, p.first+uint64(at), p.prevOf(at), p.prevOf(end), ReasonExcluded); ok {
			g.full = p.full
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
	t := s.locals.At(l).link.topic
	from := prev + 1
	if why != ReasonExpired { // a topic's first message follows 0, whatever its own number is
		from = max(prev, t.born) + 1
	}
	buf, ok := s.hub.o.Encoders[kind].AppendGap(nil, t.name, from, to, why)
	if !ok {
		return piece{}, false
	}
	return piece{buf: buf, ends: []uint32{uint32(len(buf))}, first: pos, prev: prev, notice: true}, true
}
