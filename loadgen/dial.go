package loadgen

import (
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// LimitError is a limit of this host that keeps a plan from being carried out. Its text names the limit and the fix.
type LimitError struct{ Message string }

func (e *LimitError) Error() string { return "loadgen: " + e.Message }

// sourceTriesMax is how many source addresses are tried for a connection when one has no port left.
const sourceTriesMax = 8

// descriptorsSpare is what a process needs beside its connections.
const descriptorsSpare = 64

// checkDescriptors says before the start that the connections will not fit.
func checkDescriptors(connections int) error {
	var r unix.Rlimit
	known := unix.Getrlimit(unix.RLIMIT_NOFILE, &r) == nil
	if need := uint64(connections + descriptorsSpare); known && r.Cur < need {
		return descriptorLimit(fmt.Sprintf("%d connections need %d open files", connections, need), r.Cur, need)
	}
	return nil
}

func descriptorLimit(what string, have, need uint64) error {
	return &LimitError{fmt.Sprintf("%s, and this process may have %d (RLIMIT_NOFILE); raise it with `ulimit -n %d` in the shell that starts loadgen "+
		"(as root, or after a line \"* hard nofile %d\" in /etc/security/limits.conf), or ask for fewer --connections", what, have, need, need)}
}

// dial begins to connect. It returns a descriptor on which EPOLLOUT tells that it is done.
// receive, if it is not 0, is the size of its receive buffer.
func dial(target netip.AddrPort, from sources, conn, receive int) (int, error) {
	var err error
	for try := range max(1, min(from.count, sourceTriesMax)) {
		var source netip.Addr
		if from.count > 0 {
			source = from.of(conn, try)
		}
		var fd int
		if fd, err = dialFrom(target, source, receive); !errors.Is(err, unix.EADDRNOTAVAIL) {
			return fd, explain(err, target, source, from)
		}
		err = explain(err, target, source, from)
	}
	return -1, err
}

func dialFrom(target netip.AddrPort, source netip.Addr, receive int) (int, error) {
	family := unix.AF_INET
	if target.Addr().Is6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("socket: %w", err)
	}
	if source.IsValid() {
		// Without this option bind takes a port for itself, whatever the target, and an address has no more than 28,000.
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
		if err == nil {
			err = unix.Bind(fd, &unix.SockaddrInet4{Addr: source.As4()})
		}
	}
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	}
	if err == nil && receive > 0 {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receive)
	}
	if err == nil {
		if err = unix.Connect(fd, sockaddr(target)); errors.Is(err, unix.EINPROGRESS) {
			err = nil
		}
	}
	if err != nil {
		_ = unix.Close(fd)
		return -1, fmt.Errorf("connect: %w", err)
	}
	return fd, nil
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	}
	return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
}

// explain turns the limits of this host into a text that says what to do; other errors stay as they are.
func explain(err error, target netip.AddrPort, source netip.Addr, from sources) error {
	var r unix.Rlimit
	switch {
	case errors.Is(err, unix.EMFILE):
		_ = unix.Getrlimit(unix.RLIMIT_NOFILE, &r)
		return descriptorLimit("out of open files", r.Cur, 2*r.Cur)
	case errors.Is(err, unix.ENFILE):
		return &LimitError{"this host is out of open files (fs.file-max); raise it with `sysctl -w fs.file-max=4000000`"}
	case errors.Is(err, unix.ENOBUFS), errors.Is(err, unix.ENOMEM):
		return &LimitError{"the kernel has no memory for more sockets (" + err.Error() + ")"}
	case errors.Is(err, unix.EADDRNOTAVAIL) && !source.IsValid():
		return &LimitError{fmt.Sprintf("no local port left towards %v (net.ipv4.ip_local_port_range has %d); give --sources and --source-first, "+
			"or widen the range: `sysctl -w net.ipv4.ip_local_port_range='1024 65535'`", target, localPorts())}
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return &LimitError{fmt.Sprintf("%v is not an address of this host, or has no local port left towards %v (net.ipv4.ip_local_port_range has %d); "+
			"give more than --sources %d, or widen the range: `sysctl -w net.ipv4.ip_local_port_range='1024 65535'`", source, target, localPorts(), from.count)}
	}
	return err
}
