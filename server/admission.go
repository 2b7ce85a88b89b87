package server

import (
	"sync/atomic"
	"time"

	"github.com/megawire/megawire/codec/codes"
	"github.com/megawire/megawire/codec/http1"
	"github.com/megawire/megawire/poller"
)

// Who is let in. What is asked before a handshake is computed is of the whole server, and costs a few loads: so a
// crowd that is refused takes as little as can be from those inside.

// unready is why newcomers are refused at the moment; nil where they are welcome. Any goroutine.
func (s *Server) unready() *http1.Error {
	switch {
	case s.draining.Load():
		return refuseDraining
	case s.memory.short.Load():
		return refuseMemory
	case s.admitted.Load() >= s.connectionsMax:
		return refuseFull
	}
	return nil
}

// welcome decides on an upgrade request before anything is computed for it. Only who would be let in counts against
// limits.connects_per_second. Any loop.
func (s *Server) welcome() *http1.Error {
	if err := s.unready(); err != nil {
		return err
	}
	if !s.arrivals.take(s.clock()) {
		return refuseRate
	}
	return nil
}

// admit makes a connection one of its kind, unless it is one too many. Only who is past this counts: a crowd that has
// just connected must not refuse itself.
func (w *worker) admit(c *poller.Conn, kind uint8) *http1.Error {
	if w.s.admitted.Add(1) > w.s.connectionsMax {
		w.s.admitted.Add(-1)
		return refuseFull
	}
	c.Kind = kind
	return nil
}

// dismiss is the opposite of admit.
func (w *worker) dismiss(c *poller.Conn) {
	if c.Kind != connHTTP {
		w.s.admitted.Add(-1)
		c.Kind = connHTTP
	}
}

// arrivals lets so many through a second, and after a pause as many at once as may come in a second. It is a leaky
// bucket that holds one number, the time at which it will have run empty (the generic cell rate algorithm, ITU-T I.371
// annex A). Any goroutine; it takes no lock.
type arrivals struct {
	each  int64        // nanoseconds in which one runs out of the bucket
	empty atomic.Int64 // on the clock of take's callers
}

const arrivalsBurst = time.Second

func newArrivals(perSecond int) *arrivals {
	return &arrivals{each: max(int64(time.Second)/int64(perSecond), 1)}
}

// take reports whether one more may come at this time, in nanoseconds of a clock that does not go back.
func (a *arrivals) take(now int64) bool {
	for {
		empty := a.empty.Load()
		next := max(empty, now) + a.each
		if next-now > int64(arrivalsBurst) {
			return false
		}
		if a.empty.CompareAndSwap(empty, next) {
			return true
		}
	}
}

var (
	refuseFull = &http1.Error{
		Status: 503, Code: codes.Full, Message: "the server has as many connections as it may have",
		Header: []string{"Retry-After: 5"},
	}
	refuseDraining = &http1.Error{
		Status: 503, Code: codes.Draining, Message: "the server is shutting down",
		Header: []string{"Retry-After: 2"},
	}
	refuseRate = &http1.Error{
		Status: 503, Code: codes.RateLimited, Message: "too many new connections a second",
		Header: []string{"Retry-After: 1"},
	}
	refuseUnfinished = &http1.Error{
		Status: 503, Code: codes.Memory, Message: "the server holds too many unfinished requests",
		Header: []string{"Retry-After: 5"},
	}
	refuseMemory = &http1.Error{
		Status: 503, Code: codes.Memory, Message: "the server is short of memory",
		Header: []string{"Retry-After: 5"},
	}
)

// politeRefusals is how many connections above the bound are still read, so that they can be answered in
// HTTP; those past it get their answer unread.
func politeRefusals(room int) int { return min(64, room/4) }
