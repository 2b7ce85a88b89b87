package pubsub

import "slices"

// pattern is a filter with wildcards that subscribers of this shard have. It is one for them all: a topic that
// matches knows the pattern, and the pattern's rolls know the subscribers.
type pattern struct {
	audience
	filter string
	locals []uint32 // the topics that know it; each says in its attached where it stands here
	from   int64    // all topics that match and have messages of then or later are among them, Unix ms

	joining bool // somebody is about to be added, so it is not to end
}

// attached is a pattern as a local knows it.
type attached struct {
	pattern uint32
	at      uint32 // the local's place in the pattern's locals
}

// interest is a shard with a pattern, in the hub's index of them.
type interest struct {
	shard   *Shard
	pattern uint32
}

// newPattern makes a pattern known to publishers: who publishes after that links this shard to the topic, if it
// matches, before the message is appended. So whoever has the ack misses nothing.
func (s *Shard) newPattern(filter string) uint32 {
	p := s.patterns.New()
	*s.patterns.At(p) = pattern{filter: filter, from: s.hub.now() + 1}
	s.byFilter[filter] = p
	h := s.hub
	h.filtersMu.Lock()
	defer h.filtersMu.Unlock()
	in, _ := h.filters.Get(filter)
	if len(in) == 0 {
		h.patterns.Add(1)
		h.broker.Interest(Filter(filter), true)
	}
	h.filters.Set(filter, append(slices.Clone(in), interest{s, p}))
	h.generation.Add(1)
	return p
}

// endPattern ends a pattern that nobody is left for. The topics that know it are told in slices.
func (s *Shard) endPattern(p uint32) {
	pa := s.patterns.At(p)
	if !pa.empty() || pa.joining {
		return
	}
	delete(s.byFilter, pa.filter)
	h := s.hub
	h.filtersMu.Lock()
	in, _ := h.filters.Get(pa.filter)
	if in = slices.DeleteFunc(slices.Clone(in), func(i interest) bool { return i.shard == s }); len(in) > 0 {
		h.filters.Set(pa.filter, in)
	} else {
		h.filters.Delete(pa.filter)
		h.patterns.Add(-1)
		h.broker.Interest(Filter(pa.filter), false)
	}
	h.generation.Add(1)
	h.filtersMu.Unlock()
	if s.retired.push(p); s.retired.len() == 1 {
		s.mailbox.wake()
	}
}

// retireMax is how many topics a turn detaches from patterns that have ended.
const retireMax = 256

// retire is a slice of letting ended patterns go.
func (s *Shard) retire() {
	for n := retireMax; n > 0 && s.retired.len() > 0; n-- {
		p := s.retired.front()
		pa := s.patterns.At(p)
		if len(pa.locals) == 0 {
			s.patterns.Free(s.retired.pop())
			continue
		}
		if looksAJoin*len(pa.locals) > littleLooks {
			s.budget.spend(looksAJoin)
		}
		l := pa.locals[len(pa.locals)-1]
		s.detach(l, p)
		s.endLocal(l)
	}
}

// attach makes the patterns known to a local that have come since it last looked.
func (s *Shard) attach(l uint32, lo *local) {
	generation := s.hub.generation.Load()
	if lo.generation == generation {
		return
	}
	s.hub.filtersMu.RLock()
	s.hub.filters.Match(lo.link.topic.name, func(in []interest) bool {
		for _, i := range in {
			if i.shard == s && lo.knows(i.pattern) < 0 {
				pa := s.patterns.At(i.pattern)
				more := lo.own()
				more.patterns = append(more.patterns, attached{i.pattern, uint32(len(pa.locals))})
				pa.locals = append(pa.locals, l)
				s.touch(l, lo)
				s.attached(l, lo, pa)
			}
		}
		return true
	})
	s.hub.filtersMu.RUnlock()
	lo.generation = generation
}

