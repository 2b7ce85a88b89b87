package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// The scanner walks JSON without changing a byte of it: values are slices of the source, so that what was published is what is
// received, down to the spaces. encoding/json judges validity first (RFC 8259), which lets the walk below be simple: it relies on it.

// checkJSON refuses what is not JSON in UTF-8. encoding/json lets invalid UTF-8 in strings through, so both are checked.
func checkJSON(src []byte) error {
	if len(trimSpace(src)) == 0 {
		return Fault{codeBadRequest, "there is no JSON in it"}
	}
	if !utf8.Valid(src) {
		return Fault{codeBadRequest, "it is not valid UTF-8"}
	}
	if json.Valid(src) {
		return nil
	}
	var raw json.RawMessage
	var syntax *json.SyntaxError
	if err := json.Unmarshal(src, &raw); errors.As(err, &syntax) {
		return Fault{codeBadRequest, fmt.Sprintf("it is not valid JSON: %s (at byte %d)", syntax, syntax.Offset)}
	}
	return Fault{codeBadRequest, "it is not valid JSON"}
}

// members calls each for every member of the object that src holds, in order, with the decoded key and the value's own bytes.
func members(src []byte, each func(key, value []byte) error) error {
	src = trimSpace(src)
	if src[0] != '{' {
		return Fault{codeBadRequest, "it must be a JSON object, not " + kindOf(src)}
	}
	i := skipSpace(src, 1)
	for src[i] != '}' {
		end := valueEnd(src, i)
		key, err := unquoteString(src[i:end])
		if err != nil {
			return err
		}
		i = skipSpace(src, end) // at ':'
		i = skipSpace(src, i+1) // at the value
		end = valueEnd(src, i)
		if err := each(key, src[i:end]); err != nil {
			return err
		}
		i = nextItem(src, end)
	}
	return nil
}

// elements calls each for every element of the array that src holds, in order.
func elements(src []byte, each func(value []byte) error) error {
	src = trimSpace(src)
	if src[0] != '[' {
		return Fault{codeBadRequest, "it must be an array, not " + kindOf(src)}
	}
	i := skipSpace(src, 1)
	for src[i] != ']' {
		end := valueEnd(src, i)
		if err := each(src[i:end]); err != nil {
			return err
		}
		i = nextItem(src, end)
	}
	return nil
}

// nextItem goes from the end of an item to the start of the next or to the closing bracket.
func nextItem(src []byte, i int) int {
	i = skipSpace(src, i)
	if src[i] == ',' {
		i = skipSpace(src, i+1)
	}
	return i
}

// valueEnd is where the value that begins at src[i] ends.
func valueEnd(src []byte, i int) int {
	switch src[i] {
	case '"':
		return stringEnd(src, i)
	case '{', '[':
		return nestedEnd(src, i)
	}
	for i < len(src) && !isSpace(src[i]) && src[i] != ',' && src[i] != '}' && src[i] != ']' {
		i++
	}
	return i
}

func nestedEnd(src []byte, i int) int {
	for depth := 0; ; {
		switch src[i] {
		case '"':
			i = stringEnd(src, i)
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		i++
		if depth == 0 {
			return i
		}
	}
}

func stringEnd(src []byte, i int) int {
	for i++; ; i++ {
		switch src[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
}

// unquoteString decodes a JSON string. Without escapes the result aliases src. An escaped surrogate without its other half has no UTF-8,
// and is refused rather than replaced (RFC 8259 §8.2).
func unquoteString(src []byte) ([]byte, error) {
	if src[0] != '"' {
		return nil, Fault{codeBadRequest, "it must be a string, not " + kindOf(src)}
	}
	s := src[1 : len(src)-1]
	i := bytes.IndexByte(s, '\\')
	if i < 0 {
		return s, nil
	}
	dst := append(make([]byte, 0, len(s)), s[:i]...)
	for i < len(s) {
		if s[i] != '\\' {
			dst = append(dst, s[i])
			i++
			continue
		}
		if s[i+1] != 'u' {
			dst = append(dst, unescape(s[i+1]))
			i += 2
			continue
		}
		r := hexRune(s[i+2:])
		i += 6
		if utf16.IsSurrogate(r) {
			low := utf8.RuneError
			if i+6 <= len(s) && s[i] == '\\' && s[i+1] == 'u' {
				low = hexRune(s[i+2:])
			}
			if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
				return nil, Fault{codeBadRequest, "it has half of a surrogate pair, which is no character"}
			}
			i += 6
		}
		dst = utf8.AppendRune(dst, r)
	}
	return dst, nil
}

func unescape(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c // one of " \ /
}

func hexRune(s []byte) rune {
	n, _ := strconv.ParseUint(string(s[:4]), 16, 32) // validity was checked
	return rune(n)
}

// kindOf names a value's kind for a message.
func kindOf(src []byte) string {
	switch src[0] {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "a number"
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

func skipSpace(src []byte, i int) int {
	for i < len(src) && isSpace(src[i]) {
		i++
	}
	return i
}

func trimSpace(src []byte) []byte {
	src = src[skipSpace(src, 0):]
	for len(src) > 0 && isSpace(src[len(src)-1]) {
		src = src[:len(src)-1]
	}
	return src
}
