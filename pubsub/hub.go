package pubsub

import (
	"context"
	"errors"
	"hash/maphash"
	"sync"
	"sync/atomic"
)

// Options configures a Hub. Every bound must be above zero.
type Options struct {
	Encoders []Encoder      // by Kind; the first is that of most subscribers, and encodes at publication
	Slow     [KindsMax]bool // kinds that take long to encode, as by compression: of a topic read in one, a turn takes so much
	Epoch    string         // names this run of the sequence numbers
	Wall     func() int64   // Unix milliseconds: what messages are stamped with
	Steady   func() int64   // Unix milliseconds that go on evenly, whatever becomes of the system's clock: ages are told by it
	Clock    func() int64   // monotonic nanoseconds, for slicing turns

	// What loops have not yet taken. A publisher beyond it waits or is refused.
	InFlightMessagesMax   int // of a topic
	InFlightBytesMax      int // of a topic
	InFlightTotalBytesMax int // of all topics

	// What is kept of a topic after that. Its newest message is spared by all but the total, for which
	// topics without subscribers go (shed.go).
	RetainMessagesMax   int
	RetainBytesMax      int
	RetainMillisMax     int64
	RetainTotalBytesMax int // of all topics

	TopicsMax        int
	TopicIdleMillis  int64 // a topic without subscribers and publications for so long goes away
	SubscriptionsMax int   // of one subscriber
	LagTopicsMax     int   // topics with news of one lagging subscriber of patterns; past it the sink is told: Overrun

	// Rules says what holds of a topic; nil, or nil for a topic, is what stands above.
	Rules func(topic string) *Rule

	SliceNanos int64 // how long a shard's turn may take before reads get theirs
}

func (o *Options) check() error {
	if len(o.Encoders) == 0 || len(o.Encoders) > KindsMax || o.Wall == nil || o.Steady == nil || o.Clock == nil || o.Epoch == "" {
		return errors.New("pubsub: Options want 1 to 4 encoders, an epoch and three clocks")
	}
	for _, n := range []int64{
		int64(o.InFlightMessagesMax), int64(o.InFlightBytesMax), int64(o.InFlightTotalBytesMax),
		int64(o.RetainMessagesMax), int64(o.RetainBytesMax), o.RetainMillisMax, int64(o.RetainTotalBytesMax),
		int64(o.TopicsMax), o.TopicIdleMillis, int64(o.SubscriptionsMax), int64(o.LagTopicsMax), o.SliceNanos,
	} {
		if n <= 0 {
			return errors.New("pubsub: every bound in Options must be above zero")
		}
	}
	return nil
}

// stripes is how many locks the index of topics is spread over; a power of two.
const stripes = 64

type stripe struct {
	mu     sync.RWMutex
	topics map[string]*topic
}

// Hub is all topics of a process. Its methods may be called from any goroutine.
type Hub struct {
	o      Options
	broker Broker
	seed   maphash.Seed
	index  [stripes]stripe
	rule   *Rule // of topics that Options.Rules has none for

	namesMu sync.RWMutex
	names   trie[*topic] // the topics with messages, for patterns that look for theirs

	filtersMu  sync.RWMutex
	filters    trie[[]interest] // the patterns that somebody is subscribed to
	generation atomic.Uint64    // rises with each change of filters
	patterns   atomic.Int64     // how many they are

	presenceNews presenceNews
	closing      atomic.Bool // some topic's rule closes slow readers

	topics    atomic.Int64
	floor     atomic.Uint64 // the highest sequence number of any topic that expired
	clock     atomic.Int64  // the latest time given to anything, Unix ms
	goneTS    atomic.Int64  // of the newest message of any topic that expired
	ringBytes atomic.Int64
	inFlight  atomic.Int64
	shedAt    atomic.Uint64 // the stripe to look at next
	evicted   atomic.Uint64

	roomMu sync.Mutex
	room   chan struct{} // closed when inFlight has fallen; nil while nobody waits
}

