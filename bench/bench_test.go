package bench

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestSummary(t *testing.T) {
	for _, c := range []struct {
		what   string
		values []float64
		want   summary
	}{
		{"nothing", nil, summary{}},
		{"one value is its own median", []float64{3}, summary{1, 3, 3, 3}},
		{"an odd number has a middle one", []float64{9, 1, 5}, summary{3, 5, 1, 9}},
		{"of an even number, between the middle two", []float64{4, 1, 2, 9}, summary{4, 3, 1, 9}},
	} {
		if got := summarise(c.values); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.what, got, c.want)
		}
	}
}

func TestLookup(t *testing.T) {
	text := json.RawMessage(`{"a":{"b":[{"c":1.5},{"c":2}],"s":"x"},"n":null,"at":1,"l":[7,8],"none":-1}`)
	for _, c := range []struct {
		path string
		want float64
		ok   bool
	}{
		{"a.b.0.c", 1.5, true}, {"a.b.1.c", 2, true}, {"a.b.2.c", 0, false}, {"a.b.-1.c", 0, false}, {"a.b.x", 0, false},
		{"a.s", 0, false}, {"n", 0, false}, {"a", 0, false}, {"z.z", 0, false}, {"a.b.0.c.d", 0, false},
		{"l.<at>", 8, true}, {"l.<none>", 0, false}, {"l.<missing>", 7, true},
	} {
		if got, ok := lookup(text, c.path); got != c.want || ok != c.ok {
			t.Errorf("%s: %v, %v; want %v, %v", c.path, got, ok, c.want, c.ok)
		}
	}
}

func TestFormat(t *testing.T) {
	for _, c := range []struct {
		v      float64
		digits int
		want   string
	}{
		{0, 0, "0"}, {999, 0, "999"}, {1000, 0, "1,000"}, {1234567.6, 0, "1,234,568"}, {1234.567, 2, "1,234.57"},
		{-1234, 0, "-1,234"}, {-0.5, 2, "-0.50"},
	} {
		if got := (&Metric{Digits: c.digits}).format(c.v); got != c.want {
			t.Errorf("%v with %d digits: %q, want %q", c.v, c.digits, got, c.want)
		}
	}
}

// TestTables holds the tables of servers, workloads and goals against each other.
func TestTables(t *testing.T) {
	names := map[string]bool{}
	for _, s := range Servers {
		if names[s.Name] || s.Name == "" || s.Title == "" || s.How == "" || len(s.Command) == 0 || len(s.URLs) == 0 {
			t.Errorf("server %q: a name twice, or something is missing", s.Name)
		}
		names[s.Name] = true
		for need := range s.URLs {
			if need != needTopics && need != needEcho {
				t.Errorf("server %s has a URL for %q, which no workload needs", s.Name, need)
			}
		}
		filled := (&place{root: "/r", dir: "/d", port: [3]int{1, 2, 3}}).fill(strings.Join(s.Command, " "))
		if strings.Contains(filled, "{") {
			t.Errorf("server %s: %q is not filled in", s.Name, filled)
		}
		if s.Config != "" {
			text, err := os.ReadFile(filepath.Join("peers", s.Config))
			if err != nil {
				t.Errorf("server %s: %v", s.Name, err)
			}
			filled := (&place{port: [3]int{1, 2, 3}}).fill(string(text))
			if filepath.Ext(s.Config) == ".json" && !json.Valid([]byte(filled)) {
				t.Errorf("server %s: its configuration is not JSON:\n%s", s.Name, filled)
			}
		}
	}
	loads := map[string]bool{}
	for _, w := range Workloads() {
		if loads[w.Name] || w.Title == "" || w.About == "" || w.Limit == 0 || len(w.Args) == 0 || len(w.Metrics) == 0 {
			t.Errorf("workload %q: a name twice, or something is missing", w.Name)
		}
		loads[w.Name] = true
		for _, s := range w.Servers {
			if !names[s] {
				t.Errorf("workload %s is for server %q, which does not exist", w.Name, s)
			}
		}
	}
	for _, g := range goals {
		if _, err := findMetric(g.load, g.metric); err != nil || !names[g.server] {
			t.Errorf("goal %q: %v, server %q", g.what, err, g.server)
		}
		if g.of != (subject{}) && (!names[g.of.Server] || !loads[g.of.Workload]) {
			t.Errorf("goal %q is relative to %v, which does not exist", g.what, g.of)
		}
	}
}

func TestFind(t *testing.T) {
	if w, err := FindWorkloads(nil); err != nil || len(w) != len(compared) {
		t.Errorf("no names: %d workloads, %v; want those to compare", len(w), err)
	}
	if w, err := FindWorkloads([]string{"growth", "echo"}); err != nil || len(w) != len(grown())+1 {
		t.Errorf("a set and a name: %d workloads, %v", len(w), err)
	}
	if _, err := FindServers([]string{"megawire", "nobody"}); err == nil || !strings.Contains(err.Error(), "nobody") {
		t.Errorf("an unknown server: %v", err)
	}
}

