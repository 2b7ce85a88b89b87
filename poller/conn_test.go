package poller

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestEchoManyConnectionsOnLoops(t *testing.T) {
	p := serve(t, &hooks{data: echo}, func(o *Options) { o.Loops = 3 })
	var wg sync.WaitGroup
	for i := range 60 {
		nc := dial(t, p)
		wg.Go(func() {
			want := fmt.Sprintf("message of %d;", i)
			got := make([]byte, len(want))
			for range 50 {
				if _, err := nc.Write([]byte(want)); err != nil {
					t.Error(err)
					return
				}
				if _, err := io.ReadFull(nc, got); err != nil || string(got) != want {
					t.Errorf("read %q, %v, want %q", got, err, want)
					return
				}
			}
		})
	}
	wg.Wait()
	if n := p.Connections(); n != 60 {
		t.Errorf("Connections = %d, want 60", n)
	}
}

// What Data does not use stands in front of what comes next, whatever the pieces.
func TestInputIsKeptUntilItIsUsed(t *testing.T) {
	var calls atomic.Int32
	p := serve(t, &hooks{data: func(c *Conn, p []byte) (used int) {
		calls.Add(1)
		for { // lines; the unused part is damaged, as an unmasking in place would if it did more than whole frames
			n := bytes.IndexByte(p[used:], '\n') + 1
			if n == 0 {
				return used
			}
			_ = c.Send(p[used : used+n])
			copy(p[used:used+n], bytes.Repeat([]byte{'#'}, n))
			used += n
		}
	}})
	nc := dial(t, p)
	l := p.loops[0]
	var want strings.Builder
	for i := range 200 {
		fmt.Fprintf(&want, "line %d %s\n", i, strings.Repeat("x", i*i%977))
	}
	go func() {
		for i, text := 0, want.String(); len(text) > 0; i++ {
			n := min(1+i*7%300, len(text))
			if _, err := nc.Write([]byte(text[:n])); err != nil {
				t.Error(err)
			}
			text = text[n:]
		}
	}()
	expect(t, nc, want.String())
	onLoop(t, l, func() {
		if l.inputs.Len() != 0 {
			t.Error("an idle connection owns an input buffer")
		}
	})
	send(t, nc, "half a line")
	eventually(t, l, "input kept", func() bool { return l.inputs.Len() == 1 })
	nc.Close()
	eventually(t, l, "input given back", func() bool { return l.inputs.Len() == 0 && l.Len() == 0 })
}

// A large message must not leave its buffer to the few bytes behind it, nor to the pool.
func TestLargeInputGivesItsMemoryBack(t *testing.T) {
	const size = 4 << 20
	p := serve(t, &hooks{data: func(_ *Conn, p []byte) int {
		if len(p) < size {
			return 0
		}
		return size
	}})
	nc := dial(t, p)
	l := p.loops[0]
	send(t, nc, strings.Repeat("x", size)+"rest")
	eventually(t, l, "the rest alone is kept", func() bool {
		if l.inputs.Len() != 1 {
			return false
		}
		b := l.inputs.At(only1(l).input).buf
		return string(b.B) == "rest" && cap(b.B) <= pooledBytesMax
	})
}

func only1(l *Loop) (c *Conn) {
	l.Each(1, func(found *Conn) bool { c = found; return false })
	return c
}

func TestWriteAfterCloseWritesToNobody(t *testing.T) {
	var c *Conn
	var fd int
	var gen uint32
	p := serve(t, &hooks{opened: func(opened *Conn) { c, fd, gen = opened, int(opened.fd), opened.gen }})
	l := p.loops[0]
	nc := dial(t, p)
	only(t, l)
	onLoop(t, l, func() {
		if l.Conn(c.Handle(), gen) != c {
			t.Error("Conn does not find a connection that lives")
		}
		c.Close()
		if c.Open() || c.TryWrite([]byte("LEAK")) != 4 || c.Send([]byte("LEAK")) != nil {
			t.Error("a connection being closed takes less than all")
		}
	})
	expectClosed(t, nc)
	nc.Close()
	eventually(t, l, "the slot is free", func() bool { return l.Len() == 0 })
	read := takeNumber(t, fd)
	onLoop(t, l, func() {
		if l.Conn(c.Handle(), gen) != nil || l.Conn(1, gen) != nil {
			t.Error("Conn finds a connection that is gone")
		}
		c.gen = gen // what a handler that keeps the pointer would have
		c.fd = int32(fd)
		c.loop = l
		_ = c.Send([]byte("LEAK"))
		c.TryWrite([]byte("LEAK"))
		c.Hold([]byte("LEAK"))
		c.Finish()
		c.Close()
		*c = Conn{gen: gen + 1}
	})
	var b [8]byte
	if n, err := unix.Read(read, b[:]); !errors.Is(err, syscall.EAGAIN) {
		t.Fatalf("%d bytes went to a foreign descriptor (%v)", n, err)
	}
}

func TestSlotsAreUsedAgainWithANewGeneration(t *testing.T) {
	p := serve(t, &hooks{opened: func(c *Conn) {
		if c.User != [2]uint32{} || c.Kind != 0 || c.Flags != 0 {
			t.Error("Opened with what another connection left")
		}
		c.User, c.Kind, c.Flags = [2]uint32{1, 2}, 4, 5
		c.SetDue(1 << 30)
	}})
	l := p.loops[0]
	type name struct{ handle, generation uint32 }
	seen := map[name]bool{}
	for range 10 {
		nc := dial(t, p)
		c := only(t, l)
		var n name
		onLoop(t, l, func() { n = name{c.Handle(), c.Generation()} })
		if seen[n] || n.handle != 1 {
			t.Fatalf("name %v, seen before: %v", n, seen[n])
		}
		seen[n] = true
		nc.Close()
		eventually(t, l, "the connection is gone", func() bool { return l.Len() == 0 })
		onLoop(t, l, func() {
			if l.Conn(n.handle, n.generation) != nil {
				t.Error("Conn finds a connection that is gone")
			}
		})
	}
}

