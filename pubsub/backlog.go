package pubsub

// Backlog is what a subscriber is behind.
type Backlog struct {
	Topics       int   // with messages that it is owed
	Messages     int   // that it is owed, or has noted and not been sent; those passed over for newer ones included
	OldestMillis int64 // Unix ms of the oldest of them that is kept; 0 where there is none
}

// Backlog looks at the topics in which a subscriber is behind: their number bounds what it costs.
func (s *Shard) Backlog(id SubscriberID) Backlog {
	u := s.subscribers.At(uint32(id))
	if u.lag == 0 {
		return Backlog{}
	}
	var b Backlog
	g := s.lags.At(u.lag)
	for i := g.marks.head; i < len(g.marks.items); i++ {
		s.addBacklog(&b, &g.marks.items[i])
	}
	return b // what waits for an interval is not behind
}

func (s *Shard) addBacklog(b *Backlog, x *mark) {
	t := s.locals.At(x.local).link.topic
	t.mu.Lock()
	defer t.mu.Unlock()
	if x.pos >= t.ring.head {
		return
	}
	b.Topics++
	b.Messages += int(t.ring.head - x.pos)
	if pos := max(x.pos, t.ring.tail); pos < t.ring.head {
		if ts := t.ring.at(pos).ts; b.OldestMillis == 0 || ts < b.OldestMillis {
			b.OldestMillis = ts
		}
	}
}

// About what a record of lag takes for a topic: a mark, and where it is found by a map, its place there.
const (
	markBytes  = 40
	placeBytes = 10
)

// LagBytes is about how much memory the record takes of what a subscriber is behind.
func (s *Shard) LagBytes(id SubscriberID) int {
	u := s.subscribers.At(uint32(id))
	if u.lag == 0 {
		return 0
	}
	g := s.lags.At(u.lag)
	return markBytes*(cap(g.marks.items)+cap(g.waiting)) + placeBytes*len(g.of)
}

// EachLagging yields the subscribers that are being caught up from the rings, beginning at a place in the list of
// them, until yield returns false; looked at most at so many places it returns where to go on, 0 at the end.
func (s *Shard) EachLagging(from uint32, places int, yield func(id SubscriberID, owner uint32, b Backlog) bool) (next uint32) {
	end := s.lags.End()
	for h := max(from, 1); h < end; h++ {
		if places--; places < 0 {
			return h
		}
		g := s.lags.At(h)
		if g.subscriber == 0 {
			continue
		}
		id := SubscriberID(g.subscriber)
		if !yield(id, s.subscribers.At(g.subscriber).owner, s.Backlog(id)) {
			return h + 1
		}
	}
	return 0
}

// CheckLag tells the sink whose backlog is past the bounds of a rule that closes slow readers. It is called about once
// a second on the shard's loop; a reader that takes nothing at all would not come by it otherwise.
func (s *Shard) CheckLag() {
	if !s.hub.closing.Load() {
		return
	}
	for h := uint32(1); h < s.lags.End(); h++ {
		if g := s.lags.At(h); g.subscriber != 0 && s.tooFar(g) {
			s.overrun(s.subscribers.At(g.subscriber))
		}
	}
}

func (s *Shard) tooFar(g *lag) bool {
	for i := g.marks.head; i < len(g.marks.items); i++ {
		x := &g.marks.items[i]
		lo := s.locals.At(x.local)
		if lo.link.topic.rule.Slow != SlowClose || !s.wantsAll(g.subscriber, x.local) {
			continue
		}
		t := lo.link.topic
		t.mu.Lock()
		_, over := t.withinBounds(min(max(x.pos, x.full, t.ring.tail), lo.cursor), lo.cursor)
		over = over || x.pos >= x.full && x.pos < t.ring.tail
		t.mu.Unlock()
		if over {
			return true
		}
	}
	return false
}

func (s *Shard) wantsAll(id, l uint32) bool {
	h := s.deciding(id, l)
	return h != 0 && !s.conflates(h, l)
}
