package config

import (
	"reflect"
	"testing"
	"time"
)

func TestBytesText(t *testing.T) {
	for _, row := range []struct {
		text string
		want Bytes
		back string
	}{
		{"0", 0, "0"},
		{"1", 1, "1"},
		{"1023", 1023, "1023"},
		{"1024", KiB, "1KiB"},
		{"1KiB", KiB, "1KiB"},
		{"64 KiB", 64 * KiB, "64KiB"},
		{"1025B", 1025, "1025"},
		{"1536KiB", 1536 * KiB, "1536KiB"},
		{"3GiB", 3 * GiB, "3GiB"},
		{"1TiB", TiB, "1TiB"},
	} {
		got, err := parseBytes(row.text)
		if err != nil || got != row.want || got.String() != row.back {
			t.Errorf("%q: got %d, %q, %v", row.text, got, got.String(), err)
		}
	}
	for _, bad := range []string{"", "KiB", "-1", "1.5MiB", "1kb", "1MB", "0x10", "9223372036854775808", "8388608TiB"} {
		if got, err := parseBytes(bad); err == nil {
			t.Errorf("%q: accepted as %d", bad, got)
		}
	}
}

func TestDurationText(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", time.Second: "1s", 60 * time.Second: "1m", 90 * time.Second: "1m30s", time.Hour: "1h",
		90 * time.Minute: "1h30m", 10 * time.Hour: "10h", 500 * time.Millisecond: "500ms", time.Hour + time.Second: "1h0m1s",
	} {
		if got := durationText(d); got != want {
			t.Errorf("%d: got %s, want %s", d, got, want)
		}
		if back, err := time.ParseDuration(want); err != nil || back != d {
			t.Errorf("%s reads back as %v, %v", want, back, err)
		}
	}
}

func TestNearest(t *testing.T) {
	for _, row := range []struct{ says, wrong, want string }{
		{"a letter left out", "limits.mesage_bytes", "limits.message_bytes"},
		{"a letter too many", "llisten", "listen"},
		{"two swapped", "listne", "listen"},
		{"capitals", "Listen", "listen"},
		{"a dash", "limits.message-bytes", "limits.message_bytes"},
		{"no section", "ping_interval", "heartbeat.ping_interval"},
		{"the wrong section", "ring.message_bytes", "limits.message_bytes"},
		{"nothing like it", "qqqqqqqqqqqq", ""},
	} {
		if got := Nearest(row.wrong, keyNames()); got != row.want {
			t.Errorf("%s: %s is near %q, want %q", row.says, row.wrong, got, row.want)
		}
	}
}

func TestAutoOr(t *testing.T) {
	if Auto(0).Or(8) != 8 || Auto(3).Or(8) != 3 {
		t.Error("auto takes the derived count, a number does not")
	}
}

func TestAutoBytes(t *testing.T) {
	var a AutoBytes
	for _, row := range []struct {
		text string
		want AutoBytes
		ok   bool
	}{
		{"auto", 0, true}, {"512MiB", AutoBytes(512 * MiB), true}, {"1", 1, true},
		{"0", 0, false}, {"", 0, false}, {"lots", 0, false},
	} {
		a = -1
		if err := setText(reflect.ValueOf(&a).Elem(), row.text); (err == nil) != row.ok || row.ok && (a != row.want || a.String() != row.text) {
			t.Errorf("%q: %d, %v", row.text, a, err)
		}
	}
	if AutoBytes(0).Or(8) != 8 || AutoBytes(3).Or(8) != 3 {
		t.Error("auto takes the derived size, a size does not")
	}
}

func TestFilterRules(t *testing.T) {
	for _, ok := range []string{"#", "+", "a", "a/#", "+/a/+", "/", "a//b", "$sys/#"} {
		if err := checkFilter(ok); err != nil {
			t.Errorf("%q: %v", ok, err)
		}
	}
	for _, bad := range []string{"", "a#", "#/a", "a/b+", "a\x00", "\xff", string(make([]byte, 256))} {
		if checkFilter(bad) == nil {
			t.Errorf("%q: accepted", bad)
		}
	}
}
