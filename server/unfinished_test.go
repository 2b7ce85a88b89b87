package server

import (
	"bufio"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/megawire/megawire/codec/ws"
	"github.com/megawire/megawire/poller"
	"github.com/megawire/megawire/server/config"
)

// TestUnfinishedHeaviestGo: where many hold what they do not end, some of them are closed, and nobody who adds a little.
func TestUnfinishedHeaviestGo(t *testing.T) {
	const bound, heavy, medium, healthy, size, begun = 4 << 20, 5, 60, 25, 240, 150
	s := shedServer(t, func(c *config.Config) { c.Limits.UnfinishedBytes = bound })
	w := s.workers[0]
	small := append([]byte{0x82, 0x80 | 126, 0, size, 0, 0, 0, 0}, make([]byte, size)...)
	var conns []net.Conn
	var readers []*bufio.Reader
	begin := func() {
		for range healthy {
			nc, r := shedClient(t, s)
			_, _ = nc.Write(small[:begun])
			conns, readers = append(conns, nc), append(readers, r)
		}
		until(t, fmt.Sprintf("%d have begun a message", len(conns)), func() bool {
			n, _ := ask(t.Context(), w, func() (n int) {
				w.loop.Each(0, func(c *poller.Conn) bool {
					if c.InputBytes() == begun {
						n++
					}
					return true
				})
				return n
			})
			return n == len(conns)
		})
	}
	begin()
	sent, before := 0, s.stats().BytesIn
	hold := func(count, bytes int) {
		f := binaryFrame(1 << 20)[:bytes]
		for range count {
			nc, _ := shedClient(t, s)
			_, _ = nc.Write(f)
			sent += len(f)
		}
	}
	hold(heavy, 1<<20-2000)
	hold(medium, 8<<10) // each comes with one read, so the last stays if those go who add
	until(t, "all has come", func() bool { return s.stats().BytesIn >= before+uint64(sent) })
	begin()
	for i, nc := range conns {
		_, _ = nc.Write(small[begun:])
		if _, err := readers[i].Discard(4 + size); err != nil {
			t.Errorf("client %d: %v", i, err)
		}
	}
	until(t, "there is room", func() bool {
		kept, _ := ask(t.Context(), w, w.unfinished)
		return kept <= bound
	})
	closed, _ := ask(t.Context(), w, func() uint64 { return w.counts.closes[1013] })
	if closed == 0 || closed > heavy {
		t.Errorf("%d are closed, want some of the %d that hold most", closed, heavy)
	}
}

// TestUnfinishedFragments: what comes in fragments is given up like all else, and no longer counted then.
func TestUnfinishedFragments(t *testing.T) {
	const bound, clients, half = 1 << 20, 4, 300 << 10
	s := shedServer(t, func(c *config.Config) { c.Limits.UnfinishedBytes = bound })
	w := s.workers[0]
	fragment := binaryFrame(half)
	fragment[0] = 0x02 // and others are to follow
	for range clients {
		nc, _ := shedClient(t, s)
		_, _ = nc.Write(fragment)
	}
	until(t, "there is room, and not more", func() bool {
		kept, _ := ask(t.Context(), w, w.unfinished)
		closed, _ := ask(t.Context(), w, func() uint64 { return w.counts.closes[1013] })
		return closed > 0 && kept == (clients-int(closed))*half
	})
}

// TestFragmentsOfTheClosedAreForgotten: whatever closes a connection in the midst of a message, what came of it is given
// back there and then, though the connection stays until its peer goes.
func TestFragmentsOfTheClosedAreForgotten(t *testing.T) {
	s := shedServer(t, func(c *config.Config) { c.Limits.MessageTimeout = time.Second })
	w := s.workers[0]
	const size = 100 << 10
	fragment := binaryFrame(size)
	fragment[0] = 0x02 // and others are to follow
	for _, by := range []struct {
		says string
		code int
		do   func(c *poller.Conn) bool
	}{
		{"an operator", 4003, func(c *poller.Conn) bool { w.close(c, ws.Kicked, "kicked"); return true }},
		{"its time", 1008, func(*poller.Conn) bool { return true }},
	} {
		nc, _ := shedClient(t, s)
		_, _ = nc.Write(fragment)
		until(t, by.says+": it is kept", func() bool {
			held, _ := ask(t.Context(), w, func() int { return w.held })
			return held == size
		})
		left := -1
		until(t, by.says+": it is closed", func() bool {
			_, _ = ask(t.Context(), w, func() bool {
				if w.loop.Each(1, by.do); w.counts.closes[by.code] > 0 {
					left = w.held + w.endpoints.len()
				}
				return true
			})
			return left >= 0
		})
		if left > 0 {
			t.Errorf("%s: %d bytes and endpoints are kept of what was closed", by.says, left)
		}
	}
	awaitNoPages(t, w)
}

// awaitNoPages waits until ticks have given back the room of tallies and endpoints, for which each second has a round: the
// first may be under way, the second takes them out, the third lets the pages go.
func awaitNoPages(t *testing.T, w *worker) {
	t.Helper()
	const rounds = 3
	end, err := ask(t.Context(), w, func() uint {
		w.pace.tallies.put(1, tally{messages: 1}) // long paid for
		return w.ticks + (rounds+1)*ticksASecond
	})
	if err != nil {
		t.Fatal(err)
	}
	pages := 0
	until(t, "there are no pages, or they had the time to go", func() bool {
		late, _ := ask(t.Context(), w, func() bool {
			pages = pagesIn(&w.endpoints) + pagesIn(&w.pace.tallies)
			return w.ticks >= end
		})
		return pages == 0 || late
	})
	if pages > 0 {
		t.Errorf("%d pages are left after %d rounds of the sweep", pages, rounds)
	}
}

func TestCensus(t *testing.T) {
	var n census
	for i := range 1000 { // in an order in which the heaviest come neither first nor last
		n.peers.add(holder{handle: 1, bytes: i * 7 % 1000})
		n.ours.add(holder{handle: 2, bytes: i * 7 % 999})
	}
	sum := 0
	for i, h := range n.worst() {
		sum++
		if h.handle != 1 || h.bytes != 999-i {
			t.Errorf("the %d. of the worst is %d, %d bytes", i, h.handle, h.bytes)
		}
	}
	if sum != censusCloses {
		t.Errorf("%d are the worst, want %d", sum, censusCloses)
	}
	n.ours.add(holder{handle: 2, bytes: 5000})
	if worst := n.worst(); len(worst) != censusCloses || worst[0] != (holder{handle: 2, bytes: 5000}) {
		t.Errorf("of the larger part %d are the worst, the first %v", len(worst), worst[0])
	}
}
