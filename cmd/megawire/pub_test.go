package main

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestParsePace(t *testing.T) {
	for _, row := range []struct {
		text string
		want pace
		ok   bool
	}{
		{"1x", 1, true},
		{"10x", 10, true},
		{"0.5x", 0.5, true},
		{"max", 0, true},
		{"10", 0, false},
		{"0x", 0, false},
		{"-1x", 0, false},
		{"NaNx", 0, false},
		{"Infx", 0, false},
		{"fast", 0, false},
		{"", 0, false},
	} {
		got, err := parsePace(row.text)
		if got != row.want || (err == nil) != row.ok {
			t.Errorf("%q: %v, %v", row.text, got, err)
		}
	}
}

func TestPacerPlansFromTheFirstLine(t *testing.T) {
	const first = 1763632800000
	at := func(ms int64) string { return fmt.Sprintf(`{"ts":%d,"topic":"a","data":0}`, first+ms) }
	for _, row := range []struct {
		name string
		pace pace
		line string
		want time.Duration
	}{
		{"the first line is due at once", 1, at(0), 0},
		{"at its own pace", 1, at(1500), 1500 * time.Millisecond},
		{"ten times as fast", 10, at(1500), 150 * time.Millisecond},
		{"at half the speed", 0.5, at(1500), 3 * time.Second},
		{"max waits for nothing", 0, at(1500), 0},
		{"what is from before the first is due at once", 1, at(-1500), 0},
		{"a line without ts is due at once", 1, `{"topic":"a","data":0}`, 0},
		{"a line that is not JSON is due at once, for the server to refuse", 1, `{"ts":`, 0},
		{"a ts from nowhere does not overflow", 0.5, `{"ts":9223372036854775807}`, 1 << 62},
	} {
		p := pacer{pace: row.pace}
		p.due([]byte(at(0)))
		if got := p.due([]byte(row.line)); got != row.want {
			t.Errorf("%s: %v, want %v", row.name, got, row.want)
		}
	}
}

func TestProgressLineFitsTheTerminal(t *testing.T) {
	for _, row := range []struct {
		width int
		all   int64
		want  string
	}{
		{79, 2000, "[###################...................]  50%  12,345 messages  1,234/s  10.0s"},
		{50, 2000, " 50%  12,345 messages  1,234/s  10.0s"},
		{20, 2000, " 50%  12,345 message"},
		{79, 0, "12,345 messages  1,234/s  10.0s"}, // standard input has no size
		{0, 2000, ""},
	} {
		got := progressLine(12345, 1000, row.all, 10*time.Second, row.width)
		if got != row.want || len(got) > row.width {
			t.Errorf("%d columns:\n%q, want\n%q", row.width, got, row.want)
		}
	}
}

func TestSummary(t *testing.T) {
	for _, row := range []struct {
		answer pubAnswer
		took   time.Duration
		want   string
	}{
		{pubAnswer{Published: 1234567}, 10 * time.Second, "published 1,234,567 messages in 10.0s (123,456/s)"},
		{pubAnswer{Published: 1}, 500 * time.Millisecond, "published 1 message in 500ms (2/s)"},
		{pubAnswer{Published: 60, Failed: 1}, time.Minute, "published 60 messages in 1m00s (1/s), skipped 1 bad line"},
		{pubAnswer{Failed: 2}, 2 * time.Hour, "published 0 messages in 2h00m (0/s), skipped 2 bad lines"},
	} {
		if got := summary(&row.answer, row.took); got != row.want {
			t.Errorf("%s, want %s", got, row.want)
		}
	}
}

func TestPublication(t *testing.T) {
	for _, row := range []struct {
		name    string
		flags   pubFlags
		payload string
		want    string
	}{
		{"JSON is data, byte for byte", pubFlags{}, `{"x": 1.0}`, `{"topic":"a","data":{"x": 1.0}}`},
		{"a number is JSON", pubFlags{}, `7`, `{"topic":"a","data":7}`},
		{"anything else is text", pubFlags{}, "hello\n", `{"topic":"a","text":"hello\n"}`},
		{"nothing is text", pubFlags{}, "", `{"topic":"a","text":""}`},
		{"--text makes text of JSON", pubFlags{text: true}, `7`, `{"topic":"a","text":"7"}`},
		{"--bin takes any bytes", pubFlags{bin: true}, "\x00\xff", `{"topic":"a","bin":"AP8="}`},
	} {
		got, err := row.flags.publication("a", []byte(row.payload))
		if err != nil || string(got) != row.want {
			t.Errorf("%s: %s, %v", row.name, got, err)
		}
	}
	if _, err := (&pubFlags{}).publication("a", []byte("\xff")); err == nil || !strings.Contains(err.Error(), "--bin") {
		t.Errorf("bytes that are not UTF-8: %v", err)
	}
}
