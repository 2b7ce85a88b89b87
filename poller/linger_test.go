package poller

import (
	"testing"

	"golang.org/x/sys/unix"
)

// A connection that was closed stays for as long as its peer takes what waits, and no longer if it takes a little now and
// then.
func TestLingerIsForWhoTakesWhatWaits(t *testing.T) {
	for _, row := range []struct {
		what            string
		sendBufferBytes int
		readBytesMax    int // of the peer at once
		much            bool
	}{
		{"as little as the kernel makes room for", 1, 1, false}, // a socket of the least there is
		{"all that is sent", 16 << 10, len(payload), true},
	} {
		t.Run(row.what, func(t *testing.T) {
			c, peer := narrowConn(t, row.sendBufferBytes)
			c.Hold(payload[c.TryWrite(payload):])
			c.Finish()
			for second := uint32(1); second < 3*lingerSeconds; second++ {
				c.loop.poller.second.Store(second)
				took := takeSome(t, c, peer, make([]byte, row.readBytesMax))
				if (took >= lingerBytesMin) != row.much {
					t.Fatalf("of a socket with room for %d bytes, the kernel took %d at once, where a lot is %d: the test provokes nothing",
						row.sendBufferBytes, took, lingerBytesMin)
				}
				if c.Seen() != second {
					t.Fatalf("second %d: the last sign of life is of second %d", second, c.Seen())
				}
				c.loop.scanned = 0
				c.loop.scan()
				if stays := row.much || second < lingerSeconds; stays != (c.state == finishing) {
					t.Fatalf("second %d: its state is %d, it is to stay: %v", second, c.state, stays)
				}
				if c.state != finishing {
					return
				}
			}
		})
	}
}

// takeSome has the peer read, so much at once, until the kernel takes more of what waits, and returns how much it took.
func takeSome(t *testing.T, c *Conn, peer int, bytes []byte) (took int) {
	t.Helper()
	before := len(c.loop.stalls.At(c.stall).rest)
	for took == 0 {
		if _, err := unix.Read(peer, bytes); err != nil {
			t.Fatalf("all was read, and the kernel takes nothing: %v", err)
		}
		c.push(nil)
		took = before - len(c.loop.stalls.At(c.stall).rest)
	}
	return took
}

// narrowConn is a connection of a loop that does not run, in second 0. The kernel keeps about so much for it, or the least
// that a socket may have if that is more.
func narrowConn(t *testing.T, sendBufferBytes int) (c *Conn, peer int) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, fd := range []int{fds[0], fds[1], epoll} {
			_ = unix.Close(fd)
		}
	})
	if err := unix.SetsockoptInt(fds[0], unix.SOL_SOCKET, unix.SO_SNDBUF, sendBufferBytes); err != nil {
		t.Fatal(err)
	}
	l := &Loop{poller: &Poller{o: options(&hooks{})}}
	l.writable.fd = epoll
	h := l.conns.New()
	c = l.conns.At(h)
	*c = Conn{loop: l, handle: h, fd: int32(fds[0]), state: open}
	return c, fds[1]
}
