package http1

import (
	"fmt"
	"strings"
	"testing"
)

// head makes a request head of a request line and headers; Host is there already.
func head(line string, headers ...string) string {
	return line + "\r\nHost: example.org\r\n" + strings.Join(append(headers, ""), "\r\n") + "\r\n"
}

func TestParse(t *testing.T) {
	for _, c := range []struct {
		about             string
		head              string
		path, query, host string
	}{
		{"the simplest request", head("GET / HTTP/1.1"), "/", "", "example.org"},
		{"a query", head("GET /ws?topics=a,b/+&last=1 HTTP/1.1"), "/ws", "topics=a,b/+&last=1", "example.org"},
		{"an empty query", head("GET /ws? HTTP/1.1"), "/ws", "", "example.org"},
		{"a question mark in the query", head("GET /ws?a=?b HTTP/1.1"), "/ws", "a=?b", "example.org"},
		{"the path stays as it is", head("GET /raw/a//b/../%2F+ HTTP/1.1"), "/raw/a//b/../%2F+", "", "example.org"},
		{"UTF-8 that is not encoded", head("GET /raw/é HTTP/1.1"), "/raw/é", "", "example.org"},
		{"absolute form", head("GET http://other:8080/ws?x=1 HTTP/1.1"), "/ws", "x=1", "other:8080"},
		{"absolute form without a path", head("GET http://other HTTP/1.1"), "/", "", "other"},
		{"absolute form with a query alone", head("GET HTTP://other?x=1 HTTP/1.1"), "/", "x=1", "other"},
		{"an IPv6 host", "GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", "/", "", "[::1]:8080"},
		{"another method", head("DELETE /x HTTP/1.1"), "/x", "", "example.org"},
		{"an empty body announced", head("POST /x HTTP/1.1", "Content-Length: 0"), "/x", "", "example.org"},
		{"an empty header", head("GET / HTTP/1.1", "X-Empty:"), "/", "", "example.org"},
		{"64 headers", head("GET / HTTP/1.1", manyHeaders(HeadersMax-1)...), "/", "", "example.org"},
		{"exactly 8192 bytes", headOf(HeadBytesMax), "/", "", "example.org"},
		{"HTTP/1.0", head("GET /readyz HTTP/1.0"), "/readyz", "", "example.org"},
		{"HTTP/1.0 without Host, as HAProxy checks", "GET /readyz HTTP/1.0\r\n\r\n", "/readyz", "", ""},
	} {
		var r Request
		n, err := Parse([]byte(c.head+"what follows"), &r)
		if err != nil || n != len(c.head) {
			t.Errorf("%s: n %d, error %v; want %d", c.about, n, err, len(c.head))
			continue
		}
		if string(r.Path) != c.path || string(r.Query) != c.query || string(r.Host) != c.host {
			t.Errorf("%s: path %q, query %q, host %q", c.about, r.Path, r.Query, r.Host)
		}
		if old := strings.Contains(c.head, "HTTP/1.0\r\n"); old != (r.Minor == 0) {
			t.Errorf("%s: minor version %d", c.about, r.Minor)
		}
		checkPrefixes(t, c.about, c.head)
	}
}

