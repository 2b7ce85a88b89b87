package server

import (
	"github.com/megawire/megawire/codec/ws"
	"github.com/megawire/megawire/poller"
)

// What a loop keeps of messages that have not come to their end is bounded in all, by worker.unfinishedMax. Who holds most
// of it goes, not who happens to add to it: or many that begin what they do not end would have all others closed.
//
// From an eighth below the bound on a census is taken, and those go that hold the most. Past the bound, nobody adds
// who holds a fair part of it or more; those with less may, and hold no more than a quarter of the bound together. Past twice
// the bound nobody else adds either who has ended a message and waits for us to deal with it, to inflate it, say: of one
// connection that is a message, what it inflates to and one read at most. So twice and a quarter the bound is all, besides
// one read of each, and what those hold who had less than a fair part before so many others came: they are the next
// census's.

const (
	// fairBytesMax is what is a fair part however few there are: one read.
	fairBytesMax = 64 << 10
	// censusShare of the bound is left free.
	censusShare = 8

	// What one tick does at most, some 100 µs of work each.
	censusSlots  = shedSlots
	censusLooks  = 2 * shedLooks
	censusCloses = shedCloses
)

const unfinishedReason = "the server holds too many unfinished messages"

// unfinished is how many bytes the loop keeps of messages and requests that have not come to their end, or were not dealt
// with yet.
func (w *worker) unfinished() int { return w.loop.InputBytes() + w.held }

// hasRoom reports whether so many bytes of a connection's input may be kept, besides its fragments.
func (w *worker) hasRoom(c *poller.Conn, inputBytes int) bool {
	bytesMax := w.unfinishedMax
	if waitsForUs(c) {
		bytesMax *= 2
	}
	return w.unfinished() <= bytesMax || inputBytes+w.heldBy(c) < w.fairPart()
}

// waitsForUs reports whether a connection cannot go on with what it has begun since it is not read from.
func waitsForUs(c *poller.Conn) bool { return c.Resting() || c.Yielding() || c.Congested() }

// fairPart is what nobody is closed for who holds less. It is little enough for at least one connection to hold as much of
// the larger part where too much is kept (census.worst).
func (w *worker) fairPart() int {
	return min(fairBytesMax, w.unfinishedMax/4/max(w.loop.Inputs()+w.endpoints.len(), 1))
}

// census is one walk over a loop's connections in search of those who hold the most of what is unfinished.
type census struct {
	next  uint32 // where it goes on; 0 where none is under way
	peers part   // who is to end what it has begun
	ours  part   // who waits for us
}

// part of what is unfinished.
type part struct {
	bytes   int
	holders []holder // the heaviest, and others
	least   int      // bytes that are too few to be one of the heaviest
}

func (p *part) add(h holder) {
	p.bytes += h.bytes
	if h.bytes <= p.least {
		return
	}
	if p.holders = append(p.holders, h); len(p.holders) == 2*censusCloses {
		p.holders = heaviest(p.holders, censusCloses)
		p.least = p.holders[censusCloses-1].bytes
	}
}

// worst are those who hold the most, the heaviest first, of the larger part: that one is the cause.
func (n *census) worst() []holder {
	p := &n.peers
	if n.ours.bytes > p.bytes {
		p = &n.ours
	}
	heaviestFirst(p.holders)
	return p.holders[:min(len(p.holders), censusCloses)]
}

// makeRoom goes on with the census if too much is kept, and at its end closes as many as need be. Each tick.
func (w *worker) makeRoom() {
	enough := w.unfinishedMax - w.unfinishedMax/censusShare
	if w.unfinished() <= enough {
		w.census = census{}
		return
	}
	if w.census.next = w.takeCensus(w.census.next); w.census.next != 0 {
		return
	}
	worst := w.census.worst()
	w.census = census{}
	for _, h := range worst {
		if w.unfinished() <= enough {
			return
		}
		if c := w.loop.Conn(h.handle, h.generation); c != nil && c.Open() && w.keeps(c) >= w.fairPart() {
			w.closeUnfinished(c)
		}
	}
}

func (w *worker) takeCensus(from uint32) (next uint32) {
	looks := censusLooks
	return w.loop.Scan(from, censusSlots, func(c *poller.Conn) bool {
		if !c.InputKept() && c.Flags&flagFragments == 0 {
			return true
		}
		p := &w.census.peers
		if waitsForUs(c) {
			p = &w.census.ours
		}
		p.add(holder{w: w, handle: c.Handle(), generation: c.Generation(), bytes: w.keeps(c)})
		looks--
		return looks > 0
	})
}

// keeps is a connection's share in unfinished.
func (w *worker) keeps(c *poller.Conn) int { return c.InputBytes() + w.heldBy(c) }

// closeUnfinished closes a connection outside of its own events.
func (w *worker) closeUnfinished(c *poller.Conn) {
	if c.Kind == connHTTP {
		w.refuse(c, nil, refuseUnfinished)
	} else {
		w.close(c, ws.TryAgainLater, unfinishedReason)
	}
}
