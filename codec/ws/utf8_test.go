package ws

import (
	"testing"
	"unicode/utf8"
)

// edges are the bytes at which the table of well-formed sequences changes (RFC 3629 §4).
var edges = []byte{
	0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF,
	0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xF8, 0xFC, 0xFE, 0xFF,
}

// endings are the edges that can stand at a character's end.
var endings = edges[2:8]

// canBecomeValid tries all endings of so many bytes or fewer.
func canBecomeValid(p []byte, more int) bool {
	if utf8.Valid(p) {
		return true
	}
	if more == 0 {
		return false
	}
	for _, b := range endings {
		if canBecomeValid(append(p[:len(p):len(p)], b), more-1) {
			return true
		}
	}
	return false
}

// TestWholeUTF8 holds the check of a text's beginning against all endings that it may have.
func TestWholeUTF8(t *testing.T) {
	check := func(p []byte) {
		n, ok := wholeUTF8(p)
		if want := canBecomeValid(p[max(0, len(p)-4):], 3); ok != want {
			t.Errorf("% x: %v, want %v", p, ok, want)
		}
		if ok && (!utf8.Valid(p[:n]) || n < len(p) && utf8.FullRune(p[n:]) || len(p)-n > 3) {
			t.Errorf("% x: %d bytes are whole", p, n)
		}
	}
	check(nil)
	for _, a := range edges {
		check([]byte{a})
		check([]byte{'a', a})
		for _, b := range edges {
			check([]byte{a, b})
			if a < utf8.RuneSelf {
				continue
			}
			for _, c := range edges {
				check([]byte{a, b, c})
			}
		}
	}
	for _, text := range []string{"κόσμε", "€uro", "a\U00010348b", "\U0010FFFF\uFFFD\u0800\u0080"} {
		for end := range len(text) + 1 {
			if n, ok := wholeUTF8([]byte(text[:end])); !ok || !utf8.ValidString(text[:n]) || end-n > 3 {
				t.Errorf("%q: %d, %v", text[:end], n, ok)
			}
		}
	}
}
