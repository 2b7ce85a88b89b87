package e2e

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// bare is a TCP connection without anything around it: of these one goroutine has thousands, and does to them what a
// net.Conn would not.
type bare struct{ fd int }

// bare connects.
func (s *site) bare(options ...func(fd int) error) (bare, error) {
	at, err := netip.ParseAddrPort(s.addr)
	if err != nil {
		return bare{}, err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return bare{}, err
	}
	err = errors.Join(
		// An address of attackers' own. Ended by a reset, a connection leaves nothing that the next would trip over.
		unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1),
		unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 66}}),
		unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}),
	)
	for _, o := range options {
		err = errors.Join(err, o(fd))
	}
	if err == nil {
		err = unix.Connect(fd, &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()})
	}
	wait := unix.NsecToTimeval(int64(patience)) // not before: a connect that may time out may be interrupted too
	err = errors.Join(err, unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &wait))
	if err != nil {
		_ = unix.Close(fd)
		return bare{}, err
	}
	return bare{fd}, nil
}

// narrow has the kernel take little that is not read.
func narrow(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 2048) }

// vanish has the kernel drop all that comes for a connection, unseen: no acknowledgement and no reset goes back, as if
// the machine were gone.
func (b bare) vanish() error {
	nothing := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: 0}}
	return unix.SetsockoptSockFprog(b.fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &nothing[0]})
}

// send sends all of p, if it takes the server's whole patience.
func (b bare) send(p []byte) error {
	for len(p) > 0 {
		n, err := unix.SendmsgN(b.fd, p, nil, nil, unix.MSG_NOSIGNAL)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return err
		default:
			p = p[n:]
		}
	}
	return nil
}

// offer sends what the kernel takes of p now.
func (b bare) offer(p []byte) (n int, err error) {
	n, err = unix.SendmsgN(b.fd, p, nil, nil, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT)
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
		return 0, nil
	}
	return max(n, 0), err
}

// head waits for the head of the HTTP answer, and takes what came behind it as well.
func (b bare) head() ([]byte, error) { return b.readTo("\r\n\r\n") }

// readTo reads until something has come.
func (b bare) readTo(what string) (got []byte, err error) {
	p := make([]byte, 16<<10)
	for from := 0; !bytes.Contains(got[from:], []byte(what)); {
		from = max(0, len(got)-len(what))
		n, err := unix.Read(b.fd, p)
		if err == nil && n == 0 {
			err = io.ErrUnexpectedEOF
		}
		if err != nil && !errors.Is(err, unix.EINTR) {
			return got, err
		}
		got = append(got, p[:max(n, 0)]...)
	}
	return got, nil
}

// fate is what became of a connection: the status of a refusal with its code ("503 full"), the code of a close frame
// ("4004"), "reset", or "end" where there was neither. It reads up to the connection's end.
func (b bare) fate() string {
	var got []byte
	p := make([]byte, 16<<10)
	end := "end"
	for {
		n, err := unix.Read(b.fd, p)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if errors.Is(err, unix.ECONNRESET) {
			end = "reset"
		} else if err != nil {
			end = err.Error()
		}
		if err != nil || n == 0 {
			break
		}
		got = append(got, p[:n]...)
	}
	if rest, ok := bytes.CutPrefix(got, []byte("HTTP/1.1 101")); ok {
		_, got, _ = bytes.Cut(rest, []byte("\r\n\r\n"))
	} else if status, ok := bytes.CutPrefix(got, []byte("HTTP/1.1 ")); ok && len(status) > 3 {
		_, code, _ := bytes.Cut(status, []byte(`"code":"`))
		code, _, _ = bytes.Cut(code, []byte(`"`))
		return string(status[:3]) + " " + string(code)
	}
	for {
		op, payload, n := cutFrame(got)
		switch {
		case n == 0:
			return end
		case op == opClose && len(payload) >= 2:
			return strconv.Itoa(int(binary.BigEndian.Uint16(payload)))
		}
		got = got[n:]
	}
}

// cut ends the connection by a reset.
func (b bare) cut() { _ = unix.Close(b.fd) }

// gang is a number of attackers.
type gang struct {
	tr   *trial
	bare []bare
}

// gang opens so many connections, each of which sends first. They are cut off when the test ends.
func (tr *trial) gang(count int, first []byte, options ...func(fd int) error) *gang {
	tr.t.Helper()
	g := &gang{tr: tr}
	tr.t.Cleanup(g.cut)
	for range count {
		b, err := tr.bare(options...)
		if err != nil {
			tr.t.Fatal(err)
		}
		g.bare = append(g.bare, b)
		if err := b.send(first); err != nil {
			tr.t.Fatal(err)
		}
	}
	return g
}

// upgraded is gang for WebSockets, whose upgrade is behind them.
func (tr *trial) upgraded(count int, target string, options ...func(fd int) error) *gang {
	tr.t.Helper()
	g := tr.gang(count, []byte(upgradeRequest(target)), options...)
	for _, b := range g.bare {
		if head, err := b.head(); err != nil || !bytes.HasPrefix(head, []byte("HTTP/1.1 101")) {
			tr.t.Fatalf("%s: %.200q, %v", target, head, err)
		}
	}
	return g
}

// send has each of them send p.
func (g *gang) send(p []byte) {
	g.tr.t.Helper()
	for i, b := range g.bare {
		if err := b.send(p); err != nil {
			g.tr.t.Fatalf("attacker %d: %v", i, err)
		}
	}
}

// cut cuts all of them off. A second call does nothing.
func (g *gang) cut() {
	for _, b := range g.bare {
		b.cut()
	}
	g.bare = nil
}

// fates waits for the end of all of them and says how many met which.
func (g *gang) fates() map[string]int {
	g.tr.t.Helper()
	fates := map[string]int{}
	for _, b := range g.bare {
		fate := b.fate()
		if fates[fate]++; fate == unix.EAGAIN.Error() {
			g.tr.t.Fatalf("an attacker is still there; the others have met %v", fates)
		}
	}
	return fates
}

// meet wants all of them to meet one of these ends.
func (g *gang) meet(fates ...string) {
	g.tr.t.Helper()
	met := g.fates()
	all := 0
	for _, f := range fates {
		all += met[f]
	}
	if all != len(g.bare) {
		g.tr.t.Errorf("the attackers have met %v, want %d of %q", met, len(g.bare), fates)
	}
}

// meanwhile runs a function again and again on a goroutine of its own until the healthy clients have outlasted it and the
// metrics show it, and returns when it has returned. It must not use the test.
func (tr *trial) meanwhile(again func() error, rises ...rise) {
	tr.t.Helper()
	stop, failed := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			select {
			case <-stop:
				failed <- nil
				return
			default:
			}
			if err := again(); err != nil {
				failed <- err
				return
			}
		}
	}()
	ended := false
	tr.t.Cleanup(func() {
		if !ended {
			close(stop)
			<-failed
		}
	})
	tr.outlast()
	tr.show(rises)
	ended = true
	close(stop)
	if err := <-failed; err != nil {
		tr.t.Fatal(err)
	}
}

// paced is a function for meanwhile that is called at a pace.
func paced(interval time.Duration, each func() error) func() error {
	tick := time.NewTicker(interval)
	return func() error { <-tick.C; return each() }
}
