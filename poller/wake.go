package poller

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"

	"github.com/panjf2000/gnet/v2"
	"golang.org/x/sys/unix"
)

// none is no file descriptor. 0 is one.
const none = -1

// wakeup is a loop's socketpair. A byte in it is a slice of work. Continuing a turn by a task posted to
// gnet would not do: tasks that are posted from a task run in the same drain, before any read.
type wakeup struct {
	woken atomic.Bool // a byte is under way, or will be when there is a socketpair

	// The lock keeps a late wake-up from writing to a descriptor that belongs to another file by now.
	// Only who has set woken takes it, so nobody waits for it.
	mu sync.Mutex
	fd int // our end, or none

	theirs net.Conn // the loop's end until it is enrolled
}

func (w *wakeup) open() error {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("poller: socketpair: %w", err)
	}
	f := os.NewFile(uintptr(fds[1]), "wake")
	w.theirs, err = net.FileConn(f) // a duplicate
	_ = f.Close()
	if err != nil {
		_ = unix.Close(fds[0])
		return fmt.Errorf("poller: socketpair: %w", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fd = fds[0]
	if w.woken.Load() {
		w.send()
	}
	return nil
}

func (w *wakeup) wake() {
	if w.woken.CompareAndSwap(false, true) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.send()
	}
}

// taken says that the byte has been read: the next wake-up sends another.
func (w *wakeup) taken() { w.woken.Store(false) }

var wakeByte = []byte{0}

func (w *wakeup) send() {
	if w.fd == none {
		return
	}
	for {
		_, err := unix.Write(w.fd, wakeByte)
		switch {
		case err == nil || errors.Is(err, unix.EAGAIN): // full: bytes are under way
			return
		case errors.Is(err, unix.EINTR):
		default:
			w.woken.Store(false) // the next one tries again; the ticker's, if nobody else's
			return
		}
	}
}

// close is for when the loop has ended. Later wake-ups do nothing.
func (w *wakeup) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.woken.Store(true)
	if w.fd != none {
		_ = unix.Close(w.fd)
		w.fd = none
	}
	if w.theirs != nil {
		_ = w.theirs.Close()
		w.theirs = nil
	}
}

// enrol gives the loop its end of the socketpair, like a connection.
func (l *Loop) enrol() error {
	theirs := l.wakeup.theirs
	done, err := l.engine.Register(gnet.NewNetConnContext(gnet.NewContext(context.Background(), l), theirs))
	if err != nil {
		return fmt.Errorf("poller: enrol socketpair: %w", err)
	}
	l.wakeup.theirs = nil // gnet closes it, and goes on with a duplicate
	var end int
	select {
	case r := <-done:
		if r.Err != nil {
			return fmt.Errorf("poller: enrol socketpair: %w", r.Err)
		}
		end = r.Conn.Fd()
	case <-l.stopping: // gnet would never answer
		return errors.New("poller: event loop stopped while it started")
	}
	epoll, err := findEpoll(end)
	if err != nil {
		l.poller.o.Logger.Warn("clients that do not read their replies cannot be paused; they are given up instead", "error", err)
	}
	l.epoll.Store(int32(epoll))
	if !l.enrolled { // gnet says nothing of an epoll_ctl that fails
		return errors.New("poller: event loop did not take its socketpair")
	}
	return nil
}
