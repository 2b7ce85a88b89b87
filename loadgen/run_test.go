package loadgen

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/megawire/megawire/codec/codes"
)

func testPlan(w Workload, url string) Plan {
	p := Defaults(w)
	p.URL, p.Connections, p.Warmup, p.Duration, p.DrainTimeout = url, 10, 0, time.Second, 2*time.Second
	return p
}

func mustRun(t *testing.T, p Plan) *Result {
	t.Helper()
	r, err := Run(t.Context(), p, nil)
	if err != nil {
		t.Fatalf("Run: %v", err)
	}
	return r
}

func TestFanoutClosedLoop(t *testing.T) {
	for _, c := range []struct {
		name  string
		loops int
		via   Via
	}{
		{"one loop, over the WebSocket", 1, ViaWebSocket},
		{"three loops, over the WebSocket", 3, ViaWebSocket},
		{"one loop, over HTTP", 1, ViaHTTP},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newTestServer(t, correct)
			p := testPlan(Fanout, s.url("/ws"))
			p.Loops, p.Via, p.Admin = c.loops, c.via, strings.TrimPrefix(s.URL, "http://")
			p.Topics, p.Subscriptions, p.Duration = 7, 3, 300*time.Millisecond
			r := mustRun(t, p)
			if r.Failed() || r.Loop != "closed" || r.Published.Sent == 0 || r.Published.TimedOut > 0 {
				t.Errorf("faults %v, loop %s, published %+v", r.Faults, r.Loop, r.Published)
			}
			if r.Verdict.Delivered != r.Expected {
				t.Errorf("delivered %d of %d", r.Verdict.Delivered, r.Expected)
			}
			if uint64(r.Round.Count) != r.Published.Sent {
				t.Errorf("%d rounds of %d messages", r.Round.Count, r.Published.Sent)
			}
		})
	}
}

func TestFanoutOpenLoopOverHTTP(t *testing.T) {
	s := newTestServer(t, correct)
	p := testPlan(Fanout, s.url("/ws"))
	p.Via, p.Admin, p.Topics, p.Subscriptions = ViaHTTP, strings.TrimPrefix(s.URL, "http://"), 50, 5
	p.DeliveryRate, p.Duration, p.Loops = 2000, 500*time.Millisecond, 2
	r := mustRun(t, p)
	if r.Failed() || r.Verdict.Delivered != r.Expected || r.Published.Sent != 1000 {
		t.Errorf("faults %v, delivered %d of %d, sent %d", r.Faults, r.Verdict.Delivered, r.Expected, r.Published.Sent)
	}
}

func TestClosedLoopGoesOnAfterALossAndARefusal(t *testing.T) {
	s := newTestServer(t, drops, func(s *testServer) { s.refuse = 3 })
	p := testPlan(Fanout, s.url("/ws"))
	p.Connections, p.Duration, p.ReplyTimeout = 2, 700*time.Millisecond, 50*time.Millisecond
	r := mustRun(t, p)
	if r.Published.Refused != 3 || r.Published.Refusals["unavailable: busy"] != 3 {
		t.Errorf("published %+v", r.Published)
	}
	if r.Verdict.Lost != s.faulted() || r.Verdict.Delivered+r.Verdict.Lost != r.Expected {
		t.Errorf("verdict %+v of %d, the server dropped %d", r.Verdict, r.Expected, s.faulted())
	}
	if r.Published.TimedOut < s.faulted()/2 { // more where a busy machine kept a message longer than that
		t.Errorf("%d timed out, %d were dropped twice each", r.Published.TimedOut, s.faulted())
	}
}

func TestRefusedMessagesAreNotLost(t *testing.T) {
	s := newTestServer(t, correct, func(s *testServer) { s.refuse = 40 })
	p := testPlan(Fanout, s.url("/ws"))
	p.Rate, p.Duration, p.Topics = 500, 300*time.Millisecond, 10
	r := mustRun(t, p)
	if r.Failed() || r.Published.Refused != 40 || r.Verdict.Delivered != 110 {
		t.Errorf("faults %v, published %+v, verdict %+v", r.Faults, r.Published, r.Verdict)
	}
}

func TestRefusalsForTooManyMessagesAreCountedByName(t *testing.T) {
	for code, want := range map[string]uint64{codes.RateLimited: 40, codes.Unavailable: 0} {
		s := newTestServer(t, correct, func(s *testServer) { s.refuse, s.refuseAs = 40, code })
		p := testPlan(Fanout, s.url("/ws"))
		p.Rate, p.Duration = 500, 200*time.Millisecond
		r := mustRun(t, p)
		if r.Published.Refused != 40 || r.Published.RateLimited != want {
			t.Errorf("%s: %+v", code, r.Published)
		}
		var text strings.Builder
		limited := strings.Contains(strings.Join(r.Generator.Why, "; "), "40 messages were more than the server takes")
		if err := r.WriteText(&text); err != nil || limited != (want > 0) || strings.Contains(text.String(), "limits.messages_per_second") != limited {
			t.Errorf("%s: %v\n%s", code, err, text.String())
		}
		f := finder{search: Search{Bound: Objective{Name: "p99", Bound: 1e9}}}
		if step := f.judge(500, r); step.Kept || !strings.Contains(step.Why, "40 messages were refused") {
			t.Errorf("%s: a search goes on: %+v", code, step)
		}
	}
}

