package poller

import (
	"net"
	"sync/atomic"
	"testing"
	"time"
)

// A panic in any method closes the connection being served, is counted, and harms no other.
func TestPanicClosesItsConnectionAlone(t *testing.T) {
	for what, provoke := range map[string]struct {
		hook  func(h *hooks, bad func(c *Conn))
		start func(t *testing.T, p *Poller, nc *net.TCPConn)
		lives bool // the connection of the panic goes on
	}{
		"Opened": {hook: func(h *hooks, bad func(*Conn)) { h.opened = bad }},
		"Data": {
			hook: func(h *hooks, bad func(*Conn)) {
				h.data = func(c *Conn, p []byte) int {
					if p[0] == 'B' {
						_ = c.Send([]byte("never sent, to nobody"))
						bad(c)
					}
					return echo(c, p)
				}
			},
			start: func(t *testing.T, _ *Poller, nc *net.TCPConn) { send(t, nc, "B") },
		},
		"Data uses more than there is": {
			hook: func(h *hooks, _ func(*Conn)) {
				h.data = func(c *Conn, p []byte) int {
					if p[0] == 'B' {
						return len(p) + 1
					}
					return echo(c, p)
				}
			},
			start: func(t *testing.T, _ *Poller, nc *net.TCPConn) { send(t, nc, "B") },
		},
		"Late": {
			hook: func(h *hooks, bad func(*Conn)) {
				h.data = func(c *Conn, p []byte) int {
					if p[0] == 'B' {
						c.Finish()
						return len(p)
					}
					return echo(c, p)
				}
				h.late = func(c *Conn, _ []byte) { bad(c) }
			},
			start: func(t *testing.T, p *Poller, nc *net.TCPConn) {
				send(t, nc, "B")
				eventually(t, p.loops[0], "our end", func() bool { return p.loops[0].At(1).state == lingering })
				send(t, nc, "too late")
			},
		},
		"Due": {
			hook: func(h *hooks, bad func(*Conn)) {
				h.opened = func(c *Conn) { c.SetDue(c.loop.Seconds()) }
				h.due = bad
			},
		},
		"Drained": {
			hook: func(h *hooks, bad func(*Conn)) {
				h.opened = func(c *Conn) { c.Hold(nil) }
				h.drained = bad
			},
		},
		"Closed": {
			hook:  func(h *hooks, bad func(*Conn)) { h.closed = bad },
			start: func(_ *testing.T, _ *Poller, nc *net.TCPConn) { nc.Close() },
		},
		"a posted function": {
			hook:  func(*hooks, func(*Conn)) {},
			start: func(_ *testing.T, p *Poller, _ *net.TCPConn) { p.loops[0].Post(func() { panic("posted") }) },
			lives: true,
		},
		"Turn": {
			hook: func(h *hooks, bad func(*Conn)) {
				h.turn = func(l *Loop) bool {
					if c := l.At(1); l.Len() == 2 {
						bad(c)
					}
					return false
				}
			},
			start: func(_ *testing.T, p *Poller, _ *net.TCPConn) { p.loops[0].Wake() },
			lives: true,
		},
		"Tick": {
			hook: func(h *hooks, bad func(*Conn)) {
				h.tick = func(l *Loop) {
					if c := l.At(1); l.Len() == 2 {
						bad(c)
					}
				}
			},
			lives: true,
		},
	} {
		t.Run(what, func(t *testing.T) {
			h := &hooks{data: echo}
			var once atomic.Bool
			provoke.hook(h, func(c *Conn) {
				if c.handle == 1 && once.CompareAndSwap(false, true) {
					panic("provoked")
				}
			})
			p := serve(t, h)
			l := p.loops[0]
			bad := dial(t, p)
			eventually(t, l, "the first connection", func() bool { return l.counts.Opened == 1 })
			good := dial(t, p)
			if provoke.start != nil {
				eventually(t, l, "the second connection", func() bool { return l.counts.Opened == 2 })
				provoke.start(t, p, bad)
			}
			eventually(t, l, "a panic counted", func() bool { return l.counts.Panics == 1 })
			if provoke.lives {
				send(t, bad, "lives")
				expect(t, bad, "lives")
			} else {
				expectClosed(t, bad)
				eventually(t, l, "one connection left", func() bool { return l.Len() == 1 && p.Connections() == 1 })
			}
			send(t, good, "harmless")
			expect(t, good, "harmless")
			onLoop(t, l, func() {
				if l.reading != nil || l.current != nil || len(l.out) > 0 || len(l.doomed) > 0 || l.stalls.Len() > 0 {
					t.Error("something of the event is left")
				}
				if l.counts.Panics != 1 {
					t.Errorf("%d panics counted", l.counts.Panics)
				}
			})
		})
	}
}

// A turn that panics each time is called with each tick, not all the time, and is called again.
func TestTurnThatAlwaysPanics(t *testing.T) {
	var turns, working atomic.Int32
	p := serve(t, &hooks{data: echo, turn: func(*Loop) bool {
		if working.Load() != 0 {
			working.Add(1)
			return false
		}
		turns.Add(1)
		panic("each time")
	}})
	l := p.loops[0]
	nc := dial(t, p)
	begin := time.Now()
	for time.Since(begin) < 2*time.Second/scansASecond { // woken all the time
		l.Wake()
		send(t, nc, "x")
		expect(t, nc, "x")
	}
	if limit := int32(time.Since(begin)*scansASecond/time.Second) + 3; turns.Load() > limit {
		t.Errorf("%d turns in %v", turns.Load(), time.Since(begin))
	}
	working.Store(1)
	l.Wake()
	eventually(t, l, "a turn after the panics", func() bool { return working.Load() > 1 })
}
