package poller

import "time"

// rest is a connection that is not read from for a time.
type rest struct {
	handle, generation uint32
	until              time.Duration // since the poller was made
}

// restsASlice is how many connections one slice reads from again.
const restsASlice = 256

// Rest has the connection not read from for so long at least (rounded up to the loop's ticks of 100 ms). Data is called
// after it with what it has left, even if that is nothing. Called again meanwhile, the later end holds. Only TCP tells the
// peer, by its window; its end of the stream is seen afterwards, an error or a reset at once. What it sends meanwhile is no
// sign of life, so the handler is not to take its silence for death. Finish ends it.
func (c *Conn) Rest(d time.Duration) {
	if c.state == open && d > 0 {
		c.rest(d)
	}
}

const (
	// lateBytes is from when on a read of what is thrown away is followed by a rest of lateRest: who sends much after its
	// connection was closed is not to keep the loop busy with it.
	lateBytes = 4 << 10
	lateRest  = 100 * time.Millisecond
)

func (c *Conn) rest(d time.Duration) {
	l := c.loop
	r := rest{c.handle, c.gen, l.sinceBorn() + d}
	if c.Resting() {
		l.prolong(r)
		return
	}
	l.rests = append(l.rests, r)
	c.marks |= markResting
	c.mute()
}

// Resting reports whether Rest was called and the time is not over. Data is not called meanwhile, but may have to
// leave what it has in hands when it has called Rest itself.
func (c *Conn) Resting() bool { return c.marks&markResting != 0 }

// sinceBorn is the exact time of the loops, for what must not come early.
func (l *Loop) sinceBorn() time.Duration { return time.Since(l.poller.born) }

// prolong looks through the list, since a connection has no room for its place in it. Data is not called during a
// rest, so a peer cannot make this happen often.
func (l *Loop) prolong(r rest) {
	for i := range l.rests {
		if at := &l.rests[i]; at.handle == r.handle && at.generation == r.generation {
			at.until = max(at.until, r.until)
		}
	}
}

// endRests reads again from the connections whose time has come, a number of them a slice, and forgets those that are
// gone. So the list has no more than the loop's connections and those that it lost since the last tick.
func (l *Loop) endRests() (more bool) {
	now := l.sinceBorn()
	for ended := 0; l.rested < len(l.rests); {
		r := l.rests[l.rested]
		c := l.Conn(r.handle, r.generation)
		if c != nil && c.Resting() {
			if r.until > now {
				l.rested++
				continue
			}
			if ended == restsASlice {
				l.due.Or(dueRests)
				return true
			}
			ended++
		}
		last := len(l.rests) - 1
		l.rests[l.rested] = l.rests[last]
		l.rests = l.rests[:last]
		if c != nil {
			l.serve(c, (*Conn).endRest, nil)
		}
	}
	l.rested = 0
	if len(l.rests) == 0 && cap(l.rests) > restsASlice { // of a crowd
		l.rests = nil
	}
	return false
}

func (c *Conn) endRest([]byte) {
	if !c.Resting() { // it was finished meanwhile
		return
	}
	c.resume(markResting)
	if c.state == open {
		c.receive(nil)
	}
}
