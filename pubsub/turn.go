package pubsub

import "math"

// writeBytesMax bounds one write of several messages; a single longer message is written alone.
const writeBytesMax = 64 << 10

// looks is how often a slice looks at the clock: reading it costs as much as a few notes. Of a topic whose messages are
// encoded in a kind that takes long, so many are taken in a turn.
type looks struct{ notes, writes, encodings int }

var usualLooks = looks{notes: 1024, writes: 16, encodings: 64}

// maxBudget lets a walk go to its end.
const maxBudget = math.MaxInt

// Turn does one slice of work: it notes what was published on the subscribers, and writes to those who
// have notes. It reports whether work is left, for which the loop is to call again after it has read.
func (s *Shard) Turn() (more bool) {
	start, slice := s.hub.o.Clock(), s.hub.o.SliceNanos
	s.collect()
	// Noting first lets one write carry what several topics have; but at most half of the slice, so
	// that publishers alone cannot keep subscribers from their writes.
	half := start + slice
	if s.queue.len() > 0 {
		half = start + slice/2
	}
	s.noteNews(half)
	s.writeNotes(start + slice)
	s.retire()
	due, timed := s.Due()
	return s.walks.len() > 0 || s.pending.len() > 0 || s.leftover.len() > 0 || s.queue.len() > 0 || s.retired.len() > 0 || timed && due <= start
}

// Take takes what is in flight for this shard now and notes it on the subscribers, without writing: what
// a loop that publishes itself does to make room when it cannot wait for a turn of its own. It must not be
// called from within Turn.
func (s *Shard) Take() {
	s.collect()
	s.noteNews(math.MaxInt64)
	if s.queue.len() > 0 || s.leftover.len() > 0 {
		s.mailbox.wake() // the mailbox is empty now, so nobody else would
	}
}

func (s *Shard) collect() {
	for _, l := range s.mailbox.take() {
		s.pending.push(l)
	}
	for s.leftover.len() > 0 {
		s.pending.push(s.leftover.pop())
	}
}

// noteNews is part one of a turn.
func (s *Shard) noteNews(until int64) {
	budget := s.every.notes
	for fired := false; ; {
		for s.walks.len() > 0 {
			budget = s.step(s.walks.front(), budget)
			if budget <= 0 {
				if s.hub.o.Clock() >= until {
					return
				}
				budget = s.every.notes
			}
			if w := s.walks.front(); w.local == 0 {
				s.reuse(s.walks.pop())
			}
		}
		switch {
		case !fired:
			fired = true // once a turn: what is due is a millisecond late at most
			s.fire()
		case s.pending.len() > 0:
			s.encodings = 0
			s.take(s.pending.pop())
			budget -= 16 + 16*s.encodings // a topic's lock, and what takes long
		default:
			return
		}
	}
}

// take begins a walk with the news of a link that has left the mailbox.
func (s *Shard) take(k *link) {
	k.topic.mu.Lock()
	k.dirty = false
	gone := k.topic.gone
	if k.local == 0 && !k.dead && !gone {
		s.adopt(k)
	}
	s.begin(k)
	k.topic.mu.Unlock()
	switch {
	case k.dead || k.local == 0:
	case gone:
		s.lose(k.local)
		s.endLocal(k.local)
	default:
		s.endLocal(k.local) // where the pattern that a publisher made the link for has ended meanwhile
	}
}

// begin begins a walk with what the topic has beyond the shard's cursor. No walk of it is under way. The
// caller holds the topic's lock.
func (s *Shard) begin(k *link) {
	t := k.topic
	if k.dead || k.cursor == t.ring.head || k.local == 0 {
		return
	}
	lo := s.locals.At(k.local)
	s.attach(k.local, lo)
	w := s.newWalk()
	w.local, w.first, w.prev, w.lapped = k.local, lo.cursor, lo.prev, lo.cursor < t.ring.tail
	to, appended := t.ring.head, t.appended
	if !w.lapped && s.slowToEncode(lo) {
		to, appended = t.before(lo.cursor, s.every.encodings, k.appended)
	}
	s.counts.Batches++
	s.enlistAll(w, lo, to)
	s.start(w, lo, to)
	newest := t.ring.at(to - 1)
	k.cursor, k.appended = to, appended
	lo.cursor, lo.prev, lo.ts = to, newest.seq, newest.ts
	s.touch(k.local, lo)
	k.pushes = s.pushes(lo)
	if to < t.ring.head && !k.dirty {
		k.dirty = true
		s.leftover.push(k)
	}
	t.account()
	t.evict(t.ring.at(t.ring.head - 1).kept)
}

// encodedBytesMax bounds what is taken at once for a kind that takes long to encode, as looks.encodings does: about a
// millisecond's worth.
const encodedBytesMax = 128 << 10

// before is where a batch from a position on ends that has at most so many messages and encodedBytesMax, but one message at
// least; and appended there. The caller holds mu.
func (t *topic) before(from uint64, messagesMax int, appended int64) (to uint64, appendedTo int64) {
	bytes := 0
	for to = from; to < t.ring.head && to-from < uint64(messagesMax); to++ {
		size := int(t.ring.at(to).size)
		if bytes += size; bytes > encodedBytesMax && to > from {
			break
		}
		appended += int64(size)
	}
	return to, appended
}

// slowToEncode says that somebody gets every message of a topic in a kind that takes long to encode.
func (s *Shard) slowToEncode(lo *local) bool {
	slow := func(r uint32) bool {
		if r == 0 {
			return false
		}
		for kind, n := range s.rolls.At(r).kinds {
			if n > 0 && s.hub.o.Slow[kind] {
				return true
			}
		}
		return false
	}
	if slow(lo.plain) {
		return true
	}
	for _, a := range lo.more().patterns {
		if slow(s.patterns.At(a.pattern).plain) {
			return true
		}
	}
	return false
}

// pushes says that somebody wants every message of a topic, so that publishers are to wait for this loop.
func (s *Shard) pushes(lo *local) bool {
	rule := lo.link.topic.rule
	all := func(r uint32) bool {
		if r == 0 {
			return false
		}
		ro := s.rolls.At(r)
		return ro.asked[ModeOfRule] > 0 && rule.mode(ModeOfRule) == ModeAll || ro.asked[ModeAll] > 0 && rule.mode(ModeAll) == ModeAll
	}
	if all(lo.plain) {
		return true
	}
	for _, a := range lo.more().patterns {
		if all(s.patterns.At(a.pattern).plain) {
			return true
		}
	}
	return false
}
