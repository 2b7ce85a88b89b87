package pubsub

import "sort"

// enqueue puts a subscriber in line for a write.
func (s *Shard) enqueue(id uint32, u *subscriber) {
	if !u.queued && !u.blocked {
		u.queued = true
		s.queue.push(id)
	}
}

// writeNotes is part two of a turn.
func (s *Shard) writeNotes(until int64) {
	for n := 0; s.queue.len() > 0; n++ {
		if n == s.every.writes {
			if s.hub.o.Clock() >= until {
				return
			}
			n = 0
		}
		id := s.queue.pop()
		u := s.subscribers.At(id)
		u.queued = false
		if u.live && !u.blocked {
			if u.lag != 0 {
				n = s.every.writes - 1 // what it is owed may have to be encoded first
			}
			s.write(id, u)
		}
	}
}

// write gives a subscriber one write of what is noted on it, after the rings have been asked if it lags
// behind.
func (s *Shard) write(id uint32, u *subscriber) {
	if u.note == 0 && u.lag != 0 {
		s.recover(id, u)
	}
	if u.note != 0 {
		p, notes := s.gather(u)
		s.counts.Writes++
		if n := s.sink.Write(u.owner, p); n < len(p) {
			s.short(id, u, n)
			return
		}
		s.sentFirst(u, notes)
	}
	switch {
	case u.note != 0:
		s.enqueue(id, u)
	case u.lag == 0:
	case s.lags.At(u.lag).marks.len() > 0:
		s.enqueue(id, u)
	case len(s.lags.At(u.lag).waiting) > 0:
	default:
		s.endLag(u)
	}
}

// gather returns the bytes of one write, and how many notes they are: shared bytes as they are where
// there is one note, else a copy in the shard's scratch.
func (s *Shard) gather(u *subscriber) (p []byte, notes int) {
	first := s.spans.At(u.note).buf
	if u.notes == 1 {
		return first, 1
	}
	s.scratch, notes = s.scratch[:0], 1
	for w := s.further(u); notes < int(u.notes); notes++ {
		buf := s.spans.At(w.next()).buf
		if notes == 1 {
			if len(first)+len(buf) > writeBytesMax {
				return first, 1
			}
			s.scratch = append(s.scratch, first...)
		} else if len(s.scratch)+len(buf) > writeBytesMax {
			break
		}
		s.scratch = append(s.scratch, buf...)
	}
	return s.scratch, notes
}

// sentFirst counts the first n notes of u as sent and takes them off it.
func (s *Shard) sentFirst(u *subscriber, n int) {
	if n < int(u.notes) {
		for range n {
			s.sent(s.popNote(u))
		}
		return
	}
	s.sent(u.note)
	if n > 1 {
		for w := s.further(u); n > 1; n-- {
			s.sent(w.next())
		}
		s.freeBlocks(u)
	}
	u.note, u.notes = 0, 0
}

func (s *Shard) sent(h uint32) {
	sp := s.spans.At(h)
	s.countSent(sp, sp.len())
	s.release(h)
}

// countSent counts the first n frames of a span as sent, or as left to the sink to send.
func (s *Shard) countSent(sp *span, n int) {
	switch {
	case !sp.notice:
		s.counts.Deliveries += uint64(n)
	case sp.lost > 0 && n > 0:
		s.counts.Gaps++
		s.counts.GapMessages += sp.lost
	}
}

// short deals with a write of which only n bytes were taken. The frame that is under way is left to the
// sink; all that has not begun becomes marks again, so that a slow reader holds no messages.
func (s *Shard) short(id uint32, u *subscriber, n int) {
	s.counts.Short++
	u.blocked = true
	s.startLag(id, u)
	var rest []byte
	for begun := true; u.note != 0; {
		h := s.popNote(u)
		sp := s.spans.At(h)
		if begun && n >= len(sp.buf) {
			n -= len(sp.buf)
			s.sent(h)
			continue
		}
		resume := 0
		if begun {
			rest, resume = sp.split(n)
			begun = false
		}
		s.countSent(sp, resume)
		if resume < sp.len() {
			s.markBack(id, u, mark{
				local: sp.local, expired: sp.expired && resume == 0, full: sp.full,
				pos: sp.first + uint64(resume), prev: sp.prevOf(resume),
			})
		}
		s.release(h)
	}
	s.sink.Rest(u.owner, rest)
}

// split returns what is left of the message that ends the first n bytes, and the message after it.
func (p *piece) split(n int) (rest []byte, resume int) {
	i := sort.Search(p.len(), func(i int) bool { return p.end(i) > n })
	if i == 0 && n == 0 || i > 0 && p.end(i-1) == n {
		return nil, i
	}
	return p.buf[n:p.end(i)], i + 1
}

// Drained says that the sink has sent the rest it was left with and can take more.
func (s *Shard) Drained(id SubscriberID) {
	u := s.subscribers.At(uint32(id))
	if !u.blocked {
		return
	}
	u.blocked = false
	s.enqueue(uint32(id), u)
	s.mailbox.wake()
}
