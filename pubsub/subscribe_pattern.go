package pubsub

import "math"

// subscribePattern is Subscribe for a filter with wildcards. What it costs is known by the topics that it looks at
// (budget.go).
func (s *Shard) subscribePattern(id uint32, u *subscriber, r *Request) (Joined, error) {
	terms := r.Terms.normal()
	if !s.budget.affords(s.hub.o.Clock()) && !s.isLittle(u, r) {
		s.budget.charge(refusedLooks)
		return Joined{}, ErrBusy
	}
	defer s.budget.forgive(s.budget)
	// What was published before is those subscribers' who were there; and what an interval holds back of it is owed by changing.
	s.collect()
	s.noteNews(math.MaxInt64)
	joined := Joined{Epoch: s.hub.o.Epoch, TS: s.hub.now(), Wild: true, Terms: terms, Recovered: -1}
	s.changing(id, u, Filter(r.Filter))
	p, known := s.byFilter[r.Filter]
	if !known {
		p = s.newPattern(r.Filter)
	}
	pa := s.patterns.At(p)
	if terms.EveryMillis > 0 {
		s.budget.spend(len(pa.locals))
	}
	pa.joining = true
	owed, err := s.snapshots(u, p, r, &joined)
	if err == nil {
		if terms.Mode != ModeLatest && !s.wantsAllOf(pa) {
			s.hub.generation.Add(1) // publishers look at their topics' patterns again, and wait for this loop from then on
		}
		before := s.bounds(id, u, 0)
		s.place(id, s.find(id, p|patternBit, &pa.audience), p|patternBit, &pa.audience, terms)
		s.rebind(id, u, before)
	}
	pa.joining = false
	if err != nil {
		s.endPattern(p)
		return Joined{}, err
	}
	if !u.wild {
		s.turnWild(u)
	}
	s.oweAll(id, u, owed)
	return joined, nil
}

// isLittle reports whether a subscription costs few looks at topics. Such a one is let through when others have spent all
// there is; what it costs itself its client pays for, as for messages (Shard.Looks).
func (s *Shard) isLittle(u *subscriber, r *Request) bool {
	if r.Terms.EveryMillis > 0 || s.hasInterval(u) { // then all that the shard has of a pattern is looked at
		return false
	}
	if r.Last <= 0 && r.Since == nil {
		return true
	}
	looks := littleLooks
	if r.Since != nil {
		looks -= len(r.Since.Seqs)
	}
	return s.hub.matchesFew(Filter(r.Filter), looks)
}

// matchesFew reports whether the topics that a filter matches can be begun with for so many looks.
func (h *Hub) matchesFew(f Filter, looks int) bool {
	h.namesMu.RLock()
	defer h.namesMu.RUnlock()
	names := h.names.Each(f, looks, func(*topic) bool {
		looks -= looksAJoin
		return looks >= 0
	})
	return names <= looks
}

// wantsAllOf says that somebody may want every message of a pattern's topics.
func (s *Shard) wantsAllOf(pa *pattern) bool {
	if pa.plain == 0 {
		return false
	}
	ro := s.rolls.At(pa.plain)
	return ro.asked[ModeOfRule]+ro.asked[ModeAll] > 0
}

// unsubscribePattern is Unsubscribe for a filter with wildcards; h is the subscription, owner the pattern.
func (s *Shard) unsubscribePattern(id uint32, u *subscriber, h, owner uint32) {
	s.changing(id, u, Filter(s.patterns.At(owner&^patternBit).filter))
	before := s.bounds(id, u, 0)
	s.drop(h)
	s.rebind(id, u, before)
	if s.hasInterval(u) {
		s.eachLocal(owner, func(l uint32, _ *local) { s.setAsideIfTimed(id, l) })
	}
	u.wild = s.hasPattern(u)
	uncovered := func(l uint32) bool {
		s.attach(l, s.locals.At(l)) // another pattern may have come since it last looked
		return s.deciding(id, l) == 0
	}
	s.forgetNotesOf(u, uncovered)
	s.forgetMarksOf(id, u, uncovered)
	for l := range s.asides.of[id] {
		if uncovered(l) {
			s.asides.drop(id, l)
		}
	}
}

// changing is for a subscriber whose subscription to a pattern begins, changes or ends: what decides at the topics that
// match may be another one afterwards. That is not to be in the midst of a walk, where a message could come by the old
// and by the new, or by neither.
func (s *Shard) changing(id uint32, u *subscriber, f Filter) {
	if u.count == 0 {
		return
	}
	s.settleWalks()
	for h := u.first; h != 0; h = s.subscriptions.At(h).next {
		every := s.rolls.At(s.subscriptions.At(h).roll()).every
		if every == 0 {
			continue
		}
		s.eachLocal(s.ownerOf(h), func(l uint32, lo *local) {
			s.budget.spend(1)
			if lo.holdsBack() && f.Match(lo.link.topic.name) {
				s.oweHeldBack(id, u, l)
			}
		})
	}
}

// settleWalks brings all walks to their end.
func (s *Shard) settleWalks() {
	for i := s.walks.head; i < len(s.walks.items); i++ {
		s.step(s.walks.items[i], maxBudget)
	}
}

