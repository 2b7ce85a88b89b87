package pubsub

import (
	"math"
	"slices"
)

// writeBytesMax bounds one write of several messages; a single longer message is written alone.
const writeBytesMax = 64 << 10

// looks is how often a slice looks at the clock: reading it costs as much as a few notes.
type looks struct{ notes, writes int }

var usualLooks = looks{notes: 1024, writes: 16}

// walk is one batch on its way to the subscribers of a topic.
type walk struct {
	local uint32
	next  uint32 // the entry to note it on next
	end   uint32 // the entries there were when it began; newcomers lie beyond
	first uint64 // its first position
	prev  uint64 // the sequence number before that
	spans [KindsMax][]uint32
}

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
	return s.walks.len() > 0 || s.pending.len() > 0 || s.queue.len() > 0
}

// Take takes what is in flight for this shard now and notes it on the subscribers, without writing: what
// a loop that publishes itself does to make room when it cannot wait for a turn of its own. It must not be
// called from within Turn.
func (s *Shard) Take() {
	s.collect()
	s.noteNews(math.MaxInt64)
	if s.queue.len() > 0 {
		s.mailbox.wake() // the mailbox is empty now, so nobody else would
	}
}

func (s *Shard) collect() {
	for _, l := range s.mailbox.take() {
		s.pending.push(l)
	}
}

// noteNews is part one of a turn.
func (s *Shard) noteNews(until int64) {
	budget := s.every.notes
	for {
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
		if s.pending.len() == 0 {
			return
		}
		s.take(s.pending.pop())
		budget -= 16 // a topic's lock and encoding
	}
}

// take begins a walk with the news of a link that has left the mailbox.
func (s *Shard) take(k *link) {
	k.topic.mu.Lock()
	defer k.topic.mu.Unlock()
	k.dirty = false
	s.begin(k)
}

// begin begins a walk with what the topic has beyond the shard's cursor. No walk of it is under way. The
// caller holds the topic's lock.
func (s *Shard) begin(k *link) {
	t := k.topic
	if k.dead || k.cursor == t.ring.head {
		return
	}
	lo := s.locals.At(k.local)
	w := s.newWalk()
	w.local, w.next, w.end, w.first, w.prev = k.local, 0, uint32(len(lo.entries)), lo.cursor, lo.prev
	for kind := range s.hub.o.Encoders {
		if lo.kinds[kind] == 0 {
			continue
		}
		s.pieces = t.view(s.pieces[:0], Kind(kind), k.cursor, t.ring.head, math.MaxInt)
		for i := range s.pieces {
			w.spans[kind] = append(w.spans[kind], s.newSpan(k.local, &s.pieces[i]))
		}
		clear(s.pieces)
	}
	k.cursor, k.appended = t.ring.head, t.appended
	lo.cursor, lo.prev, lo.walk = t.ring.head, t.seq, w
	t.account()
	t.evict(t.ts)
	s.walks.push(w)
	s.counts.Batches++
}

// step notes a walk's batch on further subscribers, about budget of them, and returns what is left of
// the budget. When the last one is done the walk ends, and its local becomes 0.
func (s *Shard) step(w *walk, budget int) int {
	if w.local == 0 {
		return budget
	}
	lo := s.locals.At(w.local)
	for ; w.next < w.end && budget > 0; w.next++ {
		e := lo.entries[w.next]
		if e.subscriber == 0 {
			continue
		}
		budget--
		if e.behind() {
			continue // it is owed all from an earlier message on
		}
		u := s.subscribers.At(e.subscriber)
		if u.lag != 0 {
			s.mark(u, e.subscription(), w.first, w.prev)
			continue
		}
		for _, sp := range w.spans[u.kind] {
			s.offer(e, u, sp)
		}
	}
	if w.next == w.end {
		s.finish(w, lo)
	}
	return budget
}

// finish ends a walk, and removes the entries that were dropped meanwhile.
func (s *Shard) finish(w *walk, lo *local) {
	for kind := range w.spans {
		for _, sp := range w.spans[kind] {
			s.release(sp)
		}
		w.spans[kind] = w.spans[kind][:0]
	}
	lo.walk = nil
	// From the back, so that the entry that fills a hole is never one itself: what lies behind the
	// highest hole is whole, and so it stays for the next one.
	slices.Sort(lo.holes)
	for i := len(lo.holes) - 1; i >= 0; i-- {
		s.leave(lo, lo.holes[i])
	}
	lo.holes = nil
	if len(lo.entries) == 0 && !lo.joining {
		s.endLocal(w.local)
	}
	w.local = 0
}

func (s *Shard) newWalk() *walk {
	if n := len(s.walksFree); n > 0 {
		w := s.walksFree[n-1]
		s.walksFree = s.walksFree[:n-1]
		return w
	}
	return new(walk)
}

func (s *Shard) reuse(w *walk) { s.walksFree = append(s.walksFree, w) }
