package pubsub

import (
	"math/rand/v2"
	"strings"
	"testing"
)

func TestRingGrowsAndKeepsPositions(t *testing.T) {
	var r ring
	for pos := range uint64(1000) {
		r.push(record{seq: pos + 7, size: 3})
		if r.len() > 20 {
			r.pop()
		}
		for p := r.tail; p < r.head; p++ {
			if r.at(p).seq != p+7 {
				t.Fatalf("position %d holds seq %d", p, r.at(p).seq)
			}
		}
		if r.bytes != int64(3*r.len()) {
			t.Fatalf("%d bytes for %d records", r.bytes, r.len())
		}
	}
	if len(r.slots) != 32 {
		t.Errorf("%d slots for at most 21 records", len(r.slots))
	}
}

func TestFifoIsAQueue(t *testing.T) {
	const seed = 1
	rnd := rand.New(rand.NewPCG(seed, seed))
	var q fifo[int]
	var want []int
	for i := range 20_000 {
		if rnd.IntN(5) < 2+(i/4000)%2 && len(want) > 0 { // it fills and empties in turn
			if got := q.pop(); got != want[0] {
				t.Fatalf("seed %d: popped %d, want %d", seed, got, want[0])
			}
			want = want[1:]
		} else {
			q.push(i)
			want = append(want, i)
		}
		if q.len() != len(want) || len(want) > 0 && q.front() != want[0] {
			t.Fatalf("seed %d: %d queued, want %d", seed, q.len(), len(want))
		}
	}
}

// TestFifoRotatesInBoundedSpace: the queue of a shard is rotated without ever becoming empty.
func TestFifoRotatesInBoundedSpace(t *testing.T) {
	var q fifo[int]
	for i := range 1000 {
		q.push(i)
	}
	for range 100_000 {
		q.push(q.pop())
	}
	if cap(q.items) > 4096 {
		t.Errorf("1,000 rotating values take room for %d", cap(q.items))
	}
}

func TestChunksGrowAndNeverMove(t *testing.T) {
	var l encodedLog
	frame := []byte(strings.Repeat("x", 100))
	var shared [][]byte
	for pos := range uint64(6000) {
		frame[0] = byte(pos)
		shared = append(shared, l.add(pos, frame, 0))
	}
	for pos, p := range shared {
		if len(p) != 100 || cap(p) != 100 || p[0] != byte(pos) {
			t.Fatalf("message %d is now %q, room %d", pos, p, cap(p))
		}
	}
	before := int64(0)
	for i, c := range l.chunks {
		if size := cap(c.buf); size != chunkBytesMin && size != chunkBytesMax && (int64(size)*chunkShare > before+100 || int64(size)*2*chunkShare <= before) ||
			i > 0 && c.first != l.chunks[i-1].next() {
			t.Fatalf("chunk %d begins at %d and has room for %d bytes, behind %d", i, c.first, size, before)
		}
		before += int64(len(c.buf))
	}
	first, last := l.chunks[0], l.chunks[len(l.chunks)-1]
	if first.first != 0 || last.next() != 6000 || cap(first.buf) != chunkBytesMin || cap(last.buf) != chunkBytesMax || l.bytes != before {
		t.Errorf("from %d to %d, the last with room for %d; %d bytes are said to be there, %d are", first.first, last.next(), cap(last.buf), l.bytes, before)
	}
}

// However long a topic goes on, its chunks take little more than what is kept.
func TestChunksOfFewMessagesStaySmall(t *testing.T) {
	for _, bytes := range []int{1, 40, 130, 255, 257, 1000, 5000, 70_000} {
		for _, kept := range []uint64{1, 2, 3, 10, 100, 1000} {
			if uint64(bytes)*kept > 10<<20 {
				continue
			}
			var l encodedLog
			frame := make([]byte, bytes)
			for pos := range max(3000, 5*kept) {
				l.add(pos, frame, 0)
				tail := max(pos+1, kept) - kept
				l.drop(tail)
				room, held := l.takes(tail)
				if want := int64(bytes) * int64(pos+1-tail); held != want || room > 2*want+2*chunkBytesMin {
					t.Fatalf("message %d of %d bytes, of which %d are kept: %d chunks with room for %d bytes, said to have %d of them",
						pos, bytes, pos+1-tail, len(l.chunks), room, held)
				}
			}
		}
	}
}

func TestChunkOfOneLongMessage(t *testing.T) {
	var l encodedLog
	l.add(0, []byte("short"), 0)
	l.add(1, make([]byte, 3*chunkBytesMax), 0)
	l.add(2, []byte("short"), 0)
	if len(l.chunks) != 3 || cap(l.chunks[1].buf) != 3*chunkBytesMax || cap(l.chunks[2].buf) > chunkBytesMax {
		t.Fatalf("a message longer than a chunk has one of its size, and the next is none longer than others: %d chunks", len(l.chunks))
	}
}

func TestDropForgetsWholeChunks(t *testing.T) {
	for _, c := range []struct {
		pos  uint64
		left int
		why  string
	}{
		{0, 3, "nothing lies below 0"},
		{1, 3, "the first chunk is partly wanted"},
		{2, 2, "the first chunk is not"},
		{3, 2, "the second is partly wanted"},
		{6, 0, "nothing is wanted"},
	} {
		var l encodedLog
		for pos := range uint64(6) {
			if pos%2 == 0 { // two go into a chunk
				l.chunks = append(l.chunks, newChunk(pos, make([]byte, 10), 20))
			} else {
				l.add(pos, make([]byte, 10), 0)
			}
		}
		l.drop(c.pos)
		if len(l.chunks) != c.left {
			t.Errorf("drop(%d) leaves %d chunks, want %d: %s", c.pos, len(l.chunks), c.left, c.why)
		}
	}
}
