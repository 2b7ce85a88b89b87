package server

import (
	"time"

	"github.com/megawire/megawire/codec/ws"
	"github.com/megawire/megawire/poller"
)

// pace is how fast a loop's clients may send: the same for each. What one has sent lately stands in tallies, where only
// those have a place who sent more than one small message in a second: a connection that answers a ping now and then takes
// a bit, besides its part in the table of pages. A tally that is paid for goes with the sweep, within a second, or seven
// where a million connections have been on one loop; and its page a round later. That one message a second is not counted,
// so a client may send one more than its rate. It belongs to its loop.
type pace struct {
	perMessage     int64 // nanoseconds that a message is worth
	bytesPerSecond int64
	now            int64 // of the last tick, on the server's clock: what is allowed in a second need be no finer
	tallies        sparse[tally]
	heard          []uint64 // a bit for each connection that has sent a small message in this second, by handle
	current        tally    // of the connection being served
	refusals       int      // of requests of one read
	work           int      // done for one read, in messages
	rest           uint32   // seconds for which the connection is held back after it
}

// tally is when a client will have paid for what it sent, in messages and in bytes, were they all as fast as they may
// be (the generic cell rate algorithm, ITU-T I.371 annex A).
type tally struct{ messages, bytes int64 }

const (
	paceBurst = int64(time.Second) // what may come at once, in time
	// paceDebtMax bounds what a client has to make up for: a message that is let through is paid for in this time,
	// however large it is.
	paceDebtMax = 10 * int64(time.Second)
	// smallShare is the part of a second's bytes that is too little to be remembered, once a second.
	smallShare = 100
	// paceRefusalsMax is how many requests of one read are told that they came too fast, before the rest of it waits.
	paceRefusalsMax = 32
	// refusalShare is the part of a message that a refused request is worth: little, so that who is slightly too fast
	// gets on; but who goes on and on is held back.
	refusalShare = 8

	// paceWorkMax is how much of one read is dealt with, in messages, before others have their turn: a tenth of a
	// millisecond or so. So many bytes are as much work as a message.
	paceWorkMax   = 64
	bytesAMessage = 1024
)

func newPace(messagesPerSecond, bytesPerSecond int) pace {
	return pace{
		perMessage: max(int64(time.Second)/int64(messagesPerSecond), 1), bytesPerSecond: int64(bytesPerSecond),
	}
}

// begin takes up a connection's tally for one read, end puts it down.
func (p *pace) begin(handle uint32) {
	p.current = p.tallies.at(handle)
	p.refusals, p.work, p.rest = 0, 0, 0
}

func (p *pace) end(handle uint32) {
	if p.current.messages <= p.now && p.current.bytes <= p.now || p.small() && p.first(handle) {
		return
	}
	p.tallies.put(handle, p.current)
}

// small says that what was read is worth a message of few bytes at most.
func (p *pace) small() bool {
	return p.current.messages <= p.now+p.perMessage && p.current.bytes <= p.now+paceBurst/smallShare
}

// first reports whether it is the first time in this second that a connection sends so little.
func (p *pace) first(handle uint32) bool {
	if n := int(handle/64) + 1; n > len(p.heard) {
		p.heard = append(p.heard, make([]uint64, n-len(p.heard))...)
	}
	word, bit := &p.heard[handle/64], uint64(1)<<(handle%64)
	first := *word&bit == 0
	*word |= bit
	return first
}

func (p *pace) forget(handle uint32) { p.tallies.put(handle, tally{}) }

func (p *pace) messages(n int) {
	p.work += n
	p.charge(&p.current.messages, int64(n)*p.perMessage)
}

func (p *pace) bytes(n int) {
	p.work += n / bytesAMessage
	cost := float64(n) / float64(p.bytesPerSecond) * float64(time.Second) // n may be too large to be multiplied
	p.charge(&p.current.bytes, int64(cost))
}

func (p *pace) charge(paid *int64, cost int64) {
	*paid = min(max(*paid, p.now)+cost, p.now+paceBurst+paceDebtMax)
}

// debt is how long the client is to wait until it may send again; not above 0 where it may.
func (p *pace) debt() (messages, bytes time.Duration) {
	allowed := p.now + paceBurst
	return time.Duration(p.current.messages - allowed), time.Duration(p.current.bytes - allowed)
}

// tick moves the clock, and lets tallies go that are paid for.
func (p *pace) tick(now int64) {
	p.now = now
	p.tallies.sweep(func(t tally) bool { return t.messages <= now && t.bytes <= now })
}

// second begins a new one.
func (p *pace) second() {
	clear(p.heard)
	p.tallies.sweepAgain()
}

// holdBack has a client that sends too fast not read from for a while, and reports whether it did. On /ws the bound on
// messages is told, request by request, so only who goes on regardless is held back for it.
func (w *worker) holdBack(c *poller.Conn) bool {
	messages, bytes := w.pace.debt()
	if c.Kind == connNative && messages < time.Duration(paceBurst) && w.pace.refusals < paceRefusalsMax {
		messages = 0
	}
	wait := max(messages, bytes)
	if wait <= 0 {
		return false
	}
	c.Rest(wait)
	w.pace.rest = seconds(wait)
	w.counts.throttled++
	return true
}

// serves reports whether a connection's next event may be dealt with now. Else what it has sent waits: until its replies
// have gone, it has paid for what it sent, or others have had their turn.
func (w *worker) serves(c *poller.Conn) bool {
	switch {
	case !c.Open(), c.Congested(), c.Resting(), c.Yielding(), w.holdBack(c):
		return false
	case w.pace.work >= paceWorkMax:
		c.Yield()
		return false
	}
	return true
}

const (
	frameBytes = 64 // what a frame counts for at least: a message may come in thousands that are empty
	// inflateShare is the part of a loop's time, a tenth, that a client may have for inflating what it sends. What clients
	// send in earnest takes far less than its bytes allow; and a step that takes longer was held up by something else.
	inflateShare = 10
	stepNanosMax = 10 * int64(time.Millisecond)

	// looksAMessage is how many looks at topics, or messages of a snapshot, are as much work as a message.
	looksAMessage = 64
)

// charge counts an event of n bytes of input, which took so many nanoseconds to be taken out of it if it was compressed. A
// message on /ws is counted by Admit.
func (w *worker) charge(c *poller.Conn, ev *ws.Event, n int, nanos int64) {
	switch {
	case ev.Kind == ws.NeedMore, ev.Kind == ws.Working:
	case ev.Kind != ws.Message || c.Kind != connNative:
		w.pace.messages(1)
	}
	if ev.Packed > 0 {
		n += max(0, len(ev.Payload)-ev.Packed)
	}
	w.pace.bytes(max(n, frameBytes*int(ev.Frames)))
	if ev.Packed > 0 || ev.Kind == ws.Working {
		w.pace.charge(&w.pace.current.bytes, inflateShare*min(nanos, stepNanosMax))
	}
}

// Admit implements protocol.Peer.
func (p *peer) Admit() (retryAfterMillis int) {
	pace := &p.w.pace
	wait, _ := pace.debt()
	if wait <= 0 {
		pace.messages(1)
		return 0
	}
	pace.refusals++
	pace.work++
	pace.charge(&pace.current.messages, pace.perMessage/refusalShare)
	return int((wait + time.Millisecond - 1) / time.Millisecond)
}

// Charge implements protocol.Peer.
func (p *peer) Charge(messages int) { p.w.pace.messages(messages) }
