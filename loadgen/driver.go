package loadgen

// eventKind says what a driver read.
type eventKind uint8

const (
	evNothing    eventKind = iota // to be ignored
	evMessage                     // a message of a topic
	evFrame                       // a payload as it came (echo)
	evSubscribed                  // the answer to the subscription
	evGap                         // messages that will not come
	evPing
	evClose     // the server closes; code and text say why
	evRefused   // a request of ours was refused
	evPublished // the barrier behind the publications, or one behind a subscription, was answered
	evUnread    // a text that makes no sense; text says why
	evBroken    // bytes that break the protocol: the connection is of no more use
)

// event is what a driver read. One value is used again and again; slices alias the bytes read.
type event struct {
	kind      eventKind
	damaged   bool // the payload is not what the publisher sends
	inner     bool // of evPing: one of the protocol inside the WebSocket
	topic     int  // -1: none of ours
	seq, prev uint64
	planned   int64 // Unix ns that the payload carries; 0: none
	from, to  uint64
	payload   []byte
	code      int
	text      string
	counted   bool // evPublished says how many were accepted; text, why the others were not
	accepted  uint64
	acks      []ack
}

// ack is the answer to the subscription of one topic.
type ack struct {
	topic  int
	seq    uint64 // newest at that time
	hasSeq bool
	fault  string // why it was refused
}

// driver speaks one server's protocol on one kind of connection: bytes in, events out. It does no I/O, knows no
// connection but by its number, and belongs to one loop.
type driver interface {
	// appendOpen appends the first bytes of a connection.
	appendOpen(dst []byte, conn int) []byte
	// opened reads one answer to them, the one after stage others. n is what it took, 0 means that it needs more bytes. out is
	// dst with what is to be sent now. done: the connection may be used.
	opened(src []byte, conn, stage int, dst []byte) (n int, out []byte, done bool, err error)
	// appendSubscribe appends a request for topics. It is answered by evSubscribed, which names them, or by as many
	// evPublished as answers says; with none of either it counts as granted at once.
	appendSubscribe(dst []byte, topics []int) (out []byte, answers int)
	// appendPublish appends a message of the planned instant (Unix ns).
	appendPublish(dst []byte, topic int, planned int64) []byte
	// appendFinish ends the stream of publications. reply: evPublished will come when the server dealt with all of them.
	appendFinish(dst []byte) (out []byte, reply bool)
	// next reads one event from src into ev; n is what it took, 0 means that it needs more bytes.
	next(src []byte, ev *event) (n int)
	// appendReply answers evPing and evClose.
	appendReply(dst []byte, ev *event) []byte
	// appendClose says goodbye.
	appendClose(dst []byte) []byte
	// eof is next for a connection that ended with src unread.
	eof(src []byte, ev *event)
}
