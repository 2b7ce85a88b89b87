package loadgen

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func captureFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "c.ndjson")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

const threeLines = `{"ts":1,"topic":"a","data":{"price": "1.50"}}

{"ts":2,"topic":"b","data":"text, with { \"brackets\" }"}
{"ts":3,"topic":"a","data":[1, 2.50, null]}
`

func TestEachLineComesOnceBeforeAnyComesAgain(t *testing.T) {
	d, err := newPayload(&Plan{PayloadFile: captureFile(t, threeLines), Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int{`{"price":"1.50"}`: 2, `"text, with { \"brackets\" }"`: 2, `[1,2.50,null]`: 2}
	at, total := time.Now().UnixNano(), 0
	for i := range 6 {
		text := d.append(nil, at)
		total += len(text)
		var m struct {
			T int64
			D json.RawMessage
		}
		if err := json.Unmarshal(text, &m); err != nil || m.T != at {
			t.Fatalf("%s: %v", text, err)
		}
		if want[string(m.D)]--; want[string(m.D)] < 0 || i == 2 && want[string(m.D)] != 1 {
			t.Errorf("%s too often, or not at all", m.D)
		}
		n := &nativeDriver{data: d}
		if planned, damaged := n.dataOf(text); planned != at || damaged {
			t.Errorf("%s is not known again", text)
		}
		text[len(text)-4] ^= 1
		if _, damaged := n.dataOf(text); !damaged {
			t.Errorf("%s is not known to be damaged", text)
		}
	}
	if d.meanBytes() != float64(total)/6 {
		t.Errorf("%v bytes on average, want %v", d.meanBytes(), float64(total)/6)
	}
}

func TestPayloadFilesThatMakeNoSense(t *testing.T) {
	for _, c := range []struct{ name, text, fault string }{
		{"nothing", "\n\n", "has no lines"},
		{"no JSON", "{\"data\":1}\n{", "line 2"},
		{"no data", `{"topic":"a"}`, "no data"},
		{"a line that fits no message", `{"data":"` + strings.Repeat("x", PayloadBytesMax) + `"}`, "line 1"},
		{"a line without end", `{"data":"` + strings.Repeat("x", payloadLineBytesMax), "too long"},
	} {
		_, err := newPayload(&Plan{PayloadFile: captureFile(t, c.text)})
		var e *PlanError
		if !errors.As(err, &e) || e.Flag != "payload-file" || !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%s: %v, want %q", c.name, err, c.fault)
		}
	}
	if _, err := newPayload(&Plan{PayloadFile: "nowhere.ndjson"}); err == nil {
		t.Error("a file that is not there")
	}
}

func TestRandomFiller(t *testing.T) {
	a, same, b := Plan{Random: true, Seed: 1}, Plan{Random: true, Seed: 1}, Plan{Random: true, Seed: 2}
	if a.fillerOf(90) != same.fillerOf(90) || a.fillerOf(90) == b.fillerOf(90) || len(a.fillerOf(90)) != 90 || a.fillerOf(-3) != "" {
		t.Error("the seed does not decide it")
	}
	letters := map[rune]bool{}
	for _, c := range a.fillerOf(2000) {
		letters[c] = true
	}
	if len(letters) != 64 {
		t.Errorf("%d different letters", len(letters))
	}
}

func TestCapturesArePublishedAndKnownAgain(t *testing.T) {
	file := captureFile(t, threeLines)
	for _, c := range []struct {
		name string
		via  Via
		how  misbehaviour
	}{
		{"over the WebSocket", ViaWebSocket, correct},
		{"over HTTP", ViaHTTP, correct},
	} {
		s := newTestServer(t, c.how)
		p := testPlan(Fanout, s.url("/ws"))
		p.PayloadFile, p.Via, p.Admin = file, c.via, strings.TrimPrefix(s.URL, "http://")
		p.Topics, p.Subscriptions, p.Rate, p.Duration, p.Loops = 3, 2, 600, 500*time.Millisecond, 2
		r := mustRun(t, p)
		if r.Failed() || r.Verdict.Delivered != r.Expected || r.Published.Sent != 300 || r.Published.MeanBytes < 40 || r.Published.MeanBytes > 60 {
			t.Errorf("%s: faults %v, %+v of %d, %+v", c.name, r.Faults, r.Verdict, r.Expected, r.Published)
		}
		var text strings.Builder
		if err := r.WriteText(&text); err != nil || !strings.Contains(text.String(), "300 messages of lines of c.ndjson, ") {
			t.Errorf("%s: %v\n%s", c.name, err, text.String())
		}
	}
}
