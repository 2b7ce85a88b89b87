package poller

import (
	"testing"

	"golang.org/x/sys/unix"
)

// A connection that was closed stays for as long as its peer takes what waits, and no longer if it takes a little now and
// then.
func TestLingerIsForWhoTakesWhatWaits(t *testing.T) {
	for what, much := range map[string]bool{"half of what it is sent": false, "all that it is sent": true} {
		t.Run(what, func(t *testing.T) {
			c, peer := narrowConn(t)
			sent := c.TryWrite(payload)
			c.Hold(payload[sent:])
			c.Finish()
			bytes := make([]byte, sent)
			if !much {
				bytes = bytes[:sent/2]
			}
			for second := uint32(1); second < 3*lingerSeconds; second++ {
				c.loop.poller.second.Store(second)
				before := len(c.loop.stalls.At(c.stall).rest)
				_, _ = unix.Read(peer, bytes)
				c.push(nil)
				took := before - len(c.loop.stalls.At(c.stall).rest)
				if took <= 0 || c.Seen() != second || (took >= lingerBytesMin) != much {
					t.Fatalf("second %d: %d bytes were taken, the last sign of life is of second %d", second, took, c.Seen())
				}
				c.loop.scanned = 0
				c.loop.scan()
				if stays := much || second < lingerSeconds; stays != (c.state == finishing) {
					t.Fatalf("second %d: its state is %d, it is to stay: %v", second, c.state, stays)
				}
				if c.state != finishing {
					return
				}
			}
		})
	}
}

// narrowConn is a connection of a loop that does not run, in second 0. The kernel keeps the least for it that a socket may
// have, some 4.5 kB in two packets, and takes another packet for each that the peer has read.
func narrowConn(t *testing.T) (c *Conn, peer int) {
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
	if err := unix.SetsockoptInt(fds[0], unix.SOL_SOCKET, unix.SO_SNDBUF, 1); err != nil {
		t.Fatal(err)
	}
	l := &Loop{poller: &Poller{o: options(&hooks{})}}
	l.writable.fd = epoll
	h := l.conns.New()
	c = l.conns.At(h)
	*c = Conn{loop: l, handle: h, fd: int32(fds[0]), state: open}
	return c, fds[1]
}