func TestADroppedConnectionIsCountedAsSuch(t *testing.T) {
	for _, rate := range []float64{0, 1000} {
		s := newTestServer(t, correct, func(s *testServer) { s.hangUpAfter = 50 })
		p := testPlan(Fanout, s.url("/ws"))
		p.Rate, p.Duration = rate, 400*time.Millisecond
		r := mustRun(t, p)
		if r.Connections.Dropped != 1 || r.Connections.Drops["closed by the server with 4002 (slow reader)"] != 1 {
			t.Errorf("rate %v: %+v", rate, r.Connections)
		}
		if !r.Failed() || r.Verdict.Lost != 0 || r.Verdict.Delivered != r.Expected || r.Published.TimedOut != 0 {
			t.Errorf("rate %v: faults %v, verdict %+v of %d", rate, r.Faults, r.Verdict, r.Expected)
		}
	}
}

func TestForbiddenTopics(t *testing.T) {
	s := newTestServer(t, correct, func(s *testServer) { s.forbidden = "3" })
	p := testPlan(Idle, s.url("/ws"))
	p.Topics, p.Duration = 10, 100*time.Millisecond
	r := mustRun(t, p)
	if r.Connections.Opened != 9 || r.Connections.Failures["subscribe: forbidden: no permission"] != 1 || !r.Failed() {
		t.Errorf("%+v", r.Connections)
	}
}

func TestIdleHoldsAndReportsTheProcess(t *testing.T) {
	s := newTestServer(t, correct)
	p := testPlan(Idle, s.url("/ws"))
	p.Connections, p.Duration, p.PID, p.Loops, p.Connecting = 100, 100*time.Millisecond, selfPID, 2, 7
	r := mustRun(t, p)
	if r.Failed() || r.Connections.Opened != 100 || r.Connections.Unanswered != 0 {
		t.Errorf("faults %v, %+v", r.Faults, r.Connections)
	}
	if r.Server.RSSBeforeBytes == 0 || r.Server.RSSOpenBytes == 0 || r.Server.RSSEndBytes == 0 {
		t.Errorf("%+v", r.Server)
	}
}

func TestEcho(t *testing.T) {
	for _, c := range []struct {
		how     misbehaviour
		payload int
	}{{correct, 128}, {correct, 100_000}, {damages, 64}} {
		s := newTestServer(t, c.how)
		p := testPlan(Echo, s.url("/echo"))
		p.Payload, p.Duration, p.Loops = c.payload, 300*time.Millisecond, 2
		if c.payload > 32768 { // the library's limit on a message
			p.Payload = 32768
		}
		r := mustRun(t, p)
		if r.Verdict.Damaged != s.faulted() || r.Failed() != (s.faulted() > 0) {
			t.Errorf("%d damaged, the server did %d", r.Verdict.Damaged, s.faulted())
		}
		if r.Verdict.Delivered == 0 || r.Verdict.Delivered != r.Expected {
			t.Errorf("%d of %d came back", r.Verdict.Delivered, r.Expected)
		}
	}
}

func TestNothingListens(t *testing.T) {
	s := newTestServer(t, correct)
	url := s.url("/ws")
	s.Close()
	r, err := Run(t.Context(), testPlan(Idle, url), nil)
	if err == nil || r.Connections.Failed != 10 || r.Connections.Failures["connect: connection refused"] != 10 {
		t.Errorf("%v, %+v", err, r.Connections)
	}
}

func TestNotAWebSocketEndpoint(t *testing.T) {
	s := newTestServer(t, correct)
	r, err := Run(t.Context(), testPlan(Idle, s.url("/nowhere")), nil)
	if err == nil || r.Connections.Failed != 10 {
		t.Fatalf("%v, %+v", err, r.Connections)
	}
	for why := range r.Connections.Failures {
		if !strings.Contains(why, "404") {
			t.Errorf("the reason %q does not say 404", why)
		}
	}
}

func TestTheAdminAPIRefuses(t *testing.T) {
	s := newTestServer(t, correct)
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	p := testPlan(Fanout, s.url("/ws"))
	p.Via, p.Admin, p.ReplyTimeout = ViaHTTP, strings.TrimPrefix(other.URL, "http://"), 200*time.Millisecond
	if _, err := Run(t.Context(), p, nil); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("error %v does not say 404", err)
	}
}

func TestInterrupted(t *testing.T) {
	s := newTestServer(t, correct)
	p := testPlan(Fanout, s.url("/ws"))
	p.Duration = time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := Run(ctx, p, func(p Progress) {
		if p.Phase == "measuring" && p.Elapsed >= progressEvery && p.Delivered > 0 {
			cancel()
		}
	})
	if err != nil || !r.Interrupted || !r.Failed() || r.Window.Deliveries == 0 {
		t.Errorf("%v, %+v", err, r)
	}
	if want := faultless(r.Verdict); r.Verdict != want || r.Verdict.Delivered != r.Expected {
		t.Errorf("what was under way counts as lost: %+v of %d", r.Verdict, r.Expected)
	}
}

func TestOutOfOpenFilesSaysWhichLimit(t *testing.T) {
	p := testPlan(Idle, "ws://127.0.0.1:1/ws")
	p.Connections = ConnectionsMax
	_, err := Run(t.Context(), p, nil)
	var limit *LimitError
	if !errors.As(err, &limit) || !strings.Contains(err.Error(), "ulimit -n 16000064") {
		t.Errorf("%v", err)
	}
}
