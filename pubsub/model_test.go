package pubsub

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestModel holds shards of one hub against a plain account of what each reader is to get, under random
// operations. A reader's stream must, topic by topic, begin right after the seq it was told when it
// subscribed, go on without a break that no notice explains, and reach the head once all is drained.
func TestModel(t *testing.T) {
	seeds := uint64(40)
	if testing.Short() || raceEnabled { // one goroutine: races are for TestPublishersWaitForLoops
		seeds = 8
	}
	for seed := uint64(1); seed <= seeds; seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			m := newModel(t, seed)
			for range 3000 {
				m.step()
			}
			m.finish()
		})
	}
}

type model struct {
	*world
	rnd    *rand.Rand
	sinks  []*fakeSink
	owners []uint32
	read   map[uint32]*account
	owner  uint32 // the newest
	names  []string

	longOneIn, longMax int // one message in so many is long, up to so many bytes

	sent map[string]*published // by payload
	log  map[string][]*published
	head map[string]uint64 // newest seq by topic
}

// published is what the account has of one message.
type published struct {
	topic     string
	seq, prev uint64
	excluded  []ClientID
}

func newModel(t *testing.T, seed uint64) *model {
	m := &model{
		rnd: rand.New(rand.NewPCG(seed, 1)), longOneIn: 200, longMax: 2 * chunkBytesMax, read: make(map[uint32]*account), sent: make(map[string]*published),
		log: make(map[string][]*published), head: make(map[string]uint64),
	}
	many := 6
	if seed%4 == 0 { // enough for a crowd of subscriptions, and for more notes than a reader may have
		many = crowd + 32
	}
	for i := range many {
		m.names = append(m.names, fmt.Sprint("t/", i))
	}
	m.world = newWorld(t, func(o *Options) {
		o.InFlightMessagesMax, o.InFlightBytesMax = 5+m.rnd.IntN(30), 1000+m.rnd.IntN(100_000)
		o.RetainMessagesMax, o.RetainBytesMax = 1+m.rnd.IntN(40), 500+m.rnd.IntN(10_000)
		if seed%3 == 0 { // so much is kept that catching up takes several writes
			m.longOneIn, m.longMax = 2, chunkBytesMax/2
			o.InFlightBytesMax, o.RetainMessagesMax, o.RetainBytesMax = 4<<20, 4096, 1<<17+m.rnd.IntN(1<<19)
		}
		o.SubscriptionsMax = 1 + m.rnd.IntN(len(m.names)+1)
		o.TopicsMax = len(m.names) - m.rnd.IntN(2)
	})
	m.world.step = 300
	for range 1 + m.rnd.IntN(3) {
		s := m.newShard()
		s.shard.every = looks{notes: 1 + m.rnd.IntN(8), writes: 1 + m.rnd.IntN(4), encodings: 1 + m.rnd.IntN(4)}
		m.sinks = append(m.sinks, s)
	}
	return m
}

func (m *model) step() {
	switch n := m.rnd.IntN(100); {
	case n < 35:
		for range 1 + len(m.names)/20 {
			m.publishOne()
		}
	case n < 55:
		m.turn(m.sinks[m.rnd.IntN(len(m.sinks))])
	case n < 58 || len(m.owners) == 0:
		if len(m.owners) < 30 {
			m.arrive()
		}
	case n < 70:
		m.subscribe(m.any())
	case n < 76:
		m.unsubscribe(m.any())
	case n < 84:
		m.stall(m.any())
	case n < 96:
		a := m.any()
		a.room = max(0, m.rnd.IntN(60)-20)
		if m.rnd.IntN(3) == 0 {
			a.room = allTheRoom
		}
		a.sink.drain(a.owner)
	case n < 97:
		m.leave(m.any())
	default:
		m.wall += int64(m.rnd.IntN(50_000))
		m.hub.Sweep(m.rnd.IntN(SweepParts))
	}
	m.check()
}

func (m *model) any() *account { return m.read[m.owners[m.rnd.IntN(len(m.owners))]] }

