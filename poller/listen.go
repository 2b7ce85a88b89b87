package poller

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// address is one listening address in gnet's terms. The family is always spelled out: gnet mixes the
// families up where it is not.
type address struct{ network, hostPort string }

// probe finds the addresses of host:port and binds each for a moment without SO_REUSEPORT. Without
// this a second process would silently share the port.
func probe(listen string) ([]address, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return nil, fmt.Errorf("poller: listen address %q: %w", listen, err)
	}
	hosts := []string{"0.0.0.0", "::"}
	if host != "" {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if hosts, err = net.DefaultResolver.LookupHost(ctx, host); err != nil {
			return nil, fmt.Errorf("poller: listen address %q: %w", listen, err)
		}
	}
	var addrs []address
	for _, h := range hosts {
		a := address{"tcp4", net.JoinHostPort(h, port)}
		if net.ParseIP(h).To4() == nil {
			a.network = "tcp6"
		}
		ln, err := net.Listen(a.network, a.hostPort)
		if err != nil {
			if host == "" && h == "::" && len(addrs) > 0 && !inUse(err) {
				continue // a host without IPv6
			}
			return nil, fmt.Errorf("poller: %w", err)
		}
		port = strconv.Itoa(ln.Addr().(*net.TCPAddr).Port) // the same for every family, where it was 0
		a.hostPort = net.JoinHostPort(h, port)
		addrs = append(addrs, a)
		_ = ln.Close()
	}
	return addrs, nil
}

// Keepalive is only a floor under the server's own heartbeats, so it is rare.
const (
	keepIdleSeconds     = 300
	keepIntervalSeconds = 60
	keepProbes          = 3
)

// setSocketOptions sets on a listener what gnet would set wrongly (its keepalive option hides errors of
// bind) or does not know. Accepted sockets inherit it.
func (p *Poller) setSocketOptions(fd int) {
	for _, o := range []struct {
		level, name, value int
		text               string
	}{
		{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1, "SO_KEEPALIVE"},
		{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, keepIdleSeconds, "TCP_KEEPIDLE"},
		{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, keepIntervalSeconds, "TCP_KEEPINTVL"},
		{unix.IPPROTO_TCP, unix.TCP_KEEPCNT, keepProbes, "TCP_KEEPCNT"},
		{unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(p.o.UserTimeout.Milliseconds()), "TCP_USER_TIMEOUT"},
	} {
		if err := unix.SetsockoptInt(fd, o.level, o.name, o.value); err != nil {
			p.o.Logger.Warn("socket option not set", "option", o.text, "error", err)
		}
	}
}

// filesALoop is what a loop holds: epoll, eventfd, the socketpair with its duplicates, two listeners.
const filesALoop = 8

// limitConnections derives how many connections there may be. It must stay below the limit on open
// files: an accept that fails for want of a descriptor ends gnet's loop.
func (p *Poller) limitConnections() error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("poller: getrlimit: %w", err)
	}
	if limit.Cur < limit.Max {
		raised := unix.Rlimit{Cur: limit.Max, Max: limit.Max}
		if unix.Setrlimit(unix.RLIMIT_NOFILE, &raised) == nil {
			limit.Cur = limit.Max
		}
	}
	used := 16
	if open, err := os.ReadDir("/proc/self/fd"); err == nil {
		used = len(open)
	}
	p.filesMax = int(min(limit.Cur, 1<<30))
	room := p.filesMax - used - filesALoop*p.o.Loops - p.o.ReservedFiles
	if room < 1 {
		return fmt.Errorf("poller: %d open files are too few: %d loops and the rest of the server need %d; raise `ulimit -n`",
			p.filesMax, p.o.Loops, p.filesMax-room+1)
	}
	p.connectionsMax = int64(room)
	return nil
}

// FilesMax is the limit on open files that the process has, raised as far as it may.
func FilesMax() int {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return 1024
	}
	return int(min(limit.Max, 1<<30))
}
