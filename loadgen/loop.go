package loadgen

import (
	"net/netip"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Bounds of a loop's turn.
const (
	// readBufferBytes is the shared read buffer. It fits into a core's second-level cache, and no default receive
	// buffer of a socket holds more.
	readBufferBytes = 64 << 10
	// readBytesMin is the room for a read behind an incomplete message.
	readBytesMin = 32 << 10
	// turnEvents bounds what is read between two looks at the plan: a few milliseconds at worst, usually far less.
	turnEvents = 128
	// idleWait is how long a loop sleeps when nothing is planned.
	idleWait = 100 * time.Millisecond
	// closesPerTurn spreads the goodbyes, so that their answers are read between them.
	closesPerTurn = 256
)

// target is where to connect.
type target struct {
	addr netip.AddrPort
	host string // for the Host header
	path string
}

// loop is one event loop. All of it but epoll's posts, board and live belongs to its goroutine.
type loop struct {
	*epoll
	id      int
	plan    *Plan
	board   *board
	clock   *clock
	sources sources
	target  target
	driver  driver

	inflation *inflation // what the driver inflates with; nil: it does not

	conns   []conn
	buf     []byte
	scratch []byte // for what is about to be written
	drawn   []int
	ev      event
	now     int64
	unread  []unread

	// opening
	nextOpen  int
	opening   []int32 // connects in flight, oldest first
	holdOpen  bool    // a limit was hit: begin no more
	openTold  bool
	open      int
	publisher *publisher // the first loop's, when the plan publishes

	// judging
	ledger   ledger
	echo     echoes
	shaking  *handshakes // the connect workload's
	slow     slowReaders
	verdicts [classes]Verdict // of the slow classes; they are in ledger's too
	record   record
	live     live
	expected uint64 // messages that this loop had sent, times who is to get them
	excused  uint64 // of those, what connections that were dropped did not get
	arrived  int64  // receipts of the message in flight since the last turn

	// leaving
	leavingFrom int // connections below it have been said goodbye; -1: not yet leaving
	leaveUntil  int64
	descriptors int // connections that have one
	done        bool
}

// live is what the coordinator reads while the loop runs.
type live struct {
	open, failed, dropped          atomic.Int64
	delivered, accounted, expected atomic.Uint64
}

// run is the loop's goroutine.
func (l *loop) run() {
	events := make([]unix.EpollEvent, turnEvents)
	l.now = l.clock.now()
	l.after()
	for !l.done {
		n := l.poll(events)
		if n == 0 {
			before := l.clock.now()
			var err error
			if n, err = l.wait(events, l.patience(before)); err != nil {
				l.fatal(err)
				return
			}
			l.now = l.clock.now()
			l.record.waited += l.now - before
		} else {
			l.now = l.clock.now()
		}
		for i := range events[:n] {
			l.dispatch(&events[i])
		}
		l.after()
	}
}

func (l *loop) dispatch(e *unix.EpollEvent) {
	if e.Fd == wakeConn {
		l.woken()
		return
	}
	if c := &l.conns[e.Fd]; c.fd == e.Pad { // else it was closed earlier in this turn
		l.event(int(e.Fd), c, e.Events)
	}
}

// after is what a turn does beside its events.
func (l *loop) after() {
	l.readOn()
	l.now = l.clock.now()
	l.board.settle(l)
	if l.publisher != nil {
		l.publisher.turn(l.now)
	}
	l.slow.turn(l)
	if l.shaking != nil {
		l.shaking.turn(l)
	}
	l.moreGoodbyes()
	l.live.open.Store(int64(l.open))
	l.live.failed.Store(int64(l.record.failed))
	l.live.dropped.Store(int64(l.record.dropped))
	l.live.delivered.Store(l.ledger.Delivered)
	l.live.accounted.Store(l.ledger.Delivered + l.ledger.Lost + l.ledger.Told + l.excused)
	l.live.expected.Store(l.expected)
	l.moreConnects() // it may tell the coordinator, who then reads the above
}

// patience is how long the loop may sleep.
func (l *loop) patience(now int64) time.Duration {
	if len(l.unread) > 0 || l.leavingFrom >= 0 && l.leavingFrom < len(l.conns) {
		return 0
	}
	if l.publisher != nil {
		return l.publisher.patience(now)
	}
	if l.shaking != nil {
		return l.shaking.patience(l, now)
	}
	return idleWait
}

// number is a connection's number over all loops, by which its topics and addresses go.
func (l *loop) number(n int) int { return l.id + n*l.plan.Loops }

func (l *loop) driverOf(c *conn) driver {
	if c.publish {
		return l.publisher.driver
	}
	return l.driver
}

// fatal ends the run; the first reason counts.
func (l *loop) fatal(err error) {
	l.holdOpen = true
	select {
	case l.board.fatal <- err:
	default:
	}
}

// moreConnects keeps as many connects in flight as the plan allows, and gives up those that take too long.
func (l *loop) moreConnects() {
	if l.openTold {
		return
	}
	kept := l.opening[:0]
	late := l.now - int64(l.plan.ConnectTimeout)
	for _, n := range l.opening {
		c := &l.conns[n]
		switch {
		case c.state == ready || c.state == closed:
			continue
		case c.since < late:
			l.end(int(n), c, "not open after "+l.plan.ConnectTimeout.String()+" ("+c.state.String()+")")
			continue
		}
		kept = append(kept, n)
	}
	l.opening = kept
	share := max(1, l.plan.Connecting/l.plan.Loops)
	for l.nextOpen < len(l.conns) && len(l.opening) < share && !l.holdOpen {
		n := l.nextOpen
		l.nextOpen++
		to := l.target
		if l.conns[n].publish {
			to = l.publisher.target
		}
		l.connect(n, to)
	}
	if len(l.opening) == 0 && (l.nextOpen == len(l.conns) || l.holdOpen) {
		l.openTold = true
		l.board.opened <- struct{}{}
	}
}

var stateNames = [...]string{"unopened", "waiting for TCP", "waiting for the upgrade", "waiting for the subscription's answer", "open", "leaving", "closed"}

func (s connState) String() string { return stateNames[s] }

// halt plans no more messages; posted by the coordinator.
func (l *loop) halt() {
	l.echo.until = 0
	l.slow.until = 0
	if l.shaking != nil {
		l.shaking.stop = 0
	}
	if l.publisher != nil {
		l.publisher.halt(l.now)
	}
}

// leave begins to close all connections; posted by the coordinator.
func (l *loop) leave(timeout time.Duration) {
	l.leavingFrom = 0
	l.leaveUntil = l.now + int64(timeout)
	l.holdOpen = true
}

func (l *loop) moreGoodbyes() {
	if l.leavingFrom < 0 || l.done {
		return
	}
	to := min(l.leavingFrom+closesPerTurn, len(l.conns))
	for n := l.leavingFrom; n < to; n++ {
		c := &l.conns[n]
		if c.fd < 0 {
			continue
		}
		was := c.state
		c.state = leaving
		if was != ready {
			l.end(n, c, "")
			continue
		}
		l.scratch = l.driverOf(c).appendClose(l.scratch[:0])
		if len(l.scratch) == 0 {
			l.end(n, c, "")
			continue
		}
		l.write(n, c, l.scratch)
	}
	l.leavingFrom = to
	if to < len(l.conns) {
		return
	}
	if l.now >= l.leaveUntil {
		l.record.unanswered += l.descriptors
		for n := range l.conns {
			l.end(n, &l.conns[n], "")
		}
	}
	l.done = l.descriptors == 0
}
