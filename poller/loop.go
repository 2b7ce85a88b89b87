package poller

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/panjf2000/gnet/v2"
	"github.com/valyala/bytebufferpool"
	"golang.org/x/sys/unix"

	"github.com/megawire/megawire/internal/slab"
)

// Loop is one event loop and its connections.
type Loop struct {
	poller *Poller
	index  int
	engine gnet.Engine

	// Of any goroutine.
	wakeFD  int         // our end of the socketpair; the other is enrolled in the loop
	woken   atomic.Bool // a byte is under way
	ticks   atomic.Uint32
	postMu  sync.Mutex
	posted  []func()
	counted atomic.Pointer[Counts]
	ready   chan struct{}
	ended   chan struct{} // closed when the engine has returned
	err     error         // why it has; read after ended

	// Of the loop's goroutine.
	events  gnet.EventLoop
	conns   slab.Slab[Conn]
	inputs  slab.Slab[*bytebufferpool.ByteBuffer]
	stalls  slab.Slab[stall]
	stalled []*Conn
	doomed  []*Conn // to be buried at the end of the event
	busy    bool    // in an event at whose end bury is called
	reading *Conn   // in Handler.Data
	current *Conn   // being served; what a panic closes
	out     []byte  // replies of the event being handled
	scanned uint32  // how far the scan for due connections has come
	counts  Counts
}

// Counts are a loop's totals since its start, and gauges.
type Counts struct {
	Opened, Closed         uint64
	BytesIn, BytesOut      uint64
	Writes, ShortWrites    uint64
	Turns                  uint64
	Panics                 uint64
	RefusedFull            uint64 // closed at once, for want of file descriptors
	Connections, StalledNo int64  // gauges
}

// Index is the loop's number, from 0.
func (l *Loop) Index() int { return l.index }

// Seconds is the loop's coarse clock: whole seconds since the poller was made, from 1. Any goroutine.
func (l *Loop) Seconds() uint32 { return l.poller.seconds() }

// Conn returns the connection with that handle and generation, or nil if it is gone.
func (l *Loop) Conn(handle, generation uint32) *Conn {
	if handle == 0 || handle >= l.conns.End() {
		return nil
	}
	c := l.conns.At(handle)
	if c.gen != generation || c.state == vacant || c.state == dead {
		return nil
	}
	return c
}

// At returns the connection with that handle, which the caller knows to live.
func (l *Loop) At(handle uint32) *Conn { return l.conns.At(handle) }

// Each calls yield for the connections from that handle on, in order, until it returns false.
func (l *Loop) Each(from uint32, yield func(c *Conn) bool) {
	for h := max(from, 1); h < l.conns.End(); h++ {
		if c := l.conns.At(h); c.state != vacant && c.state != dead && !yield(c) {
			return
		}
	}
}

// Len is how many connections the loop has.
func (l *Loop) Len() int { return l.conns.Len() }

// Wake asks for a call of Handler.Turn. Any goroutine; it does not wait.
func (l *Loop) Wake() {
	if l.woken.CompareAndSwap(false, true) {
		// One byte is under way at most, so the socketpair cannot be full; after the loop's end
		// nobody reads, and nobody needs to.
		_, _ = unix.Write(l.wakeFD, []byte{0})
	}
}

// Post runs fn on the loop, before its next turn. Any goroutine. Once the loop has ended fn is dropped,
// so who waits for it must have a deadline, or watch Poller.Done.
func (l *Loop) Post(fn func()) {
	l.postMu.Lock()
	l.posted = append(l.posted, fn)
	l.postMu.Unlock()
	l.Wake()
}

// slice is what one byte of the socketpair stands for: what was posted, what the ticker asked for, and
// one turn.
func (l *Loop) slice() {
	l.woken.Store(false)
	l.counts.Turns++
	l.busy = true
	for _, fn := range l.takePosted() {
		l.guard(fn)
	}
	if due := l.ticks.Swap(0); due != 0 {
		l.tick(due)
	}
	more := true // after a panic in a turn there may be work left
	l.guard(func() { more = l.poller.o.Handler.Turn(l) })
	l.busy = false
	l.bury()
	if more {
		l.Wake()
	}
}

func (l *Loop) takePosted() []func() {
	l.postMu.Lock()
	defer l.postMu.Unlock()
	fns := l.posted
	l.posted = nil
	return fns
}

// What the ticker asks of a loop.
const (
	tickStalled = 1 << iota
	tickScan
)

func (l *Loop) tick(due uint32) {
	if due&tickStalled != 0 {
		l.pushStalled()
	}
	if due&tickScan != 0 {
		l.scan()
		l.guard(func() { l.poller.o.Handler.Tick(l) })
		l.publishCounts()
	}
}

// pushStalled looks after connections whose bytes wait for the kernel: gnet does not tell when a socket
// has become writable. From the back, since push takes those that are done off the list.
func (l *Loop) pushStalled() {
	for i := len(l.stalled) - 1; i >= 0; i-- {
		if i >= len(l.stalled) {
			continue // more than one went: a panic or a close
		}
		if c := l.stalled[i]; c.alive() {
			l.current = c
			l.guard(c.push)
			l.current = nil
		}
	}
}

// scansASecond is in how many parts the connections are looked at for what is due. There are no timers:
// a scan of a million takes less than the ping of a hundred.
const scansASecond = 10

func (l *Loop) scan() {
	now := l.Seconds()
	n := l.conns.End()/scansASecond + 1
	for ; n > 0; n-- {
		l.scanned++
		if l.scanned >= l.conns.End() {
			l.scanned = 0
			return
		}
		c := l.conns.At(l.scanned)
		if c.due == 0 || c.due > now || c.state == vacant || c.state == dead {
			continue
		}
		c.due = 0
		if c.state != open {
			c.Close()
			continue
		}
		l.current = c
		l.guard(func() { l.poller.o.Handler.Due(c) })
		l.current = nil
	}
}

// guard runs fn and survives its panic, which closes the connection being served.
func (l *Loop) guard(fn func()) {
	defer l.rescue()
	fn()
}

func (l *Loop) rescue() {
	if r := recover(); r != nil {
		l.counts.Panics++
		l.poller.logPanic(r)
		if l.reading != nil {
			l.out, l.reading = l.out[:0], nil
		}
		if c := l.current; c != nil {
			l.current = nil
			c.Close()
		}
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
	l.current = nil
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

// publishCounts lets other goroutines see the counts.
func (l *Loop) publishCounts() {
	l.counts.Connections, l.counts.StalledNo = int64(l.conns.Len()), int64(len(l.stalled))
	snapshot := l.counts
	l.counted.Store(&snapshot)
}

// Counts is a snapshot, at most a tenth of a second old. Any goroutine.
func (l *Loop) Counts() Counts {
	if c := l.counted.Load(); c != nil {
		return *c
	}
	return Counts{}
}

// tickEvery is the pace of scans, stalledEvery that of stalled connections while there are any.
const (
	tickEvery    = time.Second / scansASecond
	stalledEvery = 10 * time.Millisecond
)
