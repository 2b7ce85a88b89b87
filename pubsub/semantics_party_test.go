package pubsub

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	truth "github.com/megawire/megawire/internal/model"
)

// party is one reader, and the account of its stream.
type party struct {
	*reader
	sink    *fakeSink
	kind    Kind
	owner   uint32
	account *truth.Client
	parsed  int              // bytes of got
	after   []func() error   // what took place while a frame was under way, to be told behind it
	has     map[string]Terms // its subscriptions, as they were asked for
	joins   map[string]uint64
	clear   int64 // since when its kernel takes all that comes, ns
	began   int64 // when the frame that is under way was begun, ns
}

// about says whose fault it is.
func (p *party) about(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("reader %d of kind %d, with %v: %w", p.owner, p.kind, p.has, err)
}

// waits says that it may be owed something for which an interval has to pass.
func (p *party) waits() bool {
	for _, t := range p.has {
		if t.EveryMillis > 0 {
			return true
		}
	}
	return false
}

func (m *semantics) arrive(kind Kind, _ *party) *party {
	m.owner++
	s := m.sinks[m.rnd.IntN(len(m.sinks))]
	p := &party{
		reader: s.add(m.owner, kind), sink: s, kind: kind, owner: m.owner,
		account: m.log.NewClient(uint64(m.owner)), has: make(map[string]Terms), joins: make(map[string]uint64),
	}
	p.account.Mute = kind == kindBare
	m.parties[m.owner] = p
	m.order = append(m.order, m.owner)
	m.trace("%d arrives at shard %d, kind %d", p.owner, slices.Index(m.sinks, s), kind)
	return p
}

func (m *semantics) leave(p *party) {
	m.trace("%d leaves", p.owner)
	p.sink.remove(p.owner)
	delete(m.parties, p.owner)
	m.order = slices.DeleteFunc(m.order, func(o uint32) bool { return o == p.owner })
}

// resume is a client that lost its connection and goes on with another one where it was.
func (m *semantics) resume(old *party) {
	m.parse(old)
	held, ts := old.account.Held(), m.wall
	m.leave(old)
	if old.kind == kindBare {
		return
	}
	for range m.rnd.IntN(3) {
		m.publishOne()
	}
	p := m.arrive(old.kind, old)
	for _, filter := range slices.Sorted(maps.Keys(old.has)) {
		since := &Since{Epoch: "e", TS: ts, Seqs: make(map[string]uint64)}
		if !Filter(filter).Wild() {
			since.Seq = held[filter]
		} else {
			for name, seq := range held {
				if truth.Match(filter, name) {
					since.Seqs[name] = seq
				}
			}
		}
		m.subscribe(p, &Request{Filter: filter, Terms: old.has[filter], Since: since})
	}
}

// takes tells the account of an answer: at once, or behind the frame that is under way.
func (m *semantics) takes(p *party, event func() error) {
	if p.parsed < len(p.got) {
		p.after = append(p.after, event)
		return
	}
	found(p.about(event()))
}

// subscribe makes a request, a random one if r is nil.
func (m *semantics) subscribe(p *party, r *Request) {
	m.parse(p)
	if r == nil {
		r = m.request(p)
	}
	kept := &truth.Kept{From: make(map[string]truth.Oldest)}
	before, topics, taken := m.oldest(), m.hub.Stats().Topics, m.taken(p.sink.shard)
	had := m.hub.lookup(r.Filter) != nil
	j, err := p.sink.shard.Subscribe(p.id, r)
	after := m.oldest()
	for name, oldest := range before {
		if _, still := after[name]; still {
			kept.From[name] = truth.Oldest{Before: oldest, After: after[name]}
		}
	}
	m.tick++
	during := truth.At(m.tick)
	_, again := p.has[r.Filter]
	switch {
	case errors.Is(err, ErrTooManySubs) && !again && len(p.has) >= m.hub.o.SubscriptionsMax,
		errors.Is(err, ErrTooManyTopics) && !had && topics >= int64(m.hub.o.TopicsMax),
		errors.Is(err, ErrSnapshot) && r.SnapshotMax > 0 && r.Last > 0, errors.Is(err, ErrBusy) && Filter(r.Filter).Wild():
		return
	case err != nil:
		m.t.Fatalf("step %d: subscribe %+v: %v", m.steps, r, err)
	case r.SnapshotMax > 0 && j.Snapshot > r.SnapshotMax:
		m.t.Fatalf("step %d: %+v brings %d messages", m.steps, r, j.Snapshot)
	case j.Wild != truth.Wild(r.Filter):
		m.t.Fatalf("step %d: subscribe %s: %+v", m.steps, r.Filter, j)
	}
	p.has[r.Filter] = r.Terms
	m.trace("%d subscribes %+v since %+v: %+v", p.owner, *r, r.Since, j)
	ask, answer := asked(r, kept, taken), truth.Answer{
		Epoch: j.Epoch, Seq: j.Seq, Latest: j.Terms.Mode == ModeLatest, Every: j.Terms.EveryMillis,
		Recovered: j.Recovered, Snapshot: j.Snapshot,
	}
	m.plant.joined(m, p, r)
	m.takes(p, func() error { return p.account.Subscribed(ask, answer, during) })
}

