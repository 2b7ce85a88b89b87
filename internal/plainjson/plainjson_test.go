package plainjson

import (
	"fmt"
	"testing"
)

func TestLevels(t *testing.T) {
	for _, c := range []struct {
		about, text string
		want        int
	}{
		{"nothing", "", 0},
		{"a number", "1", 0},
		{"an object in an array, and others beside it", `[[],{"a":[1]},[]]`, 3},
		{"brackets in a string", `["[{","]"]`, 1},
		{"a bracket behind an escaped quote", `["\"[",[]]`, 2},
		{"a bracket behind an escaped backslash", `["\\",[]]`, 2},
		{"what never ends", `{"a":[[`, 3},
	} {
		if got := Levels([]byte(c.text)); got != c.want {
			t.Errorf("%s: %d, want %d", c.about, got, c.want)
		}
	}
}

func TestMembersStandAsTheyAre(t *testing.T) {
	got := fmt.Sprintf("%s", Members([]byte(" { \"a\" :\t[1, 2],\r\n\"\\u0061\":null , \"\": {\"b\":1} } ")))
	if want := `[{"a" [1, 2]} {"\u0061" null} {"" {"b":1}}]`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
