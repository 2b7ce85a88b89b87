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

// readBytes is the size of gnet's read buffer: what one event brings at most.
const readBytes = 64 << 10

// input is what a connection's handler has not used yet. It is made only while there is such a thing.
type input struct {
	buf     *bytebufferpool.ByteBuffer
	counted int    // its part in loop.inputBytes
	since   uint32 // when it began, or Data last used something of it, in loop seconds
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
		c.renewInput()
	}
	in := l.inputs.At(c.input)
	if used > 0 {
		in.since = l.Seconds()
	}
	if used > 0 || len(in.buf.B) == 0 { // else it stands there already: bytes that trickle in are not copied again
		if cap(in.buf.B) > pooledBytesMax && len(rest) <= pooledBytesMax {
			in.buf = buffers.Get() // a large message is through: what is left of it must not hold its buffer
		}
		in.buf.B = append(in.buf.B[:0], rest...) // forward within the same array when p is the kept input
	}
	l.count(in, len(rest))
	bytesMax := l.poller.o.InputBytesMax
	if c.Resting() || c.Yielding() {
		bytesMax += readBytes // of an event that the loop had taken from its set before
	}
	if len(rest) > bytesMax {
		c.Close() // only where the connection could not be paused
	}
}

// renewInput has the time of input that is kept begin anew.
func (c *Conn) renewInput() {
	if c.input != 0 {
		c.loop.inputs.At(c.input).since = c.loop.Seconds()
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

// InputKept reports whether input waits that Data has not used: the peer is in the midst of something, or we are,
// where the connection is congested, rests or yields.
func (c *Conn) InputKept() bool { return c.input != 0 }

// InputSince is since when input has been kept that Data has not used, in loop seconds; 0 where there is none. It
// begins anew whenever Data has used something. While the connection is not read from it is 0 as well, and begins anew
// afterwards: what the peer has begun it cannot end meanwhile.
func (c *Conn) InputSince() uint32 {
	if c.input == 0 || c.marks&notRead != 0 {
		return 0
	}
	return c.loop.inputs.At(c.input).since
}

// InputBytes is how much input is kept that Data has not used.
func (c *Conn) InputBytes() int {
	if c.input == 0 {
		return 0
	}
	return c.loop.inputs.At(c.input).counted
}

// InputBytes is how much input the loop keeps for handlers that have not used it, of all connections.
func (l *Loop) InputBytes() int { return l.inputBytes }

// Inputs is how many connections such input is kept for.
func (l *Loop) Inputs() int { return l.inputs.Len() }
