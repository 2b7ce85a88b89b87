package model

import "slices"

// Ask is a request for a subscription, or for other terms of one that stands.
type Ask struct {
	Filter string
	Terms
	Last  int
	Since *Since
	Kept  *Kept // what the server held; nil where the test cannot see it

	// Taken is how far the loop had come in topics that it had not wholly taken. What was published after that and before
	// the request may come to a subscription to a pattern, or not.
	Taken map[string]uint64
}

func (a *Ask) replays() bool { return a.Last > 0 || a.Since != nil }

// Since is where a client left off: by Seq on a topic, on a pattern by Seqs and for other topics by TS.
type Since struct {
	Epoch string
	Seq   uint64
	TS    int64
	Seqs  map[string]uint64

	Reached bool // no topic can be short of what is named here: it all came from the server
}

// Kept is which messages a server held while it dealt with a request.
type Kept struct {
	All  bool // every message there ever was
	From map[string]Oldest
}

// Oldest is the oldest number held of a topic just before the request and just after it: in between the server
// may let some go. None is a topic that holds nothing; one that does not stand in Kept.From is not there at all.
type Oldest struct{ Before, After uint64 }

// None is the number of no message.
const None = ^uint64(0)

// oldest are the numbers of which one is the oldest that is held; known is false where it could be any.
func (k *Kept) oldest(topic string) (oldest []uint64, known bool) {
	switch {
	case k == nil:
		return nil, false
	case k.All:
		return []uint64{0}, true
	}
	o, there := k.From[topic]
	switch {
	case !there:
		return []uint64{None}, true
	case o.Before == o.After:
		return []uint64{o.Before}, true
	}
	return []uint64{o.Before, o.After}, true
}

// lacks says that the server had no message of the topic, or did not know it at all.
func (k *Kept) lacks(topic string) bool {
	oldest, _ := k.oldest(topic)
	return slices.Contains(oldest, None)
}

// Answer is what the server said of a subscription.
type Answer struct {
	Epoch     string
	Seq       uint64 // of a topic
	Latest    bool   // of a topic
	Every     int    // ms
	Recovered int8   // -1 where nothing was said
	Snapshot  int    // messages that last brings; -1 where nothing was said
}

// starts are the places of which a subscription begins at one on that topic.
func (c *Client) starts(a *Ask, o *Answer, name string, during Span) (starts []place) {
	t := c.log.topic(name)
	for _, head := range t.headsFor(a, o, name, during) {
		before := []uint64{head}
		switch {
		case a.Last > 0:
			before = c.beforeLast(t, a, name, head, a.Last)
		case a.Since != nil:
			before = c.beforeSince(t, a, name, head)
		}
		for _, at := range before {
			p := place{at: at, loose: a.byTime(name)}
			if a.replays() {
				p.full = head
			}
			starts = append(starts, p)
		}
	}
	return merged(starts)
}

// headsFor are the heads that a topic may have had, of which an answer about this very topic told.
func (t *topic) headsFor(a *Ask, o *Answer, name string, during Span) []uint64 {
	if name == a.Filter && o != nil {
		return []uint64{o.Seq}
	}
	heads := t.heads(during)
	if a.Since != nil && a.Since.Reached {
		if seq, named := a.Since.seqOf(a.Filter, name); named {
			if i := indexAbove(heads, seq); i > 0 {
				heads = append([]uint64{seq}, heads[i:]...)
			}
		}
	}
	taken, behind := a.Taken[name]
	if !behind || taken >= heads[0] {
		return heads
	}
	earlier := []uint64{taken}
	for _, m := range t.above(taken, heads[0]-1) {
		earlier = append(earlier, m.Seq)
	}
	return append(earlier, heads...)
}

func indexAbove(rising []uint64, n uint64) int {
	i, found := slices.BinarySearch(rising, n)
	if found {
		i++
	}
	return i
}

// beforeLast is what stands before the newest n that are kept. Messages that the client is excluded from may
// count or not.
func (c *Client) beforeLast(t *topic, a *Ask, name string, head uint64, n int) (starts []uint64) {
	oldest, known := a.Kept.oldest(name)
	if !known {
		starts = append(starts, head)
		for _, m := range newestOf(t.above(0, head), n) {
			starts = append(starts, m.after)
		}
		return starts
	}
	for _, from := range oldest {
		kept := t.above(from-min(from, 1), head)
		if from == None {
			kept = nil
		}
		for _, some := range [][]*Message{newestOf(kept, n), newestOf(c.meant(kept), n)} {
			start := head
			if len(some) > 0 {
				start = some[0].after
			}
			starts = append(starts, start)
		}
	}
	return starts
}

func newestOf(messages []*Message, n int) []*Message { return messages[max(0, len(messages)-n):] }

// meant are the messages that the client is to get.
func (c *Client) meant(messages []*Message) (some []*Message) {
	for _, m := range messages {
		if !m.excludes(c.ID) {
			some = append(some, m)
		}
	}
	return some
}

// beforeSince is where the client left off, or what stands before the newest message if the server cannot know
// the place.
func (c *Client) beforeSince(t *topic, a *Ask, name string, head uint64) []uint64 {
	seq, named := a.Since.seqOf(a.Filter, name)
	switch {
	case a.Since.Epoch == c.log.Epoch && named && head < seq && seq <= t.told: // the head of a topic that came back empty
		return append(c.beforeLast(t, a, name, head, 1), seq)
	case a.Since.Epoch != c.log.Epoch, named && seq > head:
		return c.beforeLast(t, a, name, head, 1)
	}
	before := []uint64{seq}
	if !named {
		before = t.beforeTime(a.Since.TS, head)
	}
	if a.Kept.lacks(name) { // nobody can say what was in it: recovered may be the only word on it
		before = append(before, head)
	}
	return before
}

// beforeTime is what stands before the first message since then. Of what a topic had before it went away nobody
// knows when it has come back.
func (t *topic) beforeTime(ts int64, head uint64) []uint64 {
	start, life := head, uint64(0)
	for _, m := range t.above(0, head) {
		if m.TS >= ts && start == head {
			start = m.after
		}
		if m.back {
			life = m.after
		}
	}
	if life > start {
		return []uint64{start, life}
	}
	return []uint64{start}
}

// byTime says that a topic goes by the time of its messages: how many are missing nobody knows then.
func (a *Ask) byTime(topic string) bool {
	if a.Since == nil {
		return false
	}
	_, named := a.Since.seqOf(a.Filter, topic)
	return !named
}

// seqOf is the number that a client has of a topic, where it names it.
func (s *Since) seqOf(filter, topic string) (seq uint64, named bool) {
	if filter == topic {
		return s.Seq, true
	}
	seq, named = s.Seqs[topic]
	return seq, named
}
