package poller

import "time"

// yieldSlice is how long a slice serves those who yielded, before others are read from again.
const yieldSlice = time.Millisecond

// yield is a connection whose handler wants others to have their turn first.
type yield struct{ handle, generation uint32 }

// Yield has what Data leaves unused presented again in a slice of the loop's, behind a turn, the reads of others and
// those who yielded before; until then the connection is not read from. So a peer that sends much work at once has it done
// piece by piece, in between that of the others. Data is called again even if it has left nothing.
func (c *Conn) Yield() {
	if c.state != open || c.Yielding() {
		return
	}
	l := c.loop
	l.yields = append(l.yields, yield{c.handle, c.gen})
	c.marks |= markYielding
	c.mute()
	l.Wake()
}

// Yielding reports whether Yield was called and Data was not since.
func (c *Conn) Yielding() bool { return c.marks&markYielding != 0 }

// serveYields goes on with those who yielded, in the order in which they did. There are as many at most as the loop has
// connections, and those that it has lost since.
func (l *Loop) serveYields() (more bool) {
	if l.served == len(l.serving) { // who yields again does so into the other list
		l.serving, l.yields, l.served = l.yields, l.serving[:0], 0
	}
	if l.served == len(l.serving) {
		return false
	}
	for until := l.sinceBorn() + yieldSlice; l.served < len(l.serving); {
		y := l.serving[l.served]
		l.served++
		if c := l.Conn(y.handle, y.generation); c != nil {
			l.serve(c, (*Conn).goOn, nil)
		}
		if l.sinceBorn() >= until {
			break
		}
	}
	return l.served < len(l.serving) || len(l.yields) > 0
}

// goOn ends a yield. The socket's entry in the epoll set is left as it is until Data has had what is there: mostly it
// yields again.
func (c *Conn) goOn([]byte) {
	if !c.Yielding() { // it was finished meanwhile
		return
	}
	c.marks &^= markYielding
	if c.marks&notRead != 0 {
		return // whose end presents what is left
	}
	if c.state == open {
		c.receive(nil)
	}
	if c.marks&notRead == 0 && c.exists() {
		c.readAgain()
	}
}
