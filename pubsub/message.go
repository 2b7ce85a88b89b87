package pubsub

import (
	"errors"
	"slices"
)

// Content says which of the payload's three forms a message carries.
type Content uint8

// The forms of a payload.
const (
	JSON   Content = iota // valid JSON in valid UTF-8, kept byte for byte
	Text                  // valid UTF-8 that is not JSON
	Binary                // any bytes
)

// ClientID names one connection of this process: its loop, its handle there and the handle's
// generation. It is computed, never stored with the connection. 0 is no client.
type ClientID uint64

// Publication is what a publisher hands in.
type Publication struct {
	Topic   string
	Content Content
	Payload []byte // the caller's; Publish copies it

	Origin  ClientID   // the publishing client, 0 if it is none
	NoEcho  bool       // Origin does not get its own message
	Exclude []ClientID // clients that do not get the message; the slice itself is kept and must not change
}

// Receipt says where a publication went.
type Receipt struct {
	Epoch string
	Seq   uint64
}

// Message is one message as encoders see it, for the call only. The payload is shared and immutable.
type Message struct {
	Topic     string
	Seq, Prev uint64 // Prev is the topic's previous sequence number, Seq-1 unless a broker skips
	TS        int64  // Unix milliseconds at the server, never falling within a topic
	Content   Content
	Payload   []byte
}

// Kind is an index into Options.Encoders: the encoding in which a subscriber is served.
type Kind uint8

// KindsMax bounds Options.Encoders.
const KindsMax = 4

// Encoder turns messages into the bytes of one kind of subscriber. Its methods run on any goroutine, on
// several at once, and under a topic's lock, so they must be quick and must not call back into the hub.
type Encoder interface {
	// AppendMessage appends the encoding of m. payloadAt is where in the result the payload stands
	// byte for byte, or -1 if it does not: the ring then keeps a copy of its own.
	AppendMessage(dst []byte, m *Message) (out []byte, payloadAt int)
	// AppendGap appends the notice that the messages from..to, both included, will not come.
	// ok is false where the encoding has no way to say so.
	AppendGap(dst []byte, topic string, from, to uint64, reason Reason) (out []byte, ok bool)
}

// Reason says why messages are missing; the text is what clients see.
type Reason string

// The reasons of a gap.
const (
	ReasonSlow     Reason = "slow"     // the reader fell behind what the ring keeps, or its rule allows
	ReasonExpired  Reason = "expired"  // published since the reader left, and no longer kept
	ReasonExcluded Reason = "excluded" // the publisher left this client out
)

// Errors of Publish and Subscribe.
var (
	ErrBadTopic      = errors.New("pubsub: not a topic name")
	ErrReservedTopic = errors.New("pubsub: names that begin with $ are the server's own")
	ErrTooManyTopics = errors.New("pubsub: the server holds as many topics as it may")
	ErrFull          = errors.New("pubsub: the rings hold as much as they may, all for topics with subscribers")
	ErrNoRoom        = errors.New("pubsub: the topic's loops have not yet taken what is in flight")
	ErrTooManySubs   = errors.New("pubsub: the client has as many subscriptions as it may")
	ErrSnapshot      = errors.New("pubsub: the snapshot holds more messages than may be asked for")
)

// ErrBusy says that subscribing to patterns has cost the loop as much as it may for now.
var ErrBusy = errors.New("pubsub: subscriptions to patterns have looked at as many topics as they may for now")

// exclusion is what the ring keeps of a publication's Origin and Exclude where somebody is left out.
type exclusion struct {
	clients []ClientID
}

func (p *Publication) exclusion() *exclusion {
	clients := p.Exclude
	if p.NoEcho && p.Origin != 0 {
		clients = append(slices.Clone(p.Exclude), p.Origin)
	}
	if len(clients) == 0 {
		return nil
	}
	return &exclusion{clients: clients}
}

// bytes is what an exclusion costs the ring; e may be nil.
func (e *exclusion) bytes() int {
	if e == nil {
		return 0
	}
	return 32 + 8*len(e.clients)
}

func (e *exclusion) has(id ClientID) bool { return slices.Contains(e.clients, id) }
