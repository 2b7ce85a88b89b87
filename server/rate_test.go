package server

import (
	"testing"
	"time"

	"github.com/megawire/megawire/codec/ws"
	"github.com/megawire/megawire/poller"
)

// served runs fn as one read of a connection's is served.
func (p *pace) served(handle uint32, fn func()) {
	p.begin(handle)
	fn()
	p.end(handle)
}

func TestPaceIsSustained(t *testing.T) {
	p := newPace(100, 1<<20)
	sent := 0
	for tick := range 100 { // ten seconds
		p.tick(int64(tick) * int64(tickTime))
		p.served(7, func() {
			for {
				if wait, _ := p.debt(); wait > 0 {
					return
				}
				p.messages(1)
				sent++
			}
		})
	}
	if sent < 1000 || sent > 1110 { // 100 a second and a burst of 100
		t.Errorf("%d messages in ten seconds at 100 a second", sent)
	}
}

func TestPaceOfBytes(t *testing.T) {
	p := newPace(1_000_000, 1000)
	p.served(1, func() { p.bytes(500) })
	if _, wait := p.debt(); wait > 0 {
		t.Errorf("half a second's bytes are to wait %v", wait)
	}
	p.served(1, func() { p.bytes(1500) })
	if _, wait := p.debt(); wait != time.Second {
		t.Errorf("two seconds' bytes are to wait %v, want 1s", wait)
	}
	p.served(1, func() { p.bytes(64 << 20) })
	if _, wait := p.debt(); wait != time.Duration(paceDebtMax) {
		t.Errorf("a huge message is to wait %v", wait)
	}
}

// TestPaceForgets: who is quiet, or sends as slowly as it may, has no place.
func TestPaceForgets(t *testing.T) {
	p := newPace(100, 1000)
	p.served(1, func() { p.messages(1) })
	p.served(2, func() { p.messages(50) })
	p.served(3, func() {})
	if p.tallies.len() != 1 {
		t.Errorf("%d tallies, want that of 2 alone: a message a second is not remembered", p.tallies.len())
	}
	p.served(1, func() { p.messages(1) })
	p.served(4, func() { p.bytes(100) })
	if p.tallies.len() != 3 {
		t.Errorf("%d tallies, want those of 1, which comes again, of 2, and of 4, which sends much", p.tallies.len())
	}
	p.second()
	if p.tick(int64(200 * time.Millisecond)); p.tallies.len() != 1 {
		t.Errorf("%d tallies, want that of 2", p.tallies.len())
	}
	p.served(1, func() { p.messages(1) })
	if p.tallies.len() != 1 {
		t.Errorf("%d tallies, want that of 2: it is a new second", p.tallies.len())
	}
	p.forget(2)
	if p.begin(2); p.tallies.len() != 0 || p.current != (tally{}) {
		t.Errorf("2 has gone, and who comes after it has the tally %v", p.current)
	}
}

// TestPaceGivesCrowdsBack: the room that the tallies of a crowd took is given back when they are paid for. Those that are
// not stay for as long as it takes, whatever else comes and goes.
func TestPaceGivesCrowdsBack(t *testing.T) {
	p := newPace(100, 1000)
	for handle := range uint32(10_000) {
		p.served(handle, func() { p.messages(2) })
	}
	const most = paceBurst + paceDebtMax // as much debt as there may be
	debts := map[uint32]tally{10_077: {messages: most}, 12_077: {bytes: most}}
	p.served(10_077, func() { p.messages(1 << 20) })
	p.served(12_077, func() { p.bytes(1 << 30) })
	for now := int64(0); now < most; now += int64(time.Second) {
		p.second()
		p.tick(now)
		for handle, debt := range debts {
			if got := p.tallies.at(handle); got != debt {
				t.Fatalf("second %d: %d has %v instead of %v", now/int64(time.Second), handle, got, debt)
			}
		}
	}
	if p.tallies.len() != 2 || pagesIn(&p.tallies) != 2 {
		t.Errorf("%d tallies in %d pages, want those of two", p.tallies.len(), pagesIn(&p.tallies))
	}
	for range 2 {
		p.second()
		p.tick(most)
	}
	if p.tallies.len() != 0 || pagesIn(&p.tallies) != 0 {
		t.Errorf("%d tallies in %d pages after all was paid", p.tallies.len(), pagesIn(&p.tallies))
	}
}

