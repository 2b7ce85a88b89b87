package e2e

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// crowd is thousands of WebSocket clients in one goroutine, the test's own: a goroutine for each would be more
// than the race detector can tell apart. Whoever waits for something (until) serves them meanwhile.
type crowd struct {
	t       *testing.T
	to      unix.SockaddrInet4
	epoll   int
	members map[int32]*member // by descriptor
	events  []unix.EpollEvent
	scratch []byte
	opened  int // connections ever
	failed  error

	inflater io.ReadCloser // of the standard library, which shares no code with the server's; nil before the first
	packed   bytes.Reader
	unpacked bytes.Buffer
	inflated int // messages that came compressed
}

// member is one client of a crowd. It answers pings, and nothing else by itself.
type member struct {
	crowd *crowd
	fd    int
	on    func(text []byte) error // takes each text frame; the bytes are good for the call
	ended func(why error)         // takes the end of a connection, where the client waits for it; nil: it is a failure
	got   []byte                  // what came and is not a whole frame yet
	frame bool                    // the HTTP answer is behind it
	deaf  bool                    // it does not read
	offer bool                    // it has offered permessage-deflate
}

// errEnded says that the server has closed a connection, errClosing that it has sent a close frame.
var (
	errEnded   = errors.New("the server has closed the connection")
	errClosing = errors.New("a close frame")
)

const crowdReadBytes = 64 << 10

func newCrowd(t *testing.T, s *site) *crowd {
	t.Helper()
	at, err := netip.ParseAddrPort(s.addr)
	if err != nil {
		t.Fatal(err)
	}
	c := &crowd{
		t: t, to: unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}, members: make(map[int32]*member),
		events: make([]unix.EpollEvent, 512), scratch: make([]byte, crowdReadBytes),
	}
	if c.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, m := range c.members {
			m.cut()
		}
		_ = unix.Close(c.epoll)
	})
	return c
}

// join connects a client to /ws and sends its first requests with the upgrade. on takes the text frames that
// come. A narrow one has a small receive buffer, so that the server notices soon when it does not read.
func (c *crowd) join(narrow bool, on func(text []byte) error, requests ...string) *member {
	c.t.Helper()
	return c.joinAt(upgradeRequest("/ws"), narrow, on, requests...)
}

// joinAt is join with an upgrade of the caller's.
func (c *crowd) joinAt(upgrade string, narrow bool, on func(text []byte) error, requests ...string) *member {
	c.t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		c.t.Fatal(err)
	}
	// Addresses of its own, so that the ports of those who left do not matter; a reset in place of a farewell.
	from := unix.SockaddrInet4{Addr: [4]byte{127, 0, byte(1 + c.opened>>12), 1}}
	c.opened++
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1), unix.Bind(fd, &from),
		unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}),
	)
	if narrow {
		err = errors.Join(err, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 4096))
	}
	m := &member{crowd: c, fd: fd, on: on, offer: strings.Contains(upgrade, "permessage-deflate")}
	first := []byte(upgrade)
	for _, r := range requests {
		first = append(first, frame(final(opText), []byte(r))...)
	}
	err = errors.Join(err, unix.Connect(fd, &c.to), unix.SetNonblock(fd, true), m.write(first),
		unix.EpollCtl(c.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}))
	if err != nil {
		c.t.Fatalf("client %d: %v", c.opened, err)
	}
	c.members[int32(fd)] = m
	return m
}

// write sends all of b: a client's requests are small and few, and fit the kernel's buffer.
func (m *member) write(b []byte) error {
	n, err := unix.Write(m.fd, b)
	if err == nil && n < len(b) {
		err = fmt.Errorf("only %d of %d bytes were taken", n, len(b))
	}
	return err
}

func (m *member) send(request string) {
	if err := m.write(frame(final(opText), []byte(request))); err != nil {
		m.crowd.fail(fmt.Errorf("send %s: %w", request, err))
	}
}

// cut ends the connection as a network does, by a reset.
func (m *member) cut() {
	delete(m.crowd.members, int32(m.fd))
	_ = unix.Close(m.fd)
}

// listen lets a client read, or not.
func (m *member) listen(yes bool) {
	m.deaf = !yes
	e := unix.EpollEvent{Fd: int32(m.fd)}
	if yes {
		e.Events = unix.EPOLLIN
	}
	if err := unix.EpollCtl(m.crowd.epoll, unix.EPOLL_CTL_MOD, m.fd, &e); err != nil {
		m.crowd.fail(err)
	}
}

