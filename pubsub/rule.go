package pubsub

// Mode says what a subscriber that is slow gets.
type Mode uint8

// The modes of a subscription.
const (
	ModeOfRule Mode = iota // what the topic's rule says
	ModeAll                // every message
	ModeLatest             // of each topic the newest
)

// SlowPolicy says what becomes of a reader of all messages whose backlog in a topic is past its bounds.
type SlowPolicy uint8

// The policies.
const (
	SlowGap    SlowPolicy = iota // the oldest of the backlog are dropped, told by a gap
	SlowLatest                   // all but the newest are dropped, told by a gap
	SlowClose                    // the sink is told: Sink.Overrun
)

// Rule is what holds of a topic. It is chosen once, when the topic is made, and shared by many: nobody changes it.
type Rule struct {
	// What is kept of the topic once every loop has taken it. Its newest message is kept longer.
	RetainMessagesMax int
	RetainBytesMax    int
	RetainMillisMax   int64
	// IdleMillis is after how long without subscribers and messages the topic goes, its newest message too.
	IdleMillis int64

	Mode  Mode // of subscriptions that name none; ModeOfRule is ModeAll
	NoAll bool // who asks for all is served the latest

	// The backlog of a reader of all messages past which Slow holds; 0 is what the ring keeps.
	Slow            SlowPolicy
	SlowMessagesMax int
	SlowBytesMax    int
	SlowMillisMax   int64

	Presence bool // who is subscribed can be asked for, and is told on $presence/<topic>
}

// mode is what a subscription that asked for m gets.
func (r *Rule) mode(m Mode) Mode {
	if m == ModeOfRule {
		m = r.Mode
	}
	if m == ModeLatest || r.NoAll {
		return ModeLatest
	}
	return ModeAll
}

// defaultRule is that of a hub whose options have no rules.
func (o *Options) defaultRule() *Rule {
	return &Rule{
		RetainMessagesMax: o.RetainMessagesMax, RetainBytesMax: o.RetainBytesMax, RetainMillisMax: o.RetainMillisMax,
		IdleMillis: o.TopicIdleMillis, Mode: ModeAll,
	}
}

// Terms are how a subscription is served.
type Terms struct {
	Mode        Mode
	EveryMillis int // at most one message of a topic in so many ms, 0 without bound; implies ModeLatest
}

// everyMantissas are the intervals of a decade, of which the first is 100 ms.
var everyMantissas = [...]int{100, 150, 200, 250, 300, 400, 500, 600, 800}

// everyMillisMax is the longest that a client may ask for, a day: it is not rounded above that.
const everyMillisMax = 86_400_000

// RoundEvery rounds an interval in milliseconds up to one that the server keeps: 10, 20 to 100 ms, then nine in each
// decade. So the subscribers of a topic have at most some sixty different intervals between them, each of which costs
// the topic a due time and an encoding, and those who have the same one are served together.
func RoundEvery(millis int) int {
	switch {
	case millis <= 0:
		return 0
	case millis <= 100:
		return (millis + 9) / 10 * 10
	}
	for decade := 1; ; decade *= 10 {
		for _, m := range everyMantissas {
			if every := m * decade; every >= millis {
				return min(every, max(millis, everyMillisMax))
			}
		}
	}
}

func (t Terms) normal() Terms {
	if t.EveryMillis = RoundEvery(t.EveryMillis); t.EveryMillis > 0 {
		t.Mode = ModeLatest
	}
	return t
}

// Since says where a subscriber left off.
type Since struct {
	Epoch string
	Seq   uint64            // of a topic: the newest that it has
	TS    int64             // of a pattern: Unix ms, itself included, for topics that Seqs does not name
	Seqs  map[string]uint64 // of a pattern
}

// Request asks for a subscription, or for other terms of one that stands.
type Request struct {
	Filter      string
	Terms       Terms
	Last        int    // so many of the newest kept messages of each topic come first
	SnapshotMax int    // a Last that brings more messages in all is refused with ErrSnapshot; 0 is no bound
	Since       *Since // what was published after it comes first; not together with Last
}

// Joined says where a subscription begins, and what holds of it.
type Joined struct {
	Epoch     string
	Seq       uint64 // of a topic: its newest; what comes live comes after it
	TS        int64  // of a pattern: what is published later is of this time or after, Unix ms. Who has seen nothing yet resumes from here
	Wild      bool   // the filter is a pattern
	Terms     Terms  // what holds: for a topic Mode is never ModeOfRule
	Recovered int8   // of Since: 1 all that was published since is on its way, 0 not; -1 where there was none
	Snapshot  int    // messages that Last brings
}
