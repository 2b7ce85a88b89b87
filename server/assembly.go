package server

import (
	"github.com/megawire/megawire/codec/ws"
	"github.com/megawire/megawire/poller"
)

// assembly is an endpoint, and since when the message under way comes in fragments.
type assembly struct {
	ws.Endpoint
	since uint32 // loop seconds; 0: there is none yet
}

// endpoint returns the connection's own endpoint, or a fresh one that all others share. It is used where it
// stands: a copy would own the same buffer, and after a panic both would give it back.
func (w *worker) endpoint(c *poller.Conn) *assembly {
	if c.Flags&flagFragments != 0 {
		return w.endpoints.at(c.Handle())
	}
	w.fresh.Release() // of what a panic may have left in it
	w.fresh.since = 0
	return w.fresh
}

// keepEndpoint gives a connection an endpoint of its own only while a fragmented message is under way.
func (w *worker) keepEndpoint(c *poller.Conn, ep *assembly) {
	if !c.Open() {
		ep.Release()
	}
	switch idle, own := ep.Idle(), c.Flags&flagFragments != 0; {
	case idle && own:
		w.dropEndpoint(c)
	case !idle && !own:
		w.endpoints.put(c.Handle(), ep)
		w.fresh = new(assembly)
		c.Flags |= flagFragments
	}
	if ep.since == 0 && !ep.Idle() {
		ep.since = w.loop.Seconds()
	}
	if ep.since != 0 {
		ep.since += w.pace.rest // in which we do not read
	}
}

func (w *worker) dropEndpoint(c *poller.Conn) {
	w.endpoints.put(c.Handle(), nil)
	c.Flags &^= flagFragments
}

// heldBy is how many bytes of a message in fragments, or of one that is inflated, are kept for a connection.
func (w *worker) heldBy(c *poller.Conn) int {
	if c.Flags&flagFragments != 0 {
		return w.endpoints.at(c.Handle()).Held()
	}
	return 0
}

// forgetFragments lets go of the message under way of a connection that was closed outside of its own events.
func (w *worker) forgetFragments(c *poller.Conn) {
	if c.Flags&flagFragments != 0 {
		w.held -= w.heldBy(c)
		w.keepEndpoint(c, w.endpoint(c))
	}
}

// checkUnfinished closes a connection with a message that takes too long to come, or for which there is no room, and sees
// to it that one that stops in the midst of a message is looked at in time. So many bytes of its input are not used.
func (w *worker) checkUnfinished(c *poller.Conn, inputBytes int) {
	if inputBytes == 0 && c.Flags&flagFragments == 0 {
		return
	}
	if !w.hasRoom(c, inputBytes) {
		w.close(c, ws.TryAgainLater, unfinishedReason)
	} else if w.checkTime(c) && inputBytes > 0 && !c.InputKept() && !c.Yielding() && !c.Congested() { // it begins with this read
		w.lookBy(c, w.loop.Seconds())
	}
}

// lookBy has a connection looked at when a message that began in that second has taken its time.
func (w *worker) lookBy(c *poller.Conn, since uint32) {
	if end := since + w.messageSeconds + 1; c.Due() > end && !c.Resting() {
		c.SetDue(end)
	}
}

// checkTime closes a connection if the message under way has taken too long, and else has it looked at when that will be
// so. The time in which we do not read does not count. It reports whether the connection may go on.
func (w *worker) checkTime(c *poller.Conn) bool {
	since := c.InputSince()
	if c.Flags&flagFragments != 0 {
		since = w.endpoints.at(c.Handle()).since
	}
	if since == 0 || c.Resting() {
		return true
	}
	if w.loop.Seconds() > since+w.messageSeconds {
		w.close(c, ws.PolicyViolation, "message not finished in time")
		return false
	}
	w.lookBy(c, since)
	return true
}
