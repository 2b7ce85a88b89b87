package ws

import "unicode/utf8"

// wholeUTF8 judges a text of which more is to come (RFC 6455 §8.1). n bytes of p are whole characters; the others, three at
// most, begin one that what comes may complete. It is not ok where nothing that comes can make it right.
func wholeUTF8(p []byte) (n int, ok bool) {
	n = len(p)
	for back := 1; back < utf8.UTFMax && back <= len(p); back++ {
		if tail := p[len(p)-back:]; utf8.RuneStart(tail[0]) {
			if !utf8.FullRune(tail) {
				n -= back
			}
			break
		}
	}
	return n, utf8.Valid(p[:n])
}