func TestParseFaults(t *testing.T) {
	for _, c := range []struct {
		about  string
		head   string
		status int
		want   string // in the message
	}{
		{"TLS on a plain port", "\x16\x03\x01\x02\x00\x01", 400, "not an HTTP request"},
		{"an empty line first", "\r\n" + head("GET / HTTP/1.1"), 400, "not an HTTP request"},
		{"two Hosts in HTTP/1.0", head("GET / HTTP/1.0", "Host: example.org"), 400, "Host"},
		{"a body in HTTP/1.0", head("POST / HTTP/1.0", "Content-Length: 5"), 400, "body"},
		{"HTTP/0.9", head("GET / HTTP/0.9"), 505, "HTTP/1.1"},
		{"HTTP/2 without an upgrade", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "HTTP/1.1"},
		{"HTTP/1.2", head("GET / HTTP/1.2"), 505, "HTTP/1.1"},
		{"a version in small letters", head("GET / http/1.1"), 400, "request line"},
		{"no version", head("GET /"), 400, "request line"},
		{"no target", head("GET  HTTP/1.1"), 400, "request line"},
		{"two blanks", head("GET /  HTTP/1.1"), 400, "request line"},
		{"a blank at the end", head("GET / HTTP/1.1 "), 400, "request line"},
		{"a method that is no token", head("G@T / HTTP/1.1"), 400, "request line"},
		{"CONNECT", head("CONNECT example.org:443 HTTP/1.1"), 400, "target"},
		{"OPTIONS for the server", head("OPTIONS * HTTP/1.1"), 400, "target"},
		{"a path that does not begin with a slash", head("GET ws HTTP/1.1"), 400, "target"},
		{"another scheme", head("GET ftp://a/ HTTP/1.1"), 400, "target"},
		{"a fragment", head("GET /ws?topics=a/# HTTP/1.1"), 400, "target"},
		{"a control character in the target", head("GET /a\x01 HTTP/1.1"), 400, "target"},
		{"a user in the target", head("GET http://me@h/ HTTP/1.1"), 400, "host"},
		{"an empty host in the target", head("GET http:///x HTTP/1.1"), 400, "host"},
		{"no Host", "GET / HTTP/1.1\r\nX: y\r\n\r\n", 400, "Host"},
		{"two Hosts", head("GET / HTTP/1.1", "Host: example.org"), 400, "Host"},
		{"an empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400, "Host"},
		{"a Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, "Host"},
		{"lines ended by LF", "GET / HTTP/1.1\nHost: a\n\n", 400, "CR LF"},
		{"a header ended by LF", "GET / HTTP/1.1\r\nHost: a\n\r\n", 400, "CR LF"},
		{"CR within a header", head("GET / HTTP/1.1", "X: a\rb"), 400, "control"},
		{"a zero byte in a header", head("GET / HTTP/1.1", "X: a\x00b"), 400, "control"},
		{"a folded header", head("GET / HTTP/1.1", "X: a", " b"), 400, "folded"},
		{"a blank before the colon", head("GET / HTTP/1.1", "X : a"), 400, "name"},
		{"no colon", head("GET / HTTP/1.1", "X"), 400, "name"},
		{"no name", head("GET / HTTP/1.1", ": a"), 400, "name"},
		{"a name that is no token", head("GET / HTTP/1.1", "X(y): a"), 400, "name"},
		{"a body", head("POST / HTTP/1.1", "Content-Length: 5"), 400, "body"},
		{"a body of a length with zeros before it", head("POST / HTTP/1.1", "Content-Length: 007"), 400, "body"},
		{"a second length", head("POST / HTTP/1.1", "Content-Length: 0", "Content-Length: 5"), 400, "body"},
		{"a length that is no number", head("POST / HTTP/1.1", "Content-Length: -1"), 400, "Content-Length"},
		{"an empty length", head("POST / HTTP/1.1", "Content-Length:"), 400, "Content-Length"},
		{"a body in chunks", head("POST / HTTP/1.1", "Transfer-Encoding: chunked"), 400, "body"},
		{"65 headers", head("GET / HTTP/1.1", manyHeaders(HeadersMax)...), 431, "64"},
		{"8193 bytes", headOf(HeadBytesMax + 1), 431, "8192"},
		{"a head that never ends", "GET / HTTP/1.1\r\nX: " + strings.Repeat("a", HeadBytesMax), 431, "8192"},
		{"a request line that never ends", "GET /" + strings.Repeat("a", HeadBytesMax), 414, "8192"},
		{"a request line of 8193 bytes", "GET /" + strings.Repeat("a", HeadBytesMax-15) + " HTTP/1.1\r\n", 414, "8192"},
	} {
		var r Request
		n, err := Parse([]byte(c.head), &r)
		if n != 0 || err == nil || err.Status != c.status || !strings.Contains(err.Message, c.want) {
			t.Errorf("%s: n %d, error %v; want %d and %q", c.about, n, err, c.status, c.want)
		}
		checkPrefixes(t, c.about, c.head)
	}
}

// checkPrefixes gives the head in parts of every length: each part asks for more, or says already what the whole says.
func checkPrefixes(t *testing.T, about, head string) {
	t.Helper()
	var r Request
	n, err := Parse([]byte(head), &r)
	step := 1 + len(head)/700 // long heads not at every byte
	for cut := 0; cut < len(head); cut += step {
		part, partErr := Parse([]byte(head[:cut]), &r)
		switch {
		case partErr == nil && part == 0:
		case partErr != nil && err != nil && fmt.Sprint(partErr) == fmt.Sprint(err):
		case partErr == nil && part == n:
		default:
			t.Errorf("%s: %d bytes give %d, %v; the whole gives %d, %v", about, cut, part, partErr, n, err)
			return
		}
	}
}

func manyHeaders(n int) (lines []string) {
	for i := range n {
		lines = append(lines, fmt.Sprintf("X-%d: %d", i, i))
	}
	return lines
}

// headOf makes a head of that many bytes.
func headOf(length int) string {
	without := len(head("GET / HTTP/1.1", "X: "))
	return head("GET / HTTP/1.1", "X: "+strings.Repeat("a", length-without))
}

func TestHeaders(t *testing.T) {
	src := head("GET / HTTP/1.1", "X-One: \t a b \t", "Connection: keep-alive", "connection:, Upgrade ,", "X-Empty:", "x-one: second",
		"Utf8: é")
	var r Request
	if _, err := Parse([]byte(src), &r); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, value string
		n           int
	}{
		{"x-one", "a b", 2}, {"X-ONE", "a b", 2}, {"X-Empty", "", 1}, {"X-None", "", 0}, {"utf8", "é", 1}, {"X-On", "", 0},
	} {
		if value, n := r.Header(c.name); string(value) != c.value || n != c.n {
			t.Errorf("Header(%q) = %q, %d; want %q, %d", c.name, value, n, c.value, c.n)
		}
	}
	for _, c := range []struct {
		name, token string
		want        bool
	}{
		{"Connection", "upgrade", true}, {"Connection", "Keep-Alive", true}, {"Connection", "keep", false},
		{"Connection", "", false}, {"X-One", "a", false}, {"X-None", "a", false},
	} {
		if got := r.HeaderToken(c.name, c.token); got != c.want {
			t.Errorf("HeaderToken(%q, %q) = %v", c.name, c.token, got)
		}
	}
	// The same value again, for a smaller request: nothing of the first may show.
	if _, err := Parse([]byte(head("GET /x HTTP/1.1")), &r); err != nil {
		t.Fatal(err)
	}
	if _, n := r.Header("X-One"); n != 0 || len(r.Query) != 0 {
		t.Error("the request before shows through")
	}
}

func TestParseDoesNotAllocate(t *testing.T) {
	src := []byte(head("GET /ws?topics=a,b&last=1 HTTP/1.1", "Upgrade: websocket", "Connection: keep-alive, Upgrade"))
	escaped := []byte("ticker%2FBTC+USD")
	scratch := make([]byte, 0, 4096)
	fault := badRequest("a fault")
	var r Request
	if n := testing.AllocsPerRun(100, func() {
		if n, err := Parse(src, &r); n != len(src) || err != nil {
			t.Fatal(n, err)
		}
		if !r.HeaderToken("Connection", "upgrade") {
			t.Fatal("no token")
		}
		topics, _ := Param(r.Query, "topics")
		elements := 0
		SplitList(topics, func([]byte) bool { elements++; return true })
		if elements != 2 {
			t.Fatal(elements)
		}
		if _, err := Unescape(scratch[:0], escaped); err != nil {
			t.Fatal(err)
		}
		AppendError(scratch[:0], fault)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkParse(b *testing.B) {
	chrome := []byte(head("GET /ws?topics=ticker/BTC-USD HTTP/1.1", "Connection: Upgrade", "Pragma: no-cache", "Cache-Control: no-cache",
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36",
		"Upgrade: websocket", "Origin: https://example.org", "Sec-WebSocket-Version: 13", "Accept-Encoding: gzip, deflate, br, zstd",
		"Accept-Language: en-US,en;q=0.9", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
		"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"))
	var r Request
	b.SetBytes(int64(len(chrome)))
	b.ReportAllocs()
	for b.Loop() {
		if n, err := Parse(chrome, &r); n == 0 || err != nil {
			b.Fatal(n, err)
		}
	}
}
