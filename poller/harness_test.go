package poller

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if runChild() {
		return
	}
	goleak.VerifyTestMain(m,
		// gnet's pool of workers lives as long as the process, each worker for ten idle seconds.
		goleak.IgnoreAnyFunction("github.com/panjf2000/ants/v2.(*goWorker).run.func1"),
		goleak.IgnoreAnyFunction("github.com/panjf2000/ants/v2.(*poolCommon).purgeStaleWorkers"),
		goleak.IgnoreAnyFunction("github.com/panjf2000/ants/v2.(*poolCommon).ticktock"))
}

// patience is how long a test waits for what must happen; no test depends on how long it takes.
const patience = 20 * time.Second

// hooks is a Handler of functions. Those that are nil do nothing; without data all input is used.
type hooks struct {
	opened, due, drained, closed func(c *Conn)
	data                         func(c *Conn, p []byte) int
	late                         func(c *Conn, p []byte)
	turn                         func(l *Loop) bool
	tick                         func(l *Loop)
}

func call(fn func(*Conn), c *Conn) {
	if fn != nil {
		fn(c)
	}
}

func (h *hooks) Opened(c *Conn)  { call(h.opened, c) }
func (h *hooks) Due(c *Conn)     { call(h.due, c) }
func (h *hooks) Drained(c *Conn) { call(h.drained, c) }
func (h *hooks) Closed(c *Conn)  { call(h.closed, c) }

func (h *hooks) Data(c *Conn, p []byte) int {
	if h.data == nil {
		return len(p)
	}
	return h.data(c, p)
}

func (h *hooks) Late(c *Conn, p []byte) {
	if h.late != nil {
		h.late(c, p)
	}
}

func (h *hooks) Turn(l *Loop) bool { return h.turn != nil && h.turn(l) }

func (h *hooks) Tick(l *Loop) {
	if h.tick != nil {
		h.tick(l)
	}
}

// echo is the data hook that sends back what comes.
func echo(c *Conn, p []byte) int {
	_ = c.Send(p)
	return len(p)
}

func options(h *hooks) Options {
	return Options{
		Handler: h, Logger: slog.New(slog.DiscardHandler), Listen: "127.0.0.1:0", Loops: 1,
		SendBufferBytes: 32 << 10, UserTimeout: 30 * time.Second, RepliesBytesMax: 64 << 10, InputBytesMax: 16 << 20, ReservedFiles: 16,
		RefuseFull: []byte("full\n"),
	}
}

// serve starts a poller, and stops it when the test ends.
func serve(t testing.TB, h *hooks, change ...func(*Options)) *Poller {
	t.Helper()
	o := options(h)
	for _, fn := range change {
		fn(&o)
	}
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, p) })
	return p
}

func stop(t testing.TB, p *Poller) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	p.Stop(ctx)
	for _, l := range p.loops {
		select {
		case <-l.ended:
		default:
			t.Error("a loop did not end")
		}
	}
	if n := p.Connections(); n != 0 {
		t.Errorf("%d connections after Stop", n)
	}
}

// dial connects; the connection is closed when the test ends.
func dial(t testing.TB, p *Poller) *net.TCPConn {
	t.Helper()
	nc, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	if err := nc.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return nc.(*net.TCPConn)
}

func send(t testing.TB, nc net.Conn, text string) {
	t.Helper()
	if _, err := nc.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
}

// expect reads exactly that text.
func expect(t testing.TB, nc net.Conn, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(nc, got); err != nil || string(got) != want {
		t.Fatalf("read %q, %v, want %q", got[:n], err, want)
	}
}

// expectEnd reads the end of the stream.
func expectEnd(t testing.TB, nc net.Conn) {
	t.Helper()
	if got, err := io.ReadAll(nc); err != nil || len(got) != 0 {
		t.Fatalf("read %q, %v, want the end", got, err)
	}
}

// expectClosed reads until the connection is gone, in whatever way.
func expectClosed(t testing.TB, nc net.Conn) {
	t.Helper()
	if _, err := io.Copy(io.Discard, nc); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal("the connection was not closed")
	}
}

// receive takes a value that must come.
func receive[T any](t testing.TB, from <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-from:
	case <-time.After(patience):
		t.Fatalf("%s did not happen", what)
	}
	return v
}

// onLoop runs fn on the loop and waits for it.
func onLoop(t testing.TB, l *Loop, fn func()) {
	t.Helper()
	done := make(chan struct{})
	l.Post(func() {
		defer close(done)
		fn()
	})
	receive(t, done, "what was posted to the loop")
}

// eventually waits until the condition, which is looked at on the loop, holds.
func eventually(t testing.TB, l *Loop, what string, holds func() bool) {
	t.Helper()
	poll := time.NewTicker(2 * time.Millisecond)
	defer poll.Stop()
	for end := time.Now().Add(patience); ; <-poll.C {
		held := false
		onLoop(t, l, func() { held = holds() })
		if held {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// only is the one connection of a loop.
func only(t testing.TB, l *Loop) (c *Conn) {
	t.Helper()
	eventually(t, l, "one connection", func() bool {
		l.Each(1, func(found *Conn) bool { c = found; return true })
		return l.Len() == 1
	})
	return c
}

// holdClock ends the ticker: the coarse clock stands where the test puts it.
func holdClock(t testing.TB, p *Poller) {
	t.Helper()
	close(p.tickStop)
	receive(t, p.tickEnded, "the ticker's end")
	p.tickStop = make(chan struct{}) // for Stop
}

// files lists the open descriptors, without the one of the listing itself.
func files(t testing.TB) map[string]string {
	t.Helper()
	names, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	open := map[string]string{}
	for _, name := range names {
		if target, err := os.Readlink(name); err == nil && target != "/proc/self/fd" {
			open[name] = target
		}
	}
	return open
}

// checkFiles fails the test if it ends with other descriptors than it began with.
func checkFiles(t testing.TB) {
	t.Helper()
	warm.Do(func() { // what the runtime opens once: its own epoll set
		if ln, err := net.Listen("tcp4", "127.0.0.1:0"); err == nil {
			ln.Close()
		}
	})
	before := files(t)
	t.Cleanup(func() {
		for name, target := range files(t) {
			if before[name] == "" {
				t.Errorf("descriptor left open: %s is %s", name, target)
			}
		}
	})
}

var warm sync.Once
