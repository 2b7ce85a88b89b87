package pubsub

import (
	"slices"
	"sort"
)

// TopicInfo is what there is to know of a topic at one moment.
type TopicInfo struct {
	Name          string
	Epoch         string
	Seq           uint64  // the newest
	Subscribers   int     // by its very name, on all loops
	Messages      int     // kept, with those that loops have yet to take
	Bytes         int64   // that they count for
	RatePerSecond float64 // of messages, over the last rateMillis
	UsedMillis    int64   // when it last had a message or a subscriber, Unix ms
	Last          *Message
}

// rateMillis is how far back a topic's rate looks.
const rateMillis = 10_000

// Topic returns what there is to know of a topic; false if there is none of that name. The payload of Last is
// shared and must not change; Last is nil if nothing was published yet.
func (h *Hub) Topic(name string) (TopicInfo, bool) {
	t := h.lookup(name)
	if t == nil {
		return TopicInfo{}, false
	}
	return t.info(h.o.Wall())
}

func (t *topic) info(now int64) (TopicInfo, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.gone {
		return TopicInfo{}, false
	}
	i := TopicInfo{
		Name: t.name, Epoch: t.hub.o.Epoch, Seq: t.seq,
		Messages: t.ring.len(), Bytes: t.ring.bytes,
		RatePerSecond: t.rate(now), UsedMillis: t.used,
	}
	for _, l := range t.links {
		i.Subscribers += int(l.exact.Load())
	}
	if i.Messages > 0 {
		r := t.ring.at(t.ring.head - 1)
		i.Last = &Message{Topic: t.name, Seq: r.seq, Prev: r.prev, TS: r.ts, Content: r.content, Payload: r.payload}
	}
	return i, true
}

// rate is of the messages a second in the last rateMillis, or where the ring does not reach so far back, of those
// it has, all since the newest that it has not. The caller holds mu.
func (t *topic) rate(now int64) float64 {
	now = max(now, t.ts) // as messages are stamped when the clock is set back
	from, r := now-rateMillis, &t.ring
	if t.evictedTS > from {
		return float64(r.len()) * 1000 / float64(max(now-t.evictedTS, 1))
	}
	older := sort.Search(r.len(), func(i int) bool { return r.at(r.tail+uint64(i)).ts > from })
	return float64(r.len()-older) * 1000 / rateMillis
}

// Topics returns a page of the topics that a filter matches, by name, rising: up to limit, one at least, of those
// beyond the name after; more says that there are others. The filters "" and "#" match all, the server's own
// too. A topic that comes or goes while pages are turned is on them or not; all others are, once.
//
// A page of a wide filter is a look at every name, so it is for people, and not for the way of a message. No lock is
// held for longer than a look at some thousand names or at one topic.
func (h *Hub) Topics(after string, filter Filter, limit int) (page []TopicInfo, more bool) {
	limit = max(limit, 1)
	for {
		names := h.namesAfter(after, filter, limit-len(page)+1)
		if more = len(page)+len(names) > limit; more {
			names = names[:len(names)-1]
		}
		for _, name := range names {
			if i, ok := h.Topic(name); ok {
				page = append(page, i)
			}
		}
		if !more || len(page) == limit {
			return page, more
		}
		after = names[len(names)-1] // some went meanwhile; a page with more behind it is full
	}
}

// namesAfter returns the first n names beyond after that the filter matches, stripe by stripe: no lock is held for long.
func (h *Hub) namesAfter(after string, filter Filter, n int) []string {
	all := filter == "" || filter == "#"
	l := lowest{after: after, max: n}
	for i := range h.index {
		s := &h.index[i]
		s.mu.RLock()
		for name := range s.topics {
			if l.wants(name) && (all || filter.Match(name)) {
				l.add(name)
			}
		}
		s.mu.RUnlock()
	}
	return l.sorted()
}

// lowest keeps the lowest max names beyond after of those added, in room for twice as many.
type lowest struct {
	after string
	max   int
	below string // names from here on are not among them; "" while that is open
	names []string
}

// wants reports whether a name may be among them, for those who have more to ask of it.
func (l *lowest) wants(name string) bool {
	return name > l.after && (l.below == "" || name < l.below)
}

func (l *lowest) add(name string) {
	if !l.wants(name) {
		return
	}
	if l.names = append(l.names, name); len(l.names) == 2*l.max {
		l.cut()
	}
}

// cut drops the names that are not among the lowest.
func (l *lowest) cut() {
	slices.Sort(l.names)
	if len(l.names) >= l.max {
		l.names = l.names[:l.max]
		l.below = l.names[l.max-1]
	}
}

func (l *lowest) sorted() []string {
	l.cut()
	return l.names
}
