package poller

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/panjf2000/gnet/v2"
	"golang.org/x/sys/unix"
)

// Handler is told what happens on the loops. Every method is called on the loop that it concerns. A
// panic closes the connection being served, is counted and logged, and harms no other.
type Handler interface {
	// Opened: a connection was accepted.
	Opened(c *Conn)
	// Data: bytes came. p is good for the call only and may be changed in place. Data returns how many
	// of them it is done with; the rest is presented again in front of what comes next.
	Data(c *Conn, p []byte) (used int)
	// Due: the time set by SetDue has come; none is set any more.
	Due(c *Conn)
	// Drained: all that a stalled connection held has gone to the kernel.
	Drained(c *Conn)
	// Overflow: replies of Data did not fit in what may wait for a stalled connection; some are lost.
	Overflow(c *Conn)
	// Closed: the connection is gone. c is good for this call.
	Closed(c *Conn)
	// Turn: one slice of work. Further connections' events come before the next one.
	Turn(l *Loop) (more bool)
	// Tick comes about ten times a second.
	Tick(l *Loop)
}

// Options configures a Poller. Every bound must be above zero.
type Options struct {
	Handler Handler
	Logger  *slog.Logger

	Listen          string // host:port; without host all IPv4 and IPv6 addresses, port 0 for any free one
	Loops           int
	SendBufferBytes int           // of each socket, in the kernel
	UserTimeout     time.Duration // unsent bytes older than this end a connection (TCP_USER_TIMEOUT)
	RepliesBytesMax int           // replies that wait for a stalled connection
	ReservedFiles   int           // file descriptors that the rest of the process may need
	RefuseFull      []byte        // what a connection gets for which no descriptor is left
}

// Poller is a set of event loops that listen on the same addresses.
type Poller struct {
	o     Options
	addrs []address
	loops []*Loop
	born  time.Time

	connections    atomic.Int64
	connectionsMax int64
	filesMax       int

	stalledMu   sync.Mutex
	stalledSet  map[*Loop]struct{}
	stalledKick chan struct{}

	started   bool
	stopping  atomic.Bool
	tickStop  chan struct{}
	tickEnded chan struct{}
}

// New checks the options and the address, and reserves nothing yet.
func New(o Options) (*Poller, error) {
	if o.Handler == nil || o.Logger == nil || o.Loops <= 0 || o.Loops > 256 || o.SendBufferBytes <= 0 ||
		o.RepliesBytesMax <= 0 || o.UserTimeout <= 0 || o.ReservedFiles < 0 {
		return nil, errors.New("poller: Options want a handler, a logger and bounds above zero")
	}
	p := &Poller{
		o: o, born: time.Now(), stalledSet: map[*Loop]struct{}{}, stalledKick: make(chan struct{}, 1),
		tickStop: make(chan struct{}), tickEnded: make(chan struct{}),
	}
	var err error
	if p.addrs, err = probe(o.Listen); err != nil {
		return nil, err
	}
	if err := p.limitConnections(); err != nil {
		return nil, err
	}
	for i := range o.Loops {
		p.loops = append(p.loops, &Loop{poller: p, index: i, ready: make(chan struct{}), ended: make(chan struct{})})
	}
	return p, nil
}

// Start runs the loops and returns when all of them accept connections.
func (p *Poller) Start(ctx context.Context) error {
	for _, l := range p.loops {
		go l.run()
	}
	p.started = true
	go p.tick()
	for _, l := range p.loops {
		select {
		case <-l.ready:
		case <-l.ended:
			p.Stop(ctx)
			return fmt.Errorf("poller: event loop %d did not start: %w", l.index, l.err)
		case <-ctx.Done():
			p.Stop(context.WithoutCancel(ctx))
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

// Failed returns a channel on which the end of a loop is reported that nobody asked for. gnet ends a loop
// without an error where accepting fails, so a server must take this for its own end.
func (p *Poller) Failed() <-chan error {
	failed := make(chan error, len(p.loops))
	for _, l := range p.loops {
		go func() {
			<-l.ended
			if !p.stopping.Load() {
				failed <- fmt.Errorf("poller: event loop %d ended: %w", l.index, l.err)
			}
		}()
	}
	return failed
}

// Stop closes all connections and ends the loops.
func (p *Poller) Stop(ctx context.Context) {
	if p.stopping.Swap(true) {
		return
	}
	close(p.tickStop)
	if p.started {
		<-p.tickEnded
	}
	var wg sync.WaitGroup
	for _, l := range p.loops {
		wg.Go(func() { l.stop(ctx) })
	}
	wg.Wait()
}

func (l *Loop) stop(ctx context.Context) {
	select {
	case <-l.ready:
		_ = l.engine.Stop(ctx)
	case <-l.ended:
	}
	select {
	case <-l.ended:
		_ = unix.Close(l.wakeFD)
	case <-ctx.Done():
	}
}

func (l *Loop) run() {
	o := &l.poller.o
	urls := make([]string, 0, len(l.poller.addrs))
	for _, a := range l.poller.addrs {
		urls = append(urls, a.network+"://"+a.hostPort)
	}
	defer close(l.ended)
	l.err = gnet.Rotate(&events{l: l}, urls,
		gnet.WithNumEventLoop(1), gnet.WithReusePort(true), gnet.WithReuseAddr(true),
		gnet.WithSocketSendBuffer(o.SendBufferBytes), gnet.WithTicker(true),
		gnet.WithLogger(gnetLogger{o.Logger}))
	if l.err == nil {
		l.err = errors.New("gnet ended the loop; accepting a connection may have failed")
	}
}

func (p *Poller) seconds() uint32 { return uint32(time.Since(p.born)/time.Second) + 1 }

func (p *Poller) logPanic(r any) {
	p.o.Logger.Error("panic while serving a connection; it is closed", "panic", r, "stack", string(debug.Stack()))
}
