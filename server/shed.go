package server

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/megawire/megawire/codec/ws"
	"github.com/megawire/megawire/poller"
)

// What grows with what clients do, or leave undone, is little: an idle connection owns no buffer, and rings have bounds
// of their own. It is the input of those who do not end what they have begun, the replies of those who do not read, and
// for these the record of what they are behind in. So nobody else is closed where memory is short; who is slow in reading
// what all share holds no more than that record.

const (
	// shedBytesMin is what a connection must hold to be worth closing.
	shedBytesMin = 1 << 10
	// shedShare is the part of a loop's connections that are closed in a second at most: a hundredth, or shedMin.
	shedShare = 100
	shedMin   = 64
	// shedTime is how long the loops may take together to find and to close them.
	shedTime = 800 * time.Millisecond

	// What one posted function does at most, some 100 µs of work each.
	shedSlots  = 16_384 // of connections, most of which hold nothing
	shedLooks  = 1024   // at those that do
	shedCloses = 64
)

// shedReason is what those who are closed get to read.
const shedReason = "the server is short of memory"

// holder is a connection that holds memory.
type holder struct {
	w                  *worker
	handle, generation uint32
	bytes              int
	givenUp            bool // a second ago or more, but its peer does not take what was to be sent
}

// shed closes those who hold the most, until they have held so many bytes, or as many of them as a second may cost.
// It returns how many there were, and what they held. Who was given up before, and is cut now, does not count again.
func (s *Server) shed(ctx context.Context, bytes uint64) (closed int, freed uint64) {
	ctx, cancel := context.WithTimeout(ctx, shedTime)
	defer cancel()
	holders := s.holders(ctx)
	holders = holders[:enough(holders, bytes)]
	for _, w := range s.workers {
		var here []holder
		for _, h := range holders {
			if h.w == w {
				here = append(here, h)
			}
		}
		for part := range slices.Chunk(here, shedCloses) {
			f, err := ask(ctx, w, func() freedBy { return w.giveUpHolders(part) })
			if err != nil {
				break // its time is over; what it has closed nevertheless shows in memory
			}
			closed, freed = closed+f.clients, freed+f.bytes
		}
	}
	return closed, freed
}

// enough is how many holders, in their order, are to go for so many bytes.
func enough(holders []holder, bytes uint64) int {
	sum := uint64(0)
	for i, h := range holders {
		if h.givenUp {
			continue
		}
		if sum >= bytes {
			return i
		}
		sum += uint64(h.bytes)
	}
	return len(holders)
}

// holders are the worst of all loops, those who hold the most first.
func (s *Server) holders(ctx context.Context) (all []holder) {
	m := s.memory
	if m.shedNext == nil {
		m.shedNext = make([]uint32, len(s.workers))
	}
	found := make([][]holder, len(s.workers))
	var looks sync.WaitGroup
	for i, w := range s.workers {
		looks.Go(func() { found[i] = w.worst(ctx, &m.shedNext[i]) })
	}
	looks.Wait()
	for _, f := range found {
		all = append(all, f...)
	}
	heaviestFirst(all)
	return all
}

// heaviestFirst sorts those who hold most to the front, behind those who were given up before.
func heaviestFirst(hs []holder) {
	slices.SortFunc(hs, func(a, b holder) int {
		switch {
		case a.givenUp == b.givenUp:
			return cmp.Compare(b.bytes, a.bytes)
		case a.givenUp:
			return -1
		default:
			return 1
		}
	})
}

// heaviest leaves those who hold most, and with them all who were given up before.
func heaviest(hs []holder, most int) []holder {
	for _, h := range hs {
		if h.givenUp {
			most++
		}
	}
	if len(hs) <= most {
		return hs
	}
	heaviestFirst(hs)
	return hs[:most]
}

// worst goes over a loop's connections, a stretch at a time, and returns those who hold the most. Called on another
// goroutine than the loop's.
func (w *worker) worst(ctx context.Context, next *uint32) (worst []holder) {
	for {
		l, err := ask(ctx, w, func() holding { return w.lookForHolders(*next) })
		if err != nil {
			return worst
		}
		worst = heaviest(append(worst, l.found...), l.most)
		if *next = l.next; l.next == 0 {
			return worst
		}
	}
}

// holding is what one posted function has found.
type holding struct {
	found []holder
	most  int    // of them that may be closed on this loop
	next  uint32 // where to go on; 0 at the end
}

func (w *worker) lookForHolders(from uint32) (l holding) {
	l.most = max(w.loop.Len()/shedShare, shedMin)
	looks := shedLooks
	l.next = w.loop.Scan(from, shedSlots, func(c *poller.Conn) bool {
		if !w.mayHold(c) {
			return true
		}
		if n := w.holds(c); n >= shedBytesMin {
			l.found = append(l.found, holder{w, c.Handle(), c.Generation(), n, !c.Open()})
		}
		looks--
		return looks > 0
	})
	return l
}

// mayHold is what can be told of a connection at a glance: all others hold nothing, or are about to be sent what they
// are behind in.
func (w *worker) mayHold(c *poller.Conn) bool {
	return c.Stalled() || c.InputKept() || c.Flags&flagFragments != 0
}

// holds is how many bytes are kept for a connection besides what every one costs.
func (w *worker) holds(c *poller.Conn) int {
	n := c.Held() + w.heldBy(c)
	if id := subscriber(c); id != 0 {
		n += w.shard.LagBytes(id)
	}
	return n
}

// freedBy is who was given up, and what they held.
type freedBy struct {
	clients int
	bytes   uint64
}

// giveUpHolders closes those of them that are still there and hold something. What was to be sent they keep for as long as
// their peers take it; so who is found here once more, closed but not gone, has its connection cut.
func (w *worker) giveUpHolders(hs []holder) (freed freedBy) {
	for _, h := range hs {
		c := w.loop.Conn(h.handle, h.generation)
		if c == nil || !w.mayHold(c) {
			continue
		}
		n := w.holds(c)
		switch {
		case n < shedBytesMin:
		case c.Open():
			w.giveUpHolder(c)
			freed.clients++
			freed.bytes += uint64(n)
		default:
			c.Close()
		}
	}
	return freed
}

// giveUpHolder has a connection let go of what it holds, as far as possible at once.
func (w *worker) giveUpHolder(c *poller.Conn) {
	w.counts.shed++
	switch {
	case c.Kind == connHTTP:
		w.refuse(c, nil, refuseMemory)
	case c.Stalled():
		w.close(c, ws.SlowReader, shedReason)
	default:
		w.close(c, ws.TryAgainLater, shedReason)
	}
	w.endSubscriptions(c)
}
