package poller

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/panjf2000/gnet/v2"
	"golang.org/x/sys/unix"
)

// none is no file descriptor. 0 is one.
const none = -1

// wakeup is a loop's eventfd. What is written to it is a slice of work. Continuing a turn by a task posted to
// gnet would not do: tasks that are posted from a task run in the same drain, before any read.
type wakeup struct {
	woken atomic.Bool // a write is under way, or will be when there is an eventfd

	// The lock keeps a late wake-up from writing to a descriptor that belongs to another file by now.
	// Only who has set woken takes it, so nobody waits for it.
	mu sync.Mutex
	fd int // our descriptor of the eventfd, or none

	theirs net.Conn // the loop's until it is enrolled
}

func (w *wakeup) open() error {
	fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		return fmt.Errorf("poller: eventfd: %w", err)
	}
	if w.theirs, err = disguise(fd); err != nil {
		_ = unix.Close(fd)
		return fmt.Errorf("poller: eventfd as a socket: %w", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fd = fd
	if w.woken.Load() {
		w.send()
	}
	return nil
}

// disguise returns a second descriptor of an eventfd as a connection, which is all that gnet enrols: a
// socket's, with the eventfd put in the socket's place. A byte through a socket takes three times as long.
func disguise(eventfd int) (net.Conn, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = unix.Close(fds[0]) }() // not before: the other end must have a peer to name
	f := os.NewFile(uintptr(fds[1]), "wake")
	socket, err := net.FileConn(f) // a duplicate
	_ = f.Close()
	if err != nil {
		return nil, err
	}
	raw, err := socket.(*net.UnixConn).SyscallConn()
	if err == nil {
		var replaced error
		err = raw.Control(func(fd uintptr) { replaced = unix.Dup3(eventfd, int(fd), unix.O_CLOEXEC) })
		err = errors.Join(err, replaced)
	}
	if err != nil {
		_ = socket.Close()
		return nil, err
	}
	return socket, nil
}

func (w *wakeup) wake() {
	if w.woken.CompareAndSwap(false, true) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.send()
	}
}

// taken says that the eventfd has been read: the next wake-up writes to it again.
func (w *wakeup) taken() { w.woken.Store(false) }

// one is what a write adds to an eventfd (eventfd(2)).
var one = binary.NativeEndian.AppendUint64(nil, 1)

// send writes as Conn.write does, without the scheduler.
func (w *wakeup) send() {
	if w.fd == none {
		return
	}
	for {
		_, _, errno := unix.RawSyscall(unix.SYS_WRITE, uintptr(w.fd), uintptr(unsafe.Pointer(unsafe.SliceData(one))), uintptr(len(one)))
		switch errno {
		case 0, unix.EAGAIN: // full: the loop has not read for long
			return
		case unix.EINTR:
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

// enrol gives the loop its descriptor of the eventfd, like a connection.
func (l *Loop) enrol() error {
	theirs := l.wakeup.theirs
	done, err := l.engine.Register(gnet.NewNetConnContext(gnet.NewContext(context.Background(), l), theirs))
	if err != nil {
		return fmt.Errorf("poller: enrol eventfd: %w", err)
	}
	l.wakeup.theirs = nil // gnet closes it, and goes on with a duplicate
	var fd int
	select {
	case r := <-done:
		if r.Err != nil {
			return fmt.Errorf("poller: enrol eventfd: %w", r.Err)
		}
		fd = r.Conn.Fd()
	case <-l.stopping: // gnet would never answer
		return errors.New("poller: event loop stopped while it started")
	}
	epoll, members, err := findEpoll(int32(fd))
	if err != nil {
		l.poller.o.Logger.Warn("clients that send too fast cannot be paused; they are given up instead", "error", err)
	}
	l.listeners = listenersOf(members) // now: there may be no descriptor to look for them when they are wanted
	l.epoll.Store(int32(epoll))
	if !l.enrolled { // gnet says nothing of an epoll_ctl that fails
		return errors.New("poller: event loop did not take its eventfd")
	}
	return nil
}
