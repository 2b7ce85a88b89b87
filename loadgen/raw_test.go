package loadgen

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
)

// recorded runs a plan and gives its result and its raw stream.
func recorded(t *testing.T, p Plan) (*Result, []byte) {
	t.Helper()
	var b bytes.Buffer
	w := NewRawWriter(&b)
	r, err := Record(t.Context(), "a step", p, nil, w.Write)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return r, b.Bytes()
}

func TestTheRawStreamGivesTheSameResult(t *testing.T) {
	s := newTestServer(t, drops, func(s *testServer) { s.acrossTopics = true })
	for _, c := range []struct {
		name string
		plan Plan
	}{
		{"a ticker with losses and warm-up", tickerPlan(Ticker, s.url("/ws"))},
		{"slow readers", tickerPlan(Slow, s.url("/ws"))},
		{"echo", testPlan(Echo, s.url("/echo"))},
	} {
		p := c.plan
		p.Warmup, p.Duration, p.PID, p.SLO = 200*time.Millisecond, 400*time.Millisecond, selfPID, "p99=1h,rate=1,loss=0"
		want, raw := recorded(t, p)
		report, err := ReadRaw(bytes.NewReader(raw))
		if err != nil || len(report.Runs) != 1 {
			t.Fatalf("%s: %v", c.name, err)
		}
		if got := report.Runs[0].Result; !sameJSON(t, got, want) || !reflect.DeepEqual(got.Faults, want.Faults) {
			t.Errorf("%s: read back\n%+v, ran\n%+v", c.name, got, want)
		}
		if want.Name != "a step" || len(want.Objectives) != 3 {
			t.Errorf("%s: %q, %+v", c.name, want.Name, want.Objectives)
		}
		var points int64
		for _, series := range report.Runs[0].Series {
			for _, point := range series {
				points += point.Deliveries
			}
		}
		if points != int64(want.Verdict.Delivered) {
			t.Errorf("%s: the intervals have %d deliveries of %d", c.name, points, want.Verdict.Delivered)
		}
	}
}

func sameJSON(t *testing.T, a, b any) bool {
	t.Helper()
	x, err1 := json.Marshal(a)
	y, err2 := json.Marshal(b)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	return bytes.Equal(x, y)
}

func TestRawStreamsThatAreNotWhole(t *testing.T) {
	s := newTestServer(t, correct)
	p := tickerPlan(Ticker, s.url("/ws"))
	p.Duration = 300 * time.Millisecond
	_, raw := recorded(t, p)
	lines := bytes.SplitAfter(bytes.TrimSpace(raw), []byte("\n"))
	withoutEnd := bytes.Join(lines[:len(lines)-1], nil)
	for _, c := range []struct {
		name, text, fault string
	}{
		{"a process that was killed leaves an interrupted run", string(withoutEnd), ""},
		{"a kind of line that a later version added", string(raw) + `{"weather":{}}` + "\n", ""},
		{"nothing", "", "no run in it"},
		{"no JSON", string(lines[0]) + "x\n", "line 2"},
		{"an interval before any run", string(lines[1]), "begins with"},
		{"a class that nobody knows", string(lines[0]) + `{"interval":{"class":"purple"}}`, "purple"},
		{"a histogram that is none", string(lines[0]) + `{"interval":{"class":"slow","measured":"AAAA"}}`, "histogram"},
		{"a newer schema", `{"begin":{"schema":99}}`, "newer"},
	} {
		report, err := ReadRaw(strings.NewReader(c.text))
		switch {
		case c.fault == "" && err != nil, c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)):
			t.Errorf("%s: %v", c.name, err)
		case strings.Contains(c.name, "killed") && !report.Runs[0].Result.Interrupted:
			t.Errorf("%s: %+v", c.name, report.Runs[0].Result)
		}
	}
}

func TestPlanInJSON(t *testing.T) {
	want := Defaults(Slow)
	want.Driver, want.SLO, want.Warmup = "mqtt", "p99=1s", 1500*time.Millisecond
	b, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got Plan
	if err := json.Unmarshal(b, &got); err != nil || got != want {
		t.Errorf("%v\n%+v\n%+v", err, got, want)
	}
	if !strings.Contains(string(b), `"warmup_s":1.5`) {
		t.Error(string(b))
	}
}