func (m *model) anyTopic() string { return m.names[m.rnd.IntN(len(m.names))] }

func (m *model) arrive() {
	m.owner++
	s := m.sinks[m.rnd.IntN(len(m.sinks))]
	kind := Kind(m.rnd.IntN(3))
	m.read[m.owner] = &account{
		reader: s.add(m.owner, kind), sink: s, kind: kind, owner: m.owner,
		at: make(map[string]uint64), late: make(map[string]uint64),
	}
	m.owners = append(m.owners, m.owner)
	for len(m.names) > crowd && m.rnd.IntN(crowd) != 0 {
		m.subscribe(m.read[m.owner])
	}
}

func (m *model) leave(a *account) {
	a.sink.remove(a.owner)
	delete(m.read, a.owner)
	m.owners = slices.DeleteFunc(m.owners, func(o uint32) bool { return o == a.owner })
}

func (m *model) stall(a *account) { a.room = m.rnd.IntN(30) }

func (m *model) publishOne() {
	name := m.anyTopic()
	payload := fmt.Sprintf("%s.%d.%s", name, len(m.sent), strings.Repeat("x", m.rnd.IntN(30)))
	if m.rnd.IntN(m.longOneIn) == 0 {
		payload += strings.Repeat("y", m.rnd.IntN(m.longMax))
	}
	p := Publication{Topic: name, Payload: []byte(payload)}
	if m.rnd.IntN(4) == 0 && m.owner > 0 {
		p.Origin, p.NoEcho = ClientID(1+m.rnd.Uint32N(m.owner)), true
	}
	for m.rnd.IntN(5) == 0 && m.owner > 0 {
		p.Exclude = append(p.Exclude, ClientID(1+m.rnd.Uint32N(m.owner)))
	}
	excluded := slices.Clone(p.Exclude)
	if p.NoEcho {
		excluded = append(excluded, p.Origin)
	}
	by := uint64(1)
	var seq uint64
	if m.rnd.IntN(20) == 0 && m.hub.lookup(name) != nil { // as a broker that skips numbers would
		by = 1 + m.rnd.Uint64N(3)
		tp := m.topic(name)
		tp.mu.Lock()
		seq = tp.seq + by
		tp.append(&p, seq, tp.seq)
		tp.mu.Unlock()
	} else {
		r, err := m.hub.Publish(&p, nil)
		switch {
		case errors.Is(err, ErrNoRoom) && m.topic(name).inFlight > 0, errors.Is(err, ErrTooManyTopics):
			return
		case err != nil:
			m.t.Fatal(err)
		}
		seq = r.Seq
	}
	prev := seq - by
	if m.topic(name).ring.head == 1 {
		prev = 0 // the first of its topic
	}
	if seq <= m.head[name] {
		m.t.Fatalf("%s: %d was given again, the head was %d", name, seq, m.head[name])
	}
	x := &published{topic: name, seq: seq, prev: prev, excluded: excluded}
	m.sent[payload], m.head[name] = x, seq
	m.log[name] = append(m.log[name], x)
}

func (m *model) turn(s *fakeSink) {
	s.shard.Turn()
	for _, owner := range slices.Clone(m.owners) {
		a := m.read[owner]
		m.parse(a)
		if a.overruns > 0 {
			m.leave(a) // as a server closes such a connection
		}
	}
}

func (m *model) subscribe(a *account) {
	name := m.anyTopic()
	m.parse(a)
	_, had := a.at[name]
	j, err := a.sink.shard.Subscribe(a.id, &Request{Filter: name})
	switch {
	case errors.Is(err, ErrTooManySubs) && !had && len(a.at) >= m.hub.o.SubscriptionsMax, errors.Is(err, ErrTooManyTopics) && !had:
		return
	case err != nil:
		m.t.Fatal(err)
	case j.Seq < m.head[name] || j.Epoch != "e":
		m.t.Fatalf("%s begins after %+v, the head is %d", name, j, m.head[name])
	}
	m.head[name] = j.Seq // of a new topic: what all before it reached
	if !had {
		a.at[name] = j.Seq
	}
}

