package poller

import (
	"bytes"
	"testing"

	"github.com/valyala/bytebufferpool"
)

// TestHeld: what a connection makes its loop keep counts, and with it goes.
func TestHeld(t *testing.T) {
	l := &Loop{poller: &Poller{o: Options{RepliesBytesMax: 1 << 20, InputBytesMax: 1 << 20}}}
	l.writable.fd = none
	h := l.conns.New()
	c := l.conns.At(h)
	*c = Conn{loop: l, handle: h, state: open}
	if n := c.Held(); n != 0 {
		t.Errorf("an idle connection holds %d", n)
	}
	c.keepInput(make([]byte, 5000), 1000)
	if n := c.Held(); n < 4000 || n > 16<<10 {
		t.Errorf("4000 bytes of input are %d", n)
	}
	c.dropInput()
	if n := c.Held(); n != 0 {
		t.Errorf("without its input it holds %d", n)
	}
	c.stall = l.stalls.New()
	s := l.stalls.At(c.stall)
	s.rest = make([]byte, 300, 1000) // everybody's
	if n := c.Held(); n != 0 {
		t.Errorf("300 bytes of a shared frame are %d", n)
	}
	s.replies = &bytebufferpool.ByteBuffer{B: bytes.Repeat([]byte{1}, 2000)}
	s.sent = 1500
	if n := c.Held(); n != cap(s.replies.B) {
		t.Errorf("with a buffer of %d they are %d", cap(s.replies.B), n)
	}
	c.endStall()
	if n := c.Held(); n != 0 {
		t.Errorf("without its stall it holds %d", n)
	}
}
