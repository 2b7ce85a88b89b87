package demo

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestCapture(t *testing.T) {
	const seconds = 30
	var out bytes.Buffer
	if err := Capture(&out, seconds, 5); err != nil {
		t.Fatal(err)
	}
	kinds, topics := map[string]int{}, map[string]int{}
	longest, shortest, last := 0, 1<<30, int64(0)
	lines := bytes.Split(bytes.TrimSuffix(out.Bytes(), []byte("\n")), []byte("\n"))
	for i, line := range lines {
		var m struct {
			TS    int64
			Topic string
			Data  struct{ Type string }
		}
		if err := json.Unmarshal(line, &m); err != nil {
			t.Fatalf("line %d: %v", i+1, err)
		}
		if m.TS < last {
			t.Errorf("line %d: ts %d falls behind %d", i+1, m.TS, last)
		}
		if !strings.HasPrefix(m.Topic, "exchange/"+m.Data.Type+"/") {
			t.Errorf("line %d: topic %s, type %s", i+1, m.Topic, m.Data.Type)
		}
		last = m.TS
		kinds[m.Data.Type]++
		topics[m.Topic]++
		longest, shortest = max(longest, len(line)), min(shortest, len(line))
	}
	if span := last - captureStartMs; span < (seconds-1)*1000 || span > seconds*1000 {
		t.Errorf("it lasts %d ms, want about %d s", span, seconds)
	}
	if n := len(lines); n < 8_500 || n > 10_500 {
		t.Errorf("%d lines", n)
	}
	if kinds["snapshot"] != 10 || kinds["match"] < 50 || kinds["ticker"] < 50 || kinds["l2update"] < 8000 {
		t.Errorf("kinds %v", kinds)
	}
	if longest < 38_000 || longest > 41_000 || shortest < 100 || shortest > 250 {
		t.Errorf("lines of %d to %d bytes, want 100 bytes to 40 kB", shortest, longest)
	}
	for topic, n := range topics {
		if n > 3_000 {
			t.Errorf("%s has %d messages, more than a topic's ring may keep", topic, n)
		}
	}
}

func TestCaptureIsDeterministic(t *testing.T) {
	var a, b, other bytes.Buffer
	for _, c := range []struct {
		w    *bytes.Buffer
		seed uint64
	}{{&a, 1}, {&b, 1}, {&other, 2}} {
		if err := Capture(c.w, 2, c.seed); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Error("the same seed makes two captures")
	}
	if bytes.Equal(a.Bytes(), other.Bytes()) {
		t.Error("two seeds make the same capture")
	}
}

type brokenWriter struct{}

var errDisk = errors.New("disk full")

func (brokenWriter) Write([]byte) (int, error) { return 0, errDisk }

func TestCaptureTellsOfItsWriter(t *testing.T) {
	if err := Capture(brokenWriter{}, 1, 1); !errors.Is(err, errDisk) {
		t.Errorf("got %v, want %v", err, errDisk)
	}
}