func TestEachAndLen(t *testing.T) {
	p := serve(t, &hooks{})
	l := p.loops[0]
	peers := make([]net.Conn, 20)
	for i := range peers {
		peers[i] = dial(t, p)
		eventually(t, l, "the connection is there", func() bool { return l.Len() == i+1 })
	}
	peers[4].Close()
	peers[11].Close()
	eventually(t, l, "two have gone", func() bool { return l.Len() == 18 })
	onLoop(t, l, func() {
		var got []uint32
		l.Each(4, func(c *Conn) bool {
			got = append(got, c.Handle())
			c.Close() // what it walks over may be closed
			return c.Handle() < 14
		})
		if fmt.Sprint(got) != "[4 6 7 8 9 10 11 13 14]" {
			t.Errorf("Each gave %v", got)
		}
	})
	eventually(t, l, "the nine are gone", func() bool { return l.Len() == 9 })
}

// Many connections with due times: each is called once, none before its time, none left out.
func TestDueIsExact(t *testing.T) {
	const connections = 500
	var early, calls atomic.Int32
	called := make(chan uint32, 4*connections)
	p := serve(t, &hooks{
		opened: func(c *Conn) {
			if c.handle%3 != 0 {
				c.User[0] = c.loop.Seconds() + c.handle%3
				c.SetDue(c.User[0])
			}
		},
		due: func(c *Conn) {
			calls.Add(1)
			if c.loop.Seconds() < c.User[0] {
				early.Add(1)
			}
			called <- c.handle
		},
	})
	for range connections {
		dial(t, p)
	}
	seen := map[uint32]int{}
	for range connections - connections/3 {
		seen[receive(t, called, "a due call")]++
	}
	l := p.loops[0]
	var again uint64
	onLoop(t, l, func() { again = l.counts.Turns })
	eventually(t, l, "two more rounds of the scan", func() bool { return l.counts.Turns > again+3*scansASecond })
	for h, n := range seen {
		if n != 1 || h%3 == 0 {
			t.Errorf("Due was called %d times for connection %d", n, h)
		}
	}
	if early.Load() != 0 || int(calls.Load()) != len(seen) {
		t.Errorf("%d calls too early, %d calls for %d connections", early.Load(), calls.Load(), len(seen))
	}
}

// A client may send its request and end its side at once: printf | nc.
func TestRequestWithTheEndRightBehindIsAnswered(t *testing.T) {
	p := serve(t, &hooks{data: func(c *Conn, p []byte) int {
		_ = c.Send(append([]byte("answer to "), p...))
		c.Finish()
		return len(p)
	}})
	for range 50 {
		nc := dial(t, p)
		send(t, nc, "request")
		if err := nc.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		expect(t, nc, "answer to request")
		expectEnd(t, nc)
	}
	eventually(t, p.loops[0], "no connection", func() bool { return p.loops[0].Len() == 0 })
}

// Peers that reset their connection while we write to it: EPIPE, ECONNRESET, SIGPIPE.
func TestResetWhileWriting(t *testing.T) {
	var closed atomic.Int32
	p := serve(t, &hooks{
		turn: func(l *Loop) bool {
			l.Each(1, func(c *Conn) bool {
				for c.Open() && !c.Stalled() {
					if n := c.TryWrite(payload[:4096]); n < 4096 {
						c.Hold(payload[n:4096])
					}
				}
				return true
			})
			return l.Len() > 0
		},
		closed: func(*Conn) { closed.Add(1) },
	})
	for range 40 {
		nc := dial(t, p)
		p.loops[0].Wake()
		if _, err := io.ReadFull(nc, make([]byte, 50_000)); err != nil {
			t.Fatal(err)
		}
		if err := nc.SetLinger(0); err != nil {
			t.Fatal(err)
		}
		nc.Close() // resets
	}
	l := p.loops[0]
	eventually(t, l, "all closed", func() bool { return closed.Load() == 40 && l.Len() == 0 && l.stalls.Len() == 0 })
	if err := l.err; err != nil {
		t.Fatal(err)
	}
}

var payload = bytes.Repeat([]byte("0123456789abcdef"), 1<<16)

// A peer that has said it is done is not waited for, whether it said so before Finish or after.
func TestPeerDoneEndsTheLinger(t *testing.T) {
	lingering := make(chan bool, 2)
	p := serve(t, &hooks{
		data: func(c *Conn, p []byte) int {
			_ = c.Send([]byte("bye"))
			c.Finish()
			if string(p) == "done" {
				c.PeerDone()
			}
			return len(p)
		},
		late:   func(c *Conn, _ []byte) { c.PeerDone() },
		closed: func(c *Conn) { lingering <- c.due != 0 }, // the scan for due connections clears it
	})
	for _, first := range []string{"done", "finish"} {
		nc := dial(t, p)
		send(t, nc, first)
		expect(t, nc, "bye")
		if first == "finish" {
			send(t, nc, "late")
		}
		if !<-lingering {
			t.Errorf("%s: closed by the linger time", first)
		}
	}
}