func TestPlan(t *testing.T) {
	servers, err := FindServers([]string{"megawire", "floor", "gws"})
	if err != nil {
		t.Fatal(err)
	}
	loads, err := FindWorkloads([]string{"echo", "growth-payload-32"})
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Servers: servers, Workloads: loads, Rounds: 3, PeerRounds: 1}
	var got []string
	var rounds []int
	for _, turn := range plan(&o, 5) {
		got = append(got, turn.server.Name+" "+turn.workload.Name)
		rounds = append(rounds, turn.round)
	}
	// Each round begins with another server; gws, a peer, is in the first alone; growth is megawire's.
	want := "megawire echo, floor echo, gws echo, megawire growth-payload-32, " +
		"floor echo, megawire echo, megawire growth-payload-32, " +
		"megawire echo, floor echo, megawire growth-payload-32"
	if strings.Join(got, ", ") != want {
		t.Errorf("the plan is\n%s\nwant\n%s", strings.Join(got, ", "), want)
	}
	if rounds[0] != 5 || rounds[len(rounds)-1] != 7 {
		t.Errorf("the rounds are %v, want 5 to 7", rounds)
	}
	once, _ := FindWorkloads([]string{"idle-long"})
	if n := len(plan(&Options{Servers: servers, Workloads: once, Rounds: 3}, 1)); n != 2 {
		t.Errorf("%d turns of a workload for one round, want one of megawire and one of the floor", n)
	}
	o.Quick = true
	if n := len(plan(&o, 1)); n != 3+2+2 {
		t.Errorf("a quick plan has %d turns, want 7: growth is left out", n)
	}
}

// made is three rounds of two servers; in the second round megawire failed.
func made() *Results {
	r := &Results{Dir: "bench/results/x", Host: Host{
		Versions: map[string]string{"megawire": "1", "floor": ""}, Sysctl: map[string]string{"a.b": "1 2"},
		Missing: map[string]string{"gws": "bin/peers/gws is not there"},
		Parts:   []Part{{FirstRound: 1, Time: time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC), Commit: "abc"}},
	}}
	add := func(round int, server string, rate, cpu float64, fault string) {
		text, _ := json.Marshal(map[string]any{
			"window": map[string]any{"deliveries_per_s": rate}, "server": map[string]any{"cpu_us_per_delivery": cpu},
			"latency": map[string]any{"p99_ms": 2}, "generator": map[string]any{"generator_limited": server == "floor"},
		})
		run := Run{Round: round, Server: server, Workload: "broadcast-5000", Result: text, Error: fault}
		r.Runs = append(r.Runs, run)
	}
	add(1, "megawire", 1000, 4, "")
	add(1, "floor", 900, 2, "")
	add(2, "megawire", 9999, 99, "it died")
	add(2, "floor", 800, 4, "")
	add(3, "megawire", 2000, 3, "")
	add(3, "floor", 700, 3, "")
	return r
}

func TestAMetricMayBeASum(t *testing.T) {
	run := Run{Result: json.RawMessage(`{"server":{"rss_grown_bytes":1e6},"generator":{"host_tcp_grown_bytes":2e6}}`)}
	if v, ok := backlog.value(&run); v != 3 || !ok {
		t.Errorf("%v, %v; want 3 MB", v, ok)
	}
	run.Result = json.RawMessage(`{"server":{"rss_grown_bytes":1e6}}`)
	if _, ok := backlog.value(&run); ok {
		t.Error("a sum with a part missing")
	}
}

