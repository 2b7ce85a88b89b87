package client

import (
	"testing"
	"time"
)

func TestMatches(t *testing.T) {
	for _, row := range []struct {
		filter, topic string
		want          bool
	}{
		{"a/b", "a/b", true},
		{"a/b", "a/c", false},
		{"a/b", "a", false},
		{"a", "a/b", false},
		{"a/+", "a/b", true},
		{"a/+", "a/", true}, // an empty level is a level
		{"a/+", "a", false},
		{"a/+", "a/b/c", false},
		{"+/b", "a/b", true},
		{"+", "a", true},
		{"#", "a/b/c", true},
		{"a/#", "a", true}, // MQTT 3.1.1 §4.7.1.2: the parent level too
		{"a/#", "a/b/c", true},
		{"a/#", "ab", false},
		{"+/#", "a", true},
		{"a/+/c", "a/b/c", true},
		{"a/+/c", "a/b/d", false},
		{"#", "$sys/x", false},
		{"+/x", "$sys/x", false},
		{"$sys/#", "$sys/x", true},
	} {
		if got := matches(row.filter, row.topic); got != row.want {
			t.Errorf("%s on %s: %v", row.filter, row.topic, got)
		}
	}
}

func TestBackoff(t *testing.T) {
	b := backoff{base: time.Second, cap: 10 * time.Second, random: func() float64 { return 0.5 }}
	for _, row := range []struct {
		name   string
		n      int
		asked  time.Duration
		spread bool
		want   time.Duration
	}{
		{"the first wait is within the base", 0, 0, false, 500 * time.Millisecond},
		{"each failure doubles it", 3, 0, false, 4 * time.Second},
		{"up to the cap", 4, 0, false, 5 * time.Second},
		{"and for ever after", 1 << 30, 0, false, 5 * time.Second},
		{"what was asked for comes on top", 0, 20 * time.Second, false, 20500 * time.Millisecond},
		{"unless the server has spread its clients", 0, 20 * time.Second, true, 20 * time.Second},
		{"once", 1, 20 * time.Second, true, 21 * time.Second},
		{"a server cannot ask for ever", 0, 24 * time.Hour, true, retryAfterMax},
	} {
		if got := b.delay(row.n, row.asked, row.spread); got != row.want {
			t.Errorf("%s: %v, want %v", row.name, got, row.want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2025, 11, 20, 12, 0, 0, 0, time.UTC)
	for _, row := range []struct {
		value string
		want  time.Duration
	}{
		{"", 0},
		{"7", 7 * time.Second},
		{"-7", 0},
		{"Thu, 20 Nov 2025 12:00:30 GMT", 30 * time.Second},
		{"Thu, 20 Nov 2025 11:00:00 GMT", 0},
		{"soon", 0},
	} {
		if got := retryAfter(row.value, now); got != row.want {
			t.Errorf("%q: %v, want %v", row.value, got, row.want)
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	if _, err := (Options{QueueBytesMax: -1}).withDefaults(); err == nil {
		t.Error("a negative bound is taken")
	}
	if _, err := (Options{BackoffCap: -1}).withDefaults(); err == nil {
		t.Error("a negative time is taken")
	}
	if o, err := (Options{}).withDefaults(); err != nil || o.QueueEventsMax == 0 || o.HTTPClient == nil {
		t.Errorf("defaults: %+v, %v", o, err)
	}
}
