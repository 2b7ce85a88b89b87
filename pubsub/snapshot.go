package pubsub

import "sort"

// snapshot says with which messages a subscription to a local begins, as a mark, and whether there are any. They end
// at the shard's cursor, from where on the subscriber gets what comes.
func (s *Shard) snapshot(l uint32, lo *local, r *Request, j *Joined) (x mark, owed bool) {
	if r.Last <= 0 && r.Since == nil {
		return mark{}, false
	}
	t := lo.link.topic
	t.mu.Lock()
	defer t.mu.Unlock()
	if r.Since == nil {
		return t.lastOf(l, lo, r.Last, j)
	}
	return t.since(l, lo, r.Since.Epoch == s.hub.o.Epoch, r.Since.Seq, j)
}

// lastOf is the newest n messages. The caller holds mu.
func (t *topic) lastOf(l uint32, lo *local, n int, j *Joined) (x mark, owed bool) {
	to := lo.cursor
	from := max(t.ring.tail, to-min(to, uint64(n)))
	if from >= to {
		return mark{}, false
	}
	j.Snapshot += int(to - from)
	return mark{local: l, pos: from, prev: t.ring.at(from).prev, full: to}, true
}

// since is what follows seq; sameEpoch says whether seq is one of this hub's. The caller holds mu.
func (t *topic) since(l uint32, lo *local, sameEpoch bool, seq uint64, j *Joined) (x mark, owed bool) {
	switch {
	case !sameEpoch || seq > lo.prev:
		j.Recovered = 0
		return t.lastOf(l, lo, 1, &Joined{})
	case seq == lo.prev:
		j.recovered(true)
		return mark{}, false
	}
	x = mark{local: l, pos: t.find(lo.cursor, func(r *record) bool { return r.seq > seq }), prev: seq, full: lo.cursor, expired: true}
	j.recovered(t.gapTo(&x, x.pos, lo.cursor, lo.prev) <= seq)
	return x, true
}

// sinceTime is what was published at ts and after: the subscriber may have left in the midst of a millisecond, and drops
// what it has. The caller holds mu.
func (t *topic) sinceTime(l uint32, lo *local, ts int64, j *Joined) (x mark, owed bool) {
	x = mark{local: l, pos: t.find(lo.cursor, func(r *record) bool { return r.ts >= ts }), full: lo.cursor}
	if t.evictedTS > 0 && t.evictedTS >= ts { // how many nobody knows; all that the topic ever had are told as gone
		x.prev, x.expired = t.born, true
	} else if x.pos < lo.cursor {
		x.prev = t.ring.at(x.pos).prev
	}
	j.recovered(!x.expired)
	return x, x.expired || x.pos < lo.cursor
}

// find is the first position kept before to for which after holds; it holds for all that follow. The caller holds mu.
func (t *topic) find(to uint64, after func(*record) bool) uint64 {
	from := min(t.ring.tail, to)
	return from + uint64(sort.Search(int(to-from), func(i int) bool { return after(t.ring.at(from + uint64(i))) }))
}

// recovered adds what one topic says to the answer: all must have been recovered.
func (j *Joined) recovered(all bool) {
	switch {
	case !all:
		j.Recovered = 0
	case j.Recovered < 0:
		j.Recovered = 1
	}
}

// owe makes a mark one of a subscriber's. What is noted on it of that topic and not yet written comes behind the
// mark, so it becomes a part of it.
func (s *Shard) owe(id uint32, u *subscriber, x mark) { s.oweAll(id, u, []mark{x}) }

// oweAll is owe for marks of different topics.
func (s *Shard) oweAll(id uint32, u *subscriber, all []mark) {
	if len(all) == 0 {
		return
	}
	owed, now := make(map[uint32]struct{}, len(all)), make(map[uint32]struct{})
	for i := range all {
		owed[all[i].local] = struct{}{}
		if all[i].full > 0 {
			now[all[i].local] = struct{}{}
		}
	}
	s.forgetEarlierLives(id, u, all)
	if u.lag != 0 && len(s.lags.At(u.lag).waiting) > 0 {
		s.hurry(id, u, now) // what it asked for comes at once
	}
	places := s.places(u, len(all))
	for n := u.notes; n > 0; n-- {
		h := s.popNote(u)
		sp := s.spans.At(h)
		if _, is := owed[sp.local]; !is {
			s.note(u, h)
			continue
		}
		s.markBackAt(id, u, mark{local: sp.local, expired: sp.expired, pos: sp.first, prev: sp.prev, full: sp.full}, places)
		s.release(h)
	}
	for i := range all {
		s.markBackAt(id, u, all[i], places)
	}
	for i := range all {
		s.setAsideIfTimed(id, all[i].local)
	}
	s.enqueue(id, u)
	s.mailbox.wake()
}

// forgetEarlierLives is for resumes from an earlier life of a topic's name: they are told anew of what it had, so nothing
// of that is owed any more. Who resumes in the life that is has yet to get what is owed of those before.
func (s *Shard) forgetEarlierLives(id uint32, u *subscriber, all []mark) {
	if u.lag == 0 && u.notes == 0 {
		return
	}
	names := make(map[string]struct{})
	for i := range all {
		if t := s.locals.At(all[i].local).link.topic; all[i].expired && all[i].prev < t.born {
			names[t.name] = struct{}{}
		}
	}
	if len(names) == 0 {
		return
	}
	earlier := func(l uint32) bool {
		lo := s.locals.At(l)
		_, is := names[lo.link.topic.name]
		return is && lo.gone
	}
	s.forgetNotesOf(u, earlier)
	s.forgetMarksOf(id, u, earlier)
}
