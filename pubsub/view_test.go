package pubsub

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestViewIsTheRing takes random ranges of a topic in all kinds and holds them against its messages,
// with the kinds encoded in any order, some numbers skipped, and the ring evicting meanwhile.
func TestViewIsTheRing(t *testing.T) {
	const seed = 2
	rnd := rand.New(rand.NewPCG(seed, seed))
	w := newWorld(t, func(o *Options) { o.RetainMessagesMax = 300 })
	var want []Message
	w.publish("a", "first")
	tp := w.topic("a")
	want = append(want, Message{Topic: "a", Seq: 1, Payload: []byte("first")})
	for range 5000 {
		by := uint64(1)
		if rnd.IntN(50) == 0 {
			by += rnd.Uint64N(3)
		}
		payload := strings.Repeat("x", rnd.IntN(40)) + fmt.Sprint(len(want))
		if rnd.IntN(100) == 0 {
			payload = strings.Repeat("y", rnd.IntN(2*chunkBytesMax))
		}
		last := want[len(want)-1].Seq
		want = append(want, Message{Topic: "a", Seq: last + by, Prev: last, Payload: []byte(payload)})
		w.skip("a", by, payload)

		kind := Kind(rnd.IntN(3))
		from := tp.ring.tail + rnd.Uint64N(uint64(tp.ring.len()))
		if rnd.IntN(2) == 0 { // mostly near the head, as loops do
			from = max(from, tp.ring.head-min(tp.ring.head, 5))
		}
		to := from + 1 + rnd.Uint64N(tp.ring.head-from)
		pieces := tp.view(nil, kind, from, to, math.MaxInt)
		if err := checkPieces(tp, pieces, kind, want[from:to], from); err != nil {
			t.Fatalf("seed %d, kind %d, %d to %d: %v", seed, kind, from, to, err)
		}
		if len(pieces) > 1 {
			short := tp.view(nil, kind, from, to, len(pieces[0].buf)+1)
			if len(short) != 2 {
				t.Fatalf("seed %d: %d pieces for the bytes of one and one more", seed, len(short))
			}
		}
	}
}

func checkPieces(tp *topic, pieces []piece, kind Kind, want []Message, pos uint64) error {
	encoder := tp.hub.o.Encoders[kind]
	for k := range pieces {
		p := &pieces[k]
		if p.first != pos {
			return fmt.Errorf("piece %d begins at %d, not at %d", k, p.first, pos)
		}
		for i := range p.len() {
			m, one := want[0], p.cut(i, i+1)
			frame, _ := encoder.AppendMessage(nil, &m)
			if !bytes.Equal(one.buf, frame) {
				return fmt.Errorf("message %d is %.50q, want %.50q", pos, one.buf, frame)
			}
			if p.prevOf(i) != m.Prev || p.prevOf(i+1) != m.Seq || one.prev != m.Prev || one.prevOf(1) != m.Seq {
				return fmt.Errorf("message %d has the numbers %d after %d, want %d after %d", pos, p.prevOf(i+1), p.prevOf(i), m.Seq, m.Prev)
			}
			pos, want = pos+1, want[1:]
		}
	}
	if len(want) > 0 {
		return fmt.Errorf("%d messages are missing", len(want))
	}
	return nil
}

func TestKindsAreEncodedWhenWanted(t *testing.T) {
	w := newWorld(t, nil)
	w.publish("a", "1", "2", "3", "4")
	tp := w.topic("a")
	spans := func() string {
		from, to := tp.logs[kindUpper].span()
		return fmt.Sprint(from, "-", to)
	}
	for _, c := range []struct {
		from, to uint64
		span     string
		why      string
	}{
		{2, 3, "2-3", "the first want begins where it begins"},
		{2, 4, "2-4", "a later one goes on"},
		{0, 4, "2-4", "an earlier one is encoded for the caller alone"},
		{0, 1, "2-4", "also where it ends before"},
		{3, 4, "2-4", "what is there is used"},
	} {
		pieces := tp.view(nil, kindUpper, c.from, c.to, math.MaxInt)
		var got []byte
		for i := range pieces {
			got = append(got, pieces[i].buf...)
		}
		var want []byte
		for pos := c.from; pos < c.to; pos++ {
			want = fmt.Appendf(want, "! a %d %d\n", pos+1, pos+1)
		}
		if !bytes.Equal(got, want) || spans() != c.span {
			t.Errorf("%d to %d: %q, the log then holds %s: %s", c.from, c.to, got, spans(), c.why)
		}
	}
	w.publish("a", "5", "6")
	if tp.view(nil, kindUpper, 5, 6, math.MaxInt); spans() != "5-6" {
		t.Errorf("after a time without wants the log begins anew; it holds %s", spans())
	}
}

func TestSplitAtEveryByte(t *testing.T) {
	w := newWorld(t, nil)
	w.publish("a", "1", "22", "333")
	tp := w.topic("a")
	p := tp.view(nil, kindLine, 0, 3, math.MaxInt)[0]
	for n := range p.buf {
		rest, resume := p.split(n)
		whole := append(bytes.Clone(p.buf[:n]), rest...)
		if !bytes.Equal(whole, p.buf[:len(whole)]) || len(whole) > 0 && whole[len(whole)-1] != '\n' || bytes.Count(whole, []byte("\n")) != resume {
			t.Errorf("split(%d): rest %q, resume at %d", n, rest, resume)
		}
	}
}
