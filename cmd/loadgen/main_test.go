package main

import (
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/megawire/megawire/loadgen"
)

// newEchoServer sends everything back. With hangUp it closes each connection instead of answering.
func newEchoServer(t *testing.T, hangUp bool) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer c.CloseNow()
		for {
			kind, text, err := c.Read(r.Context())
			if err != nil || hangUp || c.Write(r.Context(), kind, text) != nil {
				return
			}
		}
	}))
	t.Cleanup(s.Close)
	return strings.Replace(s.URL, "http", "ws", 1)
}

// unusedAddress is where nobody listens.
func unusedAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return "ws://" + ln.Addr().String() + "/ws"
}

func TestExitCodes(t *testing.T) {
	good, bad, none := newEchoServer(t, false), newEchoServer(t, true), unusedAddress(t)
	short := []string{"-n", "2", "-d", "100ms", "--warmup", "0s"}
	for _, c := range []struct {
		name           string
		args           []string
		code           int
		stdout, stderr string
	}{
		{"a good run", append([]string{"echo", "--url", good}, short...), 0, "RESULT", ""},
		{"connections dropped", append([]string{"echo", "--url", bad}, short...), exitFailed, "2 connections were dropped", ""},
		{"nobody listens", append([]string{"echo", "--url", none}, short...), exitFailed, "", "2 × connect: connection refused"},
		{"an unknown workload", []string{"flood"}, exitUsage, "", "unknown command"},
		{"an unknown flag", []string{"echo", "--speed", "9"}, exitUsage, "", "unknown flag: --speed"},
		{"a plan that makes no sense", []string{"fanout", "--subscriptions", "5"}, exitUsage, "", "--subscriptions: 5 of only 1 topics"},
		{"more connections than open files", []string{"idle", "-n", "16000000"}, exitUsage, "", "ulimit -n"},
		{"a process that is not there", []string{"idle", "--pid", "4194304"}, exitUsage, "", "--pid"},
		{"objectives that are kept", append([]string{"echo", "--url", good, "--slo", "rate=1,p99=1h,loss=0"}, short...), 0, "rate ≥ 1", ""},
		{"an objective that is missed", append([]string{"echo", "--url", good, "--slo", "p99=1ns"}, short...), exitMissed, "an objective was MISSED", ""},
		{"a fault that an objective bounds", append([]string{"echo", "--url", bad, "--slo", "dropped=2"}, short...), 0, "dropped ≤ 2: 2: kept", ""},
		{"a fault that an objective forbids", append([]string{"echo", "--url", bad, "--slo", "dropped=1"}, short...), exitMissed, "MISSED", ""},
		{"an unknown objective", []string{"echo", "--slo", "speed=1"}, exitUsage, "", "\"speed\" is not an objective"},
		{"a share that is none", []string{"slow", "--stalled", "120%"}, exitUsage, "", "120%"},
		{"a search without a bound", []string{"ticker", "--find", "fast"}, exitUsage, "", "--find"},
		{"a scenario that is not there", []string{"run", "nowhere.yaml"}, exitUsage, "", "nowhere.yaml"},
		{"a raw stream that is not there", []string{"report", "nowhere.ndjson"}, exitUsage, "", "nowhere.ndjson"},
		{"a raw file that cannot be written", append([]string{"echo", "--url", good, "--raw", "/nowhere/raw"}, short...), exitFailed, "", "/nowhere/raw"},
		{"objectives and drivers are named", []string{"--help"}, 0, "rss_per_conn", ""},
		{"help", []string{"fanout", "--help"}, 0, "--delivery-rate", ""},
	} {
		var stdout, stderr bytes.Buffer
		if code := run(c.args, &stdout, &stderr); code != c.code {
			t.Errorf("%s: exit code %d, want %d; %s", c.name, code, c.code, stderr.String())
		}
		if !strings.Contains(stdout.String(), c.stdout) || !strings.Contains(stderr.String(), c.stderr) {
			t.Errorf("%s: wrote %q and %q", c.name, stdout.String(), stderr.String())
		}
	}
}

func TestJSON(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := run([]string{"echo", "--url", newEchoServer(t, false), "-n", "3", "-d", "100ms", "--warmup", "0s", "--json"}, &stdout, &stderr); code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr.String())
	}
	var r loadgen.Result
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	if r.Schema != loadgen.ResultSchema || r.Connections.Opened != 3 || r.Verdict.Delivered == 0 || r.Verdict.Delivered != r.Expected {
		t.Errorf("%+v", r)
	}
}
