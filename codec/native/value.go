package native

import (
	"bytes"
	"encoding/base64"
	"unicode/utf16"
	"unicode/utf8"
)

// IntMax is the largest whole number taken: every JSON reader holds it exactly (RFC 7493 §2.2).
const IntMax = 1<<53 - 1

// members are the values of one object's members by the index of their names; nil for those that are not there.
type members struct {
	values  [membersMax][]byte
	unknown []byte // the first name that is not among those asked for, as it stands in the text
	twice   string // the first name that came again
}

const membersMax = 20

// scanObject finds the values of the object that begins at src[at]. end is below 0 when it is not a JSON object, or has a
// value nested deeper than DepthMax. Members whose names are not among names are checked like the others and passed over;
// of a name that comes again the first counts.
func scanObject(src []byte, at int, names []string, m *members) (end int) {
	*m = members{}
	if at >= len(src) || src[at] != '{' {
		return -1
	}
	if at = skipSpace(src, at+1); at < len(src) && src[at] == '}' {
		return at + 1
	}
	for {
		start := at
		if at = skipKey(src, at); at < 0 {
			return -1
		}
		name := src[start+1 : start+1+bytes.LastIndexByte(src[start+1:at], '"')]
		value := skipSpace(src, at)
		if at = skipWithin(src, value, DepthMax); at < 0 {
			return at
		}
		m.set(name, src[value:at:at], names)
		if at = skipSpace(src, at); at >= len(src) {
			return -1
		}
		switch src[at] {
		case ',':
			at = skipSpace(src, at+1)
		case '}':
			return at + 1
		default:
			return -1
		}
	}
}

func (m *members) set(name, value []byte, names []string) {
	shown := name
	if bytes.IndexByte(name, '\\') >= 0 {
		name, _ = unquote(nil, name)
	}
	for i, known := range names {
		if string(name) != known {
			continue
		}
		if m.values[i] == nil {
			m.values[i] = value
		} else if m.twice == "" {
			m.twice = known
		}
		return
	}
	if m.unknown == nil {
		m.unknown = shown
	}
}

// DecodeString decodes a valid JSON string: into scratch when it has escapes, else the result aliases it. ok is false for other
// values, and for a surrogate that stands alone, which is no character.
func DecodeString(value []byte, scratch *[]byte) (s []byte, ok bool) {
	if len(value) == 0 || value[0] != '"' {
		return nil, false
	}
	inner := value[1 : len(value)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return inner, true
	}
	start := len(*scratch)
	*scratch, ok = unquote(*scratch, inner)
	return (*scratch)[start:len(*scratch):len(*scratch)], ok
}

// unquote appends what stands between the quotes of a valid JSON string, decoded. ok is false for a lone surrogate.
func unquote(dst, inner []byte) (out []byte, ok bool) {
	ok = true
	for {
		i := bytes.IndexByte(inner, '\\')
		if i < 0 {
			return append(dst, inner...), ok
		}
		dst = append(dst, inner[:i]...)
		b := inner[i+1]
		inner = inner[i+2:]
		switch b {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r := hex4(inner)
			inner = inner[4:]
			if utf16.IsSurrogate(r) {
				pair := rune(utf8.RuneError)
				if len(inner) >= 6 && inner[0] == '\\' && inner[1] == 'u' {
					pair = utf16.DecodeRune(r, hex4(inner[2:]))
				}
				if r = pair; r == utf8.RuneError {
					ok = false
				} else {
					inner = inner[6:]
				}
			}
			dst = utf8.AppendRune(dst, r)
		default: // the quote, the backslash, the slash
			dst = append(dst, b)
		}
	}
}

// DecodeBase64 decodes a valid JSON string of base64 with padding (RFC 4648 §4) into scratch.
func DecodeBase64(value []byte, scratch *[]byte) (b []byte, ok bool) {
	s, ok := DecodeString(value, scratch)
	if !ok || bytes.ContainsAny(s, "\r\n") { // which encoding/base64 would pass over
		return nil, false
	}
	start := len(*scratch)
	out, err := base64.StdEncoding.AppendDecode(*scratch, s)
	if err != nil {
		return nil, false
	}
	*scratch = out
	return out[start:len(out):len(out)], true
}

// whole reads a JSON number that is a whole number from 0 to IntMax, written without fraction and exponent.
func whole(value []byte) (n uint64, ok bool) {
	const digitsMax = 16
	if len(value) == 0 || len(value) > digitsMax {
		return 0, false
	}
	for _, b := range value {
		if b -= '0'; b > 9 {
			return 0, false
		}
		n = n*10 + uint64(b)
	}
	return n, n <= IntMax
}

// boolean reads true or false.
func boolean(value []byte) (b, ok bool) {
	return string(value) == "true", string(value) == "true" || string(value) == "false"
}
