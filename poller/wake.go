package poller

import (
	"context"
	"fmt"
	"net"
	"os"

	"github.com/panjf2000/gnet/v2"
	"golang.org/x/sys/unix"
)

// enrolWake makes the loop's socketpair and enrols one end like a connection. A byte in the other end is
// a slice of work. Continuing a turn by a task posted to gnet would not do: tasks that are posted from a
// task run in the same drain, before any read.
func (l *Loop) enrolWake() error {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("poller: socketpair: %w", err)
	}
	f := os.NewFile(uintptr(fds[1]), "wake")
	nc, err := net.FileConn(f) // a duplicate, which gnet duplicates once more and closes
	_ = f.Close()
	if err != nil {
		_ = unix.Close(fds[0])
		return fmt.Errorf("poller: socketpair: %w", err)
	}
	l.wakeFD = fds[0]
	ctx := gnet.NewNetConnContext(gnet.NewContext(context.Background(), l), nc)
	done, err := l.engine.Register(ctx)
	if err != nil {
		return fmt.Errorf("poller: enrol socketpair: %w", err)
	}
	if r := <-done; r.Err != nil {
		return fmt.Errorf("poller: enrol socketpair: %w", r.Err)
	}
	close(l.ready)
	return nil
}
