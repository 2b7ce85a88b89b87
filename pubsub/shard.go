package pubsub

import (
	"github.com/megawire/megawire/internal/slab"
)

// SubscriberID names a subscriber of one shard. 0 is none.
type SubscriberID uint32

// Sink takes the bytes that a shard has for its subscribers. It is called on the shard's loop, during Turn, Subscribe and
// Unsubscribe, and must not call the shard from within.
type Sink interface {
	// Write sends p, which holds whole frames, and returns how many bytes were taken. If fewer than
	// all, the shard calls Rest at once and then leaves the subscriber alone until Drained. p is good
	// for the call only. A connection that has failed takes everything.
	Write(owner uint32, p []byte) int
	// Rest hands over what is left of the frame that was under way: shared bytes that do not change,
	// possibly none. The sink sends them before anything else and then calls Drained.
	Rest(owner uint32, rest []byte)
	// Overrun says that the subscriber lost messages and its kind has no way to tell it so.
	Overrun(owner uint32)
	// Client is the identity of the owner, to hold against exclusions.
	Client(owner uint32) ClientID
}

// Shard is one loop's subscribers, and what it has taken of the topics they want. All its methods
// belong to that loop.
type Shard struct {
	hub     *Hub
	sink    Sink
	mailbox mailbox

	subscribers   slab.Slab[subscriber]
	subscriptions slab.Slab[subscription]
	rolls         slab.Slab[roll]
	holes         map[uint32][]uint32 // entries of rolls that were removed while a walk was under way; few at any time
	locals        slab.Slab[local]
	byName        map[string]uint32 // to locals, of a topic that went away and came back to the newest
	patterns      slab.Slab[pattern]
	byFilter      map[string]uint32            // to patterns
	crowded       map[uint32]map[uint32]uint32 // subscriber to owner to subscription, for those with many

	spans  slab.Slab[span]
	blocks slab.Slab[noteBlock]
	lags   slab.Slab[lag]

	pending   fifo[*link]  // dirty links not yet taken
	leftover  fifo[*link]  // dirty links of which more is to be taken in the next turn
	encodings int          // of kinds that take long, by the last take
	walks     fifo[*walk]  // begun and not done, the first under way
	walksFree []*walk      // for reuse
	queue     fifo[uint32] // subscribers with something to write
	lost      int          // locals whose topic has expired, and of which somebody is still owed something
	recent    uint32       // of the locals that know patterns the one with the latest news
	timers    timers       // what is due later, for subscribers with an interval
	asides    asides       // those who do not go with the others of their interval
	budget    budget
	retired   fifo[uint32] // patterns without subscribers, whose locals have yet to know
	scratch   []byte       // where several pieces become one write
	pieces    []piece
	every     looks

	counts Counts
}

// Counts are a shard's totals since its start, and two gauges. Its loop keeps them.
type Counts struct {
	Deliveries  uint64 // messages handed to the sink whole
	Batches     uint64 // runs of messages taken from topics
	Writes      uint64 // calls of Sink.Write
	Short       uint64 // of which were not taken whole
	Gaps        uint64 // notices of missing messages, by slowness
	GapMessages uint64 // messages they spoke of
	Excluded    uint64 // messages a publisher left a subscriber out of
	Conflated   uint64 // messages passed over for newer ones, for subscribers of the latest or with an interval
	Overruns    uint64 // subscribers that could not be told of a gap

	Subscriptions int64 // gauge
	Lagging       int64 // gauge: subscribers with a lag record
}

// subscriber is one session's place in a shard: 32 bytes, without pointers.
type subscriber struct {
	owner  uint32 // the sink's name for it
	first  uint32 // its subscriptions
	count  uint32
	note   uint32 // the first span noted on it; further ones hang on more
	more   uint32 // the last of a ring of note blocks
	lag    uint32 // its lag record, while it has one
	notes  uint16
	taken  uint8 // how many notes of the first block have been the first already
	kind   Kind
	queued bool // stands in the shard's queue; survives the subscriber, as its place there does

	blocked bool // the sink has not said Drained
	live    bool
	wild    bool // has a subscription to a pattern
}

// crowd is from how many subscriptions on a subscriber's are found by a map.
const crowd = 48

// NewShard returns a shard of the hub. wake must arrange that the loop calls Turn soon; it is called
// from any goroutine, and may be called more often than turns are taken.
func (h *Hub) NewShard(sink Sink, wake func()) *Shard {
	return &Shard{
		hub: h, sink: sink, mailbox: mailbox{wake: wake},
		holes: make(map[uint32][]uint32), byName: make(map[string]uint32), byFilter: make(map[string]uint32), crowded: make(map[uint32]map[uint32]uint32),
		budget: newBudget(h.o.Clock()), asides: asides{of: make(map[uint32]map[uint32]aside)},
		scratch: make([]byte, 0, writeBytesMax), every: usualLooks,
	}
}

// NewSubscriber adds a subscriber that the sink knows as owner.
func (s *Shard) NewSubscriber(owner uint32, kind Kind) SubscriberID {
	id := s.subscribers.New()
	u := s.subscribers.At(id)
	*u = subscriber{owner: owner, kind: kind, live: true, queued: u.queued}
	return SubscriberID(id)
}

// Remove ends a subscriber with all it has.
func (s *Shard) Remove(id SubscriberID) {
	u := s.subscribers.At(uint32(id))
	s.forgetMarks(uint32(id), u)
	s.forgetNotes(u)
	s.asides.dropSubscriber(uint32(id))
	for u.first != 0 {
		s.drop(u.first)
	}
	*u = subscriber{queued: u.queued}
	s.subscribers.FreeAsIs(uint32(id))
}

// Counts is a copy of the shard's counts.
func (s *Shard) Counts() Counts {
	c := s.counts
	c.Subscriptions, c.Lagging = int64(s.subscriptions.Len()), int64(s.lags.Len())
	return c
}

// Lagging reports whether the subscriber is being caught up from the rings.
func (s *Shard) Lagging(id SubscriberID) bool { return s.subscribers.At(uint32(id)).lag != 0 }
