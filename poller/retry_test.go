package poller

import (
	"testing"

	"golang.org/x/sys/unix"
)

// failWrite is what a write does that the kernel has no memory for, before its caller stalls the connection.
func failWrite(c *Conn) {
	c.noMemory()
	c.Hold([]byte("rest, "))
	_ = c.Send([]byte("reply"))
}

// Nothing is tried before the tick, though the socket is writable; then all is sent.
func TestWriteIsRetriedWithTheTick(t *testing.T) {
	drained := 0
	p := serve(t, &hooks{drained: func(*Conn) { drained++ }})
	l := p.loops[0]
	nc := dial(t, p)
	c := only(t, l)
	holdClock(t, p)
	onLoop(t, l, func() { failWrite(c) })
	l.ask(dueWritable)
	turns := uint64(0)
	onLoop(t, l, func() { turns = l.counts.Turns })
	eventually(t, l, "some slices", func() bool { return l.counts.Turns > turns+20 })
	onLoop(t, l, func() {
		if l.counts.Writes != 0 || !c.Stalled() || l.counts.WriteRetries != 1 || len(l.retries) != 1 {
			t.Errorf("%d writes, %d retries, stalled %v", l.counts.Writes, l.counts.WriteRetries, c.Stalled())
		}
	})
	l.ask(dueScan)
	expect(t, nc, "rest, reply")
	onLoop(t, l, func() {
		if c.Stalled() || drained != 1 || c.marks != 0 || len(l.retries) != 0 || l.retried != len(l.retrying) {
			t.Errorf("stalled %v, drained %d times, marks %b, %d retries left", c.Stalled(), drained, c.marks, len(l.retries))
		}
	})
}

// One that is stalled already, and fails again, waits for the tick as well; and then for the peer.
func TestWriteOfAStalledConnectionIsRetried(t *testing.T) {
	p := serve(t, &hooks{})
	l := p.loops[0]
	nc := dial(t, p)
	c := only(t, l)
	var frames uint32
	onLoop(t, l, func() {
		frames = fill(c)
		c.noMemory()
		c.noMemory()
		if events := watched(t, l.writable.fd, c.fd); events&unix.EPOLLOUT != 0 {
			t.Errorf("its socket is watched for %x", events)
		}
		if len(l.retries) != 1 || l.counts.WriteRetries != 2 {
			t.Errorf("%d in the list, %d counted", len(l.retries), l.counts.WriteRetries)
		}
	})
	eventually(t, l, "tried again", func() bool { return c.marks&markRetry == 0 && l.retried == len(l.retrying) })
	onLoop(t, l, func() { c.Finish() })
	last := uint32(0)
	readFrames(t, nc, func(_ byte, number uint32) { last = number })
	if last != frames-1 {
		t.Errorf("the last frame is %d, want %d", last, frames-1)
	}
}

// Many that fail are tried again in several slices; those that are gone are forgotten.
func TestManyWritesAreRetried(t *testing.T) {
	const connections = 2*retriesASlice + 10
	p := serve(t, &hooks{opened: failWrite, drained: func(c *Conn) { c.Kind = 1 }})
	l := p.loops[0]
	peers := make([]interface{ Close() error }, connections)
	holdClock(t, p)
	for i := range peers {
		peers[i] = dial(t, p)
	}
	eventually(t, l, "all are there", func() bool { return len(l.retries) == connections })
	for _, nc := range peers[:10] {
		nc.Close()
	}
	eventually(t, l, "ten are gone", func() bool { return l.Len() == connections-10 })
	var began, ended uint64
	onLoop(t, l, func() { began = l.counts.Turns })
	l.ask(dueScan)
	eventually(t, l, "all are sent", func() bool { ended = l.counts.Turns; return l.stalls.Len() == 0 && l.retried == len(l.retrying) })
	if ended < began+2 {
		t.Errorf("%d slices for %d connections", ended-began, connections)
	}
}
