package admin

import "context"

// Views is what can be looked at of a running server, and the one thing that can be done about it. No method holds an
// event loop for long, or takes a lock on a connection; those with a context wait for loops, and say by a Fault
// (unavailable) that one has not answered in time. What a caller asked for wrongly is a Fault too.
type Views interface {
	// Topics returns a page of topics by name; more says that others follow the last one.
	Topics(q *TopicQuery) (page []Topic, more bool, err error)

	// Topic returns one topic, with who is on it where the topic's rule says that this is known.
	Topic(name string) (Topic, error)

	// Clients returns a page of the clients that are connected.
	Clients(ctx context.Context, q *ClientQuery) (ClientPage, error)

	// Client returns one client with what it is subscribed to.
	Client(ctx context.Context, id string) (ClientDetail, error)

	// Kick closes a client's connection with 4003.
	Kick(ctx context.Context, id string) error

	// Lag says how far those are behind who are.
	Lag() Lag
}

// TopicQuery says which topics a page is to hold.
type TopicQuery struct {
	After  string // the page begins behind this name
	Filter string // "" for all
	Limit  int
}

// Topic is a topic as it stands.
type Topic struct {
	Name          string
	Epoch         string
	Seq           uint64
	Subscribers   int // by its name; those by patterns do not count
	RatePerSecond float64
	Messages      int   // kept
	Bytes         int64 // of memory that they take
	UsedMillis    int64 // Unix ms of the last publication or change of subscribers

	Last     *Last     // the newest message, nil if there is none
	Presence *Presence // of Views.Topic; nil where the topic's rule has it off
}

// Last is a topic's newest message. The payload is shared and does not change.
type Last struct {
	Seq      uint64
	TSMillis int64
	Content  byte // ContentJSON, ContentText or ContentBinary
	Payload  []byte
}

// Presence is who subscribes to a topic by its name.
type Presence struct {
	Count   int
	Clients []string // fewer than Count where there are many
}

// ClientQuery says which clients a page is to hold.
type ClientQuery struct {
	After     string // "", a client's id or what ClientPage.Next said: the page begins behind it
	Filter    string // those with a subscription to exactly this; "" for all
	Lagging   bool   // those that are behind
	ByBacklog bool   // those furthest behind first: all there is, in one page
	Limit     int
}

// ClientPage is some of the clients. There may be fewer than asked for, and none, although others follow.
type ClientPage struct {
	Clients []Client `json:"clients"`
	Next    string   `json:"next,omitempty"` // "" at the end
}

// Client is a connection as it stands.
type Client struct {
	ID            string  `json:"client"`
	Address       string  `json:"address,omitempty"`
	Protocol      string  `json:"protocol"`
	SinceMillis   int64   `json:"since,omitempty"` // Unix ms, to about a second; 0 where it is not known
	Subscriptions int     `json:"subscriptions"`
	Backlog       Backlog `json:"backlog"`
	WaitingBytes  int     `json:"waiting_bytes"` // sent, or about to be, and not acknowledged
	ReceivedBytes uint64  `json:"received_bytes"`
	SentBytes     uint64  `json:"sent_bytes"` // acknowledged
	RTTMillis     float64 `json:"rtt_ms"`
}

// Backlog is what a client has yet to be sent.
type Backlog struct {
	Topics   int    `json:"topics"`
	Messages int    `json:"messages"`
	Millis   int64  `json:"ms"`            // age of the oldest
	Why      string `json:"why,omitempty"` // one of Why…; "" if it is not behind
}

// Why a client is behind.
const (
	WhyNotReading = "not_reading" // its program does not take what has arrived there
	WhyNetwork    = "network"     // bytes are under way to it, and its kernel's or ours is full
	WhyCatchingUp = "catching_up" // it could take more: it is being sent what it missed or asked for
)

// ClientDetail is a client with what it is subscribed to.
type ClientDetail struct {
	Client

	Filters   []Subscription `json:"filters"`
	Truncated bool           `json:"truncated,omitempty"` // there are more
}

// Subscription is one filter of a client, and how it is served.
type Subscription struct {
	Filter      string `json:"filter"`
	Mode        string `json:"mode,omitempty"`  // "all" or "latest"; "" where each topic's rule decides
	EveryMillis int    `json:"every,omitempty"` // 0 without
}

// Lag sums up those who are behind.
type Lag struct {
	Subscribers int64
	Messages    int64 // that all of them together have yet to be sent
	MessagesMax int64 // of one of them
	MillisMax   int64 // age of the oldest message that one of them is owed
}
