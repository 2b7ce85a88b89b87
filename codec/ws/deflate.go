package ws

import (
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/flate"
)

const (
	// Compressing looks back 4 KiB and no further. A frame is shared by all clients, so that it has to suit the smallest
	// window agreed on, and 12 bits is what Python's websockets offers where nobody has told it otherwise.
	windowBits  = 12
	windowBytes = 1 << windowBits

	scratchBytesMax = 64 << 10 // of a compressor in the pool

	rsv1Bit = 0x40 // the first frame of a compressed message has it (RFC 7692 §6)
)

// flushTail is what a flush ends with, and what is left out of a message (RFC 7692 §7.2.1).
const flushTail = "\x00\x00\xff\xff"

// Deflater makes frames whose payload is compressed by permessage-deflate (RFC 7692 §7.2.1). No message refers to another, so
// that a frame is the same for every connection that has agreed on the extension. It may be used by any goroutine.
type Deflater struct {
	// MinBytes of payload are needed for a message to be compressed. A shorter one is sent plain, as is one that compressing
	// does not make smaller.
	MinBytes int

	messages, bytesIn, bytesOut atomic.Uint64
}

// Counts are how many messages were compressed so far, and what their payloads had before and after.
func (d *Deflater) Counts() (messages, bytesIn, bytesOut uint64) {
	return d.messages.Load(), d.bytesIn.Load(), d.bytesOut.Load()
}

func (d *Deflater) count(before, after int) {
	d.messages.Add(1)
	d.bytesIn.Add(uint64(before))
	d.bytesOut.Add(uint64(after))
}

// AppendFrame is the function of that name, but for the payload, which is compressed where that is of use. The message is
// text or binary; the payload is not to overlap the room behind dst.
func (d *Deflater) AppendFrame(dst []byte, op Opcode, payload []byte) []byte {
	if len(payload) < d.MinBytes {
		return AppendFrame(dst, op, payload)
	}
	start := len(dst)
	c := compressors.Get().(*compressor)
	dst = c.append(BeginFrame(dst), payload)
	compressors.Put(c)
	if len(dst)-start-beginBytes >= len(payload) {
		return AppendFrame(dst[:start], op, payload)
	}
	d.count(len(payload), len(dst)-start-beginBytes)
	return finishCompressed(dst, start, op)
}

// FinishFrame is the function of that name, but for the payload, which is replaced by what it is compressed where that is
// of use.
func (d *Deflater) FinishFrame(buf []byte, start int, op Opcode) []byte {
	if len(buf)-start-beginBytes < max(1, d.MinBytes) {
		return FinishFrame(buf, start, op)
	}
	payload := buf[start+beginBytes:]
	c := compressors.Get().(*compressor)
	defer c.release()
	c.scratch = c.append(c.scratch[:0], payload)
	if len(c.scratch) >= len(payload) {
		return FinishFrame(buf, start, op)
	}
	d.count(len(payload), len(c.scratch))
	return finishCompressed(append(buf[:start+beginBytes], c.scratch...), start, op)
}

func finishCompressed(buf []byte, start int, op Opcode) []byte {
	buf = FinishFrame(buf, start, op)
	buf[start] |= rsv1Bit
	return buf
}

// compressor is a writer of compressed data with the bytes that it writes to.
type compressor struct {
	w       *flate.Writer
	out     []byte
	scratch []byte // for who cannot have the data written where it is to stand
}

// Of an exchange's messages in JSON the writer for a small window makes 69 % of 256 bytes in 5.8 µs, 43 % of 1 KiB in 9.9,
// 28 % of 4 KiB in 20, 18 % of 16 KiB in 46. The library's fastest level makes 71, 45, 30 and 20 % in 5.1, 8.2, 14 and 29 µs,
// but looks back 32 KiB; its compressing without a writer, in pieces of 4 KiB, 71, 46, 32 and 25 % in 5.6, 8.4, 15 and 52 µs.
// A message is compressed once and sent to many, so that size counts for more than time. None of them allocates
// (BenchmarkDeflate). A writer takes 1.1 MB: there are as many as goroutines that compress at once.
//
// Under 128 bytes the library does not look for repetitions, and seldom makes a message smaller.
var compressors = sync.Pool{New: func() any {
	c := new(compressor)
	w, err := flate.NewWriterWindow(c, windowBytes)
	if err != nil {
		panic("ws: " + err.Error())
	}
	c.w = w
	return c
}}

// append appends payload as a message's payload is to be: compressed, flushed, without the flush's end.
func (c *compressor) append(dst, payload []byte) []byte {
	c.out = dst
	c.w.Reset(c)
	_, _ = c.w.Write(payload) // an error could only come from Write below
	_ = c.w.Flush()
	dst, c.out = c.out[:len(c.out)-len(flushTail)], nil
	return dst
}

// Write is for the flate.Writer.
func (c *compressor) Write(p []byte) (int, error) {
	c.out = append(c.out, p...)
	return len(p), nil
}

func (c *compressor) release() {
	if cap(c.scratch) > scratchBytesMax {
		c.scratch = nil
	}
	compressors.Put(c)
}
