package bench

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestCompressionIsComparedWithPlainInTheSameRound(t *testing.T) {
	loads, err := FindWorkloads([]string{string(Deflate)})
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Servers: Servers, Workloads: loads, Rounds: 2}
	var said strings.Builder
	o.Progress = &said
	ran := map[string][]string{} // by workload of the first round
	for _, turn := range plan(&o, 1) {
		if turn.round == 1 {
			ran[turn.workload.Name] = append(ran[turn.workload.Name], turn.server.Name)
		}
	}
	for _, w := range loads {
		if got := ran[w.Name]; !slices.Contains(got, us) || !slices.Contains(got, deflating) && !slices.Contains(got, from(256)) {
			t.Errorf("%s is run by %v", w.Name, got)
		}
		offered := slices.Contains(w.Args, deflateOffered)
		if offered || w.Base != us {
			t.Errorf("%s offers compression itself: %v; base %q", w.Name, offered, w.Base)
		}
	}
	for _, want := range []struct {
		load    string
		servers int
	}{
		{"deflate-idle", 2}, {"deflate-coinbase-1", 3}, {"deflate-coinbase-100", 5}, {"deflate-coinbase-ticker", 3}, {"deflate-sensors-1000", 3}, {"deflate-random-100", 5},
	} {
		if n := len(ran[want.load]); n != want.servers {
			t.Errorf("%s is run by %d servers, want %d", want.load, n, want.servers)
		}
	}
	for _, s := range Servers {
		if s.Variant && (!slices.Contains(s.Driver, deflateOffered) || s.takes(&compared[0])) {
			t.Errorf("%s offers nothing, or takes part where it was not named", s.Name)
		}
	}
}

func TestCapturesThatAreNotThere(t *testing.T) {
	loads, _ := FindWorkloads([]string{"deflate-idle", "deflate-coinbase-1", "deflate-sensors-1"})
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "sensors.ndjson"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	o := Options{Workloads: loads, Captures: dir, Progress: &said}
	var left []string
	for _, w := range o.withCaptures() {
		left = append(left, w.Name)
	}
	if !slices.Equal(left, []string{"deflate-idle", "deflate-sensors-1"}) || !strings.Contains(said.String(), "without deflate-coinbase-1") {
		t.Errorf("left are %v; it said %q", left, said.String())
	}
}

func TestServersThatNothingIsForAreNotLookedFor(t *testing.T) {
	loads, _ := FindWorkloads([]string{"deflate-idle"})
	var said strings.Builder
	o := Options{Root: t.TempDir(), Servers: Servers, Workloads: loads, Progress: &said}
	_ = o.present()
	if strings.Contains(said.String(), "gws") || !strings.Contains(said.String(), us) {
		t.Errorf("it said %q", said.String())
	}
}

func TestCompressionTables(t *testing.T) {
	r := &Results{Dir: "bench/results/d", Host: Host{Parts: []Part{{Commit: "abc"}}}}
	add := func(round int, server, workload string, bytes float64, fault string) {
		text, _ := json.Marshal(map[string]any{
			"window": map[string]any{"bytes_per_delivery": bytes, "deflate": map[string]any{"compressed_share": 0.5}},
			"server": map[string]any{"cpu_us_per_delivery": 4, "cpu_us_per_message": 400, "rss_peak_bytes": 2e7}, "latency": map[string]any{"p99_ms": 2},
		})
		r.Runs = append(r.Runs, Run{Round: round, Server: server, Workload: workload, Result: text, Error: fault})
	}
	add(1, us, "deflate-coinbase-100", 400, "")
	add(1, from(256), "deflate-coinbase-100", 100, "")
	add(2, us, "deflate-coinbase-100", 300, "")
	add(2, from(256), "deflate-coinbase-100", 150, "")
	add(1, deflating, "deflate-idle", 0, "")
	add(1, from(128), "deflate-coinbase-100", 99, "")
	add(1, us, "deflate-sensors-ticker", 200, "it died")
	text := r.compressionTables()
	for _, want := range []string{
		"| idle | compressed | – |", "### An exchange's feed", "| 100 subscribers | plain | 350 (300 to 400) | 1 | 50 (50 to 50) |",
		"| 100 subscribers | from 256 bytes on | 125 (100 to 150) | 0.38 (0.25 to 0.50) |", "| 100 subscribers | from 128 bytes on | 99 | 0.25 |",
		"### Readings of sensors", "| 20 of 1,000 topics | plain † | – |", "failed or had faults: it died", "commit abc", "[bench/results/d](../bench/results/d)",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the tables lack %q:\n%s", want, text)
		}
	}
	if (&Results{}).compressionTables() != "" {
		t.Error("tables of nothing")
	}
}

func TestAReportKeepsThePartsThatThereAreNoResultsOf(t *testing.T) {
	docs := t.TempDir()
	file := filepath.Join(docs, "benchmarks.md")
	page := ""
	for _, name := range []string{"goals", "tables", "growth", "compression", "host"} {
		page += "<!-- bench:" + name + " -->\nearlier " + name + "\n<!-- /bench:" + name + " -->\n"
	}
	if err := os.WriteFile(file, []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	r := made()
	for i := range r.Runs {
		r.Runs[i].Workload = "deflate-idle"
	}
	if unexplained, err := r.Report(docs); err != nil || len(unexplained) > 0 {
		t.Fatal(unexplained, err)
	}
	text, _ := os.ReadFile(file)
	for _, kept := range []string{"goals", "tables", "growth", "host"} {
		if !strings.Contains(string(text), "earlier "+kept) {
			t.Errorf("the %s are gone", kept)
		}
	}
	if strings.Contains(string(text), "earlier compression") || !strings.Contains(string(text), "| idle | plain") {
		t.Errorf("the compression is not as found:\n%s", text)
	}
}
