package pubsub

import "sync"

// record is what a topic keeps of one message beside its encodings.
type record struct {
	seq, prev uint64
	ts        int64
	kept      int64  // since when, on Options.Steady
	payload   []byte // shared bytes, mostly a part of the first kind's encoding
	exclude   *exclusion
	size      uint32 // bytes of the ring that count for its bounds
	content   Content
}

// appendTo appends a kind's encoding of the record, a message of that topic.
func (r *record) appendTo(dst []byte, e Encoder, topic string) ([]byte, int) {
	m := messages.Get().(*Message)
	*m = Message{Topic: topic, Seq: r.seq, Prev: r.prev, TS: r.ts, Content: r.content, Payload: r.payload}
	dst, payloadAt := e.AppendMessage(dst, m)
	*m = Message{}
	messages.Put(m)
	return dst, payloadAt
}

// messages spares an allocation a message: what goes through an interface escapes.
var messages = sync.Pool{New: func() any { return new(Message) }}

// recordBytes is what a message costs the ring beside its encoding.
const recordBytes = 80

// ring keeps the records of positions tail to head-1 in a circular buffer that doubles as needed.
// Its owner bounds it. Guarded by the topic's lock.
type ring struct {
	slots      []record // length zero or a power of two
	tail, head uint64
	bytes      int64 // sum of the records' sizes
}

func (r *ring) len() int { return int(r.head - r.tail) }

func (r *ring) at(pos uint64) *record { return &r.slots[pos&uint64(len(r.slots)-1)] }

func (r *ring) push(rec record) {
	if r.len() == len(r.slots) {
		r.resize(max(1, 2*len(r.slots)))
	}
	*r.at(r.head) = rec
	r.head++
	r.bytes += int64(rec.size)
}

func (r *ring) pop() {
	rec := r.at(r.tail)
	r.bytes -= int64(rec.size)
	*rec = record{}
	r.tail++
}

func (r *ring) resize(n int) {
	old := *r
	r.slots = make([]record, n)
	for pos := r.tail; pos < r.head; pos++ {
		*r.at(pos) = *old.at(pos)
	}
}
