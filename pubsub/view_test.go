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
			limit, bytes := len(pieces[0].buf)+1, 0
			short := tp.view(nil, kind, from, to, limit)
			for i := range short[:len(short)-1] {
				bytes += len(short[i].buf)
			}
			if last := len(short[len(short)-1].buf); bytes >= limit || bytes+last < limit {
				t.Fatalf("seed %d: %d bytes before the last piece, of %d, for a limit of %d", seed, bytes, last, limit)
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
	spans := func() (text string) {
		for _, c := range tp.logs[kindUpper].chunks {
			text += fmt.Sprint(" ", c.first, "-", c.next())
		}
		return text[1:]
	}
	for _, c := range []struct {
		from, to uint64
		span     string
		why      string
	}{
		{2, 3, "2-3", "the first want begins where it begins"},
		{2, 4, "2-4", "a later one goes on"},
		{0, 1, "0-1 2-4", "an earlier one leaves a hole"},
		{0, 4, "0-2 2-4", "which another one fills"},
		{3, 4, "0-2 2-4", "what is there is used"},
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
	if tp.view(nil, kindUpper, 5, 6, math.MaxInt); spans() != "0-2 2-4 5-6" {
		t.Errorf("after a time without wants the log goes on with a hole; it holds %s", spans())
	}
	tp.logs[kindUpper].drop(3)
	if spans() != "2-4 5-6" {
		t.Errorf("what is kept no longer goes; it holds %s", spans())
	}
}

// TestViewEncodesWhatItGives: of a long backlog a write encodes what it takes, and the next one finds it there.
func TestViewEncodesWhatItGives(t *testing.T) {
	w := newWorld(t, nil)
	for range 100 {
		w.publish("a", strings.Repeat("x", 100))
	}
	tp := w.topic("a")
	for n, from := 0, uint64(0); n < 3; n++ {
		pieces := tp.view(nil, kindUpper, from, 100, 1000)
		got, bytes := 0, 0
		for i := range pieces {
			got, bytes = got+pieces[i].len(), bytes+len(pieces[i].buf)
		}
		from += uint64(got)
		last := tp.logs[kindUpper].chunks[len(tp.logs[kindUpper].chunks)-1]
		if got == 0 || got > 12 || bytes > 2000 || last.next() != from {
			t.Fatalf("%d messages of %d bytes, encoded up to %d of %d", got, bytes, last.next(), from)
		}
	}
}

// TestLongBatchOfASlowKind: of a topic that somebody reads in a kind that takes long to encode, a turn takes a little, so
// that others get theirs; what is left is in flight: it is not dropped, whatever little is kept of the topic.
func TestLongBatchOfASlowKind(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.SliceNanos, o.RetainMessagesMax = 1, 1 })
	w.step = 1 // a look at the clock is the slice's end
	s := w.newShard()
	slow, quick, bare := s.add(1, kindUpper), s.add(2, kindLine), s.add(3, kindBare)
	for owner := uint32(1); owner <= 3; owner++ {
		s.subscribe(owner, "a")
	}
	s.subscribe(2, "b")
	want, payloads := "", ""
	for i := range 500 {
		text := strings.Repeat("x", 400) + fmt.Sprint(i)
		w.publish("a", text)
		want += fmt.Sprintf("! a %d %s\n", i+1, strings.ToUpper(text))
		payloads += text + "\n"
	}
	for before := uint64(0); s.shard.Turn(); {
		now := tailOf(&w.topic("a").logs[kindUpper])
		if now-before > uint64(usualLooks.encodings) {
			t.Errorf("one turn encoded %d messages", now-before)
		}
		before = now
	}
	if string(slow.got) != want {
		t.Errorf("got %d bytes, want %d: %.200q", len(slow.got), len(want), slow.got)
	}
	if n := bytes.Count(quick.got, []byte("\n")); n != 500 || string(bare.got) != payloads {
		t.Errorf("the others got %d messages, and %d bytes of %d", n, len(bare.got), len(payloads))
	}
	if c := s.shard.Counts(); c.Gaps > 0 || c.Overruns > 0 {
		t.Errorf("%+v", c)
	}
	s.settled()
}

// TestJoinTakesAll: who joins a topic of which more is in flight than a turn takes begins at the newest.
func TestJoinTakesAll(t *testing.T) {
	w := newWorld(t, nil)
	s := w.newShard()
	s.add(1, kindUpper)
	s.subscribe(1, "a")
	for i := range 300 {
		w.publish("a", fmt.Sprint(i))
	}
	r := s.add(2, kindLine)
	s.subscribe(2, "a")
	w.publish("a", "last")
	s.run()
	if string(r.got) != "a 301 last\n" {
		t.Errorf("who joined got %.200q", r.got)
	}
	if n := bytes.Count(s.readers[1].got, []byte("\n")); n != 301 {
		t.Errorf("who was there got %d messages", n)
	}
	s.settled()
}

func tailOf(l *encodedLog) uint64 {
	if len(l.chunks) == 0 {
		return 0
	}
	return l.chunks[len(l.chunks)-1].next()
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
