package http1

import (
	"errors"
	"slices"
	"testing"
)

func TestUnescape(t *testing.T) {
	for _, c := range []struct {
		about, in, want string
		err             error
	}{
		{"nothing to do", "ticker/BTC-USD", "ticker/BTC-USD", nil},
		{"nothing at all", "", "", nil},
		{"a plus is a plus", "a+b", "a+b", nil},
		{"hexadecimal digits in both cases", "%2F%2f%C3%a9", "//é", nil},
		{"decoded once only", "%2523", "%23", nil},
		{"UTF-8 as it is", "é", "é", nil},
		{"half of a character encoded", "\xc3%a9", "é", nil},
		{"a zero byte is for the rules of topics", "%00", "\x00", nil},
		{"a percent sign at the end", "a%", "", ErrEscape},
		{"one digit", "a%2", "", ErrEscape},
		{"no hexadecimal digit", "%2g", "", ErrEscape},
		{"a sign is no digit", "%+1", "", ErrEscape},
		{"not UTF-8 once decoded", "%ff", "", ErrUTF8},
		{"not UTF-8 as it is", "\xff", "", ErrUTF8},
	} {
		got, err := Unescape([]byte("before"), []byte(c.in))
		if string(got) != "before"+c.want || !errors.Is(err, c.err) {
			t.Errorf("%s: %q, %v; want %q, %v", c.about, got, err, c.want, c.err)
		}
	}
}

func TestParam(t *testing.T) {
	for _, c := range []struct {
		about, query, key, want string
		n                       int
	}{
		{"the only one", "topics=a,b", "topics", "a,b", 1},
		{"among others", "x=1&topics=a&y=2", "topics", "a", 1},
		{"still encoded", "topics=a%2Cb+c", "topics", "a%2Cb+c", 1},
		{"the first of several", "last=1&last=2", "last", "1", 2},
		{"without a value", "echo", "echo", "", 1},
		{"with an empty value", "echo=", "echo", "", 1},
		{"an equals sign in the value", "token=a==", "token", "a==", 1},
		{"not there", "topic=a", "topics", "", 0},
		{"its case matters", "Topics=a", "topics", "", 0},
		{"empty pairs are nothing", "&&topics=a&", "topics", "a", 1},
		{"no query", "", "topics", "", 0},
	} {
		if got, n := Param([]byte(c.query), c.key); string(got) != c.want || n != c.n {
			t.Errorf("%s: %q, %d; want %q, %d", c.about, got, n, c.want, c.n)
		}
	}
}

func TestSplitList(t *testing.T) {
	for _, c := range []struct {
		about, list string
		want        []string
	}{
		{"an empty list", "", nil},
		{"one element", "a", []string{"a"}},
		{"several", "a,b/+,c", []string{"a", "b/+", "c"}},
		{"an encoded comma does not separate", "a%2Cb,c", []string{"a%2Cb", "c"}},
		{"empty elements are shown", ",a,,", []string{"", "a", "", ""}},
	} {
		var got []string
		SplitList([]byte(c.list), func(e []byte) bool { got = append(got, string(e)); return true })
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.about, got, c.want)
		}
	}
	calls := 0
	SplitList([]byte("a,b"), func([]byte) bool { calls++; return false })
	if calls != 1 {
		t.Errorf("%d calls after the first said stop", calls)
	}
}
