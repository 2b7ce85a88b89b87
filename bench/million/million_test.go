package million

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestParseMetrics(t *testing.T) {
	got := parseMetrics("# HELP a b\n# TYPE a gauge\na 12\nb{code=\"x\"} 1\nb{code=\"y z\"} 2.5\n\nbroken\n")
	if len(got) != 2 || got["a"] != 12 || got["b"] != 3.5 {
		t.Errorf("%v; want a 12, and b summed up over its labels", got)
	}
}

func TestParseSlabs(t *testing.T) {
	got := parseSlabs(`slabinfo - version: 2.1
# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables <limit> <batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> <sharedavail>
TCP                   10     26   2496   13    8 : tunables    0    0    0 : slabdata      2      2      0
short                 10     26
`, 4096)
	if len(got) != 1 || got["TCP"] != 2*8*4096 {
		t.Errorf("%v; want TCP alone, two slabs of eight pages", got)
	}
}

func TestComplete(t *testing.T) {
	for _, c := range []struct {
		what       string
		plan       Plan
		guest      bool
		ping, hold time.Duration
	}{
		{"on a host the server's default holds", Plan{Connections: 1_000_000}, false, 0, pingDefault + holdAfterPing},
		{"a small guest keeps up with the default", Plan{Connections: 20_000}, true, 0, pingDefault + holdAfterPing},
		{"a large one pings as fast as it can", Plan{Connections: 300 * guestPings}, true, 300 * time.Second, 300*time.Second + holdAfterPing},
		{"what is asked for holds", Plan{Connections: 1_000_000, Ping: time.Minute, Hold: time.Second}, true, time.Minute, time.Second},
		{"the hold follows the ping", Plan{Connections: 1, Ping: time.Minute}, false, time.Minute, time.Minute + holdAfterPing},
	} {
		c.plan.complete(c.guest)
		if c.plan.Ping != c.ping || c.plan.Hold != c.hold {
			t.Errorf("%s: ping %v, hold %v; want %v, %v", c.what, c.plan.Ping, c.plan.Hold, c.ping, c.hold)
		}
	}
}

func TestJudge(t *testing.T) {
	result := func(opened, dropped, delivered int, faults ...string) []byte {
		text, _ := json.Marshal(map[string]any{
			"connections": map[string]any{"opened": opened, "dropped": dropped, "open_s": 2.5, "pings": 7},
			"verdict":     map[string]any{"delivered": delivered}, "faults": faults,
		})
		return text
	}
	for _, c := range []struct {
		what   string
		result []byte
		sent   int
		faults []string
	}{
		{"all is well", result(100, 0, 200, interrupted), 2, nil},
		{"some did not come up", result(99, 0, 198), 2, []string{"only 99 of 100"}},
		{"a message did not reach everybody", result(100, 0, 199), 2, []string{"199 messages were received, of 200"}},
		{"a broadcast was not sent", result(100, 0, 100), 1, []string{"100 messages were received"}},
		{"loadgen found something", result(100, 3, 200, "3 connections were dropped"), 2, []string{"3 connections"}},
	} {
		r := &Report{Plan: Plan{Connections: 100, Broadcasts: 2}, Broadcasts: make([]Broadcast, c.sent)}
		if err := r.judge(c.result); err != nil {
			t.Errorf("%s: %v", c.what, err)
		}
		ok := len(r.Faults) == len(c.faults) && r.OK() == (len(c.faults) == 0)
		for i := range c.faults {
			ok = ok && strings.HasPrefix(r.Faults[i], c.faults[i])
		}
		if !ok || r.ConnectSeconds != 2.5 || r.Pings != 7 {
			t.Errorf("%s: faults %q, want %q; %v s, %d pings", c.what, r.Faults, c.faults, r.ConnectSeconds, r.Pings)
		}
	}
}

// TestInitramfs unpacks an archive with the cpio of this host, where there is one, and holds its layout to the format anyway.
func TestInitramfs(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	programs := Programs{Server: write("server", "the server"), Loadgen: write("load", "odd")}
	var out bytes.Buffer
	if err := writeInitramfs(&out, write("init", "first"), programs, []byte("{}")); err != nil {
		t.Fatal(err)
	}
	if out.Len()%4 != 0 || strings.Count(out.String(), "070701") != 4+3+1+1 {
		t.Errorf("%d bytes, %d heads; want a multiple of four, and four folders, three programs, the plan, the end", out.Len(),
			strings.Count(out.String(), "070701"))
	}
	if err := writeInitramfs(&out, filepath.Join(dir, "nobody"), programs, nil); err == nil {
		t.Error("an init that is not there made an archive")
	}
	cpio, err := exec.LookPath("cpio")
	if err != nil {
		t.Log("no cpio here: not unpacked")
		return
	}
	into := t.TempDir()
	c := exec.Command(cpio, "-i", "--quiet")
	c.Dir, c.Stdin = into, &out
	if text, err := c.CombinedOutput(); err != nil {
		t.Fatalf("cpio: %v: %s", err, text)
	}
	for name, want := range map[string]string{"init": "first", "megawire": "the server", "loadgen": "odd", "plan.json": "{}"} {
		if got, err := os.ReadFile(filepath.Join(into, name)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestReadConsole(t *testing.T) {
	var log bytes.Buffer
	h := Host{Keep: &log}
	r, err := h.read(strings.NewReader("booting\r\n" + reportMark + `{"up":5}` + "\r\nhalted\r\n"))
	if err != nil || r.Up != 5 || log.String() != "booting\nhalted\n" {
		t.Errorf("%+v, %v, log %q", r, err, log.String())
	}
	if _, err := h.read(strings.NewReader("panic\n")); err == nil {
		t.Error("a console without a report was taken for one")
	}
	if _, err := h.read(strings.NewReader(reportMark + "{\n")); err == nil {
		t.Error("half a report was taken for one")
	}
}
