package pubsub

import (
	"hash/maphash"
	"strings"
)

func (h *Hub) stripe(name string) *stripe {
	return &h.index[maphash.String(h.seed, name)&(stripes-1)]
}

func (h *Hub) lookup(name string) *topic {
	s := h.stripe(name)
	s.mu.RLock()
	t := s.topics[name]
	s.mu.RUnlock()
	return t
}

// holds says that there is a topic of that name, with messages.
func (h *Hub) holds(name string) bool {
	t := h.lookup(name)
	return t != nil && t.filled.Load()
}

// hold returns the topic of that name, locked, and makes it if there is none. For a publisher another topic
// is let go where there are as many as there may be; somebody who only asks for a name takes nobody's place.
func (h *Hub) hold(name string, publisher bool) (*topic, error) {
	for {
		t := h.lookup(name)
		if t == nil {
			var err error
			if t, err = h.create(name); err != nil {
				if publisher && h.shed() {
					continue
				}
				return nil, err
			}
		}
		t.mu.Lock()
		if !t.gone {
			return t, nil
		}
		t.mu.Unlock()
	}
}

func (h *Hub) create(name string) (*topic, error) {
	s := h.stripe(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.topics[name]; t != nil {
		return t, nil
	}
	if h.topics.Add(1) > int64(h.o.TopicsMax) {
		h.topics.Add(-1)
		return nil, ErrTooManyTopics
	}
	// A topic that expired went on to floor at most, so this one's numbers are above all it had.
	floor := h.floor.Load()
	t := &topic{hub: h, name: strings.Clone(name), rule: h.ruleOf(name), born: floor, seq: floor, used: h.o.Steady()}
	t.present = newPresence(t)
	s.topics[t.name] = t
	return t, nil
}

// name makes a topic known to patterns that look for theirs: with its first message, so that names that somebody only
// asked for take no room there.
func (h *Hub) name(t *topic) {
	t.filled.Store(true)
	h.namesMu.Lock()
	h.names.Set(t.name, t)
	h.namesMu.Unlock()
}

func (h *Hub) ruleOf(name string) *Rule {
	if h.o.Rules != nil {
		if r := h.o.Rules(name); r != nil {
			if r.Slow == SlowClose {
				h.closing.Store(true)
			}
			return r
		}
	}
	return h.rule
}

// Sweep applies the bounds of age to a part of the topics, and lets those go that nobody uses. Call it
// with part rising by one, about SweepParts times in a minute, from any goroutine.
func (h *Hub) Sweep(part int) {
	s := &h.index[part&(stripes-1)]
	now := h.o.Steady()
	s.mu.RLock()
	all := make([]*topic, 0, len(s.topics))
	for _, t := range s.topics {
		all = append(all, t)
	}
	s.mu.RUnlock()
	for _, t := range all {
		h.age(t, now)
	}
}

// age applies the bounds of age to a topic, which may be gone since the caller found it.
func (h *Hub) age(t *topic, now int64) {
	t.mu.Lock()
	if t.gone { // its bytes were taken off the hub's sum already
		t.mu.Unlock()
		return
	}
	t.evict(now)
	t.shrink()
	unused := t.unused(now)
	t.mu.Unlock()
	if unused {
		h.expire(t, now)
	}
}

// SweepParts is how many calls of Sweep go once over all topics.
const SweepParts = stripes

// expire lets a topic go that nobody uses, unless somebody has found a use for it meanwhile.
func (h *Hub) expire(t *topic, now int64) {
	h.letGo(t, func() bool { return t.unused(now) })
}

// letGo removes a topic if, under its lock, it may still go.
func (h *Hub) letGo(t *topic, may func() bool) bool {
	s := h.stripe(t.name)
	s.mu.Lock()
	defer s.mu.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.gone || !may() {
		return false
	}
	raise(&h.floor, t.seq)
	raise(&h.goneTS, t.ts)
	t.release()
	h.ringBytes.Add(-t.ring.bytes - t.encoded)
	delete(s.topics, t.name)
	h.namesMu.Lock()
	h.names.Delete(t.name)
	h.namesMu.Unlock()
	h.topics.Add(-1)
	return true
}

// raise makes a number at least v.
func raise[V int64 | uint64](n interface {
	Load() V
	CompareAndSwap(old, v V) bool
}, v V,
) {
	for old := n.Load(); old < v && !n.CompareAndSwap(old, v); old = n.Load() {
	}
}
