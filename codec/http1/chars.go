package http1

var (
	ampersand = []byte{'&'}
	comma     = []byte{','}
	equals    = []byte{'='}
	space     = []byte{' '}
	question  = []byte{'?'}
	rootPath  = []byte{'/'}
	emptyLine = []byte("\r\n\r\n")

	isToken = set("!#$%&'*+-.^_`|~")     // RFC 9110 §5.6.2
	isHost  = set("-._~%!$&'()*+,;=[]:") // RFC 3986 §3.2.2, with the port's colon
)

// set makes a table of the characters given, letters and digits.
func set(chars string) (t [256]bool) {
	for i := range len(chars) {
		t[chars[i]] = true
	}
	for b := range 256 {
		t[b] = t[b] || digit(byte(b)) || letter(byte(b))
	}
	return t
}

func digit(b byte) bool  { return b >= '0' && b <= '9' }
func letter(b byte) bool { return b|0x20 >= 'a' && b|0x20 <= 'z' }
func blank(b byte) bool  { return b == ' ' || b == '\t' }

// token reports whether b is a token (RFC 9110 §5.6.2).
func token(b []byte) bool {
	for _, c := range b {
		if !isToken[c] {
			return false
		}
	}
	return len(b) > 0
}

// equalFold compares as ASCII without regard to case.
func equalFold(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	if string(b) == s { // as most write what they mean
		return true
	}
	for i := range len(s) {
		if lower(b[i]) != lower(s[i]) {
			return false
		}
	}
	return true
}

func lower(b byte) byte {
	if b >= 'A' && b <= 'Z' {
		return b + 'a' - 'A'
	}
	return b
}
