package http1

import (
	"bytes"
	"fmt"

	"github.com/megawire/megawire/codec/codes"
)

// Parse reads the head that src begins with into r. n is its length in bytes with the empty line that ends it; it is 0,
// without an error, while src does not hold all of it. A fault is found as soon as the line that has it is there, so
// that it is the same however the input was cut up.
func Parse(src []byte, r *Request) (n int, err *Error) {
	r.Method, r.Host, r.Path, r.Query = nil, nil, nil, nil
	r.src, r.count, r.Minor = src, 0, 0
	start, err := begin(src)
	for n = start; err == nil; {
		line, next, fault := r.cutLine(n, n == start)
		switch {
		case fault != nil:
			return 0, fault
		case next == 0:
			return 0, nil
		case n == start:
			err = r.requestLine(line)
		case len(line) == 0:
			if err := r.check(); err != nil {
				return 0, err
			}
			return next, nil
		default:
			err = r.header(line, n)
		}
		n = next
	}
	return 0, err
}

// begin gives where the request line begins: one empty line before it is passed over, as old clients send it behind the body
// of the request before (RFC 9112 §2.2).
func begin(src []byte) (at int, err *Error) {
	if len(src) > 0 && src[0] == '\r' {
		if len(src) > 1 && src[1] != '\n' {
			return 0, badRequest("not an HTTP request")
		}
		at = min(len(src), len("\r\n"))
	}
	switch {
	case at == len(src) || isToken[src[at]]:
		return at, nil
	case src[at] == tlsHandshake:
		return 0, badRequest("not an HTTP request: TLS is not spoken on this port")
	default:
		return 0, badRequest("not an HTTP request")
	}
}

// tlsHandshake is what a TLS client begins with (RFC 8446 §5.1).
const tlsHandshake = 22

// cutLine gives the line that begins at src[at], without its CRLF, and where the next one begins: 0 when the line is
// not whole yet. A lone LF is not taken for an end of line, as RFC 9112 §2.2 would allow: proxies that disagree on where
// a line ends are how requests are smuggled.
func (r *Request) cutLine(at int, first bool) (line []byte, next int, err *Error) {
	bytesMax := r.headBytesMax()
	rest := r.src[at:min(len(r.src), bytesMax)]
	i := bytes.IndexByte(rest, '\n')
	switch {
	case i < 0 && len(r.src) < bytesMax:
		return nil, 0, nil
	case i < 0 && first:
		return nil, 0, tooLarge(414, "request line", bytesMax)
	case i < 0:
		return nil, 0, tooLarge(431, "request head", bytesMax)
	case i == 0 || rest[i-1] != '\r':
		return nil, 0, badRequest("line not ended by CR LF")
	}
	return rest[:i-1], at + i + 1, nil
}

// requestLine reads method, target and version (RFC 9112 §3).
func (r *Request) requestLine(line []byte) *Error {
	method, rest, ok := bytes.Cut(line, space)
	target, version, ok2 := bytes.Cut(rest, space)
	if !ok || !ok2 || !token(method) {
		return badRequest("malformed request line")
	}
	r.Method = method // even of a line with a fault: HEAD is answered without a body
	var err *Error
	if r.Minor, err = parseVersion(version); err != nil {
		return err
	}
	return r.target(target)
}

// parseVersion takes HTTP/1.1, and 1.0, which is what health checks of load balancers speak (RFC 9112 §2.3).
func parseVersion(v []byte) (minor int, err *Error) {
	switch {
	case string(v) == "HTTP/1.1":
		return 1, nil
	case string(v) == "HTTP/1.0":
		return 0, nil
	case len(v) != len("HTTP/1.1") || string(v[:5]) != "HTTP/" || !digit(v[5]) || v[6] != '.' || !digit(v[7]):
		return 0, badRequest("malformed request line")
	}
	return 0, &Error{Status: 505, Code: codes.BadRequest, Message: "HTTP version not supported, use HTTP/1.1"}
}

