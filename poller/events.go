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
		if err := stampSecond(fd, e.l.Seconds()); err != nil {
			e.l.poller.o.Logger.Warn("socket option not set", "option", "SO_RCVTIMEO", "error", err)
		}
		_ = unix.Close(fd)
	}
	return gnet.None
}

// OnTick runs once, on a goroutine of the engine's own, as soon as the loop is there: it enrols the
// eventfd. Calling Register from anywhere else would race with the engine's start.
func (e *events) OnTick() (time.Duration, gnet.Action) {
	const never = 1000 * time.Hour
	select {
	case <-e.l.ready:
		return never, gnet.None
	default:
	}
	if e.l.err = e.l.enrol(); e.l.err != nil {
		return never, gnet.Shutdown
	}
	close(e.l.ready)
	return never, gnet.None
}

// OnShutdown is called when the engine begins to stop, whoever asked for it.
func (e *events) OnShutdown(gnet.Engine) { close(e.l.stopping) }

func (e *events) OnOpen(gc gnet.Conn) (out []byte, action gnet.Action) {
	l := e.l
	if l.events == nil {
		l.events = gc.EventLoop()
		l.findAddressCopies(gc)
	}
	if _, ok := gc.Context().(*Loop); ok { // the eventfd
		l.enrolled = true
		return nil, gnet.None
	}
	if l.poller.connections.Add(1) > l.poller.connectionsMax {
		l.poller.connections.Add(-1)
		l.counts.RefusedFull++ // and not Opened
		// Not by gnet, which forgets to close where this fails. The buffer of a new socket has room for it.
		_, _ = unix.Write(gc.Fd(), l.poller.o.RefuseFull)
		return nil, gnet.Close
	}
	h := l.conns.New()
	c := l.conns.At(h)
	*c = Conn{gc: gc, loop: l, fd: int32(gc.Fd()), handle: h, gen: c.gen, seen: l.Seconds(), state: open}
	gc.SetContext(c)
	l.copies.drop(gc)
	l.counts.Opened++
	return nil, l.event(c, (*Conn).opened, nil)
}

func (e *events) OnTraffic(gc gnet.Conn) gnet.Action {
	// All is taken each time, so gnet's own buffer is always empty: this is the loop's read buffer itself and
	// nothing was copied. -1 is everything, and so would 0 be: never call Next with a length computed.
	p, _ := gc.Next(-1)
	switch owner := gc.Context().(type) {
	case *Conn:
		return e.l.event(owner, (*Conn).receive, p)
	case *Loop: // the eventfd
		e.l.slice()
	}
	return gnet.None
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

// event runs one event of a connection, and says what gnet is to do with it.
func (l *Loop) event(c *Conn, fn func(c *Conn, p []byte), p []byte) gnet.Action {
	l.busy = true
	l.serve(c, fn, p)
	l.busy = false
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

func (c *Conn) opened([]byte) { c.loop.poller.o.Handler.Opened(c) }

// receive hands bytes to the handler, together with those it left last time, and writes its replies. p is empty where
// nothing came and those alone are presented again.
func (c *Conn) receive(p []byte) {
	l := c.loop
	if len(p) > 0 {
		l.counts.BytesIn += uint64(len(p))
		c.seen = l.Seconds()
	}
	if c.state != open {
		if c.state == finishing || c.state == lingering {
			l.poller.o.Handler.Late(c, p)
			if len(p) >= lateBytes {
				c.rest(lateRest)
			}
		}
		return // what the peer still sends is thrown away
	}
	if c.input != 0 {
		b := l.inputs.At(c.input).buf
		b.B = append(b.B, p...)
		p = b.B
	}
	used := 0
	if !c.Resting() { // else the loop had this event from its set already
		l.reading = c
		used = l.poller.o.Handler.Data(c, p)
		l.reading = nil
	}
	if c.state == open {
		c.keepInput(p, used)
	} else {
		c.dropInput()
	}
	c.flush()
	switch {
	case c.state == finishing && c.stall == 0:
		c.endOutput()
	case c.state == open && c.Congested():
		c.pause()
	}
}

// bury closes the connections that were doomed while something might still have been walking over them,
// and lets go of those that the system closed meanwhile.
func (l *Loop) bury() {
	for len(l.doomed) > 0 {
		c := l.doomed[len(l.doomed)-1]
		l.doomed = l.doomed[:len(l.doomed)-1]
		if c.state == doomed {
			_ = l.events.Close(c.gc) // calls OnClose, which marks it dead
		}
		if c.state == dead {
			l.release(c)
		}
	}
}

// release tells the handler of a connection's end and frees its slot.
func (l *Loop) release(c *Conn) {
	l.guard(func() { l.poller.o.Handler.Closed(c) })
	c.dropInput()
	if c.stall != 0 {
		c.endStall()
	}
	l.counts.Closed++
	l.poller.connections.Add(-1)
	h := c.handle
	*c = Conn{gen: c.gen + 1}
	l.conns.FreeAsIs(h)
}
