package pubsub

// What the rings hold in all has a hard bound, and so has the number of topics; newest messages are kept
// within them, not above. Where one is met, a topic without subscribers goes: the one that was used least
// lately, as far as a small sample tells. A list in order of use would cost every publication a lock that
// all share; a sample costs nothing until a bound is met, and errs a little (the idea is Redis's, in its
// approximated LRU).

// shedSample is how many topics of a stripe are looked at.
const shedSample = 8

// shed lets one topic go, and reports whether there was one.
func (h *Hub) shed() bool {
	first := h.shedAt.Add(1)
	for i := range uint64(stripes) {
		t := h.index[(first+i)&(stripes-1)].leastUsed()
		if t != nil && h.letGo(t, func() bool { return t.free() }) {
			h.evicted.Add(1)
			return true
		}
	}
	return false
}

// leastUsed is the topic of a sample that has had nothing to do for longest, of those without subscribers.
func (s *stripe) leastUsed() (least *topic) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	n, used := 0, int64(0)
	for _, t := range s.topics { // in an order that differs each time
		t.mu.Lock()
		if t.free() && (least == nil || t.used < used) {
			least, used = t, t.used
		}
		t.mu.Unlock()
		if n++; n == shedSample {
			break
		}
	}
	return least
}

// over says that size bytes more would be too many. What replaces a topic's newest message is let through,
// and while the old one is still in flight both are held: so much the sum can be above.
func (h *Hub) over(size int) bool {
	return h.ringBytes.Load()+int64(size) > int64(h.o.RetainTotalBytesMax)+int64(h.o.InFlightTotalBytesMax)
}

// makeRoom lets topics go until size bytes more fit, or none is left that may go.
func (h *Hub) makeRoom(size int) {
	for h.over(size) && h.shed() {
	}
}
