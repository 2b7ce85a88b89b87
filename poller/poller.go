package poller

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/panjf2000/gnet/v2"
)

// Handler is told what happens on the loops. Every method is called on the loop that it concerns. A
// panic closes the connection being served, is counted and logged, and harms no other.
type Handler interface {
	// Opened: a connection was accepted.
	Opened(c *Conn)
	// Data: bytes came. p is good for the call only and may be changed in place. Data returns how many
	// of them it is done with; the rest is presented again in front of what comes next. Of a connection that was Congested,
	// Resting or Yielding it is called once that is over, without anything new, and whether it has left something or not:
	// Data may leave whole requests to any of them.
	// What is left is bounded by InputBytesMax alone: a handler that holds less than that closes.
	Data(c *Conn, p []byte) (used int)
	// Late: bytes came after Finish, for the handler to find in them that the peer is done too. They are
	// thrown away, whole or not.
	Late(c *Conn, p []byte)
	// Due: the time set by SetDue has come; none is set any more.
	Due(c *Conn)
	// Drained: all that a stalled connection held has gone to the kernel.
	Drained(c *Conn)
	// Closed: the connection is gone. c is good for this call.
	Closed(c *Conn)
	// Turn: one slice of work. Further connections' events come before the next one. After a panic the
	// next turn waits for the tick.
	Turn(l *Loop) (more bool)
	// Tick comes about ten times a second.
	Tick(l *Loop)
}

// LoopsMax is how many loops a poller may have; gnet has the same bound.
const LoopsMax = 256

// Options configures a Poller. Every bound must be above zero.
type Options struct {
	Handler Handler
	Logger  *slog.Logger

	Listen          string // host:port; without host all IPv4 and IPv6 addresses, port 0 for any free one
	Loops           int
	SendBufferBytes int           // of each socket, in the kernel
	UserTimeout     time.Duration // unsent bytes older than this end a connection (TCP_USER_TIMEOUT)
	RepliesBytesMax int           // replies that wait for a stalled connection; past it, it is not read from
	InputBytesMax   int           // input that Data leaves unused; a handler that keeps within it is never cut off
	ReservedFiles   int           // file descriptors that the rest of the process may need
	RefuseFull      []byte        // what a connection gets for which no descriptor is left
}

// Poller is a set of event loops that listen on the same addresses.
type Poller struct {
	o        Options
	addrs    []address
	reserved []int // sockets that keep a port found by port 0 until the loops listen
	loops    []*Loop
	born     time.Time

	second         atomic.Uint32 // the coarse clock, kept by the ticker
	connections    atomic.Int64
	connectionsMax int64

	startMu   sync.Mutex // held by Start until the loops accept connections, and by Stop
	started   bool
	stopping  atomic.Bool
	failed    chan error
	tickStop  chan struct{}
	tickEnded chan struct{}
}

// New checks the options and the address, and reserves nothing yet.
func New(o Options) (*Poller, error) {
	if o.Handler == nil || o.Logger == nil || o.Loops <= 0 || o.Loops > LoopsMax || o.SendBufferBytes <= 0 ||
		o.RepliesBytesMax <= 0 || o.InputBytesMax <= 0 || o.UserTimeout <= 0 || o.ReservedFiles < 0 {
		return nil, errors.New("poller: Options want a handler, a logger and bounds above zero")
	}
	p := &Poller{
		o: o, born: time.Now(), failed: make(chan error, o.Loops),
		tickStop: make(chan struct{}), tickEnded: make(chan struct{}),
	}
	p.tellTime()
	var err error
	if p.addrs, err = probe(o.Listen); err != nil {
		return nil, err
	}
	if p.connectionsMax, err = room(o.Loops, len(p.addrs), o.ReservedFiles); err != nil {
		return nil, err
	}
	if _, port, _ := net.SplitHostPort(o.Listen); port == "0" {
		p.reserve()
	}
	for i := range o.Loops {
		p.loops = append(p.loops, newLoop(p, i))
	}
	return p, nil
}

// Start runs the loops and returns when all of them accept connections, or with none of them running. It
// is called once.
func (p *Poller) Start(ctx context.Context) error {
	err := p.start(ctx)
	if err != nil {
		p.Stop(context.WithoutCancel(ctx))
	}
	return err
}

