package poller

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestStartsAndStopsLeaveNothingOpen(t *testing.T) {
	checkFiles(t)
	for range 5 {
		var closed atomic.Int32
		p, err := New(func() Options {
			o := options(&hooks{data: echo, closed: func(*Conn) { closed.Add(1) }})
			o.Loops = 3
			return o
		}())
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		var peers []net.Conn
		for range 10 {
			nc := dial(t, p)
			send(t, nc, "x")
			expect(t, nc, "x")
			peers = append(peers, nc)
		}
		stop(t, p)
		for _, nc := range peers {
			expectClosed(t, nc)
			nc.Close()
		}
		if n := closed.Load(); n != 10 {
			t.Fatalf("Closed was called %d times for 10 connections", n)
		}
		stop(t, p) // again
		select {
		case err := <-p.Failed():
			t.Fatalf("a loop that was stopped is reported: %v", err)
		default:
		}
	}
}

func TestStopBeforeStart(t *testing.T) {
	checkFiles(t)
	p, err := New(options(&hooks{}))
	if err != nil {
		t.Fatal(err)
	}
	p.Stop(t.Context())
	p.Stop(t.Context())
	if err := p.Start(t.Context()); err == nil {
		t.Fatal("started after Stop")
	}
}

func TestStopFromManyGoroutinesReturnsWhenTheLoopsHaveEnded(t *testing.T) {
	checkFiles(t)
	p := serve(t, &hooks{}, func(o *Options) { o.Loops = 2 })
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { stop(t, p) })
	}
	wg.Wait()
}

func TestStopWithAnEndedContextStopsAllTheSame(t *testing.T) {
	checkFiles(t)
	p := serve(t, &hooks{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p.Stop(ctx)
	receive(t, p.loops[0].ended, "the loop's end")
}

func TestStartFails(t *testing.T) {
	for what, spoil := range map[string]func(t *testing.T, p *Poller) context.Context{
		"somebody else takes the port meanwhile": func(t *testing.T, p *Poller) context.Context {
			p.unreserve() // a port that the operator named is not kept
			ln, err := net.Listen("tcp4", p.Addr())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { ln.Close() })
			return t.Context()
		},
		"one loop of three cannot listen": func(t *testing.T, p *Poller) context.Context {
			p.loops[2].poller = &Poller{o: p.o, addrs: []address{{"tcp4", "192.0.2.1:0"}}, failed: p.failed}
			return t.Context()
		},
		"the context has ended": func(t *testing.T, _ *Poller) context.Context {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			return ctx
		},
	} {
		t.Run(what, func(t *testing.T) {
			checkFiles(t)
			o := options(&hooks{})
			o.Loops = 3
			p, err := New(o)
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Start(spoil(t, p)); err == nil {
				// A context that ended may be seen after the last loop was ready.
				if what != "the context has ended" {
					t.Fatal("Start has not failed")
				}
				stop(t, p)
			}
			for _, l := range p.loops {
				receive(t, l.ended, "the loop's end")
			}
			if _, err := unix.FcntlInt(0, unix.F_GETFD, 0); err != nil {
				t.Fatal("descriptor 0 was closed")
			}
		})
	}
}

func TestListenAddresses(t *testing.T) {
	for _, c := range []struct{ listen, dial, why string }{
		{"127.0.0.1:0", "127.0.0.1", "an address"},
		{"[::1]:0", "::1", "an IPv6 address"},
		{"localhost:0", "localhost", "a name, of two families perhaps"},
		{"0.0.0.0:0", "127.0.0.1", "all of IPv4"},
		{":0", "127.0.0.1", "all, reached by IPv4"},
		{":0", "::1", "all, reached by IPv6"},
	} {
		t.Run(c.listen+" from "+c.dial, func(t *testing.T) {
			checkFiles(t)
			if ln, err := net.Listen("tcp", net.JoinHostPort(c.dial, "0")); err != nil {
				t.Skipf("this host cannot listen on %s: %v", c.dial, err)
			} else {
				ln.Close()
			}
			p := serve(t, &hooks{data: echo}, func(o *Options) { o.Listen = c.listen; o.Loops = 2 })
			_, port, err := net.SplitHostPort(p.Addr())
			if err != nil || port == "0" {
				t.Fatalf("Addr = %q, %v", p.Addr(), err)
			}
			nc, err := net.Dial("tcp", net.JoinHostPort(c.dial, port))
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			send(t, nc, "hello")
			expect(t, nc, "hello")
		})
	}
}

func TestBadOptions(t *testing.T) {
	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	running := serve(t, &hooks{})
	for what, c := range map[string]struct {
		spoil func(*Options)
		want  string
	}{
		"no port":                       {func(o *Options) { o.Listen = "127.0.0.1" }, "missing port"},
		"an address that is not ours":   {func(o *Options) { o.Listen = "192.0.2.1:0" }, "cannot assign"},
		"a port that is taken":          {func(o *Options) { o.Listen = taken.Addr().String() }, "in use"},
		"a port that a poller has":      {func(o *Options) { o.Listen = running.Addr() }, "in use"},
		"all addresses, one of it used": {func(o *Options) { o.Listen = strings.Replace(running.Addr(), "127.0.0.1", "", 1) }, "in use"},
		"no loops":                      {func(o *Options) { o.Loops = 0 }, "bounds"},
		"no handler":                    {func(o *Options) { o.Handler = nil }, "handler"},
		"more files than there are":     {func(o *Options) { o.ReservedFiles = 1 << 30 }, "ulimit"},
	} {
		t.Run(what, func(t *testing.T) {
			checkFiles(t)
			o := options(&hooks{})
			c.spoil(&o)
			if _, err := New(o); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("New: %v, want %q in it", err, c.want)
			}
		})
	}
}

