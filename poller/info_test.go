package poller

import (
	"net"
	"slices"
	"testing"
	"time"
)

func TestInfo(t *testing.T) {
	p := serve(t, &hooks{data: echo})
	nc := dial(t, p)
	send(t, nc, "hello")
	expect(t, nc, "hello")
	l := p.loops[0]
	c := only(t, l)
	var i Info
	eventually(t, l, "the peer has acknowledged what it read", func() bool { i = c.Info(); return i.SentBytes == 5 && i.WaitingBytes == 0 })
	if want := nc.LocalAddr().(*net.TCPAddr).AddrPort(); i.Address != want || i.ReceivedBytes != 5 || i.WindowShut || i.RTT < 0 {
		t.Errorf("%+v, want the address %v and 5 bytes received", i, want)
	}
	if i.OpenedSecond == 0 || i.OpenedSecond > l.Seconds() {
		t.Errorf("opened in second %d, now it is second %d", i.OpenedSecond, l.Seconds())
	}
	if began := l.Began(i.OpenedSecond); began.After(time.Now()) || began.Before(p.born) {
		t.Errorf("the second of its opening began at %v", began)
	}
}

func TestInfoOfAConnectionThatIsGone(t *testing.T) {
	infos := make(chan Info, 1)
	p := serve(t, &hooks{closed: func(c *Conn) { infos <- c.Info() }})
	nc := dial(t, p)
	only(t, p.loops[0])
	nc.Close()
	if i := receive(t, infos, "the close"); i != (Info{}) {
		t.Errorf("in Closed: %+v", i)
	}
}

// All bytes are accounted for, be they with the kernel or with the loop.
func TestInfoOfOneThatDoesNotRead(t *testing.T) {
	p := serve(t, &hooks{})
	dial(t, p)
	l := p.loops[0]
	c := only(t, l)
	offered := 0
	fill := func() {
		for frame := make([]byte, 64<<10); !c.Stalled(); {
			n := c.TryWrite(frame)
			offered += len(frame)
			if n < len(frame) {
				c.Hold(frame[n:])
			}
		}
	}
	onLoop(t, l, func() {
		fill()
		if err := c.Send([]byte("a reply")); err != nil {
			t.Error(err)
		}
		offered += len("a reply")
	})
	eventually(t, l, "all bytes wait, and the window is shut", func() bool {
		fill() // the kernels have found room for more
		i := c.Info()
		return i.WindowShut && i.WaitingBytes > 0 && int(i.SentBytes)+i.WaitingBytes == offered
	})
}

// The second is the listener's, so it must be kept up to date there, for every address.
func TestOpenedSecondFollowsTheClock(t *testing.T) {
	p, err := New(options(&hooks{}))
	if err != nil {
		t.Fatal(err)
	}
	p.born = p.born.Add(-time.Hour)
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer stop(t, p)
	dial(t, p)
	l := p.loops[0]
	c := only(t, l)
	var first, stamped uint32
	onLoop(t, l, func() { first = c.Info().OpenedSecond })
	if first < 3600 {
		t.Fatalf("opened in second %d, an hour after the first one", first)
	}
	eventually(t, l, "another second", func() bool { stamped = l.stamped; return stamped > first })
	onLoop(t, l, func() {
		if n := testing.AllocsPerRun(10, func() { l.stamped = 0; l.stamp() }); n != 0 {
			t.Errorf("%v allocations a second", n)
		}
	})
	dial(t, p)
	eventually(t, l, "another connection", func() bool { return l.Len() == 2 })
	onLoop(t, l, func() {
		if second := l.At(c.Handle() + 1).Info().OpenedSecond; second < stamped || second > l.Seconds() {
			t.Errorf("opened in second %d, the listener having had second %d", second, stamped)
		}
		if again := c.Info().OpenedSecond; again != first {
			t.Errorf("the first connection was opened in second %d, and then in second %d", first, again)
		}
	})
}

func TestScanIsBounded(t *testing.T) {
	const connections, slots = 10, 3
	p := serve(t, &hooks{data: echo})
	l := p.loops[0]
	peers := make([]*net.TCPConn, connections)
	for i := range peers {
		peers[i] = dial(t, p)
		send(t, peers[i], "x")
		expect(t, peers[i], "x")
	}
	for _, i := range []int{2, 3, 4, 5} { // a hole of more slots than a scan looks at
		peers[i].Close()
	}
	eventually(t, l, "six connections", func() bool { return l.Len() == connections-4 })
	onLoop(t, l, func() {
		var all, seen []uint32
		l.Each(1, func(c *Conn) bool { all = append(all, c.Handle()); return true })
		scans := 0
		for from := uint32(1); from != 0; scans++ {
			looked := 0
			next := l.Scan(from, slots, func(c *Conn) bool {
				seen = append(seen, c.Handle())
				looked++
				return true
			})
			if looked > slots || next != 0 && next != from+slots {
				t.Errorf("a scan from %d went to %d and found %d", from, next, looked)
			}
			from = next
		}
		if !slices.Equal(seen, all) || scans != (connections+slots-1)/slots {
			t.Errorf("%d scans found %v, want %v", scans, seen, all)
		}
		if next := l.Scan(1, connections, func(*Conn) bool { return false }); next != 2 {
			t.Errorf("a scan that was stopped at 1 goes on at %d", next)
		}
		if next := l.Scan(connections+1, connections, func(*Conn) bool { t.Error("a connection past the end"); return true }); next != 0 {
			t.Errorf("past the end: %d", next)
		}
	})
}
