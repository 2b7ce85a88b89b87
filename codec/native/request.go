package native

// Op is what a client asks for.
type Op uint8

// The requests of the protocol.
const (
	OpNone Op = iota // not known, or not known yet when the request turned out to be bad
	OpSubscribe
	OpUnsubscribe
	OpPublish
	OpAuth
	OpPresence
	OpList
	OpPing
)

// Mode says what a subscriber that is slow gets.
type Mode uint8

// The modes of a subscription.
const (
	ModeAll    Mode = iota // every message
	ModeLatest             // of each topic the newest
)

// Option is a set of the options that stand in a TopicRequest.
type Option uint8

// The options of a subscription.
const (
	HasLast      Option = 1 << iota
	HasSince            // in the form for a topic: SinceEpoch, SinceSeq
	HasSinceTime        // in the form for a pattern: SinceEpoch, SinceTS, SinceSeqs
	HasMode
	HasEvery
)

// Bounds of what a request may say.
const (
	IDBytesMax     = 64 // of an id, without the quotes of a string
	EveryMsMin     = 10
	EveryMsMax     = 24 * 60 * 60 * 1000 // a day
	SinceTopicsMax = 65536               // that one since names
)

// TopicRequest is one entry of a request's topics.
type TopicRequest struct {
	Topic []byte // decoded; not checked against the rules of topics
	Has   Option

	Last        int // 0 is none; not together with since
	SinceEpoch  []byte
	SinceSeq    uint64
	SinceTS     int64  // Unix ms
	SinceSeqs   []byte // raw JSON object of seqs by topic, nil if none; EachSeq and SeqsByTopic read it
	SinceTopics int    // how many members SinceSeqs has
	Mode        Mode
	EveryMs     int // implies ModeLatest; never together with ModeAll said

	Err *Error // this entry alone is bad; Topic is set
}

// Request is what a client asks. One value can be parsed into again and again; its slices alias the text given to
// ParseRequest or memory of its own, and are valid until the next call or until that text changes.
type Request struct {
	Op Op
	ID []byte // raw JSON as it came; nil if none

	Topics []TopicRequest // subscribe, unsubscribe
	Topic  []byte         // publish, presence; decoded

	Content Content // publish
	Payload []byte  // publish: JSON text as it came, or decoded text or bytes; nil or not when empty
	NoEcho  bool    // publish

	Token []byte // auth

	scratch []byte // decoded strings
}
