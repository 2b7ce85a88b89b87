package pubsub

import "math"

// Joined says where a subscription begins: after Seq, the topic's newest.
type Joined struct {
	Epoch string
	Seq   uint64
}

// Subscribe begins a subscription to a topic. The subscriber gets every message after Joined.Seq. If it
// has that subscription already, nothing changes.
func (s *Shard) Subscribe(id SubscriberID, name string) (Joined, error) {
	if !ValidTopic(name) {
		return Joined{}, ErrBadTopic
	}
	u := s.subscribers.At(uint32(id))
	if int(u.count) >= s.hub.o.SubscriptionsMax && !s.subscribed(id, name) {
		return Joined{}, ErrTooManySubs // before the topic is made: a refusal leaves nothing behind
	}
	t, err := s.hub.hold(name, false)
	if err != nil {
		return Joined{}, err
	}
	l, ok := s.byTopic[t]
	if ok && s.find(uint32(id), l) != 0 {
		joined := Joined{Epoch: s.hub.o.Epoch, Seq: t.seq}
		t.mu.Unlock()
		return joined, nil
	}
	if !ok {
		l = s.newLocal(t)
	}
	t.mu.Unlock()
	s.catchUp(l)
	s.add(uint32(id), l)
	return Joined{Epoch: s.hub.o.Epoch, Seq: s.locals.At(l).prev}, nil
}

func (s *Shard) subscribed(id SubscriberID, name string) bool {
	t := s.hub.lookup(name)
	if t == nil {
		return false
	}
	l, ok := s.byTopic[t]
	return ok && s.find(uint32(id), l) != 0
}

// newLocal sets interest at the head. The caller holds the topic's lock.
func (s *Shard) newLocal(t *topic) uint32 {
	l := s.locals.New()
	s.byTopic[t] = l
	*s.locals.At(l) = local{link: t.link(s, l), cursor: t.ring.head, prev: t.seq}
	return l
}

// catchUp moves a local's cursor to the head, so that a newcomer can join there: what lies between
// becomes a walk over those who are in already, and the newcomer will stand beyond its end. Walks of a
// topic are serial, so one that is under way is finished first.
func (s *Shard) catchUp(l uint32) {
	lo := s.locals.At(l)
	lo.joining = true
	if lo.walk != nil {
		s.step(lo.walk, math.MaxInt)
	}
	// The link stays dirty where it is: it stands in the mailbox once at most, whoever joins.
	lo.link.topic.mu.Lock()
	s.begin(lo.link)
	lo.link.topic.mu.Unlock()
	lo.joining = false
}

func (s *Shard) add(id, l uint32) {
	u, lo := s.subscribers.At(id), s.locals.At(l)
	h := s.subscriptions.New()
	*s.subscriptions.At(h) = subscription{subscriber: id, local: l, at: uint32(len(lo.entries)), next: u.first}
	if u.first != 0 {
		s.subscriptions.At(u.first).prev = h
	}
	u.first = h
	u.count++
	lo.entries = append(lo.entries, entry{id, h})
	lo.kinds[u.kind]++
	switch m := s.crowded[id]; {
	case m != nil:
		m[l] = h
	case u.count == crowd:
		m = make(map[uint32]uint32, 2*crowd)
		for h := u.first; h != 0; h = s.subscriptions.At(h).next {
			m[s.subscriptions.At(h).local] = h
		}
		s.crowded[id] = m
	}
}

// find returns the subscriber's subscription to a local, or 0.
func (s *Shard) find(id, l uint32) uint32 {
	if m := s.crowded[id]; m != nil {
		return m[l]
	}
	h := s.subscribers.At(id).first
	for h != 0 && s.subscriptions.At(h).local != l {
		h = s.subscriptions.At(h).next
	}
	return h
}

// Unsubscribe ends a subscription; nothing of it comes afterwards, other than the rest of a frame that
// is under way. It reports whether there was one.
func (s *Shard) Unsubscribe(id SubscriberID, name string) bool {
	t := s.hub.lookup(name)
	if t == nil {
		return false
	}
	l, ok := s.byTopic[t]
	if !ok {
		return false
	}
	h := s.find(uint32(id), l)
	if h == 0 {
		return false
	}
	s.forgetNotesOf(s.subscribers.At(uint32(id)), l)
	s.drop(h)
	return true
}

// drop removes a subscription from its subscriber and its local.
func (s *Shard) drop(h uint32) {
	b := *s.subscriptions.At(h)
	u, lo := s.subscribers.At(b.subscriber), s.locals.At(b.local)
	if u.lag != 0 && lo.entries[b.at].behind() {
		s.unmark(u, h)
	}
	if b.next != 0 {
		s.subscriptions.At(b.next).prev = b.prev
	}
	if b.prev != 0 {
		s.subscriptions.At(b.prev).next = b.next
	} else {
		u.first = b.next
	}
	u.count--
	lo.kinds[u.kind]--
	if m := s.crowded[b.subscriber]; m != nil {
		delete(m, b.local)
		if u.count == 0 {
			delete(s.crowded, b.subscriber)
		}
	}
	s.subscriptions.Free(h)
	if lo.walk != nil {
		lo.entries[b.at] = entry{}
		lo.holes = append(lo.holes, b.at)
		return
	}
	s.leave(lo, b.at)
	if len(lo.entries) == 0 {
		s.endLocal(b.local)
	}
}

// leave fills the place of a removed entry with the last one.
func (s *Shard) leave(lo *local, at uint32) {
	last := uint32(len(lo.entries) - 1)
	if at != last {
		lo.entries[at] = lo.entries[last]
		if h := lo.entries[at].subscription(); h != 0 {
			s.subscriptions.At(h).at = at
		}
	}
	lo.entries = lo.entries[:last]
}

// endLocal ends the shard's interest in a topic that no subscriber is left for.
func (s *Shard) endLocal(l uint32) {
	link := s.locals.At(l).link
	link.topic.unlink(link, s.hub.o.Wall())
	delete(s.byTopic, link.topic)
	s.locals.Free(l)
}

// Subscriptions calls yield for each topic of a subscriber, with its newest sequence number.
func (s *Shard) Subscriptions(id SubscriberID, yield func(topic string, at Joined)) {
	for h := s.subscribers.At(uint32(id)).first; h != 0; {
		b := s.subscriptions.At(h)
		t := s.locals.At(b.local).link.topic
		t.mu.Lock()
		seq := t.seq
		t.mu.Unlock()
		yield(t.name, Joined{Epoch: s.hub.o.Epoch, Seq: seq})
		h = b.next
	}
}

// Topics calls yield for the name of each topic of a subscriber, and takes no lock.
func (s *Shard) Topics(id SubscriberID, yield func(topic string)) {
	for h := s.subscribers.At(uint32(id)).first; h != 0; h = s.subscriptions.At(h).next {
		yield(s.locals.At(s.subscriptions.At(h).local).link.topic.name)
	}
}

// SubscriptionCount is how many topics a subscriber has.
func (s *Shard) SubscriptionCount(id SubscriberID) int {
	return int(s.subscribers.At(uint32(id)).count)
}