func (p *Poller) start(ctx context.Context) error {
	p.startMu.Lock()
	defer p.startMu.Unlock()
	if p.started || p.stopping.Load() {
		return errors.New("poller: started twice, or after Stop")
	}
	for _, l := range p.loops {
		if err := errors.Join(l.wakeup.open(), l.writable.open()); err != nil {
			for _, l := range p.loops {
				l.wakeup.close()
				l.writable.close()
			}
			return err
		}
	}
	p.started = true
	defer p.unreserve()
	p.tellTime() // it stood still since New: deadlines would be as old
	for _, l := range p.loops {
		go l.run()
	}
	go p.tick()
	for _, l := range p.loops {
		select {
		case <-l.ready:
		case <-l.ended:
			return fmt.Errorf("poller: event loop %d did not start: %w", l.index, l.err)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Loops are the loops, by index.
func (p *Poller) Loops() []*Loop { return p.loops }

// Addr is the first address listened on, with the port in use.
func (p *Poller) Addr() string { return p.addrs[0].hostPort }

// ConnectionsMax is how many connections the file descriptors of the process leave room for.
func (p *Poller) ConnectionsMax() int { return int(p.connectionsMax) }

// Connections is how many there are now. Any goroutine.
func (p *Poller) Connections() int { return int(p.connections.Load()) }

// Failed returns the channel on which the end of a loop is reported that nobody asked for: its epoll set or a listener
// of its is broken. Its connections are gone and new ones do not reach it, so a server must take this for its own end.
func (p *Poller) Failed() <-chan error { return p.failed }

// Stop closes all connections and returns when the loops have ended, or with ctx, and the loops go on
// ending by themselves. It may be called more than once, from any goroutine but a loop's.
func (p *Poller) Stop(ctx context.Context) {
	first := !p.stopping.Swap(true)
	p.startMu.Lock()
	started := p.started
	p.unreserve()
	p.startMu.Unlock()
	if !started {
		return
	}
	if first {
		close(p.tickStop)
	}
	<-p.tickEnded
	var wg sync.WaitGroup
	for _, l := range p.loops {
		wg.Go(func() { l.stop(ctx) })
	}
	wg.Wait()
}

func (l *Loop) stop(ctx context.Context) {
	select {
	case <-l.ready: // until then there is nothing that could be told to stop
	case <-l.ended:
		return
	}
	l.stopEngine(ctx)
	select {
	case <-l.ended:
	case <-ctx.Done():
	}
}

// stopEngine does not wait: gnet's Stop looks twice a second whether the engine has stopped; the loop's end is known
// better here.
func (l *Loop) stopEngine(ctx context.Context) {
	at, once := context.WithCancel(ctx)
	once()
	_ = l.engine.Stop(at)
}

// run is the goroutine of a loop's engine.
func (l *Loop) run() {
	go func() {
		if err := l.writable.watch(func() { l.ask(dueWritable) }); err != nil {
			l.poller.o.Logger.Warn("slow connections are looked after ten times a second only", "error", err)
		}
	}()
	err := l.serveEngine()
	l.publishCounts()
	l.postMu.Lock()
	l.closed, l.posted = true, nil
	l.postMu.Unlock()
	l.wakeup.close()
	l.writable.close()
	switch {
	case l.err != nil: // enrol's
	case l.acceptErr != nil:
		l.err = l.acceptErr
	case err != nil:
		l.err = err
	default:
		l.err = errors.New("gnet ended the loop without an error")
	}
	if !l.poller.stopping.Load() {
		l.poller.failed <- fmt.Errorf("poller: event loop %d ended: %w", l.index, l.err)
	}
	close(l.ended)
}

func (l *Loop) serveEngine() error {
	o := &l.poller.o
	urls := make([]string, 0, len(l.poller.addrs))
	for _, a := range l.poller.addrs {
		urls = append(urls, a.network+"://"+a.hostPort)
	}
	return gnet.Rotate(&events{l: l}, urls,
		gnet.WithNumEventLoop(1), gnet.WithReusePort(true), gnet.WithReuseAddr(true),
		gnet.WithSocketSendBuffer(o.SendBufferBytes), gnet.WithTicker(true),
		gnet.WithLogger(gnetLogger{o.Logger, l}))
}

func (p *Poller) logPanic(r any) {
	p.o.Logger.Error("panic in a handler; the connection being served is closed", "panic", r, "stack", string(debug.Stack()))
}
