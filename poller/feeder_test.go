package poller

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
)

// A frame of the tests: its length without these four bytes, its kind, its number, and a filling that
// follows from both.
const frameHead = 4 + 1 + 4

func appendFrame(dst []byte, kind byte, number uint32, size int) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(frameHead-4+size))
	dst = append(dst, kind)
	dst = binary.BigEndian.AppendUint32(dst, number)
	for i := range size {
		dst = append(dst, byte(int(number)*7+i*int(kind)))
	}
	return dst
}

// readFrames reads frames until the end of the stream, byte exact, and calls got for each.
func readFrames(t *testing.T, from io.Reader, got func(kind byte, number uint32)) {
	t.Helper()
	var head [frameHead]byte
	for {
		if _, err := io.ReadFull(from, head[:]); err == io.EOF {
			return
		} else if err != nil {
			t.Errorf("reading a frame's head: %v", err)
			return
		}
		size := int(binary.BigEndian.Uint32(head[:])) - (frameHead - 4)
		number := binary.BigEndian.Uint32(head[5:])
		if size < 0 || size > 1<<20 {
			t.Errorf("a frame of %d bytes: the stream is out of step", size)
			return
		}
		body := make([]byte, size)
		if _, err := io.ReadFull(from, body); err != nil {
			t.Errorf("reading a frame's body: %v", err)
			return
		}
		if want := appendFrame(nil, head[4], number, size); !bytes.Equal(want, append(head[:], body...)) {
			t.Errorf("frame %c %d is damaged", head[4], number)
			return
		}
		got(head[4], number)
	}
}

// feeder writes data frames as a topic's shard does: several a write, the rest of the frame under way to
// Hold, and nothing until Drained. Replies come in between.
type feeder struct {
	frames, sent int // data frames in all, and how many were begun
	replies      uint32
	random       *rand.Rand
	blocked      bool
	short        int
	scratch      []byte
	ends         []int
}

func (f *feeder) feed(c *Conn) {
	for n := 0; f.sent < f.frames && !f.blocked && c.Open(); n++ {
		f.scratch, f.ends = f.scratch[:0], f.ends[:0]
		for k := range min(1+f.random.IntN(8), f.frames-f.sent) {
			f.scratch = appendFrame(f.scratch, 'd', uint32(f.sent+k), f.random.IntN(6000))
			f.ends = append(f.ends, len(f.scratch))
		}
		took := c.TryWrite(f.scratch)
		if took == len(f.scratch) {
			f.sent += len(f.ends)
			continue
		}
		f.short++
		f.blocked = true
		var rest []byte
		begun, _ := slices.BinarySearch(f.ends, took) // the frames before it are through
		if begun < len(f.ends) && f.ends[begun] == took {
			begun++
		} else if begun > 0 && took > f.ends[begun-1] || begun == 0 && took > 0 {
			rest = bytes.Clone(f.scratch[took:f.ends[begun]])
			begun++
		}
		f.sent += begun
		c.Hold(rest)
		f.reply(c) // goes behind the rest, ahead of the data that has not begun
	}
	if f.sent == f.frames && !f.blocked {
		c.Finish()
	}
}

func (f *feeder) reply(c *Conn) {
	if err := c.Send(appendFrame(nil, 'r', f.replies, f.random.IntN(300))); err == nil {
		f.replies++
	} else if !errors.Is(err, ErrRepliesFull) {
		panic(err)
	}
}
