package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/megawire/megawire/loadgen"
)

func TestExampleScenarios(t *testing.T) {
	files, err := filepath.Glob("../../loadgen/scenarios/*.yaml")
	if err != nil || len(files) < 2 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		steps, err := readScenario(file, nil)
		if err != nil || len(steps) == 0 {
			t.Errorf("%s: %v", file, err)
		}
		seen := map[string]bool{}
		for _, s := range steps {
			if s.name == "" || seen[s.name] {
				t.Errorf("%s: the name %q is missing or there twice", file, s.name)
			}
			seen[s.name] = true
		}
	}
}

func scenarioFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "s.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestScenario(t *testing.T) {
	steps, err := readScenario(scenarioFile(t, `
defaults: {connections: 7, topics: 3, slow: 50%}
steps:
  - workload: idle
    hold: 3s
  - {workload: slow, name: tardy, subscriptions: 2, stalled: 0.25, url: ws://127.0.0.1:1/x, delivery-rate: 1e3}
  - {workload: ticker, find: p99=5ms, subscriptions: 1, connections: 9}
  - {workload: echo, url: "ws://127.0.0.1:2/echo"}
`), map[string]string{"pid": "5", "url": "ws://127.0.0.1:9/"})
	if err != nil || len(steps) != 4 {
		t.Fatal(err)
	}
	idle, slow, ticker, echo := steps[0], steps[1], steps[2], steps[3]
	if idle.name != "step 1" || idle.plan.Connections != 7 || idle.plan.Topics != 3 || idle.plan.Duration != 3*time.Second || idle.plan.PID != 5 {
		t.Errorf("%+v", idle)
	}
	if slow.name != "tardy" || slow.plan.SlowShare != 0.5 || slow.plan.Stalled != 0.25 || slow.plan.DeliveryRate != 1000 || slow.plan.URL != "ws://127.0.0.1:9/" {
		t.Errorf("%+v", slow)
	}
	if ticker.find != "p99=5ms" || ticker.plan.Connections != 9 || ticker.plan.Duration != loadgen.SearchStep {
		t.Errorf("%+v", ticker)
	}
	if echo.plan.Connections != 7 || echo.plan.Workload != loadgen.Echo {
		t.Errorf("%+v", echo)
	}
}

func TestScenarioFaults(t *testing.T) {
	for _, c := range []struct{ name, text, fault string }{
		{"nothing", "", "no steps"},
		{"no YAML", "steps: [", "s.yaml"},
		{"a list", "- a", "must be a mapping"},
		{"no steps", "steps: []", "steps must be a list"},
		{"an unknown key at the top", "speed: 1", `s.yaml:1: unknown key "speed"`},
		{"an unknown key in a step", "steps:\n- workload: idle\n  speed: 9", `s.yaml:3: unknown key "speed" in step 1`},
		{"a key of another workload", "steps:\n- workload: idle\n  stalled: 5%", `unknown key "stalled"`},
		{"where results go is not a step's", "steps:\n- workload: idle\n  json: true", `unknown key "json"`},
		{"a default that no step knows", "defaults: {speed: 9}\nsteps: [{workload: idle}]", `unknown key "speed": no step has it`},
		{"a key twice", "steps:\n- workload: idle\n  hold: 1s\n  hold: 2s", `s.yaml:4: "hold" is there twice`},
		{"no workload", "steps: [{hold: 1s}]", "step 1 has no workload"},
		{"an unknown workload", "steps: [{workload: flood}]", `"flood" is not a workload`},
		{"a value of the wrong kind", "steps: [{workload: idle, hold: soon}]", `hold: "soon"`},
		{"a list for a value", "steps: [{workload: idle, hold: [1s]}]", "hold must be a plain value"},
		{"a plan that makes no sense", "steps: [{workload: idle, topics: 0}]", "step 1: topics: 0 is not between"},
		{"a bound that is none", "steps: [{workload: ticker, find: loss=0}]", "step 1: find:"},
	} {
		if _, err := readScenario(scenarioFile(t, c.text), nil); err == nil || !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%s: %v, want %q", c.name, err, c.fault)
		}
	}
	if _, err := readScenario("nowhere.yaml", nil); err == nil {
		t.Error("a file that is not there")
	}
}

func TestRunAndReport(t *testing.T) {
	url := newEchoServer(t, false)
	dir := t.TempDir()
	raw, page, again := filepath.Join(dir, "r.ndjson"), filepath.Join(dir, "r.html"), filepath.Join(dir, "again.html")
	file := scenarioFile(t, `
defaults: {connections: 2, duration: 100ms, warmup: 0s}
steps:
  - {workload: echo, name: first}
  - {workload: connect, name: second}
`)
	var stdout, stderr bytes.Buffer
	if code := run([]string{"run", file, "--url", url, "--raw", raw, "--html", page}, &stdout, &stderr); code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr.String())
	}
	for _, want := range []string{"first: echo", "second: connect"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("no %q in\n%s", want, stdout.String())
		}
	}
	var text bytes.Buffer
	if code := run([]string{"report", raw, "--html", again}, &text, &stderr); code != 0 || strings.TrimSpace(text.String()) != strings.TrimSpace(stdout.String()) {
		t.Errorf("exit code %d, %s\nthe run wrote\n%s\nthe report\n%s", code, stderr.String(), stdout.String(), text.String())
	}
	a, err1 := os.ReadFile(page)
	b, err2 := os.ReadFile(again)
	if err1 != nil || err2 != nil || !bytes.Equal(a, b) || !bytes.Contains(a, []byte("connect: second")) {
		t.Errorf("%v, %v: the pages differ, or lack a step", err1, err2)
	}
}