// New returns a hub with the in-process broker.
func New(o Options) (*Hub, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	h := &Hub{o: o, seed: maphash.MakeSeed(), rule: o.defaultRule()}
	for i := range h.index {
		h.index[i].topics = make(map[string]*topic)
	}
	h.broker = &inProcess{hub: h}
	return h, nil
}

// Publish checks a publication and hands it to the broker. It never waits: ErrNoRoom says that loops
// lag behind. ErrPending says that done will be called, later and on any goroutine; otherwise the
// publication is decided on return and done is not called.
func (h *Hub) Publish(p *Publication, done func(Receipt, error)) (Receipt, error) {
	if !ValidTopic(p.Topic) {
		return Receipt{}, ErrBadTopic
	}
	return h.broker.Publish(p, done)
}

// PublishWait is Publish for a goroutine that can wait for room, and for the broker, until ctx ends.
func (h *Hub) PublishWait(ctx context.Context, p *Publication) (Receipt, error) {
	type result struct {
		r   Receipt
		err error
	}
	later := make(chan result, 1)
	for {
		r, err := h.Publish(p, func(r Receipt, err error) { later <- result{r, err} })
		switch {
		case errors.Is(err, ErrPending):
			select {
			case got := <-later:
				return got.r, got.err
			case <-ctx.Done():
				return Receipt{}, ctx.Err()
			}
		case errors.Is(err, ErrNoRoom):
			select {
			case <-h.whenRoom(p):
			case <-ctx.Done():
				return Receipt{}, err
			}
		default:
			return r, err
		}
	}
}

var roomNow = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// whenRoom returns a channel that is closed when it is worth trying again.
func (h *Hub) whenRoom(p *Publication) <-chan struct{} {
	t := h.lookup(p.Topic)
	if t == nil {
		return roomNow
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.hasRoom(cost(p)):
		return roomNow
	case t.inFlight > 0:
		if t.room == nil {
			t.room = make(chan struct{})
		}
		return t.room
	}
	h.roomMu.Lock()
	defer h.roomMu.Unlock()
	if h.inFlight.Load() < int64(h.o.InFlightTotalBytesMax) {
		return roomNow
	}
	if h.room == nil {
		h.room = make(chan struct{})
	}
	return h.room
}

// addInFlight moves the sum of what is in flight, and wakes those who wait for it to fall.
func (h *Hub) addInFlight(delta int64) {
	before := h.inFlight.Add(delta) - delta
	if delta > 0 || before < int64(h.o.InFlightTotalBytesMax) {
		return
	}
	h.roomMu.Lock()
	defer h.roomMu.Unlock()
	if h.room != nil {
		close(h.room)
		h.room = nil
	}
}

// envelopeBytes is about what an encoder writes around a payload.
const envelopeBytes = 64

// cost is about how many bytes a publication will take in its topic's ring: the encoding, and a payload that
// does not stand in it byte for byte once more.
func cost(p *Publication) int {
	n := len(p.Payload)
	switch p.Content {
	case Text:
		n *= 2
	case Binary:
		n += n/3*4 + 4
	}
	return n + len(p.Topic) + envelopeBytes + recordBytes + 8*len(p.Exclude)
}

// now is the time in Unix ms, which never falls: a resume by time would miss what a clock that was set back has stamped.
func (h *Hub) now() int64 {
	raise(&h.clock, h.o.Wall())
	return h.clock.Load()
}

// Epoch names this run of the sequence numbers.
func (h *Hub) Epoch() string { return h.o.Epoch }

// Stats is a snapshot of a hub's gauges.
type Stats struct {
	Topics        int64
	RingBytes     int64
	InFlightBytes int64
	Filters       int64  // different patterns that somebody is subscribed to
	TopicsEvicted uint64 // total: let go to make room for others
}

// Stats may be called from any goroutine.
func (h *Hub) Stats() Stats {
	return Stats{
		Topics: h.topics.Load(), RingBytes: h.ringBytes.Load(), InFlightBytes: h.inFlight.Load(),
		Filters: h.patterns.Load(), TopicsEvicted: h.evicted.Load(),
	}
}
