package client

// hole is a run of messages, both ends included; there is none where to is 0.
type hole struct {
	from, to uint64
	reason   string
}

// ack is what the server says of a subscription.
type ack struct {
	epoch  string
	head   uint64 // of a topic: the newest
	ts     int64  // of a pattern: Unix ms at the server, when it began; 0 where the server does not say
	latest bool   // messages may be passed over
}

// acked notes an ack, and returns where the application begins if the filter is new to it. anew says that this is not
// where the server goes on: nobody knows how much lies between. A topic is then counted after the number given; the topics
// of a pattern begin at that time, Unix ms at the server.
//
// What was missed since an earlier connection is not worked out here: it comes, or the server tells of the gap.
func (ps *positions) acked(sub *Sub, a *ack) (begun start, anew bool, after uint64) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if isPattern(sub.Filter) {
		begun = startOf(sub, a)
		s := ps.scopes[sub.Filter]
		blurred := s != nil && s.blurred && !a.latest
		if anew = ps.ackedPattern(sub, a, &begun); !anew && blurred {
			return begun, true, 0
		}
		return begun, anew, uint64(ps.scopes[sub.Filter].from)
	}
	since := sub.since()
	if since != nil && ps.topics[sub.Filter] == nil {
		begun.Position = *since
		ps.begin(sub.Filter, &begun)
	}
	first, anew := ps.ackedTopic(sub, a)
	switch {
	case first == nil:
		return begun, false, 0
	case since == nil:
		begun.Epoch, begun.Seq = first.epoch, first.seq
	}
	return begun, anew, first.seq
}

// startOf is where a subscription to a pattern begins.
func startOf(sub *Sub, a *ack) start {
	since := sub.since()
	switch {
	case since != nil:
		return start{Position: *since, dated: true}
	case sub.Last > 0: // all that there is: the connection may be lost before one of the newest messages has come
		return start{Position: Position{Epoch: a.epoch}, dated: true}
	}
	return start{Position: Position{Epoch: a.epoch, TS: a.ts}, dated: a.ts > 0}
}

// ackedTopic returns the position if counting begins with this ack.
func (ps *positions) ackedTopic(sub *Sub, a *ack) (first *position, anew bool) {
	fresh := position{epoch: a.epoch, seq: a.head, owed: a.head, link: ps.link, exact: true, latest: a.latest}
	p := ps.topics[sub.Filter]
	switch {
	case p == nil:
		p = &fresh
		p.reachBack(a.head, sub.Last)
		ps.add(sub.Filter, p)
		return p, false
	case p.epoch != "" && p.epoch != a.epoch, p.link != ps.link && a.head < p.seq:
		*p = fresh
		p.reachBack(a.head, 1) // the newest alone comes
		return p, true
	}
	p.lax = p.lax || !a.latest && ps.passesOver(sub.Filter, p)
	p.epoch, p.exact, p.latest = a.epoch, true, a.latest
	p.reachBack(a.head, sub.Last)
	return nil, false
}

// reachBack makes a position that an ack gave, as long as nothing was had, one before the newest so many messages up to
// head.
func (p *position) reachBack(head uint64, last int) {
	if !p.seen && p.owed > 0 && last > 0 {
		p.seq = min(p.seq, head-min(head, uint64(last)))
	}
}

func (ps *positions) ackedPattern(sub *Sub, a *ack, begun *start) (anew bool) {
	s, known := ps.scopes[sub.Filter]
	if !a.latest && (!known || s.latest) {
		ps.loosen(sub.Filter)
	}
	ps.begin(sub.Filter, begun)
	s = ps.scopes[sub.Filter]
	before := *s
	s.link, s.latest = ps.link, a.latest
	s.away, s.left, s.blurred = false, 0, false
	if sub.Last > 0 {
		ps.reachBack(sub)
	}
	if before.epoch == a.epoch {
		// Another connection, and no place to ask for: what came between is not known.
		return known && before.link != ps.link && !before.dated && ps.newestOf(&before) == 0
	}
	ps.forsake(sub.Filter, a.epoch)
	s.epoch, s.from, s.dated = a.epoch, 0, true // of each topic the newest comes, and not one may be seen
	if before.epoch == "" {
		s.from, s.dated = begun.TS, begun.dated
	}
	ps.newest = 0
	return true
}

// forsake forgets the topics of a pattern that are not of that epoch.
func (ps *positions) forsake(filter, epoch string) {
	for topic, p := range ps.topics {
		if !p.exact && p.epoch != epoch && matches(filter, topic) {
			delete(ps.topics, topic)
		}
	}
}

