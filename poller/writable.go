package poller

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"

	"github.com/valyala/bytebufferpool"
	"golang.org/x/sys/unix"
)

// stall is what a connection has to send that the kernel has not taken. It is made only while there is
// such a thing.
type stall struct {
	rest    []byte                     // of the frame under way; shared bytes of the handler's
	replies *bytebufferpool.ByteBuffer // that came since
	sent    int                        // how many bytes of replies are gone
}

// writable is a loop's epoll set of its stalled sockets. The loop asks it without waiting; the runtime's
// poller watches the set itself, and has the loop woken when one of them becomes writable.
type writable struct {
	file  *os.File
	fd    int           // of file, or none
	ended chan struct{} // closed when watch has returned
	over  atomic.Bool
	ready [128]unix.EpollEvent
}

func (w *writable) open() error {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return fmt.Errorf("poller: epoll_create1: %w", err)
	}
	_ = unix.SetNonblock(fd, true) // else NewFile does not give it to the runtime's poller
	w.fd, w.file, w.ended = fd, os.NewFile(uintptr(fd), "writable"), make(chan struct{})
	return nil
}

// close is for when the loop has ended. It ends watch.
func (w *writable) close() {
	if w.file == nil {
		return
	}
	w.over.Store(true)
	_ = w.file.Close()
	<-w.ended
	w.file, w.fd = nil, none
}

// watch calls changed each time a socket of the set may have become writable, until the set is closed.
// It never asks the set itself, so it sees each change once and does not spin while the loop is late.
func (w *writable) watch(changed func()) error {
	defer close(w.ended)
	raw, err := w.file.SyscallConn()
	if err != nil {
		return err
	}
	err = raw.Read(func(uintptr) bool {
		changed()
		return false
	})
	if w.over.Load() {
		return nil
	}
	return err
}

func (c *Conn) stallOn(rest []byte) {
	l := c.loop
	// The generation needs no place in the event: endStall takes the socket out of the set before the
	// slot can have another connection.
	ev := unix.EpollEvent{Events: unix.EPOLLOUT, Fd: int32(c.handle)}
	if c.marks&markRetry != 0 {
		ev.Events = 0
	}
	if err := unix.EpollCtl(l.writable.fd, unix.EPOLL_CTL_ADD, int(c.fd), &ev); err != nil {
		l.poller.o.Logger.Warn("cannot wait for a slow connection; it is closed", "error", os.NewSyscallError("epoll_ctl", err))
		c.Close()
		return
	}
	c.stall = l.stalls.New()
	l.stalls.At(c.stall).rest = rest
}

func (c *Conn) endStall() {
	l := c.loop
	// Where the system has closed the socket already it is out of the set, and this fails.
	_ = unix.EpollCtl(l.writable.fd, unix.EPOLL_CTL_DEL, int(c.fd), nil)
	if b := l.stalls.At(c.stall).replies; b != nil {
		putBuffer(b)
	}
	l.stalls.Free(c.stall)
	c.stall = 0
	c.marks &^= markRetry
}

// queue keeps replies of a stalled connection.
func (c *Conn) queue(p []byte) error {
	s := c.loop.stalls.At(c.stall)
	if s.replies == nil {
		s.replies = buffers.Get()
	}
	b := s.replies
	// What waits already is held against the bound, so that one reply of any size can be sent: the
	// sender bounds those. Past Congested there is room for what gathered during one read, and for a
	// close frame.
	if b.Len()-s.sent >= c.loop.poller.o.RepliesBytesMax+outBytesMax {
		return ErrRepliesFull
	}
	if s.sent > b.Len()/2 {
		b.B = b.B[:copy(b.B, b.B[s.sent:])]
		s.sent = 0
	}
	b.B = append(b.B, p...)
	return nil
}

// pushWritable sends for those stalled connections that can be written to, a number of them a slice.
func (l *Loop) pushWritable() (more bool) {
	if l.stalls.Len() == 0 {
		return false
	}
	n, err := unix.EpollWait(l.writable.fd, l.writable.ready[:], 0)
	if err != nil {
		n = 0
	}
	for i := range max(n, 0) {
		c := l.conns.At(uint32(l.writable.ready[i].Fd))
		if c.stall != 0 && c.alive() {
			l.serve(c, (*Conn).push, nil)
		}
	}
	more = n == len(l.writable.ready) || errors.Is(err, unix.EINTR)
	if more {
		l.due.Or(dueWritable)
	}
	return more
}

// push gives the kernel what a stalled connection has waiting, and ends the stall when it took all.
func (c *Conn) push([]byte) {
	l := c.loop
	s := l.stalls.At(c.stall)
	before := len(s.rest) + s.waiting()
	if len(s.rest) > 0 {
		s.rest = s.rest[c.write(s.rest):]
	}
	if len(s.rest) == 0 && s.waiting() > 0 && c.alive() {
		s.sent += c.write(s.replies.B[s.sent:])
	}
	if !c.alive() {
		return
	}
	left := len(s.rest) + s.waiting()
	if left == 0 || left < before {
		c.seen = l.Seconds() // the peer has made room: a sign of life
		if c.state == finishing && before-left >= lingerBytesMin {
			c.due = c.seen + lingerSeconds
		}
	}
	if left > 0 {
		return
	}
	c.endStall()
	if c.state == finishing {
		c.endOutput()
		return
	}
	l.poller.o.Handler.Drained(c)
	paused := c.marks&markPaused != 0 // then Data may have more to do, though it left nothing
	c.resume(markPaused)
	if (paused || c.input != 0) && c.state == open && !c.Resting() {
		c.receive(nil) // the requests that were left, whether it could be paused or not
	}
}

// waiting is how many bytes of replies wait.
func (s *stall) waiting() int {
	if s.replies == nil {
		return 0
	}
	return s.replies.Len() - s.sent
}
