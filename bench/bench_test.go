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
		for load := range s.Omit {
			if _, err := FindWorkloads([]string{load}); err != nil {
				t.Errorf("server %s omits %v", s.Name, err)
			}
		}
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
	for _, turn := range plan(&o) {
		got = append(got, turn.server.Name+" "+turn.workload.Name)
	}
	// Each round begins with another server; gws, a peer, is in the first alone; growth is megawire's.
	want := "megawire echo, floor echo, gws echo, megawire growth-payload-32, " +
		"floor echo, megawire echo, megawire growth-payload-32, " +
		"megawire echo, floor echo, megawire growth-payload-32"
	if strings.Join(got, ", ") != want {
		t.Errorf("the plan is\n%s\nwant\n%s", strings.Join(got, ", "), want)
	}
	o.Quick = true
	if n := len(plan(&o)); n != 3+2+2 {
		t.Errorf("a quick plan has %d turns, want 7: growth is left out", n)
	}
}

// made is three rounds of two servers; in the second round megawire failed.
func made() *Results {
	r := &Results{Dir: "bench/results/x", Host: Host{
		Time: time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC), Versions: map[string]string{"megawire": "1", "floor": ""},
		Missing: map[string]string{"gws": "bin/peers/gws is not there"}, Sysctl: map[string]string{"a.b": "1 2"},
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
		page += "<!-- bench:" + name + " -->\nold\n<!-- /bench:" + name + " -->\nbetween\n"
	}
	file := filepath.Join(docs, "benchmarks.md")
	if err := os.WriteFile(file, []byte(page), 0o644); err != nil {
		t.Fatal(err)
	}
	r := made()
	for range 2 { // a second time finds the same markers
		if err := r.Report(docs); err != nil {
			t.Fatal(err)
		}
	}
	text, _ := os.ReadFile(file)
	for _, want := range []string{
		"# By hand", "between",
		"| Megawire | 1,500 (1,000 to 2,000) | 3.50 (3.00 to 4.00) | 1.50 (1.00 to 2.00) | 2.00 (2.00 to 2.00) |",
		"| floor (C, epoll) * | 800 (700 to 900) |", "Megawire: 1 of 3 runs failed or had faults: it died",
		"| broadcast: CPU a delivery, of the floor's | ≤ 1.05 | 1.50 (1.00 to 2.00) | **missed** |",
		"not run: bin/peers/gws is not there", "| `a.b` | 1 2 |", "![Broadcast to 5,000](img/bench-broadcast-5000.svg)",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the page lacks %q:\n%s", want, text)
		}
	}
	if strings.Contains(string(text), "old") {
		t.Error("the page still has what stood between the markers")
	}
	plot, err := os.ReadFile(filepath.Join(docs, "img", "bench-broadcast-5000.svg"))
	if err != nil || !strings.HasPrefix(string(plot), "<svg ") || !strings.Contains(string(plot), ">1,500<") {
		t.Errorf("the plot: %v\n%s", err, plot)
	}
}

func TestResultsAreNotMixed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "r")
	s, err := create(dir)
	if err != nil {
		t.Fatal(err)
	}
	r := made()
	for i := range r.Runs {
		if err := s.add(&r.Runs[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.writeHost(r.Host); err != nil {
		t.Fatal(err)
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	if _, err := create(dir); err == nil {
		t.Error("a second run into the same folder was let through")
	}
	back, err := Load(dir)
	if err != nil || len(back.Runs) != len(r.Runs) || back.Tables("") != r.Tables("") {
		t.Errorf("read back: %v, %d runs", err, len(back.Runs))
	}
}