func TestHTMLReportStandsAlone(t *testing.T) {
	s := newTestServer(t, correct)
	p := tickerPlan(Slow, s.url("/ws?x=<b>"))
	p.PID, p.Duration, p.SLO = selfPID, 300*time.Millisecond, "p99=1ns"
	_, raw := recorded(t, p)
	report, err := ReadRaw(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 { // however long the run really took
		report.Runs[0].Samples = append(report.Runs[0].Samples, Sample{At: float64(i), Busy: []float64{0.5}, CPU: float64(i), RSSBytes: 1e7})
	}
	report.Searches = []*Search{{Bound: Objective{Name: "p99", Bound: 50}, Best: 1e5, Steps: []Step{{Planned: 1e5, Measured: 2, Kept: true}, {Planned: 2e5, Measured: 90, Why: "p99"}}}}
	var page bytes.Buffer
	if err := report.WriteHTML(&page); err != nil {
		t.Fatal(err)
	}
	text := page.String()
	for _, want := range []string{"Latency by percentile", "Throughput", "Latency over time", "Processor", "The server&#39;s memory", "99.99 %", "prefers-color-scheme: dark",
		"stalled clients", "An objective was missed", "Search for the highest delivery rate", "100,000"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if m := regexp.MustCompile(`(?i)(src|href)=|<link|<script|@import|url\(|<b>["<]`).FindString(text); m != "" {
		t.Errorf("the page is not alone in the world, or text came through as HTML: %q", m)
	}
	for _, svg := range regexp.MustCompile(`(?s)<svg.*?</svg>`).FindAllString(text, -1) {
		d := xml.NewDecoder(strings.NewReader(svg))
		for {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("a plot is not XML: %v\n%s", err, svg)
			}
		}
		if strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
			t.Errorf("a plot has no place for a value: %s", svg)
		}
	}
}

func TestPlotsOfNothing(t *testing.T) {
	r := &Recording{Result: &Result{Plan: Defaults(Idle)}}
	if ps := r.plots(); len(ps) != 0 {
		t.Errorf("%d plots", len(ps))
	}
	for _, p := range []*plot{
		{}, {x: axis{log: true}, y: axis{log: true}, lines: []plotLine{{x: []float64{0, 5}, y: []float64{0, 0}}}},
		{lines: []plotLine{{x: []float64{1}, y: []float64{7}}}},
	} {
		if svg := string(p.SVG()); strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
			t.Error(svg)
		}
	}
}

func TestGroupedPointsAreAllThere(t *testing.T) {
	for _, n := range []int{0, 1, plotPointsMax, plotPointsMax + 1, 5 * plotPointsMax} {
		total := 0
		gs := grouped(make([]Point, n))
		for _, g := range gs {
			total += len(g)
		}
		if total != n || len(gs) > plotPointsMax {
			t.Errorf("%d points: %d in %d groups", n, total, len(gs))
		}
	}
}

func TestObjectives(t *testing.T) {
	r := &Result{
		Latency: Latency{Count: 100, P50Ms: 1, P90Ms: 2, P99Ms: 50, P999Ms: 80, MaxMs: 90}, Verdict: Verdict{Lost: 1, Told: 5}, Expected: 1000,
		Window: Window{DeliveryRate: 100_000}, Connections: Connections{Failed: 1, Dropped: 2}, Server: &Process{RSSPerConnection: 600, CPUPerDelivery: 1.5},
	}
	for _, c := range []struct{ kept, missed string }{
		{"p50=1ms", "p50=999us"}, {"p90=2ms", "p90=1ms"}, {"p99=50ms", "p99=49.9ms"}, {"p999=80ms", "p999=79ms"}, {"max=90ms", "max=89ms"},
		{"loss=0.1%", "loss=0"}, {"loss=0.001", "loss=0.0009"}, {"told=0.5%", "told=0"}, {"dropped=2", "dropped=1"}, {"failed=1", "failed=0"},
		{"rate=100000", "rate=100001"}, {"rss_per_conn=600", "rss_per_conn=599"}, {"cpu_us=1.5", "cpu_us=1.4"},
	} {
		for i, text := range []string{c.kept, c.missed} {
			r.Plan = Plan{SLO: " , " + text + ",", PID: 1}
			if err := r.judge(); err != nil || len(r.Objectives) != 1 {
				t.Fatalf("%s: %v", text, err)
			}
			if r.Missed() != (i == 1) {
				t.Errorf("%s: %+v", text, r.Objectives[0])
			}
		}
	}
	var nothing Result
	nothing.Plan.SLO = "p99=1s"
	if err := nothing.judge(); err != nil || !nothing.Missed() {
		t.Error("a latency that was never measured keeps no bound")
	}
	for _, bad := range []string{"p98=1ms", "p99", "p99=50", "loss=2", "loss=x", "rate=-1", "p99=-1ms", "rate=NaN"} {
		if _, err := ParseObjectives(bad); err == nil || !strings.Contains(err.Error(), "--slo") {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if _, err := (&Plan{SLO: "rss_per_conn=1"}).objectives(); err == nil || !strings.Contains(err.Error(), "--pid") {
		t.Errorf("memory without a process: %v", err)
	}
}

func TestAnObjectiveTakesOverFromTheGeneralJudgement(t *testing.T) {
	for _, c := range []struct {
		slo            string
		failed, missed bool
	}{
		{"", true, false}, {"loss=1%", false, false}, {"loss=0", false, true}, {"p99=1h", true, false}, {"p99=1ns,loss=1%", false, true},
	} {
		s := newTestServer(t, drops, func(s *testServer) { s.acrossTopics = true })
		p := tickerPlan(Ticker, s.url("/ws"))
		p.SLO = c.slo
		if r := mustRun(t, p); r.Failed() != c.failed || r.Missed() != c.missed {
			t.Errorf("%q: faults %v, objectives %+v", c.slo, r.Faults, r.Objectives)
		}
	}
}
