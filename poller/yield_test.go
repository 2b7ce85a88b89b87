package poller

import (
	"bytes"
	"testing"
)

// pieces is a Data hook that uses three bytes at a time, and notes what it used with the turns so far.
func pieces(got map[uint32][]byte, order *[]uint32) func(c *Conn, p []byte) int {
	return func(c *Conn, p []byte) (used int) {
		if c.Yielding() {
			return 0
		}
		used = min(len(p), 3)
		got[c.Handle()] = append(got[c.Handle()], p[:used]...)
		*order = append(*order, c.Handle())
		if used < len(p) {
			c.Yield()
		}
		return used
	}
}

// TestYield: what a connection sends at once is taken piece by piece; a turn comes in between, and every other
// connection's piece; nothing is lost, and it is read from again in the end.
func TestYield(t *testing.T) {
	got, order, turns := map[uint32][]byte{}, []uint32{}, 0
	p := serve(t, &hooks{data: pieces(got, &order), turn: func(*Loop) bool { turns++; return false }})
	l := p.loops[0]
	want := bytes.Repeat([]byte("0123456789"), 50)
	onLoop(t, l, func() { turns = 0 })
	a, b := dial(t, p), dial(t, p)
	eventually(t, l, "both", func() bool { return l.Len() == 2 })
	bothSent := make(chan struct{})
	if !l.Post(func() { <-bothSent }) { // else one could be done before the other has begun
		t.Fatal("the loop is closed")
	}
	for range 2 {
		send(t, a, string(want))
		send(t, b, string(want))
	}
	close(bothSent)
	eventually(t, l, "all input", func() bool {
		return len(got) == 2 && len(got[1]) == 2*len(want) && len(got[2]) == 2*len(want)
	})
	onLoop(t, l, func() {
		for h, bytesGot := range got {
			if !bytes.Equal(bytesGot, append(bytes.Clone(want), want...)) {
				t.Errorf("%d got %q", h, bytesGot)
			}
			if c := l.At(h); c.Yielding() || c.InputKept() || !reads(t, c) {
				t.Errorf("%d yields %v, input kept %v", h, c.Yielding(), c.InputKept())
			}
		}
		if len(l.yields) != 0 || l.served != len(l.serving) {
			t.Errorf("%d yields are left", len(l.yields)+len(l.serving)-l.served)
		}
	})
	alternates := 0
	for i := 1; i < len(order); i++ {
		if order[i] != order[i-1] {
			alternates++
		}
	}
	if alternates < len(order)/4 {
		t.Errorf("of %d pieces %d followed one of the other connection", len(order), alternates)
	}
}

// TestYieldAndTheEnd: a connection that yields is closed, resets, or is finished by its handler: it is let go.
func TestYieldAndTheEnd(t *testing.T) {
	for name, end := range map[string]func(c *Conn){
		"closed":   (*Conn).Close,
		"finished": func(c *Conn) { c.Finish(); c.PeerDone() },
	} {
		t.Run(name, func(t *testing.T) {
			p := serve(t, &hooks{data: func(c *Conn, _ []byte) int {
				c.Yield()
				return 0 // for ever
			}})
			l := p.loops[0]
			nc := dial(t, p)
			send(t, nc, "x")
			c := only(t, l)
			eventually(t, l, "a yield", func() bool { return c.InputKept() })
			onLoop(t, l, func() { end(c) })
			eventually(t, l, "the end", func() bool { return l.Len() == 0 && len(l.yields) == 0 && l.served == len(l.serving) })
		})
	}
	t.Run("reset", func(t *testing.T) {
		p := serve(t, &hooks{data: func(c *Conn, _ []byte) int { c.Yield(); return 0 }})
		l := p.loops[0]
		nc := dial(t, p)
		send(t, nc, "x")
		c := only(t, l)
		eventually(t, l, "a yield", func() bool { return c.InputKept() })
		_ = nc.SetLinger(0)
		_ = nc.Close()
		eventually(t, l, "the end", func() bool { return l.Len() == 0 && len(l.yields) == 0 })
	})
}
