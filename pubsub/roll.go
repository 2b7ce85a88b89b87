package pubsub

import "slices"

// roll is those who get the messages of a topic, or of a pattern's topics, in the same way.
type roll struct {
	owner   uint32 // the local it is of, or the pattern, which has patternBit
	every   uint32 // at most one message of a topic in so many ms; 0: all that come
	walks   int32  // walks under way over it
	entries []entry
	kinds   [KindsMax]uint32 // entries of each kind
	asked   [modes]uint32    // entries by the mode they asked for
}

const modes = 3

// patternBit marks the handle of a pattern where that of a local may stand too.
const patternBit = 1 << 31

// entry is a subscriber on a roll. Whether it has a mark in its lag record stands here if the roll is a topic's, so
// that a walk passes over those who lag without touching anything else of theirs. For a pattern's topics the lag record
// says it.
type entry struct {
	subscriber uint32 // 0: a hole
	bits       uint32 // the subscription, and behindBit
}

const behindBit = 1 << 31

func (e entry) subscription() uint32 { return e.bits &^ behindBit }

func (e entry) behind() bool { return e.bits&behindBit != 0 }

// subscription ties a subscriber to a topic or a pattern: 20 bytes.
type subscription struct {
	subscriber uint32
	bits       uint32 // the roll, and from modeShift on the mode that was asked for
	at         uint32 // its place in the roll's entries
	next, prev uint32 // the subscriber's other subscriptions
}

const (
	modeShift = 30
	rollMask  = 1<<modeShift - 1
)

func (b *subscription) roll() uint32 { return b.bits & rollMask }

func (b *subscription) mode() Mode { return Mode(b.bits >> modeShift) }

// audience is the rolls of a local or a pattern.
type audience struct {
	plain uint32   // of those without an interval; 0 if there are none
	timed []uint32 // one for each interval
}

func (a *audience) empty() bool { return a.plain == 0 && len(a.timed) == 0 }

// rollFor returns the roll of an audience for an interval, and makes it if there is none.
func (s *Shard) rollFor(a *audience, owner, every uint32) uint32 {
	if every == 0 && a.plain != 0 {
		return a.plain
	}
	for _, r := range a.timed {
		if every != 0 && s.rolls.At(r).every == every {
			return r
		}
	}
	r := s.rolls.New()
	*s.rolls.At(r) = roll{owner: owner, every: every}
	if every == 0 {
		a.plain = r
	} else {
		a.timed = append(a.timed, r)
	}
	return r
}

// enrol puts a subscription on a roll.
func (s *Shard) enrol(h, r uint32, mode Mode) {
	b, ro := s.subscriptions.At(h), s.rolls.At(r)
	b.bits, b.at = r|uint32(mode)<<modeShift, uint32(len(ro.entries))
	ro.entries = append(ro.entries, entry{b.subscriber, h})
	ro.kinds[s.subscribers.At(b.subscriber).kind]++
	ro.asked[mode]++
}

// strike takes the entry at a place off a roll: what remains is a hole as long as a walk is under way.
func (s *Shard) strike(r, at uint32, kind Kind, mode Mode) {
	ro := s.rolls.At(r)
	ro.kinds[kind]--
	ro.asked[mode]--
	if ro.walks > 0 {
		ro.entries[at] = entry{}
		s.holes[r] = append(s.holes[r], at)
		return
	}
	s.leave(ro, at)
	s.endRoll(r)
}

// leave fills the place of a removed entry with the last one.
func (s *Shard) leave(ro *roll, at uint32) {
	last := uint32(len(ro.entries) - 1)
	if at != last {
		ro.entries[at] = ro.entries[last]
		if h := ro.entries[at].subscription(); h != 0 {
			s.subscriptions.At(h).at = at
		}
	}
	ro.entries = ro.entries[:last]
}

// walked says that a walk over a roll has ended, and removes the entries that were struck meanwhile.
func (s *Shard) walked(r uint32) {
	ro := s.rolls.At(r)
	if ro.walks--; ro.walks > 0 {
		return
	}
	// From the back, so that the entry that fills a hole is never one itself: what lies behind the
	// highest hole is whole, and so it stays for the next one.
	if holes, ok := s.holes[r]; ok {
		delete(s.holes, r)
		slices.Sort(holes)
		for _, at := range slices.Backward(holes) {
			s.leave(ro, at)
		}
	}
	s.endRoll(r)
}

