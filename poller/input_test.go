package poller

import (
	"testing"
	"time"
)

// The time of what is kept begins with it, and anew when some of it was used or could not be completed.
func TestInputSince(t *testing.T) {
	p := serve(t, &hooks{data: func(_ *Conn, p []byte) (used int) {
		for used < len(p) && p[used] == '.' {
			used++
		}
		return used
	}})
	l := p.loops[0]
	nc := dial(t, p)
	c := only(t, l)
	at := func(what string, kept int, since uint32) {
		t.Helper()
		eventually(t, l, what, func() bool { return l.InputBytes() == kept })
		onLoop(t, l, func() {
			if got := c.InputSince(); got != since {
				t.Errorf("%s: since second %d, want %d", what, got, since)
			}
		})
	}
	clock := uint32(1000)
	tick := func() uint32 { // the coarse clock stands where the test puts it
		clock += 10
		onLoop(t, l, func() { l.poller.second.Store(clock) })
		return clock
	}
	holdClock(t, p)
	at("nothing kept", 0, 0)
	first := tick()
	send(t, nc, "ab")
	at("a part", 2, first)
	tick()
	send(t, nc, "cd")
	at("more of it", 4, first)
	onLoop(t, l, func() { c.dropInput() })
	second := tick()
	send(t, nc, "..e")
	at("something used", 1, second)
	onLoop(t, l, func() { c.Rest(time.Hour) })
	at("resting", 1, 0)
	third := tick()
	onLoop(t, l, func() {
		l.rests[0].until = 0
		l.endRests()
	})
	at("after the rest", 1, third)
}
