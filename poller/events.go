package poller

import (
	"time"

	"github.com/panjf2000/gnet/v2"
	"golang.org/x/sys/unix"
)

// events is gnet's view of a loop. No method lets a panic through: gnet has no recover of its own, so
// one would end the process.
type events struct {
	gnet.BuiltinEventEngine
	l *Loop
}

// OnBoot sets the options that accepted sockets inherit from their listener, at no cost a connection.
func (e *events) OnBoot(eng gnet.Engine) gnet.Action {
	e.l.engine = eng
	for _, addr := range e.l.poller.addrs {
		fd, err := eng.DupListener("tcp", addr.hostPort)
		if err != nil {
			e.l.poller.o.Logger.Warn("listener options not set", "address", addr.hostPort, "error", err)
			continue
		}
		e.l.poller.setSocketOptions(fd)
		_ = unix.Close(fd)
	}
	return gnet.None
}

// OnTick runs once, on a goroutine of the engine's own, as soon as the loops are there: it enrols the
// socketpair. Calling Register from anywhere else would race with the engine's start.
func (e *events) OnTick() (time.Duration, gnet.Action) {
	if e.l.wakeFD == 0 {
		if err := e.l.enrolWake(); err != nil {
			e.l.poller.o.Logger.Error("event loop cannot be woken", "error", err)
			return time.Hour, gnet.Shutdown
		}
	}
	return 24 * time.Hour, gnet.None
}

func (e *events) OnOpen(gc gnet.Conn) (out []byte, action gnet.Action) {
	l := e.l
	if l2, ok := gc.Context().(*Loop); ok && l2 == l {
		l.events = gc.EventLoop()
		return nil, gnet.None
	}
	if l.poller.connections.Add(1) > l.poller.connectionsMax {
		l.poller.connections.Add(-1)
		l.counts.RefusedFull++
		return l.poller.o.RefuseFull, gnet.Close
	}
	if l.events == nil {
		l.events = gc.EventLoop()
	}
	h := l.conns.New()
	c := l.conns.At(h)
	*c = Conn{gc: gc, loop: l, fd: int32(gc.Fd()), handle: h, gen: c.gen, seen: l.Seconds(), state: open}
	gc.SetContext(c)
	l.counts.Opened++
	return nil, l.serve(c, func() { l.poller.o.Handler.Opened(c) })
}

func (e *events) OnTraffic(gc gnet.Conn) gnet.Action {
	l := e.l
	c, ok := gc.Context().(*Conn)
	if !ok {
		// Discard(-1) is everything, and so would Discard(0) be: never call it with a length computed.
		_, _ = gc.Discard(-1)
		if l2, ok := gc.Context().(*Loop); ok && l2 == l {
			l.slice()
		}
		return gnet.None
	}
	// gnet's own buffer is always empty, since all is discarded each time; so this is the loop's read
	// buffer itself and nothing was copied.
	p, _ := gc.Peek(-1)
	action := l.serve(c, func() { c.receive(p) })
	if c.gc == gc { // else it was closed from within, and its slot let go
		_, _ = gc.Discard(-1)
	}
	return action
}

func (e *events) OnClose(gc gnet.Conn, _ error) gnet.Action {
	l := e.l
	c, ok := gc.Context().(*Conn)
	if !ok || c.gc != gc {
		return gnet.None
	}
	was := c.state
	c.state = dead
	if was != doomed {
		l.doomed = append(l.doomed, c)
		if !l.busy {
			l.bury()
		}
	}
	return gnet.None
}

// serve runs one event of a connection, and says what gnet is to do with it.
func (l *Loop) serve(c *Conn, fn func()) gnet.Action {
	l.busy, l.current = true, c
	l.guard(fn)
	l.current, l.busy = nil, false
	closing := c.state == doomed
	if closing {
		// gnet must close this one itself, after its event: bury passes over it, OnClose brings it back.
		c.state = lingering
	}
	l.bury()
	if closing {
		return gnet.Close
	}
	return gnet.None
}

// receive hands bytes to the handler, together with those it left last time, and writes its replies.
func (c *Conn) receive(p []byte) {
	l := c.loop
	l.counts.BytesIn += uint64(len(p))
	c.seen = l.Seconds()
	if c.state != open {
		return // finished: what the peer still sends is thrown away
	}
	if c.input != 0 {
		b := *l.inputs.At(c.input)
		b.B = append(b.B, p...)
		p = b.B
	}
	l.reading = c
	used := l.poller.o.Handler.Data(c, p)
	l.reading = nil
	if c.state == open {
		c.keepInput(p, used)
	}
	if err := c.flush(); err != nil {
		l.poller.o.Handler.Overflow(c)
	}
	if c.state == finishing && c.stall == 0 {
		c.endOutput()
	}
}
