package poller

import "github.com/panjf2000/gnet/v2"

// state is how far a connection's life has come.
type state uint8

const (
	vacant    state = iota // the slot has no connection
	open                   // reads and writes
	finishing              // sends what is queued, then ends its side; input is thrown away
	lingering              // has ended its side and waits for the peer's end
	doomed                 // to be closed at the end of the event
	dead                   // closed by the system; Handler.Closed is still to be called
)

// marks are what is true of few connections.
type marks uint8

const (
	markHeard    marks = 1 << iota // the peer will send nothing more
	markPaused                     // not read from until its replies are gone
	markResting                    // not read from until a time that stands in loop.rests
	markYielding                   // not read from until others have had their turn
	markMute                       // the loop's epoll set does not have the socket for input
	markRetry                      // the kernel had no memory for a write: stalled, and in loop.retries

	notRead = markPaused | markResting | markYielding
)

// Conn is one connection. It belongs to its loop. All are kept in slabs, so a Conn is 64 bytes, one line of
// the cache, and a pointer to one stays good until Handler.Closed returns; Handle and Generation name it for longer.
type Conn struct {
	gc   gnet.Conn
	loop *Loop

	fd     int32
	handle uint32
	gen    uint32 // how many connections had this slot before
	seen   uint32 // when the peer last gave a sign of life, in loop seconds
	due    uint32 // when Handler.Due is called, in loop seconds; 0 is never
	input  uint32 // what Data has not used yet, in loop.inputs
	stall  uint32 // what the kernel has not taken yet, in loop.stalls
	state  state
	marks  marks

	// The handler's own; zero in Open.
	Kind, Flags uint8
	User        [2]uint32
}

// Loop is the loop that the connection belongs to.
func (c *Conn) Loop() *Loop { return c.loop }

// Handle names the connection on its loop while it lives; Loop.Conn finds it. Never 0.
func (c *Conn) Handle() uint32 { return c.handle }

// Generation tells the connections apart that have the same handle one after the other.
func (c *Conn) Generation() uint32 { return c.gen }

// Seen is when the peer last sent something or took bytes of ours, in loop seconds.
func (c *Conn) Seen() uint32 { return c.seen }

// SetDue asks for a call of Handler.Due at the given loop second, or for none if it is 0. A connection
// has one such time, and none once Finish or Close was called.
func (c *Conn) SetDue(second uint32) {
	if c.state == open { // else it is the linger time's
		c.due = second
	}
}

// Due is the time that SetDue has set; 0 if there is none.
func (c *Conn) Due() uint32 { return c.due }

// Open reports whether the connection still reads and writes, that is, neither Finish nor Close was
// called nor has it failed.
func (c *Conn) Open() bool { return c.state == open }

// Stalled reports whether bytes wait for the kernel.
func (c *Conn) Stalled() bool { return c.stall != 0 }

// Finish sends what is queued, ends our side and closes once the peer has ended its own, or when it has
// given no sign of life for the linger time. What still arrives is thrown away: closing a socket with
// unread input resets it, and the peer could lose the last thing it was told.
func (c *Conn) Finish() {
	if c.state != open {
		return
	}
	c.state = finishing
	c.due = c.loop.Seconds() + lingerSeconds
	c.resume(notRead) // to throw away what comes, and to see the peer's end
	if c.loop.reading == c {
		return // the handler still reads its input, and replies are not written yet: receive goes on
	}
	c.dropInput()
	if c.stall == 0 {
		c.endOutput()
	}
}

// PeerDone says that the peer has announced its end: after Finish the connection is closed as soon as all
// is sent, without waiting for the peer to do it first.
func (c *Conn) PeerDone() {
	c.marks |= markHeard
	if c.state == lingering {
		c.Close()
	}
}

// Close closes the connection at the end of the event that is being handled, whatever is queued.
func (c *Conn) Close() {
	if c.state == doomed || !c.exists() {
		return
	}
	c.state = doomed
	c.loop.doomed = append(c.loop.doomed, c)
}

// exists reports whether there is a connection that the system has not closed.
func (c *Conn) exists() bool { return c.state != vacant && c.state != dead }

// alive reports whether bytes may be written.
func (c *Conn) alive() bool { return c.state == open || c.state == finishing }
