package pubsub

import "strings"

// Subscribe begins a subscription, or gives one that stands other terms and, if the request asks for it, what was
// published before once more. The subscriber gets every message after Joined.Seq, for a pattern every message
// published after the call, and what Last and Since bring before those: no message is missing in between, and none
// comes twice.
func (s *Shard) Subscribe(id SubscriberID, r *Request) (Joined, error) {
	f, err := ParseFilter(r.Filter)
	if err != nil {
		if strings.ContainsAny(r.Filter, "+#") {
			return Joined{}, ErrBadFilter
		}
		return Joined{}, ErrBadTopic
	}
	u := s.subscribers.At(uint32(id))
	if int(u.count) >= s.hub.o.SubscriptionsMax && s.subscription(uint32(id), r.Filter) == 0 {
		return Joined{}, ErrTooManySubs // before the topic is made: a refusal leaves nothing behind
	}
	if f.Wild() {
		return s.subscribePattern(uint32(id), u, r)
	}
	return s.subscribeTopic(uint32(id), u, r)
}

// subscription returns a subscriber's to a filter, or 0.
func (s *Shard) subscription(id uint32, filter string) uint32 {
	if p, ok := s.byFilter[filter]; ok {
		return s.find(id, p|patternBit, &s.patterns.At(p).audience)
	}
	if l := s.byName[filter]; l != 0 {
		return s.findExact(id, l)
	}
	return 0
}

func (s *Shard) subscribeTopic(id uint32, u *subscriber, r *Request) (Joined, error) {
	t, err := s.hub.hold(r.Filter, false)
	if err != nil {
		return Joined{}, err
	}
	l, earlier := s.enter(t)
	lo, h := s.locals.At(l), s.findExact(id, l)
	if h == 0 {
		lo.link.exact.Add(1) // under the lock, so that the topic does not expire meanwhile
		if t.present != nil {
			t.presenceJoin(s.sink.Client(u.owner))
		}
	}
	t.mu.Unlock()
	s.succeed(earlier)
	lo.joining = true
	terms := r.Terms.normal()
	s.catchUp(l, t.rule.mode(terms.Mode) == ModeAll, u.wild || h != 0)
	if u.wild || h != 0 {
		s.oweHeldBack(id, u, l)
	}
	joined := Joined{
		Epoch: s.hub.o.Epoch, Seq: lo.prev, Recovered: -1,
		Terms: Terms{Mode: t.rule.mode(terms.Mode), EveryMillis: terms.EveryMillis},
	}
	x, owed := s.snapshot(l, lo, r, &joined)
	if owed && r.SnapshotMax > 0 && joined.Snapshot > r.SnapshotMax {
		if h == 0 {
			s.left(u, lo.link)
		}
		lo.joining = false
		s.endLocal(l)
		return Joined{}, ErrSnapshot
	}
	before := s.bounds(id, u, l)
	h = s.place(id, h, l, &lo.audience, terms)
	s.rebind(id, u, before)
	if u.wild && u.lag != 0 { // it may have been behind by a pattern
		if _, behind := s.lags.At(u.lag).of[l]; behind {
			s.entryOf(h).bits |= behindBit
		}
	}
	if owed {
		s.owe(id, u, x)
	}
	lo.joining = false
	return joined, nil
}

// place puts a subscriber on the roll of an owner that its terms ask for; h is its subscription there, 0 for none.
func (s *Shard) place(id, h, owner uint32, a *audience, terms Terms) uint32 {
	ro := s.rollFor(a, owner, uint32(terms.EveryMillis))
	switch {
	case h == 0:
		h = s.add(id, ro, terms.Mode)
	case s.subscriptions.At(h).bits == ro|uint32(terms.Mode)<<modeShift:
		return h
	default:
		s.move(h, ro, terms.Mode)
	}
	if terms.EveryMillis > 0 { // what is held back is not for it: it was published before, or is its by a mark
		s.eachLocal(owner, func(l uint32, lo *local) { s.setAside(id, l, lo.cursor, 0) })
	}
	return h
}

