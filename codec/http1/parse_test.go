package http1

import (
	"strings"
	"testing"
)

// head makes a request head of a request line and headers; Host is there already.
func head(line string, headers ...string) string {
	return line + "\r\nHost: example.org\r\n" + strings.Join(append(headers, ""), "\r\n") + "\r\n"
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
