package pubsub

import (
	"math/bits"
	"slices"
)

// chunk holds the encodings of consecutive messages of one topic and kind. Its buffer never moves and
// what is written never changes, so every loop may hand out sub-slices of it. It is appended to under
// the topic's lock; a reader uses only what it took under that lock.
type chunk struct {
	first uint64 // position of the first message
	buf   []byte // len grows up to the fixed cap
	ends  []uint32
}

// Sizes of a chunk's buffer. The first of a run is small, the others are a share of what the log has: so what is empty of
// the last chunk, and no longer wanted of the first, is little beside what is kept, of a topic too that has had few messages a
// minute for days.
const (
	chunkBytesMin = 256
	chunkBytesMax = 64 << 10 // also the size of a write, so that a whole chunk can be one
	chunkShare    = 4        // of the log's bytes, and a power of two below

	// wasteShare is how often what they hold the chunks may take. When a busy topic has become quiet they take more.
	wasteShare = 3
)

// newChunk returns one that begins with the frame at pos and has room for so many bytes.
func newChunk(pos uint64, frame []byte, size int) *chunk {
	size = max(size, len(frame))
	c := &chunk{first: pos, buf: make([]byte, 0, size), ends: make([]uint32, 0, min(size/max(len(frame), 1), chunkEndsMax))}
	c.add(frame)
	return c
}

// chunkEndsMax is how many messages a chunk has room for at first, were all as long as its first.
const chunkEndsMax = 64

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
// shared copy.
func (l *encodedLog) add(pos uint64, frame []byte) []byte {
	last := l.chunks[l.insert(len(l.chunks), pos, frame)]
	at := last.start(len(last.ends) - 1)
	return last.buf[at:len(last.buf):len(last.buf)]
}

// insert adds the encoding of the message at pos in front of the chunk at place i, and returns the place of the chunk
// that holds it: the one before, if it ends there and has room, or a new one.
func (l *encodedLog) insert(i int, pos uint64, frame []byte) int {
	size := chunkBytesMin
	l.bytes += int64(len(frame))
	if i > 0 && l.chunks[i-1].next() == pos {
		c := l.chunks[i-1]
		if len(c.buf)+len(frame) <= cap(c.buf) {
			c.add(frame)
			return i - 1
		}
		size = l.chunkBytes()
	}
	l.chunks = slices.Insert(l.chunks, i, newChunk(pos, frame, size))
	return i
}

// chunkBytes is the size for the next chunk of a run.
func (l *encodedLog) chunkBytes() int {
	share := int(min(l.bytes/chunkShare, chunkBytesMax))
	return max(chunkBytesMin, 1<<bits.Len(uint(share))>>1)
}

// wasteful reports whether the chunks take far more room than what they hold from pos on. Those of a log that grows evenly
// never do: of its first and its last chunk together less is empty or not wanted than the others hold.
func (l *encodedLog) wasteful(pos uint64) bool {
	if len(l.chunks) == 0 {
		return false
	}
	room, kept := int64(0), l.bytes
	for _, c := range l.chunks {
		room += int64(cap(c.buf))
	}
	if first := l.chunks[0]; first.first < pos {
		kept -= int64(first.start(int(pos - first.first)))
	}
	return room > wasteShare*kept+2*chunkBytesMin
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
