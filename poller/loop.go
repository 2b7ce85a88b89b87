package poller

import (
	"sync"
	"sync/atomic"

	"github.com/panjf2000/gnet/v2"

	"github.com/megawire/megawire/internal/slab"
)

// Loop is one event loop and its connections.
type Loop struct {
	poller *Poller
	index  int
	wakeup wakeup

	// Of any goroutine.
	epoll     atomic.Int32  // gnet's epoll set, or none; connections may come before it is known
	listeners []int32       // those in it; read after epoll
	due       atomic.Uint32 // what is asked of the next slice: dueScan, dueWritable
	postMu    sync.Mutex
	posted    []func()
	closed    bool // by postMu: the loop has ended
	countMu   sync.Mutex
	counted   Counts // by countMu

	// Of the engine.
	engine   gnet.Engine   // read after ready
	ready    chan struct{} // closed when the loop can be woken
	stopping chan struct{} // closed when the engine begins to stop
	ended    chan struct{} // closed when the engine has returned
	err      error         // why it has; read after ended
	enrolled bool          // the loop has its descriptor of the eventfd

	// Of the loop's goroutine.
	events       gnet.EventLoop
	copies       addressCopies
	conns        slab.Slab[Conn]
	inputs       slab.Slab[input]
	inputBytes   int     // of all inputs
	rests        []rest  // who is not read from for a time
	rested       int     // how far the walk over them has come
	yields       []yield // who wants others to have their turn first
	serving      []yield // taken from yields
	served       int     // how many of serving have been
	stalls       slab.Slab[stall]
	writable     writable
	retries      []retry  // stalled for want of the kernel's memory
	retrying     []retry  // taken from retries
	retried      int      // how many of retrying have been
	running      []func() // taken from posted
	ran          int      // how many of running have been called
	doomed       []*Conn  // to be buried at the end of the event
	busy         bool     // in an event at whose end bury is called
	reading      *Conn    // in Handler.Data
	current      *Conn    // being served; what a panic closes
	out          []byte   // replies of the event being handled
	scanned      uint32   // how far the scan for due connections has come
	stamped      uint32   // the second that the listeners' sockets get
	acceptErr    error    // why the loop can accept no connection any more
	acceptLogged uint32   // the second in which it was last said that accepting fails
	notAccepting bool     // until the next tick, since accepting has failed
	noTurns      bool     // until the next tick, since a turn has panicked
	counts       Counts
}

func newLoop(p *Poller, index int) *Loop {
	l := &Loop{
		poller: p, index: index,
		ready: make(chan struct{}), stopping: make(chan struct{}), ended: make(chan struct{}),
	}
	l.wakeup.fd = none
	l.writable.fd = none
	l.epoll.Store(none)
	return l
}

// Counts are a loop's totals since its start, and gauges.
type Counts struct {
	Opened, Closed         uint64
	BytesIn, BytesOut      uint64
	Writes, ShortWrites    uint64
	Turns                  uint64
	Panics                 uint64
	AcceptErrors           uint64 // tries to accept a connection that failed, at most one a tick and listener
	RefusedFull            uint64 // closed at once, for want of file descriptors; not Opened
	WriteRetries           uint64 // writes that the kernel had no memory for; tried again with the next tick
	Connections, StalledNo int64  // gauges
}

// Index is the loop's number, from 0.
func (l *Loop) Index() int { return l.index }

// Seconds is the loop's coarse clock: whole seconds since the poller was made, from 1, about a tenth of a
// second late. It stands still before Start. Any goroutine.
func (l *Loop) Seconds() uint32 { return l.poller.second.Load() }

// Conn returns the connection with that handle and generation, or nil if it is gone.
func (l *Loop) Conn(handle, generation uint32) *Conn {
	if handle == 0 || handle >= l.conns.End() {
		return nil
	}
	c := l.conns.At(handle)
	if c.gen != generation || !c.exists() {
		return nil
	}
	return c
}

// At returns the connection with that handle, which the caller knows to live.
func (l *Loop) At(handle uint32) *Conn { return l.conns.At(handle) }

// Each calls yield for the connections from that handle on, in order, until it returns false.
func (l *Loop) Each(from uint32, yield func(c *Conn) bool) {
	for h := max(from, 1); h < l.conns.End(); h++ {
		if c := l.conns.At(h); c.exists() && !yield(c) {
			return
		}
	}
}

// Len is how many connections the loop has.
func (l *Loop) Len() int { return l.conns.Len() }

// publishCounts lets other goroutines see the counts.
func (l *Loop) publishCounts() {
	l.counts.Connections, l.counts.StalledNo = int64(l.conns.Len()), int64(l.stalls.Len())
	l.countMu.Lock()
	defer l.countMu.Unlock()
	l.counted = l.counts // in place: ticks are to make no garbage
}

// Counts is a snapshot, at most a tenth of a second old. Any goroutine.
func (l *Loop) Counts() Counts {
	l.countMu.Lock()
	defer l.countMu.Unlock()
	return l.counted
}
