package pubsub

import (
	"math/bits"
	"slices"
)

// chunk holds the encodings of consecutive messages of one topic and kind. What is written in its buffer never changes, so
// every loop may hand out sub-slices of it. It is appended to under the topic's lock; a reader uses only what it took under
// that lock.
type chunk struct {
	first uint64 // position of the first message
	buf   []byte // len grows up to the fixed cap
	ends  []uint32
}

// Sizes of a chunk's buffer. What loops take at once should stand in few, since each is a note on each subscriber; but of what
// is merely kept the part that is empty, or no longer wanted, should be small: a topic may have few messages a minute, for days.
const (
	chunkBytesMin = 256
	chunkBytesMax = 64 << 10 // also the size of a write, so that a whole chunk can be one
	chunkShare    = 4        // of what the log has, for the next chunk
	chunkEndsMax  = 64       // messages that a chunk has room for at first, were all as long as its first

	chunkBursts         = 4       // of what comes at once the next chunk has room for so many,
	chunkBurstsBytesMax = 8 << 10 // up to so much; of more for one
)

// newChunk returns one that begins with the frame at pos and has room for so many bytes.
func newChunk(pos uint64, frame []byte, size int) *chunk {
	size = max(size, len(frame))
	c := &chunk{first: pos, buf: make([]byte, 0, size), ends: make([]uint32, 0, min(size/max(len(frame), 1), chunkEndsMax))}
	c.add(frame)
	return c
}

func (c *chunk) next() uint64 { return c.first + uint64(len(c.ends)) }

func (c *chunk) add(frame []byte) {
	c.buf = append(c.buf, frame...)
	c.ends = append(c.ends, uint32(len(c.buf)))
}

// start is the offset at which message i of the chunk begins.
func (c *chunk) start(i int) uint32 {
	if i == 0 {
		return 0
	}
	return c.ends[i-1]
}

// encodedLog is one kind's encodings of a topic: chunks in order of position. The first kind's has every message that is
// kept; another's has holes where nobody wanted it yet. Guarded by the topic's lock.
type encodedLog struct {
	chunks []*chunk
	bytes  int64 // in the chunks, of which the first may have some that are no longer wanted
}

// at returns the place of the chunk that holds pos; if none does, the place where one would stand.
func (l *encodedLog) at(pos uint64) (i int, held bool) {
	i, _ = slices.BinarySearchFunc(l.chunks, pos, func(c *chunk, pos uint64) int {
		if c.next() <= pos {
			return -1
		}
		return 1
	})
	return i, i < len(l.chunks) && l.chunks[i].first <= pos
}

// add appends the encoding of the message at pos, which follows the last one held, and returns the
// shared copy. room is as for insert.
func (l *encodedLog) add(pos uint64, frame []byte, room int64) []byte {
	last := l.chunks[l.insert(len(l.chunks), pos, frame, room)]
	at := last.start(len(last.ends) - 1)
	return last.buf[at:len(last.buf):len(last.buf)]
}

// insert adds the encoding of the message at pos in front of the chunk at place i, and returns the place of the chunk
// that holds it: the one before, if it ends there and has space, or a new one. room is how many bytes are likely to come with
// the frame, itself among them.
func (l *encodedLog) insert(i int, pos uint64, frame []byte, room int64) int {
	follows := i == 0 || l.chunks[i-1].next() == pos
	if i > 0 && follows {
		if c := l.chunks[i-1]; len(c.buf)+len(frame) <= cap(c.buf) {
			c.add(frame)
			l.bytes += int64(len(frame))
			return i - 1
		}
	}
	size := max(chunkBytesMin, int(min(room, chunkBytesMax)))
	if follows && i == len(l.chunks) { // what comes next goes there as well; elsewhere holes begin and end
		size = max(l.share(), ceil2(size))
	}
	l.chunks = slices.Insert(l.chunks, i, newChunk(pos, frame, size))
	l.bytes += int64(len(frame))
	return i
}

// share is the part of the log that a chunk should be at most, where little comes at once.
func (l *encodedLog) share() int {
	return 1 << bits.Len(uint(min(l.bytes/chunkShare, chunkBytesMax))) >> 1
}

// ceil2 is the power of two that is n or the next above it.
func ceil2(n int) int { return 1 << bits.Len(uint(max(n, 1)-1)) }

// pack gives the chunk at place i a buffer of its size if it is mostly empty and nothing is likely to come. Pieces of it that
// readers have stay as they are.
func (l *encodedLog) pack(i int) {
	if c := l.chunks[i]; cap(c.buf) > 2*len(c.buf) {
		c.buf = append(make([]byte, 0, len(c.buf)), c.buf...)
	}
}

// drop forgets chunks that lie wholly below pos, and returns how many bytes they had.
func (l *encodedLog) drop(pos uint64) (bytes int64) {
	n := 0
	for ; n < len(l.chunks) && l.chunks[n].next() <= pos; n++ {
		bytes += int64(len(l.chunks[n].buf))
	}
	if n == 0 {
		return 0
	}
	m := copy(l.chunks, l.chunks[n:])
	clear(l.chunks[m:])
	l.chunks = l.chunks[:m]
	l.bytes -= bytes
	return bytes
}
