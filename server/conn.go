package server

import (
	"time"

	"github.com/megawire/megawire/codec/codes"
	"github.com/megawire/megawire/codec/http1"
	"github.com/megawire/megawire/codec/ws"
	"github.com/megawire/megawire/poller"
	"github.com/megawire/megawire/pubsub"
)

// opened begins a connection's life: it has so long to send its request.
func (w *worker) opened(c *poller.Conn) {
	c.SetDue(w.after(w.s.cfg.Limits.HandshakeTimeout))
}

// after is the first loop second by which d has passed: the second under way does not count, or a deadline would
// come early by what is gone of it.
func (w *worker) after(d time.Duration) uint32 { return w.loop.Seconds() + seconds(d) + 1 }

// data takes what came: first an upgrade request, then frames.
func (w *worker) data(c *poller.Conn, p []byte) (used int) {
	if c.Kind == connHTTP {
		if used = w.upgrade(c, p); c.Kind == connHTTP {
			return used
		}
	}
	c.Flags &^= flagPinged // a sign of life; its second may be the ping's own
	ep := w.endpoint(c)
	held := ep.Held()
	w.serving = c
	w.pace.begin(c.Handle())
	defer func() { // after a panic too
		w.serving = nil
		w.held += w.heldBy(c) - held
		w.pace.end(c.Handle())
		w.lookAhead()
	}()
	limits := w.limitsOf(c)
	for (used < len(p) || ep.Working()) && w.serves(c) {
		ev, n := w.next(c, ep, p[used:], limits)
		used += n
		if ev.Kind == ws.NeedMore {
			break
		}
		if ev.Kind == ws.Working {
			c.Yield()
			break
		}
		w.event(c, &ev)
		if ev.Kind == ws.Message { // which has been dealt with: what waits keeps no buffer
			ep.Release()
			ep.since = 0
		}
	}
	w.keepEndpoint(c, ep)
	if w.checkUnfinished(c, len(p)-used); !c.Open() && c.Flags&flagFragments != 0 {
		w.keepEndpoint(c, w.endpoint(c)) // lets go of what there is
	}
	return used
}

// next takes the next event out of the input, and counts it for its client's rate.
func (w *worker) next(c *poller.Conn, ep *assembly, p []byte, limits *ws.Limits) (ev ws.Event, n int) {
	if limits.Inflater == nil {
		ev, n = ep.Next(p, limits)
		w.charge(c, &ev, n, 0)
		return ev, n
	}
	began := w.s.clock()
	ev, n = ep.Next(p, limits)
	w.charge(c, &ev, n, w.s.clock()-began)
	return ev, n
}

// limitsOf is what a connection's frames are held against.
func (w *worker) limitsOf(c *poller.Conn) *ws.Limits {
	if c.Flags&flagDeflate != 0 {
		return &w.deflateLimits
	}
	return &w.limits
}

func (w *worker) event(c *poller.Conn, ev *ws.Event) {
	switch ev.Kind {
	case ws.Message:
		w.counts.messages++
		plantedFault(c.Kind, ev.Payload)
		w.protocols[c.Kind].Message(w.peerOf(c), ev.Op, ev.Payload)
	case ws.PingEvent:
		w.out = ws.AppendFrame(w.out[:0], ws.Pong, ev.Payload)
		w.send(c, w.out)
	case ws.CloseEvent:
		code := ev.Code
		if code == ws.NoStatus {
			code = ws.NormalClosure
		}
		w.close(c, code, "")
		c.PeerDone()
	case ws.Fail:
		c.Flags |= flagBroken
		w.close(c, ev.Code, ev.Reason)
	}
}

// late looks for the answer to our close frame: once both have been sent the connection is closed at once
// (RFC 6455 §7.1.1). Frames cut off by a read are not put together again: then the peer's own end, or the
// linger time, ends the connection.
func (w *worker) late(c *poller.Conn, p []byte) {
	if c.Kind == connHTTP || c.Flags&flagBroken != 0 {
		return // not in step with the peer's frames
	}
	if ws.HasClose(p, c.Flags&flagDeflate != 0) {
		c.PeerDone()
	}
}

