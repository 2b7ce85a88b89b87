package loadgen

import (
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// epoll is a loop's poller and how others reach the loop.
type epoll struct {
	fd     int
	wakeFD int
	coarse bool // the kernel has no epoll_pwait2 (before Linux 5.11): timeouts are milliseconds

	mu    sync.Mutex
	posts []func()
}

// wakeConn is the connection number that stands for wakeFD.
const wakeConn = -1

func newEpoll() (*epoll, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("loadgen: epoll_create1: %w", err)
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("loadgen: eventfd: %w", err)
	}
	e := &epoll{fd: fd, wakeFD: wake}
	if err := e.add(wake, wakeConn, unix.EPOLLIN); err != nil {
		e.close()
		return nil, err
	}
	return e, nil
}

// add registers a descriptor. conn comes back with its events, and so does the descriptor, by which an event for a
// connection that was closed meanwhile is recognised.
func (e *epoll) add(fd, conn int, events uint32) error {
	ev := unix.EpollEvent{Events: events, Fd: int32(conn), Pad: int32(fd)}
	if err := unix.EpollCtl(e.fd, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
		return fmt.Errorf("epoll_ctl: %w", err)
	}
	return nil
}

// poll takes the events that are there. The raw call spares the scheduler's bookkeeping: it cannot block.
func (e *epoll) poll(events []unix.EpollEvent) int {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(e.fd), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), 0, 0, 0)
	if errno != 0 {
		return 0
	}
	return int(n)
}

// wait blocks for events, at most so long.
func (e *epoll) wait(events []unix.EpollEvent, timeout time.Duration) (int, error) {
	if !e.coarse {
		ts := unix.NsecToTimespec(int64(max(timeout, 0)))
		n, _, errno := unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(e.fd), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), uintptr(unsafe.Pointer(&ts)), 0, 0)
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
			return 0, nil
		case unix.ENOSYS, unix.EPERM:
			e.coarse = true
		default:
			return 0, fmt.Errorf("loadgen: epoll_pwait2: %w", errno)
		}
	}
	n, err := unix.EpollWait(e.fd, events, int(timeout/time.Millisecond))
	if errors.Is(err, unix.EINTR) {
		return 0, nil
	}
	return n, err
}

// post has f run on the loop. It may be called from any goroutine.
func (e *epoll) post(f func()) {
	e.mu.Lock()
	e.posts = append(e.posts, f)
	e.mu.Unlock()
	e.wake()
}

// wake makes the loop take a turn.
func (e *epoll) wake() {
	one := [8]byte{7: 1}
	// A full counter refuses the write, but then a wake-up is under way anyway.
	_, _ = unix.Write(e.wakeFD, one[:])
}

// woken runs what was posted.
func (e *epoll) woken() {
	var b [8]byte
	_, _ = unix.Read(e.wakeFD, b[:])
	e.mu.Lock()
	posts := e.posts
	e.posts = nil
	e.mu.Unlock()
	for _, f := range posts {
		f()
	}
}

func (e *epoll) close() {
	_ = unix.Close(e.wakeFD)
	_ = unix.Close(e.fd)
}

// readRaw and writeRaw are read and write on a non-blocking descriptor. The raw calls keep the runtime from handing the
// processor to another thread in the middle of a loop's work.
func readRaw(fd int, p []byte) (int, syscall.Errno) {
	for {
		n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)))
		if errno != unix.EINTR {
			return int(n), errno
		}
	}
}

func writeRaw(fd int, p []byte) (int, syscall.Errno) {
	for {
		n, _, errno := unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)))
		if errno != unix.EINTR {
			return int(n), errno
		}
	}
}
