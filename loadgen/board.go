package loadgen

import "sync/atomic"

// board is what loops and the coordinator share.
type board struct {
	// the message in flight of a closed loop
	inFlight  atomic.Int64 // its planned instant, which no other message has; 0: none
	inTopic   atomic.Int64
	remaining atomic.Int64 // who has yet to get it

	// by topic
	heads       []atomic.Uint64 // newest seq
	subscribers []atomic.Int32

	// to the coordinator
	fatal     chan error    // room for one
	opened    chan struct{} // one from each loop that began and settled all its connections
	published chan struct{} // closed when the last message was sent

	first *loop // the publisher's
}

func newBoard(topics, loops int) *board {
	return &board{
		heads: make([]atomic.Uint64, topics), subscribers: make([]atomic.Int32, topics),
		fatal: make(chan error, 1), opened: make(chan struct{}, loops), published: make(chan struct{}),
	}
}

// settle hands in a loop's receipts of the message in flight, and lets the publisher know when they were the last.
func (b *board) settle(l *loop) {
	if l.arrived == 0 {
		return
	}
	rest := b.remaining.Add(-l.arrived)
	l.arrived = 0
	if rest <= 0 && l != b.first {
		b.first.wake()
	}
}

// raise sets a to v if that is more.
func raise(a *atomic.Uint64, v uint64) {
	for {
		old := a.Load()
		if v <= old || a.CompareAndSwap(old, v) {
			return
		}
	}
}
