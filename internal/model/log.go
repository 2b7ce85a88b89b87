package model

import (
	"math"
	"slices"
)

// Message is one publication.
type Message struct {
	Topic     string
	Seq, Prev uint64 // Prev is the number before it, Seq-1 mostly; 0 says that it follows nothing
	TS        int64  // Unix ms; 0 as long as nobody has seen it
	Payload   string
	Excluded  []uint64 // clients that do not get it

	Span        // when it was published
	Nanos int64 // when, on the clock of intervals

	after uint64 // the number of the message before it that was ever published
	back  bool   // numbers between after and this one were never given out: the topic went away and came back
}

func (m *Message) excludes(client uint64) bool { return slices.Contains(m.Excluded, client) }

// Span is from when to when something took place, on a clock that ticks with every event of a test. A test in
// which one thing follows another gives both ends the same tick.
type Span struct{ Began, Done int64 }

// At is a span of one tick.
func At(tick int64) Span { return Span{tick, tick} }

// Always is a span of which nothing is known.
var Always = Span{math.MinInt64, math.MaxInt64}

// Rule is what the configuration has for a topic.
type Rule struct {
	Latest bool // the mode of subscriptions that name none
	NoAll  bool // all is not to be had
}

// Log is all that was ever published. Epoch and the functions are set before it is used.
type Log struct {
	Epoch  string
	RuleOf func(topic string) Rule
	Gone   func(m *Message) bool // whether a message may by now no longer be kept for slow readers
	Nanos  func() int64          // the clock of intervals
	Slack  int64                 // ns by which a message may come before its interval is over, or after

	topics map[string]*topic
	names  []string // in the order of their first message
}

type topic struct {
	messages []*Message
	told     uint64 // the highest number that an answer spoke of
}

// NewLog returns an empty log: everything is kept, and all is what subscriptions without a mode get.
func NewLog(epoch string) *Log {
	return &Log{
		Epoch: epoch, RuleOf: func(string) Rule { return Rule{} }, Gone: func(*Message) bool { return false },
		Nanos: func() int64 { return 0 }, topics: make(map[string]*topic),
	}
}

func (l *Log) topic(name string) *topic {
	t := l.topics[name]
	if t == nil {
		t = &topic{}
		l.topics[name] = t
		l.names = append(l.names, name)
	}
	return t
}

// Add takes a publication, of each topic in the order of its numbers.
func (l *Log) Add(m *Message) error {
	t := l.topic(m.Topic)
	newest := t.newest()
	m.after = newest.seq()
	m.back = m.Prev != m.after || m.after == 0 && m.Seq > 1
	switch {
	case m.Seq <= t.told, m.Seq <= m.after:
		return fault(ErrNumber, "%s %d was published; the topic had reached %d", m.Topic, m.Seq, max(t.told, m.after))
	case m.Prev >= m.Seq, m.Prev < m.after && m.Prev != 0:
		return fault(ErrNumber, "%s %d says that %d is before it; it was %d", m.Topic, m.Seq, m.Prev, m.after)
	case newest != nil && m.TS != 0 && m.TS < newest.TS:
		return fault(ErrNumber, "%s %d is of %d ms, the one before of %d", m.Topic, m.Seq, m.TS, newest.TS)
	}
	t.messages = append(t.messages, m)
	return nil
}

// Topics are the names of all topics that were ever published to.
func (l *Log) Topics() []string { return l.names }

// Newest is a topic's newest number, 0 if there is none.
func (l *Log) Newest(name string) uint64 { return l.topic(name).newest().seq() }

func (t *topic) newest() *Message {
	if len(t.messages) == 0 {
		return nil
	}
	return t.messages[len(t.messages)-1]
}

func (m *Message) seq() uint64 {
	if m == nil {
		return 0
	}
	return m.Seq
}

// index is where in messages the first one above seq stands.
func (t *topic) index(seq uint64) int {
	i, found := slices.BinarySearchFunc(t.messages, seq, func(m *Message, seq uint64) int {
		switch {
		case m.Seq < seq:
			return -1
		case m.Seq > seq:
			return 1
		}
		return 0
	})
	if found {
		i++
	}
	return i
}

// above are the messages after seq up to to.
func (t *topic) above(seq, to uint64) []*Message {
	i, j := t.index(seq), t.index(to)
	return t.messages[i:max(i, j)]
}

func (t *topic) find(seq uint64) *Message {
	if i := t.index(seq); i > 0 && t.messages[i-1].Seq == seq {
		return t.messages[i-1]
	}
	return nil
}

// heads are the numbers that may have been the topic's newest during a span, rising.
func (t *topic) heads(during Span) []uint64 {
	heads := []uint64{0}
	for _, m := range t.messages {
		switch {
		case m.Done < during.Began:
			heads = []uint64{m.Seq} // what was done before it began is below its head
		case m.Began < during.Done:
			heads = append(heads, m.Seq)
		}
	}
	return heads
}

// limit says that a number is one up to which a notice may speak: that of a message, or the one before a
// message, or the head that an answer told of.
func (t *topic) limit(seq uint64) bool {
	if seq == t.told || t.find(seq) != nil {
		return true
	}
	i := t.index(seq)
	return i < len(t.messages) && (t.messages[i].Prev == seq || t.messages[i].back && t.messages[i].Seq == seq+1)
}

// whole says that between two numbers the topic did not go away and come back with a higher one.
func (t *topic) whole(from, to uint64) bool {
	return !slices.ContainsFunc(t.above(from, to), func(m *Message) bool { return m.back })
}

// vacant says that numbers from..to were never given out: the topic went away, and has come back above them or
// not yet.
func (t *topic) vacant(from, to uint64) bool {
	i := t.index(to)
	return len(t.above(from-min(from, 1), to)) == 0 && (i == len(t.messages) || t.messages[i].back)
}

// Before is the number of the message before one.
func (l *Log) Before(topic string, seq uint64) uint64 { return l.topic(topic).find(seq).after }

// NumberOf finds a message by its payload, which no other of its topic has; 0 is none.
func (l *Log) NumberOf(topic, payload string) (seq, prev uint64) {
	for _, m := range l.topic(topic).messages {
		if m.Payload == payload {
			return m.Seq, m.Prev
		}
	}
	return 0, 0
}
