package poller

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// restful is a Data hook that uses a byte at a time and rests after each 'R'.
func restful(got *[]byte, d time.Duration) func(c *Conn, p []byte) int {
	return func(c *Conn, p []byte) (used int) {
		for used < len(p) && c.Open() && !c.Resting() && !c.Congested() {
			*got = append(*got, p[used])
			if p[used] == 'R' {
				c.Rest(d)
			}
			used++
		}
		return used
	}
}

// endNow has the time of all rests come.
func endNow(t *testing.T, l *Loop) {
	t.Helper()
	onLoop(t, l, func() {
		for i := range l.rests {
			l.rests[i].until = 0
		}
	})
}

// reads reports whether the loop's epoll set has the socket for input.
func reads(t *testing.T, c *Conn) bool {
	t.Helper()
	return watched(t, int(c.loop.epoll.Load()), c.fd)&readEvents != 0
}

// watched is what an epoll set watches a descriptor for.
func watched(t *testing.T, epoll int, member int32) (events uint32) {
	t.Helper()
	info, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", epoll))
	if err != nil {
		t.Error(err)
	}
	for line := range strings.Lines(string(info)) {
		var fd int32
		if n, _ := fmt.Sscanf(line, "tfd: %d events: %x", &fd, &events); n == 2 && fd == member {
			return events
		}
	}
	t.Errorf("the epoll set does not have descriptor %d", member)
	return 0
}

func TestRest(t *testing.T) {
	var got []byte
	p := serve(t, &hooks{data: restful(&got, time.Hour)})
	l := p.loops[0]
	nc := dial(t, p)
	c := only(t, l)
	send(t, nc, "aRbcRd")
	eventually(t, l, "the rest", func() bool { return c.Resting() })
	send(t, nc, "efg")
	turns := l.Counts().Turns
	eventually(t, l, "some ticks", func() bool { return l.Counts().Turns > turns+5 })
	onLoop(t, l, func() {
		c.seen = 77
		if string(got) != "aR" || reads(t, c) || !c.InputKept() || c.InputSince() != 0 || l.InputBytes() != 4 {
			t.Errorf("resting: got %q, read from %v, input since %d, %d bytes kept", got, reads(t, c), c.InputSince(), l.InputBytes())
		}
	})
	endNow(t, l)
	eventually(t, l, "what was left, up to the next rest", func() bool { return string(got) == "aRbcR" })
	onLoop(t, l, func() {
		if !c.Resting() || l.InputBytes() != 1 || len(l.rests) != 1 {
			t.Errorf("resting %v with %d bytes kept and %d rests", c.Resting(), l.InputBytes(), len(l.rests))
		}
		if c.Seen() != 77 {
			t.Error("what was presented again counts as a sign of life")
		}
	})
	endNow(t, l)
	eventually(t, l, "all", func() bool { return string(got) == "aRbcRdefg" })
	onLoop(t, l, func() {
		if c.Resting() || !reads(t, c) || l.inputs.Len() != 0 || l.InputBytes() != 0 || len(l.rests) != 0 {
			t.Errorf("after it: resting %v, %d inputs, %d bytes, %d rests", c.Resting(), l.inputs.Len(), l.InputBytes(), len(l.rests))
		}
	})
}

// The time itself: never less than what was asked for.
func TestRestIsAsLongAsAsked(t *testing.T) {
	const asked = 130 * time.Millisecond
	var began time.Time
	var rested []time.Duration
	p := serve(t, &hooks{data: func(c *Conn, _ []byte) int {
		if !began.IsZero() {
			rested = append(rested, time.Since(began))
		}
		began = time.Now()
		c.Rest(asked)
		c.Rest(asked / 2) // the later end holds
		return 1
	}})
	nc := dial(t, p)
	send(t, nc, "five!")
	eventually(t, p.loops[0], "four rests", func() bool { return len(rested) == 4 })
	onLoop(t, p.loops[0], func() {
		if d := slices.Min(rested); d < asked {
			t.Errorf("a rest of %v instead of %v", d, asked)
		}
	})
}

// It is prolonged, not shortened, and has one place in the list.
func TestRestAgain(t *testing.T) {
	p := serve(t, &hooks{})
	l := p.loops[0]
	dial(t, p)
	c := only(t, l)
	onLoop(t, l, func() {
		c.Rest(0)
		if c.Resting() {
			t.Error("no time is a rest")
		}
		c.Rest(time.Hour)
		first := l.rests[0].until
		c.Rest(time.Minute)
		if len(l.rests) != 1 || l.rests[0].until != first {
			t.Errorf("after a shorter one: %v", l.rests)
		}
		c.Rest(2 * time.Hour)
		if len(l.rests) != 1 || l.rests[0].until < first+time.Hour/2 {
			t.Errorf("after a longer one: %v", l.rests)
		}
	})
}

