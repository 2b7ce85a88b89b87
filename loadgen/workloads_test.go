package loadgen

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func tickerPlan(w Workload, url string) Plan {
	p := testPlan(w, url)
	p.Connections, p.Topics, p.Subscriptions, p.DeliveryRate = 20, 10, 4, 0
	p.Rate, p.Duration = 2200, 500*time.Millisecond // to each topic 110, and each has 8 subscribers on average
	return p
}

func TestTickerCountsExactlyWhatTheServerDid(t *testing.T) {
	holdVerdicts(t, tickerPlan(Ticker, ""), func(t *testing.T, r *Result, _ uint64) {
		if r.Published.Sent != 1100 {
			t.Errorf("%d sent, want 1100", r.Published.Sent)
		}
	}, func(s *testServer) { s.acrossTopics = true })
}

func TestSlowReadersCatchUpAndAreCountedApart(t *testing.T) {
	s := newTestServer(t, tells, func(s *testServer) { s.acrossTopics = true })
	p := tickerPlan(Slow, s.url("/ws"))
	p.Connections, p.Stalled, p.SlowShare, p.ReceiveBuffer = 40, 0.25, 0.25, 0
	p.Loops = 2
	r := mustRun(t, p)
	if r.Failed() || len(r.Classes) != int(classes) {
		t.Fatalf("faults %v, classes %+v", r.Faults, r.Classes)
	}
	var sum Verdict
	for i, c := range r.Classes {
		if c.Class != class(i).String() || c.Connections == 0 || c.UpToDate != c.Connections || c.Dropped != 0 {
			t.Errorf("%+v", c)
		}
		if c.Verdict.Delivered == 0 || c.Latency.Count != int64(c.Verdict.Delivered) {
			t.Errorf("%s: %d latencies, %+v", c.Class, c.Latency.Count, c.Verdict)
		}
		sum.add(&c.Verdict)
	}
	if r.LeftBehind == nil || *r.LeftBehind != 0 {
		t.Errorf("left behind: %v", r.LeftBehind)
	}
	if sum != r.Verdict || r.Verdict.Told != s.faulted() || r.Verdict.Delivered+r.Verdict.Told != r.Expected {
		t.Errorf("the classes make %+v, all in all %+v of %d; the server told of %d", sum, r.Verdict, r.Expected, s.faulted())
	}
	// Who does not read until the load is over cannot have got its first message before the last was planned.
	if stalled := r.Classes[stalled].Latency; stalled.MaxMs < 400 {
		t.Errorf("a stalled client read while it should not: %+v", stalled)
	}
}

func TestADroppedSlowReaderIsNoFault(t *testing.T) {
	s := newTestServer(t, correct, func(s *testServer) { s.hangUpAfter = 50 })
	p := tickerPlan(Slow, s.url("/ws"))
	p.Stalled, p.SlowShare = 1, 0
	r := mustRun(t, p)
	if r.Failed() || r.Connections.Dropped != 1 || r.Classes[stalled].Dropped != 1 || r.Classes[stalled].UpToDate != p.Connections-1 || *r.LeftBehind != 0 {
		t.Errorf("faults %v, dropped %d, %+v", r.Faults, r.Connections.Dropped, r.Classes)
	}
}

func TestClassesHaveTheirShares(t *testing.T) {
	for _, c := range []struct{ connections, stalled, slow, off int }{{5000, 5, 5, 3}, {100, 0, 50, 2}, {7, 100, 0, 0}, {20, 10, 20, 1}} {
		p := Plan{Workload: Slow, Connections: c.connections, Stalled: float64(c.stalled) / 100, SlowShare: float64(c.slow) / 100}
		n := p.inClasses()
		off := func(class class, percent int) int {
			d := n[class] - c.connections*percent/100
			return max(d, -d)
		}
		if off(stalled, c.stalled) > c.off || off(slow, c.slow) > c.off {
			t.Errorf("%+v: %v", c, n)
		}
	}
}

func TestConnect(t *testing.T) {
	s := newTestServer(t, correct)
	for _, c := range []struct {
		name  string
		rate  float64
		loops int
		loop  string
	}{
		{"a closed loop", 0, 1, "closed"},
		{"an open loop", 200, 1, "open"},
		{"loops take turns in the plan", 200, 3, "open"},
	} {
		p := testPlan(Connect, s.url("/echo"))
		p.Connections, p.Rate, p.Loops, p.Duration, p.Sources = 8, c.rate, c.loops, 500*time.Millisecond, 4
		r := mustRun(t, p)
		if r.Failed() || r.Loop != c.loop || r.Verdict.Delivered == 0 || r.Verdict.Delivered != r.Expected {
			t.Errorf("%s: faults %v, loop %s, %d of %d", c.name, r.Faults, r.Loop, r.Verdict.Delivered, r.Expected)
		}
		if c.rate > 0 && r.Expected != 100 {
			t.Errorf("%s: %d begun, want 100", c.name, r.Expected)
		}
		if uint64(r.Connections.Opened) != r.Verdict.Delivered || r.Latency.Count != int64(r.Verdict.Delivered) {
			t.Errorf("%s: %d opened, %d latencies of %d", c.name, r.Connections.Opened, r.Latency.Count, r.Verdict.Delivered)
		}
	}
}

func TestConnectCountsFailures(t *testing.T) {
	refuses := httptest.NewServer(http.NotFoundHandler())
	defer refuses.Close()
	p := testPlan(Connect, strings.Replace(refuses.URL, "http", "ws", 1))
	p.Connections, p.Rate, p.Duration = 4, 100, 200*time.Millisecond
	r := mustRun(t, p)
	if !r.Failed() || r.Connections.Failed != 20 || r.Verdict.Delivered != 0 || r.Expected != 0 {
		t.Errorf("faults %v, %+v, expected %d", r.Faults, r.Connections, r.Expected)
	}
}

func TestMessagesThatTheServerNeverReadsAreGivenUp(t *testing.T) {
	s := newTestServer(t, correct, func(s *testServer) { s.deaf = true })
	p := tickerPlan(Ticker, s.url("/ws"))
	p.Payload, p.Rate, p.Duration, p.DrainTimeout = 100_000, 5000, 200*time.Millisecond, 200*time.Millisecond
	r := mustRun(t, p)
	if r.Published.Unsent == 0 || r.Published.Sent+r.Published.Unsent != 1000 || !r.Failed() {
		t.Errorf("%+v, faults %v", r.Published, r.Faults)
	}
}

func TestAPublisherThatIsNotAnsweredIsAFaultAndNotTheEnd(t *testing.T) {
	b := &board{published: make(chan struct{})}
	p := &publisher{loop: &loop{board: b}, awaiting: 1}
	p.turn(1 + int64(drainLongest))
	if p.unanswered || p.finished {
		t.Fatal("given up too soon")
	}
	p.turn(2 + int64(drainLongest))
	if !p.unanswered || p.awaiting != 0 || !p.finished {
		t.Errorf("%+v", p)
	}
	r := Result{Published: &Published{Unanswered: p.unanswered}}
	if err := r.judge(); err != nil || !r.Failed() {
		t.Errorf("%v, faults %v", err, r.Faults)
	}
}
