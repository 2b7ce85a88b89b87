package loadgen

import "time"

// handshakes is a loop's side of the connect workload: connect, upgrade, close, over and over on a bounded number of slots.
// It belongs to the loop.
type handshakes struct {
	pacer pacer // nil: a closed loop, in which a slot begins again once it is free
	start int64
	stop  int64 // none begins from here on
	begun int   // by this loop, since the start

	free  []int32 // slots
	at    []int64 // by slot: when its handshake was planned
	sweep int64   // when to look for those that take too long
}

// handshakeSweepEvery is how often those that take too long are looked for.
const handshakeSweepEvery = 100 * time.Millisecond

func newHandshakes(l *loop) *handshakes {
	h := &handshakes{at: make([]int64, len(l.conns))}
	for n := len(l.conns) - 1; n >= 0; n-- {
		h.free = append(h.free, int32(n))
	}
	if l.plan.Rate > 0 {
		h.pacer = newConstant(l.plan.Rate)
	}
	return h
}

// begin starts the handshakes; posted by the coordinator.
func (h *handshakes) begin(start, stop int64) { h.start, h.stop = start, stop }

func (h *handshakes) turn(l *loop) {
	if l.now >= h.sweep {
		h.sweep = l.now + int64(handshakeSweepEvery)
		h.giveUp(l)
	}
	// Each turn begins no more than there are slots, so that one that fails at once does not keep the loop from its events.
	for range len(h.free) {
		at, due := h.next(l)
		if !due || len(h.free) == 0 {
			return
		}
		n := h.free[len(h.free)-1]
		h.free = h.free[:len(h.free)-1]
		h.begun++
		h.at[n] = at
		l.expected++
		l.conns[n].state = unopened
		l.connect(int(n), l.target)
	}
}

// next is the planned instant of the next handshake. Loops take turns in the plan.
func (h *handshakes) next(l *loop) (at int64, due bool) {
	if h.start == 0 || l.now < h.start || l.leavingFrom >= 0 {
		return 0, false
	}
	if h.pacer == nil {
		return l.now, l.now < h.stop
	}
	at = h.planned(l)
	return at, at <= l.now && at < h.stop
}

func (h *handshakes) planned(l *loop) int64 {
	return h.start + int64(h.pacer.at(uint64(h.begun*l.plan.Loops+l.id)))
}

// shaken takes a handshake that succeeded, and says goodbye.
func (h *handshakes) shaken(l *loop, n int, c *conn) {
	c.state, c.since = leaving, l.now
	l.record.opened++
	l.ledger.Delivered++
	l.record.took(h.at[n], l.now)
	l.scratch = l.driver.appendClose(l.scratch[:0])
	if len(l.scratch) == 0 {
		l.end(n, c, "")
		return
	}
	l.write(n, c, l.scratch)
}

// ended takes a connection that is closed; was is how far it had come.
func (h *handshakes) ended(l *loop, n int, was connState, why string) {
	if was == leaving {
		h.free = append(h.free, int32(n))
		return
	}
	l.failed(n, &l.conns[n], why)
}

// failed takes one that did not succeed; it is counted as failed, and not expected any more.
func (h *handshakes) failed(l *loop, n int) {
	h.free = append(h.free, int32(n))
	l.excused++
}

// giveUp ends what takes too long.
func (h *handshakes) giveUp(l *loop) {
	for n := range l.conns {
		c := &l.conns[n]
		switch {
		case c.fd < 0:
		case c.state == leaving && l.now-c.since > int64(l.plan.CloseTimeout):
			l.record.unanswered++
			l.end(n, c, "")
		case c.state != leaving && l.now-c.since > int64(l.plan.ConnectTimeout):
			l.end(n, c, "not open after "+l.plan.ConnectTimeout.String()+" ("+c.state.String()+")")
		}
	}
}

func (h *handshakes) patience(l *loop, now int64) time.Duration {
	switch {
	case h.start == 0 || now >= h.stop:
		return idleWait
	case now < h.start:
		return min(idleWait, time.Duration(h.start-now))
	case h.pacer == nil || len(h.free) == 0:
		return idleWait
	}
	return max(0, min(idleWait, time.Duration(h.planned(l)-now)))
}