// attached notes that what intervals hold back was published before the members of a pattern that has just become known,
// or is theirs by a mark.
func (s *Shard) attached(l uint32, lo *local, pa *pattern) {
	if !lo.holdsBack() {
		return
	}
	for _, r := range pa.timed {
		for _, e := range s.rolls.At(r).entries {
			if e.subscriber != 0 {
				s.setAside(e.subscriber, l, lo.cursor, 0)
			}
		}
	}
}

// knows returns the place of a pattern in a local's, or -1.
func (lo *local) knows(p uint32) int {
	return slices.IndexFunc(lo.more().patterns, func(a attached) bool { return a.pattern == p })
}

func (s *Shard) detach(l, p uint32) {
	lo, pa := s.locals.At(l), s.patterns.At(p)
	i := lo.knows(p)
	more := lo.own()
	at := more.patterns[i].at
	more.patterns = slices.Delete(more.patterns, i, i+1)
	last := uint32(len(pa.locals) - 1)
	if other := pa.locals[last]; at != last {
		pa.locals[at] = other
		o := s.locals.At(other)
		o.own().patterns[o.knows(p)].at = at
	}
	pa.locals = pa.locals[:last]
	if len(more.patterns) == 0 {
		s.unlist(l, more)
	}
}

// touch puts a local that knows patterns in front of those with news.
func (s *Shard) touch(l uint32, lo *local) {
	more := lo.special
	if more == nil || len(more.patterns) == 0 {
		return
	}
	more.touched = s.hub.clock.Load()
	if s.recent == l {
		return
	}
	s.unlist(l, more)
	if more.older = s.recent; s.recent != 0 {
		s.locals.At(s.recent).special.newer = l
	}
	s.recent = l
}

// unlist takes a local out of the list, if it is in there.
func (s *Shard) unlist(l uint32, more *special) {
	if more.newer != 0 {
		s.locals.At(more.newer).special.older = more.older
	} else if s.recent == l {
		s.recent = more.older
	}
	if more.older != 0 {
		s.locals.At(more.older).special.newer = more.newer
	}
	more.newer, more.older = 0, 0
}

// wanted says that some pattern that a local knows has subscribers.
func (s *Shard) wanted(lo *local) bool {
	for _, a := range lo.more().patterns {
		if pa := s.patterns.At(a.pattern); !pa.empty() || pa.joining {
			return true
		}
	}
	return false
}

// deciding returns the subscription by which a subscriber gets a topic's messages, or 0: the one to the very topic,
// or that to the most complete of the patterns that match. Were it for each to deliver, a message would come as often
// as it is matched.
func (s *Shard) deciding(id, l uint32) uint32 {
	best, lo := uint32(0), s.locals.At(l)
	if !lo.empty() {
		if h := s.findExact(id, l); h != 0 {
			return h
		}
	}
	if lo.gone { // what its name has now decides
		if now := s.byName[lo.link.topic.name]; now != l && now != 0 {
			if h := s.findExact(id, now); h != 0 {
				return h
			}
		}
	}
	if !s.subscribers.At(id).wild {
		return 0
	}
	for _, a := range lo.more().patterns {
		h := s.find(id, a.pattern|patternBit, &s.patterns.At(a.pattern).audience)
		if h != 0 && (best == 0 || s.moreComplete(h, best, lo.link.topic.rule)) {
			best = h
		}
	}
	return best
}

// moreComplete orders a subscriber's patterns for a topic: all, then the latest, then the shortest interval.
func (s *Shard) moreComplete(a, b uint32, rule *Rule) bool {
	x, y := s.subscriptions.At(a), s.subscriptions.At(b)
	if x, y := s.rolls.At(x.roll()).every, s.rolls.At(y.roll()).every; x != y {
		return x == 0 || y != 0 && x < y
	}
	if x, y := rule.mode(x.mode()), rule.mode(y.mode()); x != y {
		return x == ModeAll
	}
	return a < b
}

// hasPattern says that one of a subscriber's subscriptions is to a pattern.
func (s *Shard) hasPattern(u *subscriber) bool {
	for h := u.first; h != 0; h = s.subscriptions.At(h).next {
		if s.ownerOf(h)&patternBit != 0 {
			return true
		}
	}
	return false
}