// A server that closed its connections first has them in TIME_WAIT, and must be able to start again.
func TestRestartOnTheSamePort(t *testing.T) {
	p := serve(t, &hooks{opened: func(c *Conn) { c.Finish() }})
	for range 3 {
		nc := dial(t, p)
		expectEnd(t, nc)
		nc.Close()
	}
	eventually(t, p.loops[0], "no connection", func() bool { return p.loops[0].Len() == 0 })
	stop(t, p)
	again := serve(t, &hooks{data: echo}, func(o *Options) { o.Listen = p.Addr() })
	nc := dial(t, again)
	send(t, nc, "again")
	expect(t, nc, "again")
}

func TestAcceptedSocketsInheritTheOptions(t *testing.T) {
	p := serve(t, &hooks{})
	dial(t, p)
	c := only(t, p.loops[0])
	onLoop(t, p.loops[0], func() {
		for _, o := range []struct{ level, name, want int }{
			{unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, 30_000},
			{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, keepIdleSeconds},
			{unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
			{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
			{unix.SOL_SOCKET, unix.SO_SNDBUF, 2 * 32 << 10}, // the kernel doubles it
		} {
			if got, err := unix.GetsockoptInt(int(c.fd), o.level, o.name); err != nil || got != o.want {
				t.Errorf("socket option %d/%d = %d, %v, want %d", o.level, o.name, got, err, o.want)
			}
		}
	})
}

// Somebody may be late to wake a loop that has ended. By then its descriptor may be another file's.
func TestWakeAfterTheEndWritesToNobody(t *testing.T) {
	p := serve(t, &hooks{})
	l := p.loops[0]
	fd := l.wakeup.fd
	stop(t, p)
	read := takeNumber(t, fd)
	ran := false
	l.Wake()
	l.ask(dueScan)
	l.Post(func() { ran = true })
	var b [8]byte
	if n, err := unix.Read(read, b[:]); !errors.Is(err, syscall.EAGAIN) {
		t.Fatalf("%d bytes went to a foreign descriptor (%v)", n, err)
	}
	if ran || len(l.posted) > 0 {
		t.Fatal("a function posted after the end was run or kept")
	}
}

// takeNumber gives a free descriptor's number to the writing end of a new pipe, and returns the reading end.
func takeNumber(t *testing.T, fd int) (read int) {
	t.Helper()
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil {
		t.Fatalf("descriptor %d is still open", fd)
	}
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_NONBLOCK|unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	var err error
	if read, err = unix.FcntlInt(uintptr(pipe[0]), unix.F_DUPFD_CLOEXEC, 1000); err != nil { // out of the way
		t.Fatal(err)
	}
	unix.Close(pipe[0])
	if pipe[1] != fd {
		if err := unix.Dup3(pipe[1], fd, unix.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
		unix.Close(pipe[1])
	}
	t.Cleanup(func() {
		unix.Close(fd)
		unix.Close(read)
	})
	return read
}

func TestWakeBeforeStartIsRemembered(t *testing.T) {
	turned := make(chan struct{}, 1)
	p, err := New(options(&hooks{turn: func(l *Loop) bool {
		if l.due.Load() == 0 && l.counts.Turns == 1 {
			turned <- struct{}{}
		}
		return false
	}}))
	if err != nil {
		t.Fatal(err)
	}
	posted := make(chan struct{})
	p.loops[0].Wake()
	p.loops[0].Post(func() { close(posted) })
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer stop(t, p)
	receive(t, turned, "the turn")
	receive(t, posted, "the function posted before Start")
}

// TestClockStartsWithTheLoops: however long ago the poller was made, a deadline counts from now.
func TestClockStartsWithTheLoops(t *testing.T) {
	p, err := New(options(&hooks{}))
	if err != nil {
		t.Fatal(err)
	}
	p.born = p.born.Add(-time.Minute)
	tick := p.loops[0].Seconds()
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer stop(t, p)
	if now := p.loops[0].Seconds(); now < tick+60 {
		t.Errorf("second %d a minute after second %d", now, tick)
	}
}

// TestFoundPortIsKept: nobody else gets a port that was found by port 0, before the loops listen.
func TestFoundPortIsKept(t *testing.T) {
	p, err := New(options(&hooks{}))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop(t.Context())
	if ln, err := net.Listen("tcp", p.Addr()); err == nil {
		_ = ln.Close()
		t.Errorf("%s could be listened on by another", p.Addr())
	}
}
