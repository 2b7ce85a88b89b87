package native

import (
	"slices"
	"testing"
)

func TestElementsAndMembers(t *testing.T) {
	for _, c := range []struct {
		about, text string
		want        []string // names and values in turn, or elements
	}{
		{"an empty array", "[ ]", nil},
		{"one element", "[1]", []string{"1"}},
		{"elements of every kind, without the blanks around them", "[ null ,\n-1.5e3,\"a,]\" , [[],{}],{\"]\":1}\t]",
			[]string{"null", "-1.5e3", `"a,]"`, "[[],{}]", `{"]":1}`}},
		{"an empty object", "{ }", nil},
		{"one member", `{"a":1}`, []string{`"a"`, "1"}},
		{"names as they stand, colons and quotes in them too", `{ "\"a\":" : {"b":2} ,"":[1 ,2] , "\u00e9":"}" }`,
			[]string{`"\"a\":"`, `{"b":2}`, `""`, "[1 ,2]", `"\u00e9"`, `"}"`}},
		{"a name that comes again", `{"a":1,"a":2}`, []string{`"a"`, "1", `"a"`, "2"}},
	} {
		var got []string
		if c.text[0] == '[' {
			for element := range Elements([]byte(c.text)) {
				got = append(got, string(element))
			}
		} else {
			for name, value := range Members([]byte(c.text)) {
				got = append(got, string(name), string(value))
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.about, got, c.want)
		}
	}
}

func TestElementsAndMembersCanBeLeft(t *testing.T) {
	for range Elements([]byte("[1,2,3]")) {
		break
	}
	for range Members([]byte(`{"a":1,"b":2}`)) {
		break
	}
	object := []byte(`{"a":[1,2]}`)
	if n := testing.AllocsPerRun(100, func() {
		for range Members(object) {
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
