package protocol

import (
	"github.com/megawire/megawire/codec/http1"
	"github.com/megawire/megawire/codec/ws"
	"github.com/megawire/megawire/pubsub"
)

// Protocol is the seam between a server's connections and one client protocol. Its methods are called on
// the connection's loop; bytes handed in are good for the call only.
type Protocol interface {
	// Open judges the request of a connection that is about to be upgraded and makes the
	// subscriptions its URL asks for. With an error the upgrade is refused.
	Open(p Peer, r *http1.Request) *http1.Error
	// Message handles one whole message; text has been found to be UTF-8.
	Message(p Peer, op ws.Opcode, payload []byte)
	// Goaway appends what tells the client, in frames, that the server drains and when to come back, or
	// nothing; and gives the reason for the close frame that follows.
	Goaway(dst []byte, reconnectAfterMillis int) (frames []byte, reason string)
}

// Published takes a broker's answer that came after Peer.Publish had returned.
type Published func(p Peer, r pubsub.Receipt, err error)

// Peer is one connection as its protocol sees it. It is good for the call it was handed to.
//
// A subscription outlives nothing yet: a session ends with its connection. Sessions that resume will
// keep their subscriber and hand it from one Peer to the next.
type Peer interface {
	// ID is the connection's identity, for exclusions; ClientID is its text, as clients see it.
	ID() pubsub.ClientID
	ClientID() string
	// Reply sends one or more whole frames ahead of data. They are copied where they have to wait.
	Reply(frames []byte)
	// Close begins the close handshake; nothing is read afterwards.
	Close(code ws.CloseCode, reason string)
	// Admit counts a message against what the client may send a second. It returns 0, or after how many ms the client may
	// send again: then the message is not to be acted on, and the client to be told.
	Admit() (retryAfterMillis int)
	// Charge counts so many messages more, for one that is as much work as they are.
	Charge(messages int)
	// Refused counts an error that the client is told of, by its code.
	Refused(code string)
	// Deflates reports whether frames for the client may be compressed (RFC 7692).
	Deflates() bool
	// State is a word of the protocol's own, zero in Open.
	State() *uint32

	// Subscribe, Unsubscribe and what follows are about this connection. A filter whose topics it may not read
	// gives ErrForbidden. The request and its Since are the caller's again on return; Since.Seqs must not change
	// afterwards.
	Subscribe(r *pubsub.Request) (pubsub.Joined, error)
	Unsubscribe(filter string) bool
	Subscriptions(yield func(filter string, at pubsub.Joined))
	Topics(yield func(filter string)) // Subscriptions by name alone, at no cost
	// Presence tells who has exactly this topic: count clients, and the ids of limit of them at most. It takes the
	// right to subscribe to the topic; ErrNoPresence says that its rule has presence off.
	Presence(topic string, limit int) (clients []string, count int, err error)
	// Publish publishes in the connection's name; m is the caller's again when it returns. Where the broker
	// answers later it calls later and returns pubsub.ErrPending; what later returned is then called on the
	// connection's loop, unless the connection is gone by then. So a publication that is decided on the spot,
	// which is what most are, makes no garbage.
	Publish(m *pubsub.Publication, later func() Published) (pubsub.Receipt, error)
}
