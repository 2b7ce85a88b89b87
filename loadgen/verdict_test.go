package loadgen

import (
	"testing"
	"time"
)

// faultless is a verdict as a correct server earns it.
func faultless(v Verdict) Verdict {
	return Verdict{Delivered: v.Delivered}
}

// holdVerdicts has a plan carried out with servers that do one thing wrong each, and holds what is counted against what they did.
// more checks the rest of a result, of a server with so many faults.
func holdVerdicts(t *testing.T, p Plan, more func(t *testing.T, r *Result, faults uint64), set ...func(*testServer)) {
	for _, c := range []struct {
		name   string
		how    misbehaviour
		failed bool
		want   func(v *Verdict, faults uint64)
	}{
		{"a correct server has no faults", correct, false, func(*Verdict, uint64) {}},
		{"dropped messages are lost", drops, true, func(v *Verdict, n uint64) { v.Lost = n }},
		{"doubled messages are duplicates", doubles, true, func(v *Verdict, n uint64) { v.Duplicates = n }},
		{"a message after its successor is out of order and not lost", reorders, true, func(v *Verdict, n uint64) { v.Reordered = n }},
		{"messages that the server tells of are not lost in silence", tells, false, func(v *Verdict, n uint64) { v.Told, v.Gaps = n, n }},
		{"a changed payload is damage", damages, true, func(v *Verdict, n uint64) { v.Damaged = n }},
		{"a text that is no JSON is one, and its message lost", garbles, true, func(v *Verdict, n uint64) { v.Unread, v.Lost = n, n }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newTestServer(t, c.how, set...)
			p.URL = s.url("/ws")
			r := mustRun(t, p)
			if (c.how != correct) != (s.faulted() > 0) {
				t.Fatalf("the server made %d faults", s.faulted())
			}
			want := faultless(r.Verdict)
			c.want(&want, s.faulted())
			if r.Verdict != want {
				t.Errorf("verdict %+v, want %+v", r.Verdict, want)
			}
			if got := r.Verdict.Delivered + r.Verdict.Lost + r.Verdict.Told; got != r.Expected {
				t.Errorf("delivered, lost and told add up to %d of %d", got, r.Expected)
			}
			if r.Failed() != c.failed {
				t.Errorf("Failed() is %v: %v", r.Failed(), r.Faults)
			}
			if r.Latency.Count != int64(r.Verdict.Delivered) {
				t.Errorf("%d latencies of %d messages", r.Latency.Count, r.Verdict.Delivered)
			}
			more(t, r, s.faulted())
		})
	}
}

func TestFanoutCountsExactlyWhatTheServerDid(t *testing.T) {
	p := testPlan(Fanout, "")
	p.Rate, p.Duration = 2600, time.Second
	holdVerdicts(t, p, func(t *testing.T, r *Result, faults uint64) {
		if faults > 0 && faults != 30 { // at messages 500, 1,500 and 2,500 of each of 10
			t.Errorf("the server made %d faults", faults)
		}
		if r.Published.Sent != 2600 || r.Expected != 26000 {
			t.Errorf("sent %d, expected %d; want 2600 and 26000", r.Published.Sent, r.Expected)
		}
	})
}

func TestLossAtTheVeryEndIsSeen(t *testing.T) {
	s := newTestServer(t, drops)
	p := testPlan(Fanout, s.url("/ws"))
	p.Rate, p.Duration = faultEvery/2, time.Second // the last message of each is the one dropped
	if r := mustRun(t, p); r.Verdict.Lost != 10 || r.Verdict.Delivered != 10*(faultEvery/2-1) {
		t.Errorf("verdict %+v", r.Verdict)
	}
}
