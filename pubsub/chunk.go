package pubsub

// chunk holds the encodings of consecutive messages of one topic and kind. Its buffer never moves and
// what is written never changes, so every loop may hand out sub-slices of it. It is appended to under
// the topic's lock; a reader uses only what it took under that lock.
type chunk struct {
	first uint64 // position of the first message
	buf   []byte // len grows up to the fixed cap
	ends  []uint32
}

// Sizes of a chunk's buffer. A topic begins with a small one and doubles.
const (
	chunkBytesMin = 256
	chunkBytesMax = 64 << 10 // also the size of a write, so that a whole chunk can be one
)

func (c *chunk) next() uint64 { return c.first + uint64(len(c.ends)) }

func (c *chunk) add(frame []byte) (at int) {
	at = len(c.buf)
	c.buf = append(c.buf, frame...)
	c.ends = append(c.ends, uint32(len(c.buf)))
	return at
}

// start is the offset at which message i of the chunk begins.
func (c *chunk) start(i int) uint32 {
	if i == 0 {
		return 0
	}
	return c.ends[i-1]
}

// encodedLog is one kind's encodings of a topic: chunks in order of position, without holes.
// Guarded by the topic's lock.
type encodedLog struct {
	chunks []*chunk
}

// span returns the positions held; from == to when nothing is.
func (l *encodedLog) span() (from, to uint64) {
	if len(l.chunks) == 0 {
		return 0, 0
	}
	return l.chunks[0].first, l.chunks[len(l.chunks)-1].next()
}

// add appends the encoding of the message at pos, which follows the last one held, and returns the
// shared copy.
func (l *encodedLog) add(pos uint64, frame []byte) []byte {
	var c *chunk
	size := chunkBytesMin
	if n := len(l.chunks); n > 0 {
		c = l.chunks[n-1]
		size = min(2*cap(c.buf), chunkBytesMax)
	}
	if c == nil || len(c.buf)+len(frame) > cap(c.buf) {
		c = &chunk{first: pos, buf: make([]byte, 0, max(size, len(frame)))}
		l.chunks = append(l.chunks, c)
	}
	at := c.add(frame)
	return c.buf[at:len(c.buf):len(c.buf)]
}

// drop forgets chunks that lie wholly below pos.
func (l *encodedLog) drop(pos uint64) {
	n := 0
	for n < len(l.chunks) && l.chunks[n].next() <= pos {
		n++
	}
	if n == 0 {
		return
	}
	m := copy(l.chunks, l.chunks[n:])
	clear(l.chunks[m:])
	l.chunks = l.chunks[:m]
}
