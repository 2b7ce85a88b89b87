package pubsub

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	truth "github.com/megawire/megawire/internal/model"
)

// TestSemantics holds shards of one hub against the plain account of internal/model, under random operations:
// overlapping filters, modes, intervals, snapshots, resumes, slow readers, topics that expire and come back.
func TestSemantics(t *testing.T) {
	for seed := range semanticsSeeds() {
		seed += *seedFrom
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			if err := runSemantics(t, seed, nil); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func semanticsSeeds() uint64 {
	if *seeded > 0 {
		return *seeded
	}
	if testing.Short() || raceEnabled { // one goroutine: races are for others
		return 8
	}
	return 40
}

const semanticsSteps = 3000

var (
	traced   = flag.Bool("told", false, "tell each operation of a random run, and what it led to")
	seeded   = flag.Uint64("seeds", 0, "how many random runs; 0 is the usual number")
	seedFrom = flag.Uint64("from", 1, "the seed of the first of them")
)

// runSemantics plays one seed to its end, and returns what the account found wrong first.
func runSemantics(t *testing.T, seed uint64, plant *plant) (wrong error) {
	m := newSemantics(t, seed, plant)
	defer func() {
		switch x := recover().(type) {
		case nil:
		case finding:
			wrong = fmt.Errorf("step %d: %w", m.steps, x.error)
		default:
			wrong = fmt.Errorf("step %d: panic: %v\n%s", m.steps, x, debug.Stack())
		}
	}()
	for range semanticsSteps {
		m.step()
	}
	m.finish()
	return nil
}

func (m *semantics) trace(format string, args ...any) {
	if *traced {
		m.t.Logf("%4d  "+format, append([]any{m.steps}, args...)...)
	}
}

// finding is how the account's judgement gets out of the operations.
type finding struct{ error }

func found(err error) {
	if err != nil {
		panic(finding{err})
	}
}

// semantics is a world of random operations and the account of it.
type semantics struct {
	*world
	rnd   *rand.Rand
	plant *plant
	log   *truth.Log
	tick  int64 // one an operation
	steps int
	sent  int
	began int64 // when the frame that is being read was begun, ns; 0 outside of that

	sinks   []*fakeSink
	more    map[*fakeSink]bool // the last turn left work
	parties map[uint32]*party
	order   []uint32
	owner   uint32 // the newest
}

// The topics and filters overlap, so that most messages are matched more than once.
var (
	semanticTopics  = []string{"t", "t/1", "t/2", "t/3", "s/1", "t/1/z", "$x/1"}
	semanticFilters = []string{
		"t", "t/1", "t/2", "t/3", "s/1", "t/1/z", "$x/1", "new/1",
		"t/+", "t/#", "#", "+", "+/1", "+/+", "$x/+", "+/1/#", "s/#", "none/+",
	}
)

func newSemantics(t *testing.T, seed uint64, plant *plant) *semantics {
	m := &semantics{
		rnd: rand.New(rand.NewPCG(seed, 2)), plant: plant, log: truth.NewLog("e"),
		more: make(map[*fakeSink]bool), parties: make(map[uint32]*party),
	}
	m.world = newWorld(t, func(o *Options) {
		o.InFlightMessagesMax, o.InFlightBytesMax = 5+m.rnd.IntN(30), 2000+m.rnd.IntN(100_000)
		o.RetainMessagesMax, o.RetainBytesMax = 1+m.rnd.IntN(40), 500+m.rnd.IntN(10_000)
		o.SubscriptionsMax = 3 + m.rnd.IntN(len(semanticFilters))
		if *seeded > 0 && seed%8 == 0 { // topics are let go for others, by a sample that no seed repeats: only to look for more
			o.TopicsMax = len(semanticTopics) - m.rnd.IntN(2)
		}
		o.Rules = m.rules(o)
	})
	m.mono, m.world.step = 1, 300
	m.log.RuleOf = func(topic string) truth.Rule {
		r := m.hub.o.Rules(topic)
		return truth.Rule{Latest: r.Mode == ModeLatest, NoAll: r.NoAll}
	}
	m.log.Gone, m.log.Slack, m.log.Nanos = m.gone, nanosPerMilli, m.now
	for range 1 + m.rnd.IntN(3) {
		s := m.newShard()
		s.shard.every = looks{notes: 1 + m.rnd.IntN(8), writes: 1 + m.rnd.IntN(4), encodings: 1 + m.rnd.IntN(4)}
		m.sinks = append(m.sinks, s)
	}
	return m
}

// rules gives some of the topics rules of their own.
func (m *semantics) rules(o *Options) func(topic string) *Rule {
	usual := *o.defaultRule()
	latest, never, bounded := usual, usual, usual
	latest.Mode, never.NoAll = ModeLatest, true
	bounded.Slow, bounded.SlowMessagesMax = SlowPolicy(m.rnd.IntN(2)), 1+m.rnd.IntN(10)
	of := map[string]*Rule{"s/1": &latest, "t/2": &never, "t/3": &bounded}
	return func(topic string) *Rule {
		if r := of[topic]; r != nil {
			return r
		}
		return &usual
	}
}

// gone says that a message may by now be missing for who is slow: its ring has passed it, or the topic's rule
// lets so few be owed.
func (m *semantics) gone(x *truth.Message) bool {
	tp := m.hub.lookup(x.Topic)
	if tp == nil || tp.ring.len() == 0 || x.Seq < tp.ring.at(tp.ring.tail).seq {
		return true
	}
	newer := tp.ring.head - 1
	for newer > tp.ring.tail && tp.ring.at(newer).seq > x.Seq {
		newer--
	}
	behind := int(tp.ring.head - newer) // with the message itself
	most := tp.rule.SlowMessagesMax
	return most > 0 && (behind > most || tp.rule.Slow == SlowLatest && behind > 1)
}

// now is the account's clock. A frame came when its first byte did: how long the rest took is the network's affair.
func (m *semantics) now() int64 {
	if m.began > 0 {
		return m.began
	}
	return m.mono
}

func (m *semantics) step() {
	m.steps++
	switch n := m.rnd.IntN(100); {
	case n < 30:
		m.publishOne()
	case n < 45:
		m.turn(m.sinks[m.rnd.IntN(len(m.sinks))])
	case n < 49 || len(m.order) == 0:
		if len(m.order) < 16 {
			m.arrive(Kind(m.rnd.IntN(3)), nil)
		}
	case n < 64:
		m.subscribe(m.any(), nil)
	case n < 70:
		m.unsubscribe(m.any())
	case n < 76:
		p := m.any()
		p.room = m.rnd.IntN(60)
		m.trace("%d has room for %d bytes", p.owner, p.room)
	case n < 86:
		p := m.any()
		if p.room = m.rnd.IntN(200); m.rnd.IntN(2) == 0 {
			p.room = allTheRoom
		}
		m.trace("%d has room for %d bytes, and drains", p.owner, p.room)
		m.drain(p)
	case n < 93:
		m.advance(m.rnd.Int64N(60) * nanosPerMilli)
	case n < 95:
		m.wall += int64(m.rnd.IntN(50_000))
		m.sweep()
	case n < 96:
		m.leave(m.any())
	case n < 97:
		m.resume(m.any())
	case n < 98:
		m.watch()
	default:
		m.settle()
	}
}

func (m *semantics) any() *party { return m.parties[m.order[m.rnd.IntN(len(m.order))]] }

func (m *semantics) sweep() {
	for part := range SweepParts {
		m.hub.Sweep(part)
	}
	m.trace("sweep at %d ms", m.wall)
	m.plant.swept(m)
}

func (m *semantics) publishOne() {
	name := semanticTopics[m.rnd.IntN(len(semanticTopics))]
	m.sent++
	payload := fmt.Sprintf("%s.%d.%s", name, m.sent, strings.Repeat("x", m.rnd.IntN(30)))
	if m.rnd.IntN(300) == 0 {
		payload += strings.Repeat("y", m.rnd.IntN(2*chunkBytesMax))
	}
	p := Publication{Topic: name, Payload: []byte(payload)}
	if m.rnd.IntN(4) == 0 && m.owner > 0 {
		p.Origin, p.NoEcho = ClientID(1+m.rnd.Uint32N(m.owner)), true
	}
	for m.rnd.IntN(5) == 0 && m.owner > 0 {
		p.Exclude = append(p.Exclude, ClientID(1+m.rnd.Uint32N(m.owner)))
	}
	x := &truth.Message{Topic: name, Payload: payload}
	for _, id := range p.Exclude {
		x.Excluded = append(x.Excluded, uint64(id))
	}
	if p.NoEcho {
		x.Excluded = append(x.Excluded, uint64(p.Origin))
	}
	old := m.hub.lookup(name)
	goesOn := old != nil && old.ring.head > 0
	if m.rnd.IntN(20) == 0 && goesOn && p.Exclude == nil && !p.NoEcho {
		m.skip(name, 1+m.rnd.Uint64N(3), payload) // as a broker whose numbers are not dense
	} else if _, err := m.hub.Publish(&p, nil); err != nil {
		if !errors.Is(err, ErrTooManyTopics) && !errors.Is(err, ErrNoRoom) {
			m.t.Fatal(err)
		}
		return
	}
	m.tick++
	tp := m.topic(name)
	r := tp.ring.at(tp.ring.head - 1)
	if goesOn && r.prev != m.log.Newest(name) {
		m.t.Fatalf("%s %d says that %d is before it; it was %d", name, r.seq, r.prev, m.log.Newest(name))
	}
	x.Seq, x.Prev, x.TS, x.Span, x.Nanos = r.seq, r.prev, m.wall, truth.At(m.tick), m.mono
	m.trace("publish %s %d (before it %d) at %d ms, %d ns, without %v: %.20s", name, x.Seq, x.Prev, x.TS, x.Nanos, x.Excluded, payload)
	found(m.log.Add(x))
}

func (m *semantics) turn(s *fakeSink) {
	s.wakes = 0
	m.more[s] = s.shard.Turn()
	m.trace("turn of shard %d at %d ns, more: %v", slices.Index(m.sinks, s), m.mono, m.more[s])
	m.read()
}

// read takes what has come to the parties, and removes those whom the shard gave up, as a server closes such
// connections.
func (m *semantics) read() {
	for _, owner := range slices.Clone(m.order) {
		p := m.parties[owner]
		m.parse(p)
		if p.overruns == 0 {
			continue
		}
		if p.kind != kindBare {
			m.t.Fatalf("step %d: reader %d was given up, though it can be told of gaps", m.steps, owner)
		}
		m.leave(p)
	}
}
