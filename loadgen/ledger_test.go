package loadgen

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// play feeds a ledger of one subscription: numbers are messages, "a-b" is a gap notice, "a<b" is message a whose
// predecessor is b, "ack n" the subscription's answer, "head n" the end.
func play(script string) Verdict {
	g := newLedger(1, 1)
	g.draw(nil, 0, 0, 1, 1, 1)
	var from, to uint64
	for _, s := range strings.Split(script, ",") {
		s = strings.TrimSpace(s)
		switch {
		case strings.HasPrefix(s, "ack"):
			_, _ = fmt.Sscanf(s, "ack %d", &from)
			g.acknowledge(0, 0, from)
		case strings.HasPrefix(s, "head"):
			_, _ = fmt.Sscanf(s, "head %d", &to)
			g.finish(0, func(int) uint64 { return to })
		case strings.Contains(s, "-"):
			_, _ = fmt.Sscanf(s, "%d-%d", &from, &to)
			g.gap(0, 0, from, to)
		case strings.Contains(s, "<"):
			_, _ = fmt.Sscanf(s, "%d<%d", &from, &to)
			g.message(0, 0, from, to)
		default:
			_, _ = fmt.Sscan(s, &from)
			g.message(0, 0, from, from-1)
		}
	}
	return g.Verdict
}

func TestLedger(t *testing.T) {
	for _, c := range []struct {
		name, script string
		want         Verdict
	}{
		{"all in order", "ack 0, 1, 2, 3, head 3", Verdict{Delivered: 3}},
		{"a topic that was there before", "ack 41, 42, 43, head 43", Verdict{Delivered: 2}},
		{"without an answer counting starts at the first message", "17, 18, head 18", Verdict{Delivered: 2}},
		{"the first one missing", "ack 0, 2, head 2", Verdict{Delivered: 1, Lost: 1}},
		{"one missing in the middle", "ack 0, 1, 3, head 3", Verdict{Delivered: 2, Lost: 1}},
		{"the last ones missing", "ack 0, 1, head 4", Verdict{Delivered: 1, Lost: 3}},
		{"nothing at all", "ack 0, head 2", Verdict{Lost: 2}},
		{"one twice", "ack 0, 1, 1, 2, head 2", Verdict{Delivered: 2, Duplicates: 1}},
		{"an old one again", "ack 0, 1, 2, 3, 1, head 3", Verdict{Delivered: 3, Duplicates: 1}},
		{"two swapped", "ack 0, 2, 1, 3, head 3", Verdict{Delivered: 3, Reordered: 1}},
		{"late, and then again", "ack 0, 2, 1, 1, head 2", Verdict{Delivered: 2, Reordered: 1, Duplicates: 1}},
		{"late ones from inside a hole", "ack 0, 6, 3, 1, 5, head 6", Verdict{Delivered: 4, Lost: 2, Reordered: 3}},
		{"a hole closed from inside out", "ack 0, 5, 2, 3, 4, 1, head 5", Verdict{Delivered: 5, Reordered: 4}},
		{"a gap notice in its place", "ack 0, 1, 2-4, 5, head 5", Verdict{Delivered: 2, Told: 3, Gaps: 1}},
		{"a gap notice at the end", "ack 0, 1, 2-4, head 4", Verdict{Delivered: 1, Told: 3, Gaps: 1}},
		{"a gap notice that comes late takes back the loss", "ack 0, 1, 5, 2-4, 6, head 6", Verdict{Delivered: 3, Told: 3, Gaps: 1}},
		{"a gap notice that leaves some out", "ack 0, 1, 4-5, 6, head 6", Verdict{Delivered: 2, Lost: 2, Told: 2, Gaps: 1}},
		{"a gap notice for what had come", "ack 0, 1, 2, 1-3, 4, head 4", Verdict{Delivered: 3, Told: 1, Gaps: 1}},
		{"a message after a gap that spoke of it", "ack 0, 1-2, 2, 3, head 3", Verdict{Delivered: 1, Told: 2, Gaps: 1, Duplicates: 1}},
		{"a predecessor says that nothing is missing", "ack 0, 1, 5<1, 6, head 6", Verdict{Delivered: 3}},
		{"a predecessor says what is missing", "ack 0, 1, 5<3, head 5", Verdict{Delivered: 2, Lost: 2}},
	} {
		if got := play(c.script); got != c.want {
			t.Errorf("%s: %s gives %+v, want %+v", c.name, c.script, got, c.want)
		}
	}
}

// TestLedgerAgainstASet compares the ledger with the dumbest possible one.
func TestLedgerAgainstASet(t *testing.T) {
	for seed := range uint64(2000) {
		random := rand.New(rand.NewPCG(seed, 0))
		var sent []uint64
		head := uint64(1 + random.IntN(60))
		for s := uint64(1); s <= head; s++ {
			for range []int{0, 1, 1, 1, 1, 2}[random.IntN(6)] {
				sent = append(sent, s)
			}
		}
		for range random.IntN(10) {
			if len(sent) > 1 {
				i := random.IntN(len(sent) - 1)
				sent[i], sent[i+1] = sent[i+1], sent[i]
			}
		}
		var want Verdict
		var newest uint64
		seen := map[uint64]bool{}
		script := []string{"ack 0"}
		for _, s := range sent {
			switch {
			case seen[s]:
				want.Duplicates++
			case s < newest:
				want.Reordered++
				want.Delivered++
			default:
				want.Delivered++
			}
			seen[s], newest = true, max(newest, s)
			script = append(script, fmt.Sprint(s))
		}
		want.Lost = head - want.Delivered
		text := strings.Join(slices.Concat(script, []string{fmt.Sprintf("head %d", head)}), ",")
		if got := play(text); got != want {
			t.Fatalf("seed %d: %s gives %+v, want %+v", seed, text, got, want)
		}
	}
}
