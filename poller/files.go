package poller

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// filesALoop is what a loop holds besides its listeners: gnet's epoll set and eventfd, the set of stalled
// sockets, the one that wakes it, which has three descriptors while it is enrolled, and the connection that
// is one too many until it is refused.
const filesALoop = 7

// room derives how many connections there may be. They stay below the limit on open files: who comes when no
// descriptor is left cannot even be refused, but waits in the backlog without a word.
func room(loops, addrs, reserved int) (connections int64, err error) {
	limit, err := raiseFiles()
	if err != nil {
		return 0, err
	}
	used := 16
	if open, err := os.ReadDir("/proc/self/fd"); err == nil {
		used = len(open)
	}
	ours := used + loops*(filesALoop+addrs) + reserved
	if ours >= limit {
		return 0, fmt.Errorf("poller: %d open files are too few: %d loops and the rest of the server need %d, each connection one more; raise `ulimit -n`",
			limit, loops, ours)
	}
	return int64(limit - ours), nil
}

// filesMax bounds the limit on open files where there is none.
const filesMax = 1 << 30

// raiseFiles raises the limit on open files as far as the process may, and returns it.
func raiseFiles() (int, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("poller: getrlimit: %w", err)
	}
	if limit.Cur < limit.Max {
		raised := unix.Rlimit{Cur: limit.Max, Max: limit.Max}
		if unix.Setrlimit(unix.RLIMIT_NOFILE, &raised) == nil {
			limit.Cur = limit.Max
		}
	}
	return int(min(limit.Cur, filesMax)), nil
}

// FilesMax is the limit on open files that the process has, raised as far as it may.
func FilesMax() int {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return 1024
	}
	return int(min(limit.Max, filesMax))
}
