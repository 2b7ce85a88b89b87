package native

import "errors"

// ErrPush is a text that no server of this protocol sends.
var ErrPush = errors.New("native: not a text of the protocol")

// PushKind says what the server told.
type PushKind uint8

// The kinds of text that a server sends.
const (
	PushUnknown PushKind = iota // an op that this version does not know; to be ignored
	PushMessage
	PushOK
	PushError
	PushGap
	PushGoaway
	PushPong
	PushUnsubscribed
)

// Push is a text from the server. One value can be parsed into again and again; its slices alias the text given to
// ParsePush or memory of its own, and are valid until the next call or until that text changes. The strings in
// Results are copies.
type Push struct {
	Kind PushKind
	Raw  []byte // the text itself
	ID   []byte // raw JSON; nil if none

	Topic    []byte // decoded
	Seq      uint64
	Prev     uint64 // Seq-1 when the text does not say
	TS       int64  // Unix ms
	Content  Content
	Payload  []byte // JSON text as it came, or decoded text or bytes
	From, To uint64 // of a gap
	Reason   []byte // of a gap

	Code, Message    []byte
	RetryAfterMs     int
	ReconnectAfterMs int // of a goaway

	Epoch, Client []byte
	Results       []TopicResult

	scratch []byte
}