func TestRatioIsTakenWithinRounds(t *testing.T) {
	got := made().ratio(subject{us, "broadcast-5000"}, subject{Floor, "broadcast-5000"}, &cpu)
	if want := (summary{2, 1.5, 1, 2}); got != want { // 4/2 and 3/3; the failed round counts for nothing
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestReport(t *testing.T) {
	docs := t.TempDir()
	page := "# By hand\n"
	for _, name := range []string{"goals", "tables", "growth", "host"} {
		page += "<!-- bench:" + name + " -->\nbefore it was run\n<!-- /bench:" + name + " -->\nbetween\n"
	}
	file := filepath.Join(docs, "benchmarks.md")
	if err := os.WriteFile(file, []byte(page), 0o644); err != nil {
		t.Fatal(err)
	}
	const missed = "broadcast: CPU a delivery, of the floor's"
	r := made()
	for range 2 { // a second time finds the same markers
		unexplained, err := r.Report(docs)
		if err != nil || len(unexplained) != 1 || unexplained[0] != missed {
			t.Fatalf("%v; missed and without a note: %q", err, unexplained)
		}
	}
	note := "- **" + missed + "**: this was tried\n"
	text, _ := os.ReadFile(file)
	if err := os.WriteFile(file, append([]byte(note), text...), 0o644); err != nil {
		t.Fatal(err)
	}
	if unexplained, err := r.Report(docs); err != nil || len(unexplained) > 0 {
		t.Errorf("%v; missed and without a note: %q", err, unexplained)
	}
	text, _ = os.ReadFile(file)
	for _, want := range []string{
		"# By hand", "between", note,
		"| Megawire † | 1,500 (1,000 to 2,000) | 3.50 (3.00 to 4.00) | 1.50 (1.00 to 2.00) | 2.00 (2.00 to 2.00) |",
		`| floor (C, epoll) \* | 800 (700 to 900) |`, "Megawire: 1 of 3 runs failed or had faults: it died",
		"| broadcast: CPU a delivery, of the floor's | ≤ 1.05 | 1.5 (1 to 2) | [**missed**](#where-a-goal-was-missed) |", "| echo: CPU a message, of the floor's | ≤ 1.05 | – | not measured |",
		"| rounds from 1 on | 2026-01-02 03:04 UTC; , commit abc;", "not run: bin/peers/gws is not there", "| `a.b` | 1 2 |", "![Broadcast to 5,000](img/bench-broadcast-5000.svg)",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the page lacks %q:\n%s", want, text)
		}
	}
	if n := strings.Count(string(text), "before it was run"); n != 1 { // of growth there are no results
		t.Errorf("%d parts of the page have what stood between the markers", n)
	}
	plot, err := os.ReadFile(filepath.Join(docs, "img", "bench-broadcast-5000.svg"))
	if err != nil || !strings.HasPrefix(string(plot), "<svg ") || !strings.Contains(string(plot), ">1,500<") {
		t.Errorf("the plot: %v\n%s", err, plot)
	}
}

func TestResultsAreAddedOnlyWhenAsked(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "r")
	r := made()
	write := func(add bool, h Host) error {
		s, err := open(dir, add)
		if err != nil {
			return err
		}
		defer s.close()
		if err := s.begin(h); err != nil {
			return err
		}
		for _, run := range r.Runs {
			run.Round += s.firstRound - 1
			if err := s.add(&run); err != nil {
				return err
			}
		}
		return nil
	}
	if err := write(true, r.Host); err != nil { // to nothing
		t.Fatal(err)
	}
	if err := write(false, r.Host); err == nil || !strings.Contains(err.Error(), "--add") {
		t.Errorf("a second run into the same folder: %v", err)
	}
	back, err := Load(dir)
	if err != nil || len(back.Runs) != len(r.Runs) || back.Tables("") != r.Tables("") {
		t.Errorf("read back: %v, %d runs", err, len(back.Runs))
	}
	more := made().Host
	more.Versions = map[string]string{"gws": "2"}
	if err := write(true, more); err != nil {
		t.Fatal(err)
	}
	back, err = Load(dir)
	if err != nil || len(back.Runs) != 2*len(r.Runs) || back.Runs[len(back.Runs)-1].Round != 6 {
		t.Errorf("added: %v, %d runs", err, len(back.Runs))
	}
	if h := back.Host; len(h.Parts) != 2 || h.Parts[1].FirstRound != 4 || h.Versions["gws"] != "2" || h.Versions["megawire"] != "1" {
		t.Errorf("%+v", h)
	}
	other := made().Host
	other.CPU = "another"
	if err := write(true, other); err == nil || !strings.Contains(err.Error(), "another host") {
		t.Errorf("results of another host: %v", err)
	}
	quick := made().Host
	quick.Parts[0].Quick = true
	if err := write(true, quick); err == nil {
		t.Error("quick runs were added to full ones")
	}
}

func TestGoalsAreMet(t *testing.T) {
	found := summary{3, 2, 1, 3}
	for _, c := range []struct {
		what string
		goal goal
		met  bool
	}{
		{"the median keeps the bound", goal{bound: 2}, true},
		{"and one round does not", goal{bound: 2, each: true}, false},
		{"all do", goal{bound: 3, each: true}, true},
		{"the median reaches the least", goal{bound: 2, least: true}, true},
		{"and one round does not", goal{bound: 2, least: true, each: true}, false},
		{"it does not", goal{bound: 2.5, least: true}, false},
	} {
		if r := (&reached{goal: c.goal, found: found}); r.met() != c.met {
			t.Errorf("%s: met is %v", c.what, r.met())
		}
	}
	if r := (&reached{goal: goal{bound: 3, each: true}, found: found, failed: 1}); r.met() {
		t.Error("a round that failed has kept it")
	}
}