// Bytes that the loop had taken notice of already when the rest began are kept, and Data is not called.
func TestRestBeginsWithAnEventUnderWay(t *testing.T) {
	var calls []string
	var second *Conn
	p := serve(t, &hooks{
		opened: func(c *Conn) { second = c },
		data: func(c *Conn, p []byte) int {
			if calls = append(calls, fmt.Sprintf("%d: %s", c.handle, p)); c != second {
				second.Rest(time.Hour)
			}
			return len(p)
		},
	}, func(o *Options) { o.InputBytesMax = 1 }) // what Data may leave is another matter
	l := p.loops[0]
	one := dial(t, p)
	eventually(t, l, "one connection", func() bool { return l.Len() == 1 })
	two := dial(t, p)
	eventually(t, l, "another", func() bool { return l.Len() == 2 })
	onLoop(t, l, func() { // both events are taken from the set together
		send(t, one, "rest")
		waitReadable(t, l.At(1))
		send(t, two, "kept")
		waitReadable(t, second)
	})
	eventually(t, l, "the second's bytes", func() bool { return l.InputBytes() == 4 })
	onLoop(t, l, func() {
		if !slices.Equal(calls, []string{"1: rest"}) {
			t.Errorf("Data was called for %q", calls)
		}
	})
	endNow(t, l)
	eventually(t, l, "they are presented", func() bool { return slices.Equal(calls, []string{"1: rest", "2: kept"}) })
}

// What ends a connection that rests ends it at once; only the peer's end waits, in its place in the stream.
func TestEndsWhileResting(t *testing.T) {
	for what, end := range map[string]func(t *testing.T, c *Conn, nc *net.TCPConn){
		"Close":            func(_ *testing.T, c *Conn, _ *net.TCPConn) { c.Close() },
		"PeerDone, Finish": func(_ *testing.T, c *Conn, _ *net.TCPConn) { c.PeerDone(); c.Finish() },
		"Finish, PeerDone": func(_ *testing.T, c *Conn, _ *net.TCPConn) { c.Finish(); c.PeerDone() },
		"Finish": func(t *testing.T, c *Conn, nc *net.TCPConn) {
			c.Finish()
			if !reads(t, c) {
				t.Error("what still comes is not thrown away")
			}
			nc.Close() // is seen, though the rest would have gone on
		},
		"a panic": func(_ *testing.T, c *Conn, _ *net.TCPConn) {
			c.loop.current = c
			panic("provoked")
		},
		"the peer's reset": func(t *testing.T, _ *Conn, nc *net.TCPConn) {
			if err := nc.SetLinger(0); err != nil {
				t.Error(err)
			}
			nc.Close()
		},
	} {
		t.Run(what, func(t *testing.T) {
			checkFiles(t)
			p := serve(t, &hooks{data: func(c *Conn, p []byte) int {
				c.Rest(time.Hour)
				return len(p) - 1
			}})
			l := p.loops[0]
			nc := dial(t, p)
			send(t, nc, "xx")
			c := only(t, l)
			eventually(t, l, "the rest", func() bool { return c.Resting() })
			l.Post(func() { end(t, c, nc) })
			eventually(t, l, "nothing is left of it", func() bool {
				return l.Len() == 0 && l.inputs.Len() == 0 && l.InputBytes() == 0 && len(l.rests) == 0
			})
		})
	}
}

func TestPeersEndIsSeenAfterTheRest(t *testing.T) {
	var got []byte
	p := serve(t, &hooks{data: restful(&got, time.Hour)})
	l := p.loops[0]
	nc := dial(t, p)
	send(t, nc, "aR")
	c := only(t, l)
	eventually(t, l, "the rest", func() bool { return c.Resting() })
	send(t, nc, "bc")
	nc.Close()
	turns := l.Counts().Turns
	eventually(t, l, "some ticks", func() bool { return l.Counts().Turns > turns+5 })
	onLoop(t, l, func() {
		if l.Len() != 1 || string(got) != "aR" {
			t.Errorf("%d connections, got %q", l.Len(), got)
		}
	})
	endNow(t, l)
	eventually(t, l, "the bytes before the end, and the end", func() bool { return string(got) == "aRbc" && l.Len() == 0 })
}

// waitReadable waits on the loop until bytes have arrived for a connection.
func waitReadable(t *testing.T, c *Conn) {
	t.Helper()
	fds := []unix.PollFd{{Fd: c.fd, Events: unix.POLLIN}}
	if n, err := unix.Poll(fds, int(patience.Milliseconds())); n != 1 {
		t.Errorf("nothing arrives: %v", err)
	}
}

// Who goes on sending after its connection was finished is not read from at full speed until it is gone.
func TestLateInputIsTakenSlowly(t *testing.T) {
	late := 0
	p := serve(t, &hooks{
		data: func(c *Conn, p []byte) int { c.Finish(); return len(p) },
		late: func(_ *Conn, p []byte) { late += len(p) },
	})
	l := p.loops[0]
	nc := dial(t, p)
	send(t, nc, "x")
	c := only(t, l)
	eventually(t, l, "the end of our side", func() bool { return c.state == lingering })
	go func() {
		for p := make([]byte, 64<<10); ; {
			if _, err := nc.Write(p); err != nil {
				return
			}
		}
	}()
	eventually(t, l, "late input", func() bool { return late > 0 })
	before, turns := 0, uint64(0)
	onLoop(t, l, func() { before, turns = late, l.counts.Turns })
	eventually(t, l, "some ticks", func() bool { return l.counts.Turns > turns+20 })
	onLoop(t, l, func() {
		if !c.exists() || late-before > 20*readBytes {
			t.Errorf("%d bytes were read in 20 slices", late-before)
		}
	})
	_ = nc.Close()
	eventually(t, l, "the end", func() bool { return l.Len() == 0 })
}
