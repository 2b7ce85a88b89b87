package poller

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// address is one listening address in gnet's terms. The family is always spelled out: gnet mixes the
// families up where it is not.
type address struct{ network, hostPort string }

// portTries is how often a free port is looked for that is free in all families.
const portTries = 16

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
		slices.Sort(hosts) // a hosts file may say the same twice
		hosts = slices.Compact(hosts)
	}
	for try := 1; ; try++ {
		addrs, err := probeHosts(hosts, port)
		if err == nil {
			return addrs, nil
		}
		if n, _ := strconv.Atoi(port); n != 0 || !errors.Is(err, unix.EADDRINUSE) || try == portTries {
			return nil, fmt.Errorf("poller: %w", err)
		}
	}
}

func probeHosts(hosts []string, port string) (addrs []address, missing error) {
	for _, h := range hosts {
		a := address{"tcp4", net.JoinHostPort(h, port)}
		if net.ParseIP(h).To4() == nil {
			a.network = "tcp6"
		}
		ln, err := net.Listen(a.network, a.hostPort)
		switch {
		case err == nil:
		case len(hosts) > 1 && noSuchFamily(err):
			missing = err
			continue // such as a host without IPv6
		default:
			return nil, err
		}
		port = strconv.Itoa(ln.Addr().(*net.TCPAddr).Port) // the same for every family, where it was 0
		a.hostPort = net.JoinHostPort(h, port)
		addrs = append(addrs, a)
		_ = ln.Close()
	}
	if len(addrs) == 0 {
		return nil, missing
	}
	return addrs, nil
}

// reserve keeps a port that was found until the loops listen on it: what others connect from is chosen from the same
// ports. A socket that is bound and does not listen gets no connections, and with SO_REUSEPORT is in no listener's way.
func (p *Poller) reserve() {
	for _, a := range p.addrs {
		if fd, err := bound(a); err == nil {
			p.reserved = append(p.reserved, fd)
		}
	}
}

func (p *Poller) unreserve() {
	for _, fd := range p.reserved {
		_ = unix.Close(fd)
	}
	p.reserved = nil
}

// bound is a socket that has an address and does not listen.
func bound(a address) (fd int, err error) {
	at, err := net.ResolveTCPAddr(a.network, a.hostPort)
	if err != nil {
		return -1, err
	}
	family := unix.AF_INET
	var to unix.Sockaddr
	if a.network == "tcp4" {
		to = &unix.SockaddrInet4{Port: at.Port, Addr: [4]byte(at.IP.To4())}
	} else {
		family, to = unix.AF_INET6, &unix.SockaddrInet6{Port: at.Port, Addr: [16]byte(at.IP.To16())}
	}
	if fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return -1, err
	}
	if family == unix.AF_INET6 {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1)
	}
	err = errors.Join(err, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1))
	if err == nil {
		err = unix.Bind(fd, to)
	}
	if err != nil {
		_ = unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func noSuchFamily(err error) bool {
	return errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EPROTONOSUPPORT)
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