// TestSlightlyTooFast: who sends half as much again as it may gets on at about the rate, and does not starve.
func TestSlightlyTooFast(t *testing.T) {
	w := &worker{pace: newPace(1000, 1<<30)}
	peer := &peer{w: w}
	done := 0
	for tick := range 300 {
		w.pace.tick(int64(tick) * int64(tickTime))
		w.pace.served(1, func() {
			for range 150 {
				if peer.Admit() == 0 {
					done++
				}
			}
		})
	}
	if done < 27_000 || done > 31_100 {
		t.Errorf("%d of 45,000 messages in 30 seconds, at 1,000 a second", done)
	}
}

// TestWhoGoesOnIsHeldBack: a client on /ws is told first; one that goes on regardless is not read from. Others are told
// nothing and not read from at once.
func TestWhoGoesOnIsHeldBack(t *testing.T) {
	var ping ws.Event
	ping.Kind = ws.PingEvent
	for _, row := range []struct {
		says string
		kind uint8
		do   func(w *worker, p *peer)
		held bool
	}{
		{"as much as it may", connNative, func(_ *worker, p *peer) { p.Charge(100) }, false},
		{"a request too many", connNative, func(_ *worker, p *peer) { p.Charge(101); p.Admit() }, false},
		{"many requests too many", connNative, func(_ *worker, p *peer) {
			p.Charge(101)
			for range paceRefusalsMax {
				p.Admit()
			}
		}, true},
		{"a second's pings too many", connNative, func(w *worker, p *peer) {
			for range 250 {
				w.charge(p.c, &ping, 6, 0)
			}
		}, true},
		{"bytes too many", connNative, func(w *worker, _ *peer) { w.pace.bytes(2000) }, true},
		{"a message too many on /raw", connRaw, func(_ *worker, p *peer) { p.Charge(101) }, true},
		{"as much as it may on /raw", connRaw, func(_ *worker, p *peer) { p.Charge(100) }, false},
	} {
		w := &worker{pace: newPace(100, 1000)}
		c := &poller.Conn{Kind: row.kind}
		w.pace.served(1, func() { row.do(w, &peer{w: w, c: c}) })
		if held := w.holdBack(c); held != row.held || held != (w.counts.throttled == 1) {
			t.Errorf("%s: held back %v, %d counted", row.says, held, w.counts.throttled)
		}
	}
}

func TestInflatedBytesCount(t *testing.T) {
	for _, row := range []struct {
		says     string
		ev       ws.Event
		n        int
		nanos    int64
		min, max time.Duration
	}{
		{"bytes", ws.Event{Kind: ws.Message, Payload: make([]byte, 500), Frames: 1}, 510, 0, 510 * time.Millisecond, 510 * time.Millisecond},
		{"bytes that inflate", ws.Event{Kind: ws.Message, Payload: make([]byte, 5000), Packed: 100, Frames: 1}, 110, 0, 5 * time.Second, 5100 * time.Millisecond},
		{"bytes that took long to inflate", ws.Event{Kind: ws.Message, Payload: make([]byte, 5), Packed: 400, Frames: 1}, 410, int64(time.Second / 125), 480 * time.Millisecond, 500 * time.Millisecond},
		{"a step of inflating", ws.Event{Kind: ws.Working}, 0, int64(time.Second / 125), 80 * time.Millisecond, 80 * time.Millisecond},
		{"a step that was held up", ws.Event{Kind: ws.Working}, 0, int64(time.Second), 100 * time.Millisecond, 100 * time.Millisecond},
		{"a hundred empty frames", ws.Event{Kind: ws.Message, Frames: 100}, 600, 0, 6 * time.Second, 7 * time.Second},
	} {
		w := &worker{pace: newPace(100, 1000)}
		w.charge(&poller.Conn{Kind: connEcho}, &row.ev, row.n, row.nanos)
		if got := time.Duration(w.pace.current.bytes); got < row.min || got > row.max {
			t.Errorf("%s are worth %v, want %v to %v", row.says, got, row.min, row.max)
		}
	}
}
