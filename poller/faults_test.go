package poller

import (
	"bytes"
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// faulty serves what a fault is tried on, together with one who is to notice nothing of it. The function that it
// returns checks that, and that nothing is left.
func faulty(t *testing.T, h *hooks) (p *Poller, check func()) {
	t.Helper()
	checkFiles(t)
	p = serve(t, h)
	other := dial(t, p)
	send(t, other, "before")
	expect(t, other, "before")
	return p, func() {
		t.Helper()
		send(t, other, "after")
		expect(t, other, "after")
		other.Close()
		l := p.loops[0]
		eventually(t, l, "nothing is left", func() bool {
			return l.Len() == 0 && l.stalls.Len() == 0 && l.inputs.Len() == 0 && l.InputBytes() == 0 && p.Connections() == 0
		})
		onLoop(t, l, func() {
			if l.counts.Opened != l.counts.Closed || l.counts.Panics != 0 {
				t.Errorf("%d opened, %d closed, %d panics", l.counts.Opened, l.counts.Closed, l.counts.Panics)
			}
		})
	}
}

// reset ends a connection by a reset.
func reset(t *testing.T, nc *net.TCPConn) {
	t.Helper()
	if err := nc.SetLinger(0); err != nil {
		t.Error(err)
	}
	nc.Close()
}

func TestFaultResetRightAfterConnecting(t *testing.T) {
	p, check := faulty(t, &hooks{data: echo})
	for range 1000 {
		nc, err := net.Dial("tcp", p.Addr())
		if err != nil {
			t.Fatal(err)
		}
		reset(t, nc.(*net.TCPConn))
	}
	check()
}

// Bytes are under way in both directions, and kept at both ends.
func TestFaultResetWithDataInFlight(t *testing.T) {
	for what, data := range map[string]func(c *Conn, p []byte) int{
		"answered": func(c *Conn, p []byte) int {
			for range 8 {
				_ = c.Send(p)
			}
			return len(p)
		},
		"kept":    func(_ *Conn, p []byte) int { return len(p) / 2 },
		"resting": func(c *Conn, _ []byte) int { c.Rest(time.Hour); return 0 },
	} {
		t.Run(what, func(t *testing.T) {
			p, check := faulty(t, &hooks{data: func(c *Conn, p []byte) int {
				if c.handle == 1 {
					return echo(c, p)
				}
				return data(c, p)
			}})
			for range 100 {
				nc := dial(t, p)
				if _, err := nc.Write(payload[:60_000]); err != nil {
					t.Fatal(err)
				}
				reset(t, nc)
			}
			check()
		})
	}
}

// One who reads a byte at a time gets all of them, and the other does not wait for that.
func TestFaultReaderOfOneByteAtATime(t *testing.T) {
	const size = 200_000
	p, check := faulty(t, &hooks{data: func(c *Conn, p []byte) int {
		if string(p) == "much" {
			_ = c.Send(payload[:size])
			c.Finish()
			return len(p)
		}
		return echo(c, p)
	}})
	nc, other := dial(t, p), dial(t, p)
	send(t, nc, "much")
	got := make([]byte, 0, size)
	for r := (oneByte{nc}); len(got) < size; {
		n, err := r.Read(got[len(got):cap(got)])
		if err != nil {
			t.Fatalf("after %d bytes: %v", len(got), err)
		}
		got = got[:len(got)+n]
		if len(got)%1000 == 0 {
			send(t, other, "x")
			expect(t, other, "x")
		}
	}
	if !bytes.Equal(got, payload[:size]) {
		t.Error("the bytes are others")
	}
	expectEnd(t, nc)
	nc.Close()
	other.Close()
	check()
}

// A peer whose host has forgotten it: there is no end, and what we send is answered by a reset.
func TestFaultPeerIsGoneWithoutAWord(t *testing.T) {
	opened := 0
	p, check := faulty(t, &hooks{data: echo, opened: func(*Conn) { opened++ }, turn: func(l *Loop) bool {
		l.Each(2, func(c *Conn) bool { _ = c.Send([]byte("are you there?")); return true })
		return false
	}})
	l := p.loops[0]
	const peers = 20
	for range peers {
		forget(t, dial(t, p))
	}
	eventually(t, l, "they are there", func() bool { return opened == peers+1 })
	l.Wake()
	eventually(t, l, "they are gone", func() bool { return l.Len() == 1 })
	check()
}

// forget closes a socket without a word to its peer (tcp(7), TCP_REPAIR).
func forget(t *testing.T, nc *net.TCPConn) {
	t.Helper()
	raw, err := nc.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if e := raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_REPAIR, 1) }); e != nil {
		t.Fatal(e)
	}
	if err != nil {
		t.Skipf("TCP_REPAIR: %v", err) // CAP_NET_ADMIN is needed
	}
	nc.Close()
}

// A peer that ends its side at once gets what the kernel has taken by then: all of a small answer, of a large one what
// comes first, and no reset.
func TestFaultHalfClosedWithOutputWaiting(t *testing.T) {
	p, check := faulty(t, &hooks{data: func(c *Conn, p []byte) int {
		if string(p) != "much" {
			return echo(c, p)
		}
		_ = c.Send(payload)
		return len(p)
	}})
	for range 5 {
		nc := dial(t, p)
		send(t, nc, "much")
		if err := nc.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(nc); err != nil || len(got) == 0 || !bytes.HasPrefix(payload, got) {
			t.Fatalf("read %d bytes, %v", len(got), err)
		}
		nc.Close()
	}
	check()
}

// A peer that ends its side behind its question reads the answer.
func TestFaultHalfClosed(t *testing.T) {
	p, check := faulty(t, &hooks{data: echo})
	for range 100 {
		nc := dial(t, p)
		send(t, nc, "question")
		if err := nc.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(nc); err != nil || string(got) != "question" {
			t.Fatalf("read %q, %v", got, err)
		}
		nc.Close()
	}
	check()
}
