package ws

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"sync"

	"github.com/klauspost/compress/flate"
)

const (
	// RatioFreeBytes is how much a message may inflate to whatever its ratio: browsers compress all that they send, and a
	// first try with a thousand times the same letter has one of several hundred. That much is inflated in a millisecond.
	RatioFreeBytes = 1 << 20

	windowBytesMax = 32 << 10 // that a client may look back (RFC 7692 §7.1.2)

	inflatedKeptBytesMax = 256 << 10 // of the buffer between two messages
	inflatedBytesLeast   = 512

	// A step of inflating ends when it has read or given so much: a fraction of a millisecond of what clients send. Data made to
	// take time gets no further in one than it may go without giving anything (wasteBytesMax): some milliseconds, at 1.8 µs
	// for a block of 11 bytes that does nothing but state its codes.
	stepReadBytes  = 16 << 10
	stepGivenBytes = 128 << 10

	// restartBytes is how much beginning anew behind a final block counts for as reading: it copies the window.
	restartBytes = 512

	// atOnceBytesMax is how long a compressed message may be that is inflated in one step, whatever is in it.
	atOnceBytesMax = 4 << 10

	// wasteBytesMax is how much may be read of a message before something comes of it, and how much more than five quarters
	// of what has come in all: who cannot make it smaller sends it as it is, with a few bytes a block. What comes does so by
	// the window, so it has to be more than that.
	wasteBytesMax = windowBytesMax*5/4 + 2<<10
)

// Why a compressed message is refused, as the peer gets to read it.
var (
	errInflate       = errors.New("compressed message is corrupt")
	errInflateTooBig = errors.New("message too big when inflated")
	errInflateRatio  = errors.New("message inflates to too many times its size")
	errInflateWaste  = errors.New("compressed message holds much less than its size")
)

// Inflater undoes permessage-deflate (RFC 7692 §7.2.2) without context takeover. It belongs to one goroutine, whose
// connections may share it: what it gives is valid until it is used again.
type Inflater struct {
	RatioMax int // of inflated to compressed bytes, of messages that inflate to more than RatioFreeBytes

	out []byte // lent out
}

// NewInflater makes an Inflater. ratioMax is as RatioMax.
func NewInflater(ratioMax int) *Inflater { return &Inflater{RatioMax: ratioMax} }

// Inflate gives what the payload of a compressed message was before. It takes no more memory than for what has really come
// out, and stops as soon as that is more than bytesMax, or too many times the payload. The payload is left as it is.
//
// Blocks may be of any kind, and one that says it is the final one may be followed by others (RFC 7692 §7.2.3.4).
func (f *Inflater) Inflate(payload []byte, bytesMax int) ([]byte, error) {
	i := inflations.Get().(*inflation)
	defer i.release()
	i.begin(payload, bytesMax, f.RatioMax)
	i.out, f.out = f.out[:0], nil
	for {
		if done, err := i.step(); err != nil {
			return nil, err
		} else if done {
			out := i.out
			if i.out = nil; cap(out) <= inflatedKeptBytesMax {
				f.out = out
			}
			return out, nil
		}
	}
}

// inflation is a message that is being inflated, a step at a time: a peer can make one of a mebibyte take a tenth of a second,
// and others are not to wait for it.
type inflation struct {
	in     feed
	reader *bufio.Reader // of in; the decoder is quickest with one
	flate  io.ReadCloser

	out    []byte // of the message so far
	outMax int    // bytes; what failing there is called:
	errMax error
	done   bool // out is whole, or has failed
}

// inflationBytes is about what an inflation takes besides its message. There are as many as messages that are being inflated.
const inflationBytes = 80 << 10

var inflations = sync.Pool{New: func() any { return newInflation() }}

func newInflation() *inflation {
	i := new(inflation)
	i.reader = bufio.NewReaderSize(&i.in, 2<<10)
	i.flate = flate.NewReader(i.reader)
	return i
}