// send sends a reply, and gives a client up that asks on and on without reading the answers.
func (w *worker) send(c *poller.Conn, frames []byte) {
	if c.Send(frames) != nil {
		w.overflow(c)
	}
}

// overflow: replies could not be kept, so a close frame could not either.
func (w *worker) overflow(c *poller.Conn) {
	w.countClose(c, ws.SlowReader)
	c.Close()
}

// close sends a close frame and ends our side behind it (RFC 6455 §7.1.1: the server closes first).
func (w *worker) close(c *poller.Conn, code ws.CloseCode, reason string) {
	if !c.Open() {
		return
	}
	w.countClose(c, code)
	if c.InputKept() {
		c.Flags |= flagBroken
	}
	if c.Kind != connHTTP {
		w.out = ws.AppendClose(w.out[:0], code, reason)
		if c.Send(w.out) != nil {
			c.Close()
			return
		}
	}
	c.Finish()
	if w.serving != c { // else data does it, which may still need it
		w.forgetFragments(c)
	}
}

// due is a connection's one deadline: for its request, then for signs of life.
func (w *worker) due(c *poller.Conn) {
	if c.Kind == connHTTP {
		w.refuse(c, nil, &http1.Error{Status: 408, Code: codes.Timeout, Message: "no complete request came in time"})
		return
	}
	if w.checkTime(c) {
		w.pingIfQuiet(c)
		w.checkTime(c) // which may be over before the next ping
	}
}

// pingIfQuiet asks a connection for a sign of life that has given none for some time, and gives it up if it gives none.
func (w *worker) pingIfQuiet(c *poller.Conn) {
	hb := &w.s.cfg.Heartbeat
	interval, timeout := seconds(hb.PingInterval), seconds(hb.PongTimeout)
	quiet := w.loop.Seconds() - c.Seen()
	if c.Resting() { // what it says is not read: that is our doing
		c.Flags &^= flagPinged
		c.SetDue(w.after(hb.PingInterval))
		return
	}
	if c.Flags&flagPinged != 0 {
		c.Flags &^= flagPinged
		if quiet >= interval+timeout { // nothing since the ping, nor for the interval before it
			w.giveUp(c)
			return
		}
	}
	if quiet < interval {
		c.SetDue(c.Seen() + interval)
		return
	}
	if !c.Stalled() { // else it has bytes of ours to take, and taking them would be life
		w.counts.pings++
		w.send(c, pingFrame)
	}
	c.Flags |= flagPinged
	c.SetDue(w.after(hb.PongTimeout))
}

// giveUp ends a connection without signs of life. One that does not take our bytes was not asked for a pong
// either: it is a slow reader.
func (w *worker) giveUp(c *poller.Conn) {
	if c.Stalled() {
		w.close(c, ws.SlowReader, "nothing was read for too long")
		return
	}
	w.close(c, ws.NoPong, "no pong")
}

var pingFrame = ws.AppendFrame(nil, ws.Ping, nil)

func (w *worker) drained(c *poller.Conn) {
	if id := c.User[userSubscriber]; id != 0 {
		w.shard.Drained(pubsub.SubscriberID(id))
		w.lookAhead()
	}
}

// closed gives back all that a connection had. It is called at the end of an event, so no list is being
// walked.
func (w *worker) closed(c *poller.Conn) {
	w.countClose(c, ws.AbnormalClosure)
	w.endSubscriptions(c)
	if c.Flags&flagFragments != 0 {
		w.held -= w.heldBy(c)
		w.endpoints.at(c.Handle()).Release()
		w.dropEndpoint(c)
	}
	w.pace.forget(c.Handle())
	w.dismiss(c)
}

// endSubscriptions takes back all that a connection is subscribed to. Not within a turn, which walks the lists.
func (w *worker) endSubscriptions(c *poller.Conn) {
	if id := c.User[userSubscriber]; id != 0 {
		w.shard.Remove(pubsub.SubscriberID(id))
		c.User[userSubscriber] = 0
	}
}