func asked(r *Request, kept *truth.Kept, taken map[string]uint64) truth.Ask {
	a := truth.Ask{Filter: r.Filter, Last: r.Last, Kept: kept, Taken: taken}
	a.Every = r.Terms.EveryMillis
	switch r.Terms.Mode {
	case ModeAll:
		a.Mode = truth.All
	case ModeLatest:
		a.Mode = truth.Latest
	}
	if s := r.Since; s != nil {
		a.Since = &truth.Since{Epoch: s.Epoch, Seq: s.Seq, TS: s.TS, Seqs: s.Seqs}
	}
	return a
}

// oldest are the oldest numbers that the rings hold.
func (m *semantics) oldest() map[string]uint64 {
	oldest := make(map[string]uint64)
	for _, name := range m.log.Topics() {
		if tp := m.hub.lookup(name); tp != nil {
			oldest[name] = truth.None
			if tp.ring.len() > 0 {
				oldest[name] = tp.ring.at(tp.ring.tail).seq
			}
		}
	}
	return oldest
}

// taken is how far a shard has come in topics that it has not wholly taken.
func (m *semantics) taken(s *Shard) map[string]uint64 {
	taken := make(map[string]uint64)
	for _, name := range m.log.Topics() {
		tp := m.hub.lookup(name)
		if tp == nil {
			continue
		}
		k := tp.linkTo(s)
		if k == nil || k.cursor == tp.ring.head {
			continue
		}
		from := max(k.cursor, tp.ring.tail)
		seq := m.log.Before(name, tp.ring.at(from).seq)
		for ; from > k.cursor; from-- {
			seq = m.log.Before(name, seq)
		}
		taken[name] = seq
	}
	return taken
}

func (m *semantics) request(p *party) *Request {
	r := &Request{Filter: semanticFilters[m.rnd.IntN(len(semanticFilters))]}
	switch m.rnd.IntN(6) {
	case 0:
		r.Terms.Mode = ModeAll
	case 1:
		r.Terms.Mode = ModeLatest
	case 2:
		r.Terms.EveryMillis = []int{10, 30, 40, 100, 250, 1234}[m.rnd.IntN(6)]
	}
	switch m.rnd.IntN(4) {
	case 0:
		r.Last = 1 + m.rnd.IntN(5)
		if m.rnd.IntN(4) == 0 {
			r.SnapshotMax = 1 + m.rnd.IntN(6)
		}
	case 1:
		if p.kind != kindBare { // who cannot be told of gaps cannot resume
			r.Since = m.since(p, r.Filter)
		}
	}
	return r
}

// since is a place that the client has reached, or one that it cannot have.
func (m *semantics) since(p *party, filter string) *Since {
	since := &Since{Epoch: "e", TS: m.wall - m.rnd.Int64N(1+[]int64{0, 100, 10_000, 200_000}[m.rnd.IntN(4)])}
	if m.rnd.IntN(8) == 0 {
		since.Epoch = "x"
	}
	held := p.account.Held()
	near := func(topic string) uint64 {
		switch m.rnd.IntN(8) {
		case 0:
			return m.log.Newest(topic) + 1 + m.rnd.Uint64N(5)
		case 1, 2:
			return m.rnd.Uint64N(m.log.Newest(topic) + 1)
		}
		return held[topic]
	}
	if !Filter(filter).Wild() {
		since.Seq = near(filter)
		return since
	}
	since.Seqs = make(map[string]uint64)
	for _, name := range m.log.Topics() {
		if truth.Match(filter, name) && m.rnd.IntN(4) > 0 {
			since.Seqs[name] = near(name)
		}
	}
	return since
}

func (m *semantics) unsubscribe(p *party) {
	m.parse(p)
	filter := semanticFilters[m.rnd.IntN(len(semanticFilters))]
	if all := slices.Sorted(maps.Keys(p.has)); len(all) > 0 && m.rnd.IntN(4) > 0 {
		filter = all[m.rnd.IntN(len(all))]
	}
	_, had := p.has[filter]
	if got := p.sink.shard.Unsubscribe(p.id, filter); got != had {
		m.t.Fatalf("step %d: Unsubscribe %s says %v, want %v", m.steps, filter, got, had)
	}
	m.trace("%d unsubscribes %s", p.owner, filter)
	delete(p.has, filter)
	m.tick++
	during := truth.At(m.tick)
	m.takes(p, func() error { p.account.Unsubscribed(filter, during); return nil })
	m.checkList(p)
}

// checkList holds what the shard says of a client's subscriptions against what it asked for.
func (m *semantics) checkList(p *party) {
	var listed, named []string
	p.sink.shard.Subscriptions(p.id, func(filter string, at Joined) {
		listed = append(listed, filter)
		if at.Wild != truth.Wild(filter) || at.Terms.EveryMillis != RoundEvery(p.has[filter].EveryMillis) {
			m.t.Fatalf("step %d: %s is listed as %+v", m.steps, filter, at)
		}
	})
	p.sink.shard.Topics(p.id, func(filter string) { named = append(named, filter) })
	slices.Sort(listed)
	slices.Sort(named)
	want := slices.Sorted(maps.Keys(p.has))
	if n := p.sink.shard.SubscriptionCount(p.id); !slices.Equal(listed, want) || !slices.Equal(named, want) || n != len(want) {
		m.t.Fatalf("step %d: listed %v and %v, %d; subscribed to %v", m.steps, listed, named, n, want)
	}
}