// release forgets a message and gives the inflation back.
func (i *inflation) release() {
	i.forget()
	inflations.Put(i)
}

func (i *inflation) forget() {
	i.in.src = nil
	if i.out = i.out[:0]; cap(i.out) > inflatedKeptBytesMax {
		i.out = nil
	}
}

// begin begins with a message. The payload must not change until the last step.
func (i *inflation) begin(payload []byte, bytesMax, ratioMax int) {
	i.forget()
	i.in, i.done = feed{src: payload}, false
	i.outMax, i.errMax = bytesMax, errInflateTooBig
	if ratio := max(RatioFreeBytes, ratioMax*len(payload)); ratio < bytesMax {
		i.outMax, i.errMax = ratio, errInflateRatio
	}
	i.reader.Reset(&i.in)
	i.restart()
}

// restart begins with the first block, or with the one behind one that said that it was the final one. That may refer back
// to what was there before.
func (i *inflation) restart() {
	_ = i.flate.(flate.Resetter).Reset(i.reader, i.out[max(0, len(i.out)-windowBytesMax):])
}

// step inflates some more, and reports whether all is done: then out is the message.
func (i *inflation) step() (done bool, err error) {
	read, given := i.in.read, len(i.out)
	for i.in.read-read < stepReadBytes && len(i.out)-given < stepGivenBytes {
		n, err := i.flate.Read(i.room())
		i.out = i.out[:len(i.out)+n]
		if i.in.given = len(i.out); n > 0 {
			i.in.gave = i.in.read
		}
		switch {
		case len(i.out) > i.outMax:
			return false, i.errMax
		case err == nil:
		case errors.Is(err, errInflateWaste):
			return false, errInflateWaste
		case !errors.Is(err, io.EOF):
			return false, errInflate
		default: // a final block
			end := i.in.read - i.reader.Buffered()
			switch {
			case !i.whole(end, n > 0):
				return false, errInflate
			case end >= len(i.in.src):
				return true, nil
			}
			i.restart()
			read -= restartBytes
		}
	}
	return false, nil
}

// whole reports whether all of out came of the payload, where a final block has ended after so many bytes of it; late says
// that the last of it came only with that. A block that is cut off takes the end of the flush for the rest of itself, and
// what comes of that comes with our final block; or it is a final one itself, of which only the length may be left out, as
// that of one that holds nothing.
func (i *inflation) whole(end int, late bool) bool {
	switch end - len(i.in.src) {
	case len(flushTail):
		return !late || !bytes.HasSuffix(i.out, []byte(flushTail))
	case len(flushTail) + len(finalBlock):
		return !late
	default:
		return end <= len(i.in.src)
	}
}

// room is where more can be put, of one byte at least: the one that is too many has to show.
func (i *inflation) room() []byte {
	if len(i.out) == cap(i.out) {
		size := min(max(2*cap(i.out), inflatedBytesLeast), i.outMax+1)
		i.out = append(make([]byte, 0, size), i.out...)
	}
	return i.out[len(i.out):min(cap(i.out), i.outMax+1)]
}

// feed gives a message's payload, with the end of the flush that its sender leaves out and a block that ends it all.
type feed struct {
	src   []byte
	read  int // how far
	given int // bytes that came of it so far
	gave  int // how far it was read when some last did
}

// finalBlock is a stored block that is empty and says that it is the last.
const finalBlock = "\x01\x00\x00\xff\xff"

func (f *feed) Read(p []byte) (n int, err error) {
	const end = flushTail + finalBlock
	switch at := f.read - len(f.src); {
	case at < 0:
		n = copy(p, f.src[f.read:])
	case at < len(end):
		n = copy(p, end[at:])
	default:
		return 0, io.EOF
	}
	if f.read += n; f.read <= len(f.src) && (f.read > f.given*5/4+wasteBytesMax || f.read > f.gave+wasteBytesMax) {
		return 0, errInflateWaste
	}
	return n, nil
}
