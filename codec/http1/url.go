package http1

import (
	"bytes"
	"errors"
	"unicode/utf8"
)

// What can be wrong with an encoded piece of a URL, as the peer gets to read it.
var (
	ErrEscape = errors.New("a '%' must be followed by two hexadecimal digits")
	ErrUTF8   = errors.New("not valid UTF-8 once decoded")
)

// Unescape appends src to dst with percent-encoding undone, once; '+' is a plus (RFC 3986 §2.1). The result is valid
// UTF-8; bytes above 0x7F that were not encoded are taken as they are, as some clients send them so. On an error dst is
// returned as it was.
func Unescape(dst, src []byte) ([]byte, error) {
	start := len(dst)
	for {
		i := bytes.IndexByte(src, '%')
		if i < 0 {
			dst = append(dst, src...)
			break
		}
		if len(src) < i+3 || unhex[src[i+1]] < 0 || unhex[src[i+2]] < 0 {
			return dst[:start], ErrEscape
		}
		dst = append(dst, src[:i]...)
		dst = append(dst, byte(unhex[src[i+1]])<<4|byte(unhex[src[i+2]]))
		src = src[i+3:]
	}
	if !utf8.Valid(dst[start:]) {
		return dst[:start], ErrUTF8
	}
	return dst, nil
}

// Param gives the value of the first parameter of that name in a query, still encoded, and how many times it appears. A
// parameter without '=' has an empty value. Names are compared as they stand in the query: Megawire's need no encoding.
func Param(query []byte, key string) (raw []byte, n int) {
	EachParam(query, func(name, value []byte) bool {
		if string(name) != key {
			return true
		}
		if n++; n == 1 {
			raw = value
		}
		return true
	})
	return raw, n
}

// EachParam yields the parameters of a query, still encoded, until yield returns false.
func EachParam(query []byte, yield func(name, value []byte) bool) {
	for len(query) > 0 {
		var pair []byte
		pair, query, _ = bytes.Cut(query, ampersand)
		if len(pair) == 0 {
			continue
		}
		if name, value, _ := bytes.Cut(pair, equals); !yield(name, value) {
			return
		}
	}
}

// SplitList yields the elements of a comma-separated list that is still percent-encoded, until yield returns false. An
// encoded comma does not separate. Empty elements are yielded too, other than for an empty list, which has none.
func SplitList(raw []byte, yield func(element []byte) bool) {
	for more := len(raw) > 0; more; {
		var element []byte
		element, raw, more = bytes.Cut(raw, comma)
		if !yield(element) {
			return
		}
	}
}

// unhex gives the value of a hexadecimal digit, -1 for other bytes.
var unhex = func() (t [256]int8) {
	for b := range t {
		t[b] = -1
	}
	for i, b := range []byte("0123456789abcdef") {
		t[b] = int8(i)
	}
	for i, b := range []byte("ABCDEF") {
		t[b] = int8(10 + i)
	}
	return t
}()
