package native

import (
	"encoding/binary"
	"errors"
	"math/bits"
	"strconv"
	"unicode/utf8"
)

// The scanner judges JSON texts (RFC 8259) and finds where their values end in one pass without allocating: it takes
// half the time of json.Valid or less, and what it accepts is exactly what that accepts, down to DepthMax. Positions are
// indexes into src; those below 0 say that the text is no JSON there (-1), or nested too deep. It does not look at UTF-8.

// DepthMax bounds how deep arrays and objects are nested in a payload. Many readers that a message may come to go down
// by recursion, and stop or break not far below.
const DepthMax = 128

// aroundMax is how many levels of ours may stand around a payload: a publication's, and the array's of several.
const aroundMax = 2

const tooDeep = -2

// What is wrong with a text that Check refuses.
var (
	ErrNotJSON = errors.New("native: not JSON in UTF-8")
	ErrTooDeep = errors.New("native: nested deeper than " + strconv.Itoa(DepthMax) + " levels")
)

// Valid reports whether src is one JSON text in valid UTF-8, nested at most DepthMax deep, which is what "data" must be.
func Valid(src []byte) bool { return Check(src, 0) == nil }

// Check is Valid for a text in which at most around levels, 2 or less, stand around what DepthMax bounds. Its errors are
// ErrNotJSON and ErrTooDeep; what comes after the level that is too deep is not looked at.
func Check(src []byte, around int) error {
	end := skipWithin(src, skipSpace(src, 0), DepthMax+min(around, aroundMax))
	switch {
	case end == tooDeep:
		return ErrTooDeep
	case end < 0 || skipSpace(src, end) != len(src) || !utf8.Valid(src):
		return ErrNotJSON
	}
	return nil
}

// skipValue gives the end of the value that begins at src[at], with no blanks before it. It must be part of a text that
// was bounded already.
func skipValue(src []byte, at int) int { return skipWithin(src, at, DepthMax+aroundMax) }

// skipWithin is skipValue for a value that has at most depthMax levels, DepthMax+aroundMax or less.
func skipWithin(src []byte, at, depthMax int) int {
	if at >= len(src) {
		return -1
	}
	switch b := src[at]; b {
	case '"':
		return skipString(src, at)
	case '{', '[':
		return skipNested(src, at, depthMax)
	case 't':
		return skipWord(src, at, "true")
	case 'f':
		return skipWord(src, at, "false")
	case 'n':
		return skipWord(src, at, "null")
	default:
		return skipNumber(src, at)
	}
}

// skipNested is skipWithin for arrays and objects. It keeps the way back in a bit a level rather than on the goroutine's
// stack, which a peer could make grow.
func skipNested(src []byte, at, depthMax int) int {
	var objects [(DepthMax+aroundMax)/64 + 1]uint64 // bit set: the container of that depth is an object
	for depth := 0; ; {
		// A value is to begin here.
		if at = skipSpace(src, at); at >= len(src) {
			return -1
		}
		switch b := src[at]; b {
		case '{', '[':
			if depth++; depth > depthMax {
				return tooDeep
			}
			empty := at + 1
			if empty = skipSpace(src, empty); empty < len(src) && src[empty] == b+2 { // '}' or ']'
				depth--
				at = empty + 1
				break
			}
			word, bit := depth/64, uint64(1)<<(depth%64)
			if b == '[' {
				objects[word] &^= bit
				at = empty
				continue
			}
			objects[word] |= bit
			if at = skipKey(src, empty); at < 0 {
				return -1
			}
			continue
		default:
			if at = skipWithin(src, at, 0); at < 0 { // a word, a string or a number
				return -1
			}
		}
		// A value has ended here, and with it perhaps what it stands in.
		for more := false; !more; {
			if depth == 0 {
				return at
			}
			if at = skipSpace(src, at); at >= len(src) {
				return -1
			}
			object := objects[depth/64]>>(depth%64)&1 != 0
			switch b := src[at]; {
			case b == ',' && object:
				if at = skipKey(src, skipSpace(src, at+1)); at < 0 {
					return -1
				}
				more = true
			case b == ',':
				at++
				more = true
			case b == '}' && object, b == ']' && !object:
				depth--
				at++
			default:
				return -1
			}
		}
	}
}

