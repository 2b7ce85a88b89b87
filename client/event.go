package client

import (
	"time"
)

// Kind says what an Event is.
type Kind uint8

const (
	// Message is one publication on one topic.
	Message Kind = iota + 1
	// Gap tells of messages that this client will not get.
	Gap
	// State tells that the connection was lost, is about to be tried again, or stands.
	State
	// Goaway tells that the server is about to close, and asks for a wait of
	// RetryIn before the next connection, which the client keeps by itself.
	Goaway
	// Unsubscribed tells that the subscription to Topic has ended without being
	// asked to; Err says why.
	Unsubscribed
	// Fault is an error from the server that belongs to no request.
	Fault
)

// Content says what a message's payload is.
type Content uint8

const (
	// JSON is a JSON value, byte for byte as it was published.
	JSON Content = iota
	// Text is UTF-8 text that need not be JSON.
	Text
	// Binary is any bytes.
	Binary
)

// ConnState is the connection's state.
type ConnState uint8

const (
	// Connected says that the connection stands; subscriptions are being renewed.
	Connected ConnState = iota + 1
	// Disconnected says that the connection is lost; Err says how.
	Disconnected
	// Reconnecting says that the next attempt is made after RetryIn.
	Reconnecting
)

// String returns the state's name in lower case.
func (s ConnState) String() string {
	switch s {
	case Connected:
		return "connected"
	case Disconnected:
		return "disconnected"
	case Reconnecting:
		return "reconnecting"
	}
	return "unknown"
}

// Reasons of a gap that the client finds by itself; those that the server gives are
// slow, expired and excluded.
const (
	// ReasonReconnect: published while there was no connection, and the server does
	// not have it any more, or has begun anew.
	ReasonReconnect = "reconnect"
	// ReasonLost: a sequence number was skipped on a standing connection. Of a pattern that
	// takes in topics with different rules, some may say that messages are passed over, which
	// counts as lost: name a Mode there.
	ReasonLost = "lost"
)

// Event is one thing that happened, in the order in which it happened. Its slices
// belong to the receiver.
type Event struct {
	Kind Kind

	// Topic of a message, or the topic or filter of a gap or of Unsubscribed.
	Topic string

	// Epoch is the one that a message or a gap counts in, "" where the server has named none.
	Epoch string

	// Of a message. Prev is the seq of the message before it on its topic.
	Seq, Prev uint64
	Time      time.Time
	Content   Content
	Payload   []byte

	// Of a gap: both ends are included. Both are 0 where nobody can know how many
	// are missing, because counting has begun anew (another epoch); what the server
	// still has comes behind it.
	From, To uint64
	Reason   string
	after    uint64 // of one that says 0 and 0: a topic is counted after it, those of a pattern begin at that time, Unix ms

	// Of State and Goaway.
	State   ConnState
	RetryIn time.Duration
	Err     error

	// Raw is the frame as the server sent it, nil where there was none.
	Raw []byte
}

// bytes is what the event weighs in the queue: its memory, roughly.
func (e *Event) bytes() int {
	n := 128 + len(e.Topic) + len(e.Raw)
	if e.Content != JSON {
		n += len(e.Payload)
	}
	return n
}