// endRoll frees a roll that nobody is left on, and ends its owner if that was its last one.
func (s *Shard) endRoll(r uint32) {
	ro := s.rolls.At(r)
	if len(ro.entries) > 0 || ro.walks > 0 {
		return
	}
	owner := ro.owner
	a := s.audienceOf(owner)
	if a.plain == r {
		a.plain = 0
	} else {
		i := slices.Index(a.timed, r)
		a.timed = slices.Delete(a.timed, i, i+1)
	}
	s.rolls.Free(r)
	if owner&patternBit != 0 {
		s.endPattern(owner &^ patternBit)
	} else {
		s.endLocal(owner)
	}
}

func (s *Shard) audienceOf(owner uint32) *audience {
	if owner&patternBit != 0 {
		return &s.patterns.At(owner &^ patternBit).audience
	}
	return &s.locals.At(owner).audience
}

// add gives a subscriber a subscription on a roll.
func (s *Shard) add(id, r uint32, mode Mode) uint32 {
	u := s.subscribers.At(id)
	h := s.subscriptions.New()
	*s.subscriptions.At(h) = subscription{subscriber: id, next: u.first}
	if u.first != 0 {
		s.subscriptions.At(u.first).prev = h
	}
	u.first = h
	u.count++
	s.enrol(h, r, mode)
	switch m := s.crowded[id]; {
	case m != nil:
		m[s.ownerOf(h)] = h
	case u.count == crowd:
		m = make(map[uint32]uint32, 2*crowd)
		for h := u.first; h != 0; h = s.subscriptions.At(h).next {
			m[s.ownerOf(h)] = h
		}
		s.crowded[id] = m
	}
	return h
}

// ownerOf is what a subscription is to: a local, or a pattern with patternBit.
func (s *Shard) ownerOf(h uint32) uint32 { return s.rolls.At(s.subscriptions.At(h).roll()).owner }

// find returns the subscriber's subscription to an owner, whose audience is a, or 0.
func (s *Shard) find(id, owner uint32, a *audience) uint32 {
	if m := s.crowded[id]; m != nil {
		return m[owner]
	}
	for h := s.subscribers.At(id).first; h != 0; {
		b := s.subscriptions.At(h)
		if r := b.roll(); r == a.plain || len(a.timed) > 0 && slices.Contains(a.timed, r) {
			return h
		}
		h = b.next
	}
	return 0
}

// findExact is find for a local.
func (s *Shard) findExact(id, l uint32) uint32 { return s.find(id, l, &s.locals.At(l).audience) }

// move gives a subscription other terms. No walk of its owner's topics is under way with the subscriber yet to come.
func (s *Shard) move(h, r uint32, mode Mode) {
	b := *s.subscriptions.At(h)
	behind := s.rolls.At(b.roll()).entries[b.at].bits & behindBit
	s.enrol(h, r, mode) // first, so that the owner does not end
	ro := s.rolls.At(r)
	ro.entries[s.subscriptions.At(h).at].bits |= behind
	s.strike(b.roll(), b.at, s.subscribers.At(b.subscriber).kind, b.mode())
}

// drop removes a subscription from its subscriber and its roll.
func (s *Shard) drop(h uint32) {
	b := *s.subscriptions.At(h)
	u, owner := s.subscribers.At(b.subscriber), s.ownerOf(h)
	if b.next != 0 {
		s.subscriptions.At(b.next).prev = b.prev
	}
	if b.prev != 0 {
		s.subscriptions.At(b.prev).next = b.next
	} else {
		u.first = b.next
	}
	u.count--
	if m := s.crowded[b.subscriber]; m != nil {
		delete(m, owner)
		if u.count == 0 {
			delete(s.crowded, b.subscriber)
		}
	}
	s.subscriptions.Free(h)
	if owner&patternBit == 0 {
		s.left(u, s.locals.At(owner).link)
	}
	s.strike(b.roll(), b.at, u.kind, b.mode())
}