// skipKey gives the end of a member's name and the colon after it.
func skipKey(src []byte, at int) int {
	if at >= len(src) || src[at] != '"' {
		return -1
	}
	if at = skipString(src, at); at < 0 {
		return -1
	}
	if at = skipSpace(src, at); at >= len(src) || src[at] != ':' {
		return -1
	}
	return at + 1
}

// skipString gives the end of a string, behind its closing quote. src[at] is the opening one.
func skipString(src []byte, at int) int {
	for at++; ; {
		at = skipPlain(src, at)
		if at >= len(src) {
			return -1
		}
		switch src[at] {
		case '"':
			return at + 1
		case '\\':
			if at = skipEscape(src, at); at < 0 {
				return -1
			}
		default:
			return -1 // a control character
		}
	}
}

// skipPlain gives the next place with a quote, a backslash or a control character, len(src) if there is none. It looks
// at 8 bytes at once: a byte below c borrows from its top bit when c is subtracted, one equal to c when 1 is subtracted
// from their exclusive or.
func skipPlain(src []byte, at int) int {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	for ; at+8 <= len(src); at += 8 {
		x := binary.LittleEndian.Uint64(src[at:])
		quote, slash := x^ones*'"', x^ones*'\\'
		hits := ((x-ones*' ')&^x | (quote-ones)&^quote | (slash-ones)&^slash) & tops
		if hits != 0 { // those above the lowest may be false, by a borrow
			return at + bits.TrailingZeros64(hits)/8
		}
	}
	for at < len(src) && src[at] >= ' ' && src[at] != '"' && src[at] != '\\' {
		at++
	}
	return at
}

func skipEscape(src []byte, at int) int {
	if at+1 >= len(src) {
		return -1
	}
	switch src[at+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return at + 2
	case 'u':
		if at+6 > len(src) || hex4(src[at+2:]) < 0 {
			return -1
		}
		return at + 6
	default:
		return -1
	}
}

func skipWord(src []byte, at int, word string) int {
	if !hasWord(src, at, word) {
		return -1
	}
	return at + len(word)
}

// skipNumber gives the end of a number (RFC 8259 §6).
func skipNumber(src []byte, at int) int {
	if at < len(src) && src[at] == '-' {
		at++
	}
	switch {
	case at >= len(src):
		return -1
	case src[at] == '0':
		at++
	default:
		if at = skipDigits(src, at); at < 0 {
			return -1
		}
	}
	if at < len(src) && src[at] == '.' {
		if at = skipDigits(src, at+1); at < 0 {
			return -1
		}
	}
	if at < len(src) && src[at]|0x20 == 'e' {
		at++
		if at < len(src) && (src[at] == '+' || src[at] == '-') {
			at++
		}
		at = skipDigits(src, at)
	}
	return at
}

// skipDigits gives the end of a run of at least one digit.
func skipDigits(src []byte, at int) int {
	start := at
	for at < len(src) && src[at]-'0' <= 9 {
		at++
	}
	if at == start {
		return -1
	}
	return at
}

func skipSpace(src []byte, at int) int {
	for at < len(src) && src[at] <= ' ' && (src[at] == ' ' || src[at] == '\n' || src[at] == '\r' || src[at] == '\t') {
		at++
	}
	return at
}

// hex4 gives the value of the four hexadecimal digits that src begins with, -1 if they are not.
func hex4(src []byte) rune {
	var r rune
	for _, b := range src[:4] {
		switch {
		case b >= '0' && b <= '9':
			b -= '0'
		case b|0x20 >= 'a' && b|0x20 <= 'f':
			b = b | 0x20 - 'a' + 10
		default:
			return -1
		}
		r = r<<4 | rune(b)
	}
	return r
}
