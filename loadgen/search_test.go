package loadgen

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestSearchRatesFindTheBorder(t *testing.T) {
	for _, c := range []struct {
		name          string
		start, border float64
	}{
		{"from below", 1000, 77_000}, {"from above", 1e6, 77_000}, {"the start is the border", 5000, 5000},
		{"no rate keeps the bound", 1000, 0}, {"far below", 1e6, 100},
	} {
		rates, steps := searchRates{next: c.start}, 0
		for ; !rates.over() && steps < 100; steps++ {
			rates.judge(rates.next <= c.border)
		}
		if rates.low > c.border || c.border > 0 && rates.low < c.border/searchRatio || steps > SearchStepsMax {
			t.Errorf("%s: found %v in %d steps, the border is %v", c.name, rates.low, steps, c.border)
		}
	}
}

// fakeRuns keeps the bound up to a border.
func fakeRuns(border float64, change func(n int, rate float64, r *Result)) func(context.Context, string, Plan) (*Result, error) {
	n := 0
	return func(_ context.Context, _ string, p Plan) (*Result, error) {
		r := &Result{Plan: p, Expected: 1000, Verdict: Verdict{Delivered: 1000}, Latency: Latency{Count: 1, P99Ms: 10}, Window: Window{DeliveryRate: p.DeliveryRate}}
		if p.DeliveryRate > border {
			r.Latency.P99Ms = 100
		}
		if change != nil {
			change(n, p.DeliveryRate, r)
		}
		n++
		return r, nil
	}
}

func TestSearch(t *testing.T) {
	for _, c := range []struct {
		name    string
		change  func(n int, rate float64, r *Result)
		low     float64 // the best rate lies between
		high    float64
		limited bool
		why     string // of some step
	}{
		{"the latency breaks first", nil, 47_000, 50_000, false, "p99 ≤ 50 ms: 100"},
		{"one bad step is not believed", func(n int, _ float64, r *Result) {
			if n == 1 {
				r.Latency.P99Ms = 99
			}
		}, 47_000, 50_000, false, "p99"},
		{"too few delivered", func(_ int, rate float64, r *Result) {
			if rate > 30_000 {
				r.Verdict.Delivered = 998
			}
		}, 28_500, 30_000, false, "99.800 % delivered"},
		{"999 of 1,000 are enough", func(_ int, _ float64, r *Result) { r.Verdict.Delivered = 999 }, 47_000, 50_000, false, ""},
		{"connections dropped", func(_ int, rate float64, r *Result) {
			if rate > 20_000 {
				r.Connections.Dropped = 1
			}
		}, 19_000, 20_000, false, "1 connections were dropped"},
		{"messages that were never sent", func(_ int, rate float64, r *Result) {
			r.Published = &Published{}
			if rate > 20_000 {
				r.Published.Unsent = 1000
			}
		}, 19_000, 20_000, false, "1,000 messages could not be sent"},
		{"loadgen was the limit", func(_ int, rate float64, r *Result) { r.Generator.Limited = rate > 50_000 }, 47_000, 50_000, true, ""},
		{"no rate keeps it", func(_ int, _ float64, r *Result) { r.Latency.P99Ms = 1000 }, 0, 0, false, ""},
	} {
		p := Defaults(Ticker)
		p.DeliveryRate = 1000
		bound, err := ParseBound("p99=50ms")
		if err != nil {
			t.Fatal(err)
		}
		f := &finder{plan: p, search: Search{Bound: bound, Delivered: searchDeliveredMin, BestStep: -1}, run: fakeRuns(50_000, c.change)}
		if err := f.find(t.Context()); err != nil {
			t.Fatal(err)
		}
		s := &f.search
		if s.Best < c.low || s.Best > c.high || s.Limited != c.limited || s.BestStep >= 0 && s.Steps[s.BestStep].Planned != s.Best {
			t.Errorf("%s: %+v", c.name, s)
		}
		var text bytes.Buffer
		if err := s.WriteText(&text); err != nil || !strings.Contains(text.String(), c.why) {
			t.Errorf("%s: %v, no %q in\n%s", c.name, err, c.why, text.String())
		}
	}
}

func TestSearchEndsOnAFault(t *testing.T) {
	p := Defaults(Ticker)
	f := &finder{plan: p, search: Search{BestStep: -1}, run: func(context.Context, string, Plan) (*Result, error) {
		return nil, &LimitError{"no more files"}
	}}
	var limit *LimitError
	if err := f.find(t.Context()); !errors.As(err, &limit) || len(f.search.Steps) != 0 {
		t.Errorf("%v after %d steps", err, len(f.search.Steps))
	}
}

func TestSearchAgainstAServer(t *testing.T) {
	s := newTestServer(t, correct)
	p := tickerPlan(Ticker, s.url("/ws"))
	p.Rate, p.DeliveryRate, p.Duration = 0, 100, 100*time.Millisecond
	var raw bytes.Buffer
	w := NewRawWriter(&raw)
	bound := Objective{Name: "p99", Bound: -1} // no latency keeps that, so it goes down to the end
	found, err := Find(t.Context(), p, bound, nil, w.Write, nil)
	if err != nil || len(found.Steps) != 8 || found.BestStep != -1 { // 100, 50, 25 and 12.5, each twice
		t.Fatalf("%v, %+v", err, found)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	report, err := ReadRaw(&raw)
	if err != nil || len(report.Runs) != 8 || len(report.Searches) != 1 || !report.Runs[0].Begin.Search {
		t.Fatalf("%v, %+v", err, report)
	}
	if failed, missed := report.Outcome(); failed || !missed {
		t.Errorf("failed %v, missed %v", failed, missed)
	}
	for _, bad := range []Plan{Defaults(Fanout), Defaults(Idle)} {
		if _, err := Find(t.Context(), bad, bound, nil, w.Write, nil); err == nil {
			t.Errorf("a search with %s", bad.Workload)
		}
	}
	for _, bad := range []string{"", "loss=0", "p99=50ms,p50=1ms", "p99"} {
		if _, err := ParseBound(bad); err == nil {
			t.Errorf("%q is a bound", bad)
		}
	}
}
