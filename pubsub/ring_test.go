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

func TestChunksDoubleAndNeverMove(t *testing.T) {
	var l encodedLog
	frame := []byte(strings.Repeat("x", 100))
	var shared [][]byte
	for pos := range uint64(3000) {
		frame[0] = byte(pos)
		shared = append(shared, l.add(pos, frame))
	}
	for pos, p := range shared {
		if len(p) != 100 || cap(p) != 100 || p[0] != byte(pos) {
			t.Fatalf("message %d is now %q, room %d", pos, p, cap(p))
		}
	}
	want := chunkBytesMin
	for i, c := range l.chunks {
		if cap(c.buf) != want || i > 0 && c.first != l.chunks[i-1].next() {
			t.Fatalf("chunk %d begins at %d and has room for %d bytes, want %d", i, c.first, cap(c.buf), want)
		}
		want = min(2*want, chunkBytesMax)
	}
	if first, last := l.chunks[0], l.chunks[len(l.chunks)-1]; first.first != 0 || last.next() != 3000 {
		t.Errorf("from %d to %d", first.first, last.next())
	}
}

func TestChunkOfOneLongMessage(t *testing.T) {
	var l encodedLog
	l.add(0, []byte("short"))
	l.add(1, make([]byte, 3*chunkBytesMax))
	l.add(2, []byte("short"))
	if len(l.chunks) != 3 || cap(l.chunks[1].buf) != 3*chunkBytesMax || cap(l.chunks[2].buf) != chunkBytesMax {
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
			l.add(pos, make([]byte, chunkBytesMax/2))
			if pos == 0 { // a first chunk like the others
				l.chunks[0].buf = append(make([]byte, 0, chunkBytesMax), l.chunks[0].buf...)
			}
		}
		l.drop(c.pos)
		if len(l.chunks) != c.left {
			t.Errorf("drop(%d) leaves %d chunks, want %d: %s", c.pos, len(l.chunks), c.left, c.why)
		}
	}
}
