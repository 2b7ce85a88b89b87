package poller

import (
	"errors"
	"log/slog"
	"net"
	"strings"
	"testing"

	gneterrors "github.com/panjf2000/gnet/v2/pkg/errors"
	"golang.org/x/sys/unix"
)

// A gnet that asks otherwise fails in the test after this one.
func TestAcceptErrorIsNone(t *testing.T) {
	if err := gneterrors.ErrAcceptSocket; err == nil || errors.Is(err, gneterrors.ErrAcceptSocket) || errors.Is(err, gneterrors.ErrEngineShutdown) {
		t.Errorf("gnet would end its loop for %v", err)
	}
}

// No descriptor is left: those who are connected are served, those who connect wait, and are served when there is
// one. Where gnet's loop ends, or its log says it otherwise, or a listener is not where we look for it, this fails.
func TestAcceptWithoutFiles(t *testing.T) {
	c := startChild(t, 200)
	var peers []net.Conn
	for range 8 { // on both loops, most likely
		nc := c.dial(t)
		send(t, nc, "x")
		expect(t, nc, "x")
		peers = append(peers, nc)
	}
	limit := setFiles(t, c.pid, 3)
	waiting := c.dial(t) // the kernel accepts it
	send(t, waiting, "waited")
	began := c.until(t, "accept fails", func(f figures) bool { return f.Counts.AcceptErrors > 0 })
	f := c.until(t, "more ticks", func(f figures) bool { return f.Ticks > began.Ticks+30 })
	for _, nc := range peers {
		for range 20 {
			send(t, nc, "y")
			expect(t, nc, "y")
		}
	}
	// One listener has somebody waiting, and its loop about half of the ticks.
	if tries, ticks := f.Counts.AcceptErrors-began.Counts.AcceptErrors, f.Ticks-began.Ticks; tries < 2 || tries > ticks {
		t.Errorf("%d tries in %d ticks of two loops", tries, ticks)
	}
	if n := strings.Count(c.log.String(), "cannot accept connections"); n == 0 || n > int(f.Seconds-began.Seconds)+3 {
		t.Errorf("it is said %d times in %d seconds:\n%s", n, f.Seconds-began.Seconds+1, c.log)
	}
	if log := c.log.String(); !strings.Contains(log, "too many open files") || !strings.Contains(log, "ulimit -n") {
		t.Errorf("the log does not say why, or what to do:\n%s", log)
	}
	if f.Counts.Opened != uint64(len(peers)) {
		t.Errorf("%d opened", f.Counts.Opened)
	}
	setFiles(t, c.pid, limit)
	expect(t, waiting, "waited")
	tries := c.figures(t).Counts.AcceptErrors
	for range 8 {
		nc := c.dial(t)
		send(t, nc, "z")
		expect(t, nc, "z")
	}
	if n := c.figures(t).Counts.AcceptErrors; n != tries {
		t.Errorf("accept fails on: %d times more", n-tries)
	}
	c.end(t)
}

// setFiles sets a process's limit on open files, below what it has open already if need be, and returns the former one.
func setFiles(t *testing.T, pid int, limit uint64) (was uint64) {
	t.Helper()
	var old unix.Rlimit
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &old); err != nil {
		t.Fatal(err)
	}
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: limit, Max: old.Max}, nil); err != nil {
		t.Fatal(err)
	}
	return old.Cur
}

// A loop that does not know its epoll set tries all the time, and serves all the same.
func TestAcceptFailsWithoutTheEpollSet(t *testing.T) {
	p := serve(t, &hooks{data: echo})
	l := p.loops[0]
	onLoop(t, l, func() {
		l.epoll.Store(none)
		gnetLogger{p.o.Logger, l}.Errorf(acceptLogFormat, unix.ENOBUFS)
		if l.counts.AcceptErrors != 1 || l.notAccepting {
			t.Errorf("%d errors, accepting is stopped: %v", l.counts.AcceptErrors, l.notAccepting)
		}
	})
	nc := dial(t, p)
	send(t, nc, "x")
	expect(t, nc, "x")
}

// Every listening address of a loop is known to it, and nothing else.
func TestListenersAreFound(t *testing.T) {
	for _, listen := range []string{"127.0.0.1:0", ":0"} {
		p := serve(t, &hooks{}, func(o *Options) { o.Listen, o.Loops = listen, 2 })
		for _, l := range p.loops {
			if len(l.listeners) != len(p.addrs) {
				t.Errorf("%s: loop %d knows of %d listeners, and listens on %v", listen, l.index, len(l.listeners), p.addrs)
			}
		}
	}
}

// A listener that never does again ends its loop, which is the server's end.
func TestBrokenListenerEndsTheLoop(t *testing.T) {
	checkFiles(t)
	p, err := New(options(&hooks{}))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer stop(t, p)
	if err := unix.Shutdown(int(p.loops[0].listeners[0]), unix.SHUT_RDWR); err != nil {
		t.Fatal(err)
	}
	if err := receive(t, p.Failed(), "the loop's end"); !errors.Is(err, unix.EINVAL) {
		t.Errorf("Failed says %v", err)
	}
}

// What is said, and how often.
func TestAcceptFailureIsLoggedOnceASecond(t *testing.T) {
	log := new(syncBuffer)
	p := serve(t, &hooks{}, func(o *Options) { o.Logger = slog.New(slog.NewTextHandler(log, nil)) })
	l := p.loops[0]
	holdClock(t, p)
	for second, want := range map[uint32]string{500: "fs.file-max", 501: "tenth of a second"} {
		err := map[uint32]error{500: unix.ENFILE, 501: unix.ENOMEM}[second]
		p.second.Store(second)
		onLoop(t, l, func() {
			for range 5 {
				l.acceptFailed(err)
			}
		})
		if n := strings.Count(log.String(), want); n != 1 {
			t.Errorf("%v: %q stands %d times in\n%s", err, want, n, log)
		}
	}
}