// target reads a request target in origin-form or absolute-form (RFC 9112 §3.2). The other two forms, of CONNECT and of
// OPTIONS for the whole server, have nothing to name here.
func (r *Request) target(t []byte) *Error {
	for _, b := range t {
		if b <= ' ' || b == 0x7F || b == '#' {
			return badRequest("invalid character in the request target")
		}
	}
	if len(t) > 0 && t[0] != '/' {
		rest, ok := cutScheme(t)
		if !ok {
			return badRequest("request target must be a path or an http URL")
		}
		end := bytes.IndexAny(rest, "/?")
		if end < 0 {
			end = len(rest)
		}
		if r.Host = rest[:end]; !validHost(r.Host) {
			return badRequest("malformed host in the request target")
		}
		t = rest[end:]
	} else if len(t) == 0 {
		return badRequest("malformed request line")
	}
	path, query, _ := bytes.Cut(t, question)
	if len(path) == 0 {
		path = rootPath // RFC 9110 §4.2.3
	}
	r.Path, r.Query = path, query
	return nil
}

func cutScheme(t []byte) (rest []byte, ok bool) {
	for _, scheme := range [...]string{"http://", "https://", "ws://", "wss://"} {
		if len(t) >= len(scheme) && equalFold(t[:len(scheme)], scheme) {
			return t[len(scheme):], true
		}
	}
	return nil, false
}

// header reads one header line that begins at src[at] (RFC 9112 §5).
func (r *Request) header(line []byte, at int) *Error {
	if r.count == HeadersMax {
		return &Error{Status: 431, Code: codes.TooLarge, Message: fmt.Sprintf("more than %d headers", HeadersMax)}
	}
	if line[0] == ' ' || line[0] == '\t' {
		return badRequest("folded header line") // §5.2
	}
	colon := bytes.IndexByte(line, ':')
	if colon < 0 || !token(line[:colon]) { // §5.1: no space before the colon either
		return badRequest("malformed header name")
	}
	value, end := colon+1, len(line)
	for value < end && blank(line[value]) {
		value++
	}
	for value < end && blank(line[end-1]) {
		end--
	}
	for _, b := range line[value:end] {
		if b < ' ' && b != '\t' || b == 0x7F { // RFC 9110 §5.5
			return badRequest("control character in a header")
		}
	}
	r.headers[r.count] = field{uint16(at), uint16(at + colon), uint16(at + value), uint16(at + end)}
	r.count++
	return nil
}

// check judges the head as a whole.
func (r *Request) check() *Error {
	host, n := r.Header("Host")
	switch {
	case n == 0 && r.Minor == 0: // HTTP/1.0 knew no Host
	case n == 0:
		return badRequest("Host header missing") // RFC 9112 §3.2
	case n > 1:
		return badRequest("more than one Host header") // RFC 9112 §3.2
	case !validHost(host):
		return badRequest("malformed Host header")
	}
	if r.Host == nil { // the target's host goes before the header (RFC 9112 §3.2.2)
		r.Host = host
	}
	if _, n := r.Header("Transfer-Encoding"); n > 0 {
		return badRequest("a request body is not accepted here")
	}
	for i := range r.count {
		if !equalFold(r.name(i), "Content-Length") {
			continue
		}
		length := r.value(i)
		if len(length) == 0 || len(bytes.TrimLeft(length, "0123456789")) > 0 {
			return badRequest("malformed Content-Length") // RFC 9112 §6.3
		}
		if len(bytes.TrimLeft(length, "0")) > 0 {
			return badRequest("a request body is not accepted here")
		}
	}
	return nil
}

// validHost takes what can stand in a host with a port (RFC 3986 §3.2.2, §3.2.3), without a user (RFC 9110 §4.2.4). That
// it is more than a set of characters is for who looks the name up.
func validHost(host []byte) bool {
	if len(host) == 0 {
		return false
	}
	for _, b := range host {
		if !isHost[b] {
			return false
		}
	}
	return true
}

// tooLarge names the bound in force, since an operator may have set it.
func tooLarge(status int, what string, bytesMax int) *Error {
	return &Error{Status: status, Code: codes.TooLarge, Message: fmt.Sprintf("%s over %d bytes", what, bytesMax)}
}

func badRequest(message string) *Error {
	return &Error{Status: 400, Code: codes.BadRequest, Message: message}
}
