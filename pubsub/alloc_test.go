//go:build !race

// Under the race detector pools allocate on purpose; "make test" runs these without it.

package pubsub

import (
	"strings"
	"testing"
	"unsafe"
)

// TestDeliveriesDoNotAllocate: what a message allocates does not depend on how many it goes to.
func TestDeliveriesDoNotAllocate(t *testing.T) {
	const messages = 2000
	perMessage := func(subscribers int) float64 {
		w, s, names := crowdOf(t, subscribers, 1, 1)
		p := &Publication{Payload: []byte(strings.Repeat("x", 128))}
		round := func() {
			for range messages / 100 {
				w.publishTo(p, names)
				for s.Turn() {
				}
			}
		}
		for range 20 { // until chunks, queues and slabs have the size of this load
			round()
		}
		n := testing.AllocsPerRun(10, round) / (messages / 100)
		t.Logf("%d subscribers: %.2f allocations a message", subscribers, n)
		return n
	}
	// A message allocates its share of the next chunk. No more, to however many.
	if few, many := perMessage(10), perMessage(10_000); few > 0.5 || many > 0.5 {
		t.Errorf("%.2f allocations a message for 10 subscribers, %.2f for 10,000", few, many)
	}
}

// TestCoalescingDoesNotAllocate: nor does it where each write is of several topics.
func TestCoalescingDoesNotAllocate(t *testing.T) {
	w, s, names := crowdOf(t, 1000, 100, 20)
	p := &Publication{Payload: []byte(strings.Repeat("x", 128))}
	round := func() {
		w.publishTo(p, names)
		for s.Turn() {
		}
	}
	for range 2000 {
		round()
	}
	n := testing.AllocsPerRun(100, round) / float64(len(names))
	t.Logf("%.2f allocations a message with 200 deliveries", n)
	if n > 0.5 {
		t.Errorf("%.2f allocations a message", n)
	}
}

// TestLines: what a delivery touches far from all else is whole lines of the cache.
func TestLines(t *testing.T) {
	if size := unsafe.Sizeof(span{}); size != 128 {
		t.Errorf("a span is %d bytes, not two lines", size)
	}
	if used := unsafe.Offsetof(span{}.first); used > 64 {
		t.Errorf("what a write reads of a span ends at byte %d, beyond its first line", used)
	}
	if size := unsafe.Sizeof(noteBlock{}); size != 64 {
		t.Errorf("a note block is %d bytes, not one line", size)
	}
}
