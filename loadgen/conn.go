package loadgen

import (
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// connState is where a connection is in its life.
type connState uint8

const (
	unopened    connState = iota
	connecting            // TCP
	handshaking           // the opening was sent
	subscribing           // the subscription was sent
	ready                 // counted as open
	leaving               // we said goodbye
	closed
)

// conn is one connection. It belongs to its loop; a million of them lie in one slice.
type conn struct {
	fd      int32
	state   connState
	publish bool // the publisher's
	class   class
	stage   uint8  // answers to the opening that were read
	answers uint16 // to the subscription that are still to come, of a driver that does not name topics
	since   int64
	rest    []byte // an incomplete message
	out     []byte // what the kernel has not taken
}

// connect begins connection n.
func (l *loop) connect(n int, target target) {
	c := &l.conns[n]
	from := l.sources
	if c.publish && l.plan.Via == ViaHTTP {
		from = sources{} // the admin API may listen where the many addresses do not reach
	}
	number, receive := l.number(n), 0
	if l.shaking != nil {
		number = l.shaking.begun*l.plan.Loops + l.id // so that a source's ports have time to rest
	}
	if c.class != healthy {
		receive = l.plan.ReceiveBuffer
	}
	fd, err := dial(target.addr, from, number, receive)
	if err != nil {
		c.state = closed
		var limit *LimitError
		if errors.As(err, &limit) {
			l.fatal(err)
		}
		l.failed(n, c, err.Error())
		return
	}
	c.fd, c.state, c.since = int32(fd), connecting, l.now
	l.descriptors++
	if l.shaking == nil {
		l.opening = append(l.opening, int32(n))
	}
	if err := l.add(fd, n, interest); err != nil {
		l.end(n, c, err.Error())
	}
}

// interest is what a connection is registered for, once and for all. Edge-triggered, epoll tells of news alone: it need not
// look again at each connection that was just read, nor be told when there is something to write.
const interest = unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET

// event handles what epoll says of connection n.
func (l *loop) event(n int, c *conn, events uint32) {
	if c.state == connecting {
		if events&(unix.EPOLLOUT|unix.EPOLLERR|unix.EPOLLHUP) == 0 {
			return
		}
		l.connected(n, c)
	} else if len(c.out) > 0 && events&unix.EPOLLOUT != 0 {
		l.flush(n, c)
	}
	if c.fd >= 0 && events&^uint32(unix.EPOLLOUT) != 0 && !l.slow.holds(c) {
		// The end of a stream is no news once it was told of, so it must be read up to.
		l.read(n, c, events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0)
	}
}

func (l *loop) connected(n int, c *conn) {
	if v, err := unix.GetsockoptInt(int(c.fd), unix.SOL_SOCKET, unix.SO_ERROR); err != nil || v != 0 {
		l.end(n, c, "connect: "+syscall.Errno(v).Error())
		return
	}
	c.state = handshaking
	d := l.driverOf(c)
	l.scratch = d.appendOpen(l.scratch[:0], l.number(n))
	l.write(n, c, l.scratch)
	if c.fd >= 0 {
		l.shake(n, c, nil)
	}
}

// shakes reads the answers to the opening; it returns how many bytes they took.
func (l *loop) shakes(n int, c *conn, b []byte) int {
	off := 0
	for c.state == handshaking {
		used := l.shake(n, c, b[off:])
		off += used
		if used == 0 {
			break
		}
	}
	return off
}

// shake reads one answer to the opening; it returns how many bytes that took.
func (l *loop) shake(n int, c *conn, b []byte) int {
	d := l.driverOf(c)
	used, out, done, err := d.opened(b, l.number(n), int(c.stage), l.scratch[:0])
	l.scratch = out
	if err != nil {
		l.end(n, c, "handshake: "+err.Error())
		return len(b)
	}
	if used > 0 {
		c.stage++
	}
	l.write(n, c, out)
	switch {
	case !done || c.fd < 0:
	case l.shaking != nil:
		l.shaking.shaken(l, n, c)
	case !c.publish && l.plan.Workload != Echo:
		l.subscribe(n, c, d)
	default:
		l.opened(c)
	}
	return used
}

func (l *loop) subscribe(n int, c *conn, d driver) {
	c.state = subscribing
	l.drawn = l.ledger.draw(l.drawn[:0], n, l.number(n), l.plan.Subscriptions, l.plan.Topics, l.plan.Seed)
	var answers int
	l.scratch, answers = d.appendSubscribe(l.scratch[:0], l.drawn)
	c.answers = uint16(answers)
	l.write(n, c, l.scratch)
	if answers == 0 && c.fd >= 0 {
		l.subscribedBlindly(n, c)
	}
}

// readsMax bounds what is read from one connection before the others have their turn.
const readsMax = 4

// read takes what has come, up to the end of the stream if ended says that there is one. What a slow connection brings is
// counted apart.
func (l *loop) read(n int, c *conn, ended bool) {
	if c.class == healthy {
		l.readUp(n, c, ended)
		return
	}
	class := c.class
	before := l.ledger.Verdict
	l.record.class = class
	l.readUp(n, c, ended)
	l.record.class = healthy
	l.verdicts[class].addChange(&before, &l.ledger.Verdict)
}

func (l *loop) readUp(n int, c *conn, ended bool) {
	for range readsMax {
		kept := copy(l.room(len(c.rest)), c.rest)
		room := l.buf[kept:]
		if allowance := l.slow.allowance; allowance > 0 {
			room = room[:min(len(room), allowance)]
		}
		got, errno := readRaw(int(c.fd), room)
		switch {
		case errno == unix.EAGAIN:
			return
		case errno != 0:
			l.end(n, c, errno.Error())
			return
		case got == 0:
			l.hungUp(n, c)
			return
		}
		l.record.read(got)
		b := l.buf[:kept+got]
		l.now = l.clock.now()
		used := l.consume(n, c, b)
		if c.fd < 0 {
			return
		}
		if used == len(b) {
			c.rest = c.rest[:0]
		} else {
			c.rest = append(c.rest[:0], b[used:]...)
		}
		// A stream that gave less than there was room for has no more (epoll(7)), and epoll tells of what comes next.
		if kept+got < len(l.buf) && !ended {
			return
		}
		if l.slow.allowance > 0 {
			return
		}
	}
	l.unread = append(l.unread, unread{int32(n), ended})
}

// unread is a connection that has more to read.
type unread struct {
	conn  int32
	ended bool
}

// readOn takes up the connections that were interrupted.
func (l *loop) readOn() {
	for range len(l.unread) {
		u := l.unread[0]
		l.unread = l.unread[:copy(l.unread, l.unread[1:])]
		if c := &l.conns[u.conn]; c.fd >= 0 {
			l.read(int(u.conn), c, u.ended)
		}
	}
}

func (l *loop) hungUp(n int, c *conn) {
	l.ev.kind = evNothing
	l.driverOf(c).eof(c.rest, &l.ev)
	if l.ev.kind != evNothing {
		l.rare(n, c)
	}
	if c.fd >= 0 {
		l.end(n, c, "hung up without a close frame")
	}
}

// room makes the read buffer large enough behind an incomplete message.
func (l *loop) room(kept int) []byte {
	if kept+readBytesMin > len(l.buf) {
		l.buf = make([]byte, 2*(kept+readBytesMin))
	}
	return l.buf
}

// write sends b, or keeps a copy of what the kernel does not take.
func (l *loop) write(n int, c *conn, b []byte) {
	if len(b) == 0 || c.fd < 0 {
		return
	}
	if len(c.out) == 0 {
		sent, errno := writeRaw(int(c.fd), b)
		if errno != 0 && errno != unix.EAGAIN {
			l.end(n, c, errno.Error())
			return
		}
		if errno == 0 {
			b = b[sent:]
		}
		if len(b) == 0 {
			return
		}
	}
	c.out = append(c.out, b...)
}

// flush sends what write kept.
func (l *loop) flush(n int, c *conn) {
	if len(c.out) > 0 {
		sent, errno := writeRaw(int(c.fd), c.out)
		if errno == unix.EAGAIN {
			return
		}
		if errno != 0 {
			l.end(n, c, errno.Error())
			return
		}
		c.out = c.out[:copy(c.out, c.out[sent:])]
	}
	if len(c.out) == 0 && !c.publish {
		c.out = nil
	}
}

// opened counts a connection that is as the plan wants it.
func (l *loop) opened(c *conn) {
	c.state = ready
	if !c.publish {
		l.open++
		l.record.opened++
	}
}

// end closes a connection and counts it as failed, dropped, or gone as it should.
func (l *loop) end(n int, c *conn, why string) {
	if c.fd < 0 || c.state == closed || c.state == unopened {
		return
	}
	was := c.state
	_ = unix.Close(int(c.fd))
	l.descriptors--
	*c = conn{fd: -1, state: closed, publish: c.publish, class: c.class}
	if l.shaking != nil {
		l.shaking.ended(l, n, was, why)
		return
	}
	switch was {
	case leaving:
	case ready:
		l.dropped(n, c, why)
	default:
		l.failed(n, c, why)
	}
}

// failed counts a connection that never came to be open.
func (l *loop) failed(n int, c *conn, why string) {
	if c.publish {
		l.fatal(fmt.Errorf("loadgen: the publishing connection: %s", why))
		return
	}
	l.record.failed++
	l.record.failures.count(why)
	switch {
	case l.shaking != nil:
		l.shaking.failed(l, n)
	case l.plan.Workload != Echo:
		l.ledger.forget(n)
	}
}

// dropped counts a connection that was open and is no more.
func (l *loop) dropped(n int, c *conn, why string) {
	if c.publish {
		l.publisher.lost(why) // which is no fault once it has done its work
		return
	}
	l.open--
	l.record.dropped++
	l.record.droppedOf[c.class]++
	l.record.drops.count(why)
	switch l.plan.Workload {
	case Echo:
		l.forgetEcho(n)
	default:
		l.excuse(n)
	}
}
