package pubsub

// local is a topic as this shard knows it.
type local struct {
	audience   // those of this very topic
	link       *link
	special    *special // nil of most
	generation uint64   // of the hub's patterns when they were last looked up
	cursor     uint64   // the position up to which batches were taken
	prev       uint64   // the sequence number before cursor
	ts         int64    // of the newest message taken, Unix ms
	walk       *walk    // under way
	refs       uint32   // spans and marks that name it
	joining    bool     // somebody is about to be added, so it is not to end
	gone       bool     // the topic has expired: it ends when nobody has anything of it any more
}

// special is what locals have that know patterns or intervals.
type special struct {
	patterns []attached // those that match, and had subscribers when they were last looked up
	cadences []cadence  // the intervals that are under way
	asides   bool       // somebody was set aside here

	// Those that know patterns stand in a list, the one with the latest news in front.
	newer, older uint32
	touched      int64 // when it came to the front, on the hub's clock, Unix ms
}

var nothingSpecial special

// more is to be read only.
func (lo *local) more() *special {
	if lo.special == nil {
		return &nothingSpecial
	}
	return lo.special
}

func (lo *local) own() *special {
	if lo.special == nil {
		lo.special = new(special)
	}
	return lo.special
}

// localOf returns the shard's local of a topic, or 0.
func (s *Shard) localOf(t *topic) uint32 {
	if l := s.byName[t.name]; l != 0 && s.locals.At(l).link.topic == t {
		return l
	}
	return 0
}

// enter returns the shard's local of a topic, which it makes if there is none: with interest at the head, or where a
// publisher has set it for a pattern. earlier is what it had by that name before, for succeed. The caller holds the
// topic's lock.
func (s *Shard) enter(t *topic) (l, earlier uint32) {
	if l = s.localOf(t); l != 0 {
		return l, 0
	}
	k := t.linkTo(s)
	if k == nil {
		k = t.link(s)
	}
	earlier = s.byName[t.name]
	return s.adopt(k), earlier
}

// succeed loses an earlier life of a name, if there is one, before anything is taken of the next: who subscribes
// comes ahead of the mailbox, where the word that the topic has gone may still be.
func (s *Shard) succeed(earlier uint32) {
	if earlier == 0 {
		return
	}
	lo := s.locals.At(earlier)
	taken := lo.gone
	lo.joining = true // it is not to end in between
	s.settle(lo)
	s.lose(earlier)
	s.settle(lo)
	lo.joining = false
	if taken { // else it ends when its link is
		s.endLocal(earlier)
	}
}

// settle brings the walk of a local to its end.
func (s *Shard) settle(lo *local) {
	if lo.walk != nil {
		s.step(lo.walk, maxBudget)
	}
}

// adopt makes a link one of the shard's locals. The caller holds the topic's lock.
func (s *Shard) adopt(k *link) uint32 {
	l, t := s.locals.New(), k.topic
	s.byName[t.name] = l
	*s.locals.At(l) = local{link: k, cursor: k.cursor, prev: t.seq, ts: t.ts}
	if k.cursor < t.ring.head { // it is waited for until it is adopted, so the ring has it
		s.locals.At(l).prev = max(t.ring.at(k.cursor).prev, t.born)
	}
	k.local = l
	return l
}

// eachLocal yields the topics of an owner.
func (s *Shard) eachLocal(owner uint32, yield func(l uint32, lo *local)) {
	if owner&patternBit == 0 {
		yield(owner, s.locals.At(owner))
		return
	}
	for _, l := range s.patterns.At(owner &^ patternBit).locals {
		yield(l, s.locals.At(l))
	}
}

// unref says that a span or a mark of a local is no more.
func (s *Shard) unref(l uint32) {
	lo := s.locals.At(l)
	if lo.refs--; lo.refs == 0 && lo.empty() {
		s.endLocal(l)
	}
}

// lose is for a topic that has expired, which somebody had by a pattern. What is owed of it goes ahead of all else: its
// name may come back, and that topic's messages are not to come before this one's.
func (s *Shard) lose(l uint32) {
	lo := s.locals.At(l)
	if lo.gone {
		return
	}
	lo.gone = true
	s.lost++
	for i, more := 0, lo.more(); i < len(more.cadences); i++ {
		more.cadences[i].due = 0
	}
	s.flush(l, s.hub.o.Clock())
	if lo.refs > 0 {
		for h := uint32(1); h < s.lags.End(); h++ {
			g := s.lags.At(h)
			if _, owed := g.of[l]; !owed {
				continue
			}
			g.unsorted = true
			if len(g.waiting) > 0 {
				s.hurry(g.subscriber, s.subscribers.At(g.subscriber), map[uint32]struct{}{l: {}})
			}
		}
	}
}

// endLocal ends the shard's interest in a topic that nobody is left for.
func (s *Shard) endLocal(l uint32) {
	lo := s.locals.At(l)
	if !lo.empty() || lo.walk != nil || lo.joining || lo.refs > 0 {
		return
	}
	s.attach(l, lo) // what is published but not yet taken may be for a pattern that it does not know yet
	if !lo.gone && s.wanted(lo) {
		return
	}
	for len(lo.more().patterns) > 0 {
		s.detach(l, lo.more().patterns[0].pattern)
	}
	s.forgetAsides(l)
	if lo.gone {
		s.lost--
	}
	lo.link.topic.unlink(lo.link, s.hub.o.Steady())
	if name := lo.link.topic.name; s.byName[name] == l {
		delete(s.byName, name)
	}
	s.locals.Free(l)
}
