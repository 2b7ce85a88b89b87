package pubsub

import "slices"

// advance lets time go by, with the turns that shards ask for on the way. A loop may be busy for some slices, not
// for as long as an interval.
func (m *semantics) advance(nanos int64) {
	end := m.mono + nanos
	m.wall += nanos / nanosPerMilli
	for {
		m.run()
		at, due := end, false
		for _, s := range m.sinks {
			if next, ok := s.shard.Due(); ok && next <= at {
				at, due = next, true
			}
		}
		m.mono = max(m.mono, at)
		if !due {
			return
		}
	}
}

// run lets the shards do all that they have asked a turn for.
func (m *semantics) run() {
	for turns := 0; ; turns++ {
		busy := false
		for _, s := range m.sinks {
			due, ok := s.shard.Due()
			if s.wakes > 0 || m.more[s] || ok && due <= m.mono {
				m.turn(s)
				busy = true
			}
		}
		if !busy {
			return
		}
		if turns > 1_000_000 {
			m.t.Fatal("turns without an end")
		}
	}
}

// settle lets the shards do all that they can. Then nobody whose kernel takes everything is owed anything.
func (m *semantics) settle() {
	m.run()
	for _, owner := range m.order {
		p := m.parties[owner]
		if !p.blocked {
			found(p.about(p.account.Settled(p.clear)))
			if b := p.sink.shard.Backlog(p.id); b != (Backlog{}) && !p.waits() {
				m.t.Fatalf("step %d: reader %d keeps up and has a backlog of %+v", m.steps, owner, b)
			}
		}
	}
}

// watch does what a server does once a second or so.
func (m *semantics) watch() {
	for _, s := range m.sinks {
		s.shard.CheckLag()
		s.shard.EachLagging(0, 1000, func(id SubscriberID, owner uint32, b Backlog) bool {
			if p := m.parties[owner]; p == nil || p.id != id || b.Messages < 0 || b.OldestMillis > m.wall {
				m.t.Fatalf("step %d: %d, %d is said to lag by %+v", m.steps, id, owner, b)
			}
			return true
		})
	}
	m.read()
}

// finish lets everything out, after which each reader has all there is, and then takes it all down.
func (m *semantics) finish() {
	for range 3 {
		for _, owner := range m.order {
			p := m.parties[owner]
			p.room = allTheRoom
			m.drain(p)
		}
		m.settle()
	}
	m.advance(2000 * nanosPerMilli) // above all intervals
	m.settle()
	for _, owner := range slices.Clone(m.order) {
		p := m.parties[owner]
		if p.blocked || p.parsed < len(p.got) {
			m.t.Fatalf("reader %d is left with a part of a frame", owner)
		}
		m.leave(p)
	}
	m.settle()
	m.wall += 1 << 40
	for part := range SweepParts {
		m.hub.Sweep(part)
	}
	m.settle()
	for _, s := range m.sinks {
		s.settled()
	}
	if got := m.hub.Stats(); got != (Stats{TopicsEvicted: got.TopicsEvicted}) {
		m.t.Fatalf("left in the end: %+v", got)
	}
}