func (c *crowd) fail(err error) {
	if c.failed == nil {
		c.failed = err
	}
}

// until serves the crowd until the condition holds, which is looked at after each round.
func (c *crowd) until(what string, holds func() bool) {
	c.t.Helper()
	for end := time.Now().Add(2 * patience); !holds(); {
		c.round(10)
		switch {
		case c.failed != nil:
			c.t.Fatal(c.failed)
		case time.Now().After(end):
			c.t.Fatalf("still waiting until %s", what)
		}
	}
}

// round serves those who have something now, or waits for it so many ms.
func (c *crowd) round(millis int) {
	n, err := unix.EpollWait(c.epoll, c.events, millis)
	if err != nil && !errors.Is(err, unix.EINTR) {
		c.fail(err)
	}
	for _, e := range c.events[:max(n, 0)] {
		m := c.members[e.Fd]
		if m == nil || m.deaf {
			continue
		}
		switch err := m.read(); {
		case err != nil && m.ended != nil:
			m.cut()
			m.ended(err)
		case err != nil:
			c.fail(fmt.Errorf("descriptor %d: %w", m.fd, err))
		}
	}
}

// read takes what has come, once.
func (m *member) read() error {
	n, err := unix.Read(m.fd, m.crowd.scratch)
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		return nil
	case err != nil:
		return err
	case n == 0:
		return errEnded
	}
	p := m.crowd.scratch[:n]
	if len(m.got) > 0 {
		m.got = append(m.got, p...)
		p = m.got
	}
	rest, err := m.take(p)
	if len(rest) == 0 {
		m.got = nil
	} else {
		m.got = append([]byte(nil), rest...)
	}
	return err
}

// take takes whole frames off p and returns what is left.
func (m *member) take(p []byte) (rest []byte, err error) {
	if !m.frame {
		head, rest, ok := bytes.Cut(p, []byte("\r\n\r\n"))
		if !ok {
			return p, nil
		}
		if !bytes.HasPrefix(head, []byte("HTTP/1.1 101 ")) {
			return nil, fmt.Errorf("the upgrade was answered by %.200q", p)
		}
		m.frame, p = true, rest
	}
	for {
		op, payload, n := cutFrame(p)
		switch {
		case n == 0:
			return p, nil
		case p[0]&rsv1 != 0 && m.offer:
			payload, err = m.crowd.inflate(payload)
		case p[0]&0xF0 != 0x80:
			err = fmt.Errorf("frame begins with %#x", p[0])
		}
		if err != nil {
			return nil, err
		}
		switch op {
		case opText:
			err = m.on(payload)
		case opPing:
			err = m.write(frame(final(opPong), payload))
		case opClose:
			err = fmt.Errorf("%w: %q", errClosing, payload)
		default:
			err = fmt.Errorf("opcode %#x, %.100q", op, payload)
		}
		if p = p[n:]; err != nil || m.crowd.members[int32(m.fd)] != m {
			return nil, err // it may have cut itself
		}
	}
}

// rsv1 marks compressed messages (RFC 7692 §7.2.1).
const rsv1 = 0x40

// inflate undoes permessage-deflate without context takeover (RFC 7692 §7.2.2). What it returns is good until the next call.
func (c *crowd) inflate(payload []byte) ([]byte, error) {
	c.packed.Reset(append(payload[:len(payload):len(payload)], "\x00\x00\xff\xff\x01\x00\x00\xff\xff"...))
	if c.inflater == nil {
		c.inflater = flate.NewReader(&c.packed)
	} else if err := c.inflater.(flate.Resetter).Reset(&c.packed, nil); err != nil {
		return nil, err
	}
	c.inflated++
	c.unpacked.Reset()
	_, err := c.unpacked.ReadFrom(c.inflater)
	return c.unpacked.Bytes(), err
}

// cutFrame takes one whole frame of a server off p; n is 0 where more is to come.
func cutFrame(p []byte) (op byte, payload []byte, n int) {
	if len(p) < 2 {
		return 0, nil, 0
	}
	head, length := 2, int(p[1])
	switch {
	case length == 126 && len(p) >= 4:
		head, length = 4, int(binary.BigEndian.Uint16(p[2:]))
	case length == 127 && len(p) >= 10:
		head, length = 10, int(binary.BigEndian.Uint64(p[2:]))
	case length >= 126:
		return 0, nil, 0
	}
	if len(p) < head+length {
		return 0, nil, 0
	}
	return p[0] & 0x0F, p[head : head+length], head + length
}
