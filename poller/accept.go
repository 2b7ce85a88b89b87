package poller

import (
	"context"
	"errors"
	"fmt"

	gneterrors "github.com/panjf2000/gnet/v2/pkg/errors"
	"golang.org/x/sys/unix"
)

// gnet ends a loop, and with it all its connections, on any failure of accept but a few, among them those that pass:
// no descriptor is left in the process or in the host, no memory. It asks errors.Is whether what its callback returned
// is gnet's ErrAcceptSocket, a variable that it exports and, on Linux, uses for nothing else. An error that is none by
// errors.Is, not even itself, keeps the loop going. Nobody could be told apart by it afterwards, and nobody is: the
// failure itself comes by gnet's log, in the same call, on the loop.
func init() { gneterrors.ErrAcceptSocket = acceptError{} }

// acceptError cannot be compared, so errors.Is does not; it wraps nothing.
type acceptError struct{ _ [0]func() }

func (acceptError) Error() string { return "gnet: accept failed; its loop goes on" }

// acceptLogFormat is gnet's, of the one line that we heed.
const acceptLogFormat = "Accept() failed due to error: %v"

// acceptFailed is called on the loop when accept has failed. Those who want to connect wait in the kernel's backlog,
// until the next tick: the listener stays readable, and to try at once would keep the loop from all else.
func (l *Loop) acceptFailed(err error) {
	l.counts.AcceptErrors++
	l.stopAccepting()
	if isFinal(err) {
		l.acceptErr = fmt.Errorf("accept: %w", err)
		l.stopEngine(context.Background())
		return
	}
	if now := l.Seconds(); l.acceptLogged != now {
		l.acceptLogged = now
		l.poller.o.Logger.Warn("cannot accept connections; they wait in the backlog", "loop", l.index, "error", err, "remedy", remedy(err))
	}
}

// isFinal says that the listener will never do again: it was shut down, or its descriptor is another file's.
func isFinal(err error) bool {
	return errors.Is(err, unix.EBADF) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTSOCK) || errors.Is(err, unix.EOPNOTSUPP)
}

func remedy(err error) string {
	switch {
	case errors.Is(err, unix.EMFILE):
		return "raise `ulimit -n`, or lower the bound on connections"
	case errors.Is(err, unix.ENFILE):
		return "raise the sysctl fs.file-max, or close files of other processes"
	default:
		return "the next try is in a tenth of a second"
	}
}

// stopAccepting takes the listeners out of what gnet's epoll set is asked for, as pause does with a connection. Where
// the set is not known the loop goes on too, but tries again all the time.
func (l *Loop) stopAccepting() {
	epoll := int(l.epoll.Load()) // before the listeners, which enrol stores before it
	if epoll == none {
		return
	}
	for _, fd := range l.listeners {
		if setEvents(epoll, fd, 0) == nil {
			l.notAccepting = true
		}
	}
}

// acceptAgain is called in each tick.
func (l *Loop) acceptAgain() {
	if !l.notAccepting {
		return
	}
	l.notAccepting = false
	for _, fd := range l.listeners {
		if setEvents(int(l.epoll.Load()), fd, readEvents) != nil {
			l.notAccepting = true // the next tick tries again
		}
	}
}

func setEvents(epoll int, fd int32, events uint32) error {
	return unix.EpollCtl(epoll, unix.EPOLL_CTL_MOD, int(fd), &unix.EpollEvent{Fd: fd, Events: events})
}

// listenersOf are those of an epoll set's members that listen.
func listenersOf(members []int32) (listeners []int32) {
	for _, fd := range members {
		if listens, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ACCEPTCONN); err == nil && listens != 0 {
			listeners = append(listeners, fd)
		}
	}
	return listeners
}
