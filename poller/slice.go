package poller

// What may be asked of a loop's next slice.
const (
	dueWritable = 1 << iota // a stalled socket may have become writable
	dueScan                 // the ticker's call
	dueRests                // rests may be over
)

// PostsMax is how many posted functions may wait for a loop, besides as many at most that it has begun to run. At
// postsASlice a slice it takes the loop 64 slices to come through them.
const PostsMax = 64 * postsASlice

const (
	// postsASlice is how many posted functions one slice runs.
	postsASlice = 1024
	// scansASecond is in how many parts a second the connections are looked at for what is due. There
	// are no timers: a scan of a million takes less than the ping of a hundred.
	scansASecond = 10
)

// Wake asks for a call of Handler.Turn. Any goroutine; it does not wait. Before Start it is remembered,
// after the loop's end it does nothing.
func (l *Loop) Wake() { l.wakeup.wake() }

// Post runs fn on the loop, after what was posted before. Any goroutine; it does not wait. It reports whether fn was
// taken: not where PostsMax wait already, nor after the loop's end. What was taken is dropped if the loop ends before its
// turn comes, so who waits for it must have a deadline.
func (l *Loop) Post(fn func()) (taken bool) {
	l.postMu.Lock()
	taken = !l.closed && len(l.posted) < PostsMax
	if taken {
		l.posted = append(l.posted, fn)
	}
	l.postMu.Unlock()
	if taken {
		l.Wake()
	}
	return taken
}

// ask asks for a slice that does what is due.
func (l *Loop) ask(due uint32) {
	l.due.Or(due)
	l.Wake()
}

// slice is what one wake-up stands for: what was posted, what is due, and one turn.
func (l *Loop) slice() {
	l.wakeup.taken() // before the work is looked for, or a wake-up meanwhile would be lost
	l.counts.Turns++
	l.busy = true
	more := l.runPosted()
	if due := l.due.Swap(0); due != 0 {
		more = l.doDue(due) || more
	}
	more = l.turn() || more
	more = l.serveYields() || more
	l.busy = false
	l.bury()
	if more {
		l.Wake()
	}
}

func (l *Loop) runPosted() (more bool) {
	if l.ran == len(l.running) {
		l.takePosted()
	}
	for range postsASlice {
		if l.ran == len(l.running) {
			return false
		}
		fn := l.running[l.ran]
		l.running[l.ran] = nil
		l.ran++
		l.guard(fn)
	}
	return true
}

// takePosted swaps the two lists, so that neither is made anew each time.
func (l *Loop) takePosted() {
	spare := l.running[:0]
	if cap(spare) > 16*postsASlice { // of a burst
		spare = nil
	}
	l.postMu.Lock()
	defer l.postMu.Unlock()
	l.running, l.posted, l.ran = l.posted, spare, 0
}

func (l *Loop) doDue(due uint32) (more bool) {
	more = l.retryWrites(due&dueScan != 0)
	more = l.pushWritable() || more
	if due&dueScan != 0 {
		l.noTurns = false
		l.acceptAgain()
		l.stamp()
		l.scan()
		l.guard(func() { l.poller.o.Handler.Tick(l) })
		l.publishCounts()
	}
	if due&(dueScan|dueRests) != 0 {
		more = l.endRests() || more
	}
	return more
}

// turn has the handler do its work. After a panic the next turn waits for the tick, which comes anyway:
// there may be work left, and a turn that panics each time must not keep the loop from all else.
func (l *Loop) turn() (more bool) {
	if l.noTurns {
		return false
	}
	if !l.guard(func() { more = l.poller.o.Handler.Turn(l) }) {
		l.noTurns = true
		return false
	}
	return more
}

// scan looks at a part of the connections for those that are due.
func (l *Loop) scan() {
	now := l.Seconds()
	for n := l.conns.End()/scansASecond + 1; n > 0; n-- {
		l.scanned++
		if l.scanned >= l.conns.End() {
			l.scanned = 0
			return
		}
		c := l.conns.At(l.scanned)
		if c.due == 0 || c.due > now || !c.exists() {
			continue
		}
		c.due = 0
		if c.state != open { // it has lingered long enough
			c.Close()
			continue
		}
		l.serve(c, (*Conn).isDue, nil)
	}
}

func (c *Conn) isDue([]byte) { c.loop.poller.o.Handler.Due(c) }

// serve runs fn for a connection, which is closed if it panics.
func (l *Loop) serve(c *Conn, fn func(c *Conn, p []byte), p []byte) {
	l.current = c
	defer l.rescue()
	fn(c, p)
	l.current = nil
}

// guard runs fn and survives its panic, which closes the connection being served. It reports whether
// there was none.
func (l *Loop) guard(fn func()) (ok bool) {
	defer l.rescue()
	fn()
	return true
}

func (l *Loop) rescue() {
	r := recover()
	if r == nil {
		return
	}
	l.counts.Panics++
	l.out, l.reading = l.out[:0], nil
	if c := l.current; c != nil {
		l.current = nil
		c.Close()
	}
	l.poller.logPanic(r)
}
