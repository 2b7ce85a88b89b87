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

// keepInput keeps what Data has not used. p is either the kept input itself or the loop's read buffer.
func (c *Conn) keepInput(p []byte, used int) {
	l := c.loop
	rest := p[used:]
	if len(rest) == 0 {
		c.dropInput()
		return
	}
	if c.input != 0 && used == 0 && len(rest) <= l.poller.o.InputBytesMax {
		return // it stands there already: bytes that trickle in are not copied over and over
	}
	if c.input == 0 {
		c.input = l.inputs.New()
		*l.inputs.At(c.input) = buffers.Get()
	}
	b := *l.inputs.At(c.input)
	if cap(b.B) > pooledBytesMax && len(rest) <= pooledBytesMax {
		b = buffers.Get() // a large message is through: what is left of it must not hold its buffer
		*l.inputs.At(c.input) = b
	}
	b.B = append(b.B[:0], rest...) // forward within the same array when p is the kept input
	if len(rest) > l.poller.o.InputBytesMax {
		c.Close() // only where the connection could not be paused
	}
}

func (c *Conn) dropInput() {
	if c.input != 0 {
		putBuffer(*c.loop.inputs.At(c.input))
		c.loop.inputs.Free(c.input)
		c.input = 0
	}
}