// left says that a subscription to the very topic has ended.
func (s *Shard) left(u *subscriber, k *link) {
	if k.topic.present != nil {
		k.topic.mu.Lock()
		k.topic.presenceLeave(s.sink.Client(u.owner))
		k.topic.mu.Unlock()
	}
	k.exact.Add(-1) // last: from now on the topic may expire
}

// catchUp moves a local's cursor to the head, so that a newcomer can join there: what lies between
// becomes a walk over those who are in already, and the newcomer will stand beyond its end. Walks of a
// topic are serial, so one that is under way is finished first; the new one too, where the newcomer is in already by
// another subscription. all says that the newcomer is waited for.
func (s *Shard) catchUp(l uint32, all, toTheEnd bool) {
	lo := s.locals.At(l)
	t := lo.link.topic
	for there := false; !there; {
		s.settle(lo)
		// The link stays dirty where it is: it stands in the mailbox once at most, whoever joins.
		t.mu.Lock()
		before := lo.cursor
		s.begin(lo.link)
		if all && !lo.link.pushes {
			lo.link.pushes = true
			t.account()
		}
		there = lo.cursor == t.ring.head || lo.cursor == before
		t.mu.Unlock()
	}
	if toTheEnd {
		s.settle(lo)
	}
}

// Unsubscribe ends a subscription; nothing that only it matched comes afterwards, other than the rest of a frame that
// is under way. It reports whether there was one.
func (s *Shard) Unsubscribe(id SubscriberID, filter string) bool {
	h := s.subscription(uint32(id), filter)
	if h == 0 {
		return false
	}
	u, owner := s.subscribers.At(uint32(id)), s.ownerOf(h)
	if owner&patternBit != 0 {
		s.unsubscribePattern(uint32(id), u, h, owner)
	} else {
		s.unsubscribeTopic(uint32(id), u, h, owner)
	}
	return true
}

func (s *Shard) unsubscribeTopic(id uint32, u *subscriber, h, l uint32) {
	lo := s.locals.At(l)
	this := func(other uint32) bool { return other == l }
	lo.joining = true
	if u.wild {
		s.settle(lo)
		s.oweHeldBack(id, u, l)
	}
	before := s.bounds(id, u, l)
	s.drop(h)
	s.attach(l, lo)
	s.setAsideIfTimed(id, l)
	s.rebind(id, u, before)
	if s.deciding(id, l) == 0 {
		s.forgetNotesOf(u, this)
		s.forgetMarksOf(id, u, this)
		s.asides.drop(id, l)
	}
	lo.joining = false
	s.endLocal(l)
}

// Subscriptions calls yield for each filter of a subscriber, with its terms and, for a topic, its newest sequence
// number.
func (s *Shard) Subscriptions(id SubscriberID, yield func(filter string, at Joined)) {
	for h := s.subscribers.At(uint32(id)).first; h != 0; {
		b := s.subscriptions.At(h)
		ro := s.rolls.At(b.roll())
		at := Joined{Epoch: s.hub.o.Epoch, Terms: Terms{b.mode(), int(ro.every)}, Recovered: -1}
		var filter string
		if at.Wild = ro.owner&patternBit != 0; at.Wild {
			filter = s.patterns.At(ro.owner &^ patternBit).filter
		} else {
			t := s.locals.At(ro.owner).link.topic
			t.mu.Lock()
			at.Seq = t.seq
			t.mu.Unlock()
			filter, at.Terms.Mode = t.name, t.rule.mode(b.mode())
		}
		yield(filter, at)
		h = b.next
	}
}

// Topics calls yield for each filter of a subscriber, and takes no lock.
func (s *Shard) Topics(id SubscriberID, yield func(filter string)) {
	for h := s.subscribers.At(uint32(id)).first; h != 0; h = s.subscriptions.At(h).next {
		if owner := s.ownerOf(h); owner&patternBit != 0 {
			yield(s.patterns.At(owner &^ patternBit).filter)
		} else {
			yield(s.locals.At(owner).link.topic.name)
		}
	}
}

// SubscriptionCount is how many filters a subscriber has.
func (s *Shard) SubscriptionCount(id SubscriberID) int {
	return int(s.subscribers.At(uint32(id)).count)
}