// unplace gives the place in a pattern up, and says whether there was one.
func (ps *positions) unplace(filter string) bool {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	s := ps.scopes[filter]
	if s == nil || s.epoch == "" {
		return false
	}
	ps.forsake(filter, "")
	s.epoch = ""
	return true
}

// reachBack has the topics of a pattern that nothing came of yet begin before the messages that it brings.
func (ps *positions) reachBack(sub *Sub) {
	for topic, p := range ps.topics {
		if matches(sub.Filter, topic) {
			p.reachBack(p.owed, sub.Last)
		}
	}
}

// loosen is for a pattern that is to bring every message of topics of which some were passed over up to now.
func (ps *positions) loosen(filter string) {
	for topic, p := range ps.topics {
		if matches(filter, topic) && ps.passesOver(topic, p) {
			p.lax = true
		}
	}
}

// saw notes a message, and returns the epoch in which it counts, whether it is news, and what is missing before it.
func (ps *positions) saw(topic string, seq, prev uint64, ts int64) (epoch string, news bool, before hole) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	ps.newest = max(ps.newest, ts)
	p, known := ps.topics[topic]
	switch {
	case !known:
		p = &position{epoch: ps.epochOf(topic)}
		ps.add(topic, p)
		ps.date(topic, ts)
		ps.blur(topic, prev)
	case p.first(ps.link): // where counting starts, wherever that is
	case seq <= p.seq:
		return p.epoch, false, hole{}
	default:
		before = ps.missing(topic, p, prev)
	}
	p.advance(seq, ps.link)
	p.ts = ts
	return p.epoch, true, before
}

// lost notes a gap that the server tells of, and returns the epoch in which it counts, what of it is news, and what is
// missing before it.
func (ps *positions) lost(topic string, from, to uint64) (epoch string, news, before hole) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	from = max(from, 1)
	p, known := ps.topics[topic]
	switch {
	case !known:
		p = &position{epoch: ps.epochOf(topic), ts: ps.newest}
		ps.add(topic, p)
		ps.blur(topic, from-1)
	case p.first(ps.link):
	default:
		before = ps.missing(topic, p, from-1)
		from = max(from, p.seq+1, p.owed+1)
	}
	epoch = p.epoch
	if to >= from {
		news = hole{from: from, to: to}
	}
	if known && to <= p.seq && !p.first(ps.link) {
		return epoch, hole{}, hole{}
	}
	p.advance(to, ps.link)
	return epoch, news, before
}

// missing is what should have come between what was had of a topic and the message after prev.
func (ps *positions) missing(topic string, p *position, prev uint64) hole {
	h := hole{from: max(p.seq, p.owed) + 1, to: prev, reason: ReasonLost}
	if p.link != ps.link {
		h.reason = ReasonReconnect
	}
	if h.to < h.from || p.lax || ps.passesOver(topic, p) {
		return hole{}
	}
	return h
}

// first says whether counting starts with what comes now: the subscription began on this connection.
func (p *position) first(link uint64) bool { return !p.seen && p.link == link }

func (p *position) advance(seq, link uint64) {
	p.seq, p.link, p.seen, p.owed, p.lax = seq, link, true, 0, false
}

// passesOver says whether messages of topic may be left out by the terms of what matches it: those of a subscription
// to the topic itself, otherwise those that leave out the least.
func (ps *positions) passesOver(topic string, p *position) bool {
	if p.exact {
		return p.latest
	}
	matched := false
	for f, s := range ps.scopes {
		if matches(f, topic) {
			if !s.latest {
				return false
			}
			matched = true
		}
	}
	return matched
}

// epochOf is the epoch of the patterns that match topic, "" where no ack of this connection has told.
func (ps *positions) epochOf(topic string) string {
	for f, s := range ps.scopes {
		if s.link == ps.link && matches(f, topic) {
			return s.epoch
		}
	}
	return ""
}

// blur notes which patterns, of those that wait for their renewal, are owed what was published of a new topic up to prev
// and will not have it: others that stand do not bring as much, and what comes later comes behind a newer message.
func (ps *positions) blur(topic string, prev uint64) {
	if prev == 0 {
		return
	}
	for f, s := range ps.scopes {
		if s.away && !s.latest && matches(f, topic) && !ps.brings(topic, s) {
			s.blurred = true
		}
	}
}

// brings reports whether some pattern that stands has all of a topic that one which waits is owed.
func (ps *positions) brings(topic string, waiting *scope) bool {
	for f, s := range ps.scopes {
		if !s.away && !s.latest && s.dated && waiting.dated && s.from <= waiting.from && matches(f, topic) {
			return true
		}
	}
	return false
}
