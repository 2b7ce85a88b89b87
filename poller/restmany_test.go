package poller

import (
	"io"
	"testing"
	"time"
)

// Congested and resting at once: read again only when neither holds, whichever ends first.
func TestRestAndCongestion(t *testing.T) {
	for what, restFirst := range map[string]bool{"the rest ends first": true, "the replies are taken first": false} {
		t.Run(what, func(t *testing.T) {
			var got []byte
			p := serve(t, &hooks{data: func(c *Conn, p []byte) (used int) {
				for used < len(p) && !c.Congested() && !c.Resting() {
					got = append(got, p[used])
					if p[used] == 'R' {
						fill(c)
						for !c.Congested() {
							_ = c.Send(payload[:8<<10])
						}
						c.Rest(time.Hour)
					}
					used++
				}
				return used
			}, drained: func(c *Conn) {
				if c.Flags == 0 { // the peer does not read yet
					_ = c.Send(payload)
				}
			}})
			l := p.loops[0]
			nc := dial(t, p)
			send(t, nc, "aRbc")
			c := only(t, l)
			eventually(t, l, "both", func() bool { return c.Resting() && c.marks&markPaused != 0 })
			first := func() bool { return !c.Resting() && c.marks&markPaused != 0 }
			if restFirst {
				endNow(t, l)
			} else {
				first = func() bool { return c.Resting() && c.marks&markPaused == 0 }
				onLoop(t, l, func() { c.Flags = 1 })
				go func() { _, _ = io.Copy(io.Discard, nc) }()
			}
			eventually(t, l, "one has ended", first)
			send(t, nc, "d")
			onLoop(t, l, func() {
				if string(got) != "aR" || reads(t, c) || c.InputSince() != 0 || l.InputBytes() != 2 {
					t.Errorf("got %q, read from %v, %d bytes kept", got, reads(t, c), l.InputBytes())
				}
			})
			if restFirst {
				onLoop(t, l, func() { c.Flags = 1 })
				go func() { _, _ = io.Copy(io.Discard, nc) }()
			} else {
				endNow(t, l)
			}
			eventually(t, l, "both have ended", func() bool {
				return string(got) == "aRbcd" && reads(t, c) && l.inputs.Len() == 0 && l.InputBytes() == 0
			})
		})
	}
}

// Many rests that end at once are several slices' work.
func TestManyRestsEnd(t *testing.T) {
	const connections = 2*restsASlice + 10
	used := map[uint64]int{} // by turn
	total := 0
	p := serve(t, &hooks{data: func(c *Conn, p []byte) int {
		if c.Flags == 0 {
			c.Flags = 1
			c.Rest(time.Hour)
			return 0
		}
		used[c.loop.counts.Turns]++
		total++
		return len(p)
	}})
	l := p.loops[0]
	for range connections {
		send(t, dial(t, p), "x")
	}
	eventually(t, l, "all rest", func() bool { return len(l.rests) == connections })
	endNow(t, l)
	eventually(t, l, "all were read from again", func() bool { return total == connections })
	onLoop(t, l, func() {
		for turn, n := range used {
			if n > restsASlice {
				t.Errorf("%d in turn %d", n, turn)
			}
		}
		if len(l.rests) != 0 || cap(l.rests) > restsASlice {
			t.Errorf("%d rests, room for %d", len(l.rests), cap(l.rests))
		}
	})
}

// Without gnet's epoll set nothing can be paused: what comes is kept, and only so much of it.
func TestRestWithoutTheEpollSet(t *testing.T) {
	var got []byte
	p := serve(t, &hooks{data: restful(&got, time.Hour)}, func(o *Options) { o.InputBytesMax = 1000 })
	l := p.loops[0]
	patient, hasty := dial(t, p), dial(t, p)
	eventually(t, l, "two connections", func() bool { return l.Len() == 2 })
	onLoop(t, l, func() { l.epoll.Store(none) })
	send(t, patient, "R")
	send(t, hasty, "R")
	eventually(t, l, "both rest", func() bool { return len(l.rests) == 2 })
	send(t, patient, "a")
	eventually(t, l, "its byte is kept", func() bool { return l.InputBytes() == 1 })
	go func() {
		for {
			if _, err := hasty.Write(payload[:8<<10]); err != nil {
				return
			}
		}
	}()
	expectClosed(t, hasty)
	endNow(t, l)
	eventually(t, l, "the patient one goes on", func() bool { return l.Len() == 1 && string(got) == "RRa" })
}