// snapshots says with which messages a subscription to a pattern begins, as marks, one for each topic that has any.
func (s *Shard) snapshots(u *subscriber, p uint32, r *Request, j *Joined) (owed []mark, err error) {
	if r.Last <= 0 && r.Since == nil {
		return nil, nil
	}
	if r.Since != nil {
		s.budget.spend(len(r.Since.Seqs))
		j.recovered(r.Since.Epoch == s.hub.o.Epoch && s.hub.holdsSince(Filter(s.patterns.At(p).filter), r.Since))
	}
	topicsMax := s.hub.o.LagTopicsMax
	if u.lag != 0 {
		topicsMax -= len(s.lags.At(u.lag).of) // what it is owed already counts, or one that is quick would be overrun
	}
	err = s.eachCandidate(p, r, func(t *topic) bool {
		x, any := s.joinTopic(t, r, j, u.count > 0)
		s.budget.spend(looksAJoin)
		if any {
			owed = append(owed, x)
		}
		return len(owed) <= topicsMax && (r.SnapshotMax <= 0 || j.Snapshot <= r.SnapshotMax)
	})
	return owed, err
}

// eachCandidate yields the topics that may have something for a snapshot of a pattern, until yield returns false;
// then it fails with ErrSnapshot.
func (s *Shard) eachCandidate(p uint32, r *Request, yield func(*topic) bool) error {
	pa := s.patterns.At(p)
	if r.Since != nil && r.Since.Epoch == s.hub.o.Epoch && r.Since.TS >= pa.from {
		// Somebody has looked at all topics before, for messages from no later on, and so the shard knows those with news. A
		// crowd that comes back, all with this pattern, thus costs as many looks as there are topics with news since they
		// left, not as there are topics.
		if s.hasLittleNews(r.Since.TS) || !s.hub.matchesFew(Filter(pa.filter), littleLooks) {
			return s.eachWithNews(p, r, yield)
		}
	}
	messagesMax := 0
	if r.Since == nil {
		messagesMax = r.SnapshotMax // each topic brings one at least
	}
	all, looks := s.hub.matching(Filter(pa.filter), messagesMax)
	s.budget.spend(looks)
	for _, t := range all {
		if !yield(t) {
			return ErrSnapshot
		}
	}
	if r.Since != nil && r.Since.Epoch == s.hub.o.Epoch {
		pa.from = min(pa.from, r.Since.TS)
	}
	return nil
}

// hasLittleNews reports whether few topics have news since then.
func (s *Shard) hasLittleNews(ts int64) bool {
	l := s.recent
	for n := 0; l != 0 && n <= littleLooks; n++ {
		lo := s.locals.At(l)
		if lo.special.touched < ts {
			return true
		}
		l = lo.special.older
	}
	return l == 0
}

// eachWithNews is eachCandidate by the topics that have news, and those that the request names.
func (s *Shard) eachWithNews(p uint32, r *Request, yield func(*topic) bool) error {
	pa := s.patterns.At(p)
	for l := s.recent; l != 0; {
		lo := s.locals.At(l)
		if lo.special.touched < r.Since.TS {
			break
		}
		s.budget.spend(1)
		next := lo.special.older
		if t := lo.link.topic; lo.ts >= r.Since.TS && !lo.gone && lo.knows(p) >= 0 && !yield(t) {
			return ErrSnapshot
		}
		l = next
	}
	for name := range r.Since.Seqs {
		t := s.hub.lookup(name)
		if t == nil || !Filter(pa.filter).Match(name) {
			continue
		}
		if l := s.localOf(t); l != 0 && s.locals.At(l).ts >= r.Since.TS && s.locals.At(l).knows(p) >= 0 {
			continue // seen above
		}
		if !yield(t) {
			return ErrSnapshot
		}
	}
	return nil
}

// holdsSince says that no topic has gone that could have had messages since.
func (h *Hub) holdsSince(f Filter, since *Since) bool {
	gone := h.goneTS.Load() // 0 if no topic with messages ever went
	if gone > 0 && since.TS <= gone {
		return false
	}
	for name, seq := range since.Seqs {
		if unknown := seq > 0 || gone > 0; unknown && seq != h.floor.Load() && !h.holds(name) && f.Match(name) {
			return false
		}
	}
	return true
}

// matching returns the topics with messages that a filter matches, at most one more than max, if there is such a bound,
// and how many names it looked at.
func (h *Hub) matching(f Filter, max int) (all []*topic, looks int) {
	h.namesMu.RLock()
	defer h.namesMu.RUnlock()
	looks = h.names.Each(f, math.MaxInt, func(t *topic) bool {
		all = append(all, t)
		return max <= 0 || len(all) <= max
	})
	return all, looks
}

// joinTopic says with which messages of a topic a subscription to a pattern begins. If there are any the shard takes
// the topic from now on: up to its cursor they come by the mark, afterwards by walks. known says that the subscriber may
// be in already by another subscription.
func (s *Shard) joinTopic(t *topic, r *Request, j *Joined, known bool) (x mark, owed bool) {
	t.mu.Lock()
	if t.gone || s.localOf(t) == 0 && !t.hasNews(r) {
		t.mu.Unlock()
		return mark{}, false
	}
	l, earlier := s.enter(t)
	lo := s.locals.At(l)
	s.attach(l, lo)
	t.mu.Unlock()
	s.succeed(earlier)
	s.catchUp(l, false, known)
	t.mu.Lock()
	defer t.mu.Unlock()
	if r.Since == nil {
		return t.lastOf(l, lo, r.Last, j)
	}
	same := r.Since.Epoch == s.hub.o.Epoch
	if seq, named := r.Since.Seqs[t.name]; named || !same {
		return t.since(l, lo, same, seq, j)
	}
	return t.sinceTime(l, lo, r.Since.TS, j)
}

// hasNews says whether a topic may have something that a request is to begin with. The caller holds mu.
func (t *topic) hasNews(r *Request) bool {
	if r.Since == nil || r.Since.Epoch != t.hub.o.Epoch {
		return t.ring.len() > 0
	}
	seq, named := r.Since.Seqs[t.name]
	return named && seq != t.seq || t.ts >= r.Since.TS // those of then or later become known: pattern.from says so
}
