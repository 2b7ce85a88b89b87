package poller

import "github.com/valyala/bytebufferpool"

// buffers is where partial input and waiting replies borrow their memory. It is of this package alone, so
// that a few bytes do not pin a large buffer of somebody else's.
var buffers bytebufferpool.Pool

// pooledBytesMax is the largest buffer that goes back to the pool.
const pooledBytesMax = 64 << 10

func putBuffer(b *bytebufferpool.ByteBuffer) {
	if cap(b.B) <= pooledBytesMax {
		buffers.Put(b)
	}
}

// input is what a connection's handler has not used yet. It is made only while there is such a thing.
type input struct {
	buf     *bytebufferpool.ByteBuffer
	counted int // its part in loop.inputBytes
}

// keepInput keeps what Data has not used. p is either the kept input itself or the loop's read buffer.
func (c *Conn) keepInput(p []byte, used int) {
	l := c.loop
	rest := p[used:]
	if len(rest) == 0 {
		c.dropInput()
		return
	}
	if c.input == 0 {
		c.input = l.inputs.New()
		l.inputs.At(c.input).buf = buffers.Get()
	}
	in := l.inputs.At(c.input)
	if used > 0 || len(in.buf.B) == 0 { // else it stands there already: bytes that trickle in are not copied again
		if cap(in.buf.B) > pooledBytesMax && len(rest) <= pooledBytesMax {
			in.buf = buffers.Get() // a large message is through: what is left of it must not hold its buffer
		}
		in.buf.B = append(in.buf.B[:0], rest...) // forward within the same array when p is the kept input
	}
	l.count(in, len(rest))
	if len(rest) > l.poller.o.InputBytesMax {
		c.Close() // only where the connection could not be paused
	}
}

func (c *Conn) dropInput() {
	if c.input != 0 {
		in := c.loop.inputs.At(c.input)
		c.loop.count(in, 0)
		putBuffer(in.buf)
		c.loop.inputs.Free(c.input)
		c.input = 0
	}
}

func (l *Loop) count(in *input, bytes int) {
	l.inputBytes += bytes - in.counted
	in.counted = bytes
}

// InputBytes is how much input the loop keeps for handlers that have not used it, of all connections.
func (l *Loop) InputBytes() int { return l.inputBytes }