func (m *model) unsubscribe(a *account) {
	name := m.anyTopic()
	m.parse(a)
	at, had := a.at[name]
	if got := a.sink.shard.Unsubscribe(a.id, name); got != had {
		m.t.Fatalf("Unsubscribe says %v, want %v", got, had)
	}
	delete(a.at, name)
	if _, earlier := a.late[name]; had && !earlier && a.parsed < len(a.got) {
		a.late[name] = at
	}
}

// check holds the gauges against what they count, and the bounds.
func (m *model) check() {
	var ring, inFlight, topics int64
	for _, name := range m.names {
		tp := m.hub.lookup(name)
		if tp == nil {
			continue
		}
		topics++
		var bytes int64
		for pos := tp.ring.tail; pos < tp.ring.head; pos++ {
			bytes += int64(tp.ring.at(pos).size)
		}
		if bytes != tp.ring.bytes || tp.takenTo() < tp.ring.tail {
			m.t.Fatalf("%s: %d bytes, counted %d; taken to %d, kept from %d", name, bytes, tp.ring.bytes, tp.takenTo(), tp.ring.tail)
		}
		other := int64(0)
		for kind := 1; kind < len(tp.logs); kind++ {
			for _, c := range tp.logs[kind].chunks {
				other += int64(len(c.buf))
			}
		}
		if other != tp.encoded {
			m.t.Fatalf("%s: %d bytes of other kinds, counted %d", name, other, tp.encoded)
		}
		ring, inFlight = ring+bytes+other, inFlight+tp.inFlight
	}
	if got := m.hub.Stats(); got != (Stats{Topics: topics, RingBytes: ring, InFlightBytes: inFlight, TopicsEvicted: got.TopicsEvicted}) {
		m.t.Fatalf("stats %+v, counted %d topics, %d and %d bytes", got, topics, ring, inFlight)
	}
	for _, s := range m.sinks {
		seen := make(map[*link]bool)
		dirty := append(slices.Clone(s.shard.mailbox.dirty), s.shard.pending.items[s.shard.pending.head:]...)
		for _, l := range append(dirty, s.shard.leftover.items[s.shard.leftover.head:]...) {
			if seen[l] || !l.dirty {
				m.t.Fatalf("%s stands in the mailbox twice, or clean", l.topic.name)
			}
			seen[l] = true
		}
		waiting := make(map[uint32]bool)
		for _, id := range s.shard.queue.items[s.shard.queue.head:] {
			if waiting[id] || !s.shard.subscribers.At(id).queued {
				m.t.Fatalf("subscriber %d stands in line twice, or without knowing", id)
			}
			waiting[id] = true
		}
	}
}

// finish lets everything out, after which each reader has all there is, and then takes it all down.
func (m *model) finish() {
	for range 2 * len(m.names) * (writeBytesMax/100 + 1) {
		for _, owner := range slices.Clone(m.owners) {
			a := m.read[owner]
			a.room = allTheRoom
			a.sink.drain(owner)
		}
		for _, s := range m.sinks {
			m.turn(s)
		}
	}
	for _, s := range m.sinks {
		s.run()
		s.settled()
	}
	for _, owner := range slices.Clone(m.owners) {
		a := m.read[owner]
		if m.parse(a); a.parsed < len(a.got) {
			m.t.Fatalf("reader %d is left with a part of a frame", owner)
		}
		for name, at := range a.at {
			for _, x := range m.log[name] {
				if x.seq > at && (a.kind != kindBare || !m.leftOut(a, x)) {
					m.t.Fatalf("reader %d of kind %d has %s up to %d, the head is %d", owner, a.kind, name, at, m.head[name])
				}
			}
		}
		m.leave(a)
	}
	m.wall += 1 << 40
	for part := range SweepParts {
		m.hub.Sweep(part)
	}
	for _, s := range m.sinks {
		s.run()
		s.settled()
	}
	if got := m.hub.Stats(); got != (Stats{TopicsEvicted: got.TopicsEvicted}) {
		m.t.Fatalf("left in the end: %+v", got)
	}
}
