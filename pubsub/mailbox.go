package pubsub

import "sync"

// mailbox is how publishers reach a shard: the links of its dirty topics. A link stands in it at most
// once (link.dirty), so it is bounded by the shard's topics.
type mailbox struct {
	wake func() // asks the shard's loop for a turn; from any goroutine

	mu    sync.Mutex
	dirty []*link
	spare []*link
}

// put adds a dirty link, and wakes the loop when it is the first.
func (m *mailbox) put(l *link) {
	m.mu.Lock()
	m.dirty = append(m.dirty, l)
	first := len(m.dirty) == 1
	m.mu.Unlock()
	if first {
		m.wake()
	}
}

// take returns what came since the last take; the slice is good until the next one.
func (m *mailbox) take() []*link {
	m.mu.Lock()
	defer m.mu.Unlock()
	got := m.dirty
	clear(m.spare) // what the last take returned
	m.dirty, m.spare = m.spare[:0], got
	return got
}
