package ws

import (
	"errors"
	"strings"
	"testing"

	"github.com/megawire/megawire/codec/http1"
)

// sampleKey is the nonce of RFC 6455 §1.3.
var sampleKey = [16]byte([]byte("the sample nonce"))

const (
	sampleKeyText = "dGhlIHNhbXBsZSBub25jZQ=="
	sampleAccept  = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

func parse(t testing.TB, head string) *http1.Request {
	t.Helper()
	var r http1.Request
	if n, err := http1.Parse([]byte(head), &r); err != nil || n != len(head) {
		t.Fatalf("the test's request is wrong: %d, %v", n, err)
	}
	return &r
}

// upgradeHead is a good upgrade request with lines replaced (same name) or added; an empty value takes a line away.
func upgradeHead(changes ...string) string {
	lines := []string{
		"Host: example.org", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
		"Sec-WebSocket-Key: " + sampleKeyText,
	}
	method := "GET"
	for _, change := range changes {
		name, value, _ := strings.Cut(change, ":")
		if name == "method" {
			method = value
			continue
		}
		if name, added := strings.CutPrefix(change, "+"); added {
			lines = append(lines, name)
			continue
		}
		kept := lines[:0]
		for _, line := range lines {
			if !strings.HasPrefix(line, name+":") {
				kept = append(kept, line)
			}
		}
		if lines = kept; value != "" {
			lines = append(lines, change)
		}
	}
	return method + " /ws HTTP/1.1\r\n" + strings.Join(lines, "\r\n") + "\r\n\r\n"
}

func TestUpgradeByHTTP10(t *testing.T) {
	r := parse(t, strings.Replace(upgradeHead(), "HTTP/1.1", "HTTP/1.0", 1))
	dst, _, err := AppendUpgrade(nil, r, UpgradeOptions{})
	if err == nil || err.Status != 400 || !strings.Contains(err.Message, "HTTP/1.1") || len(dst) > 0 {
		t.Errorf("got %q, %v", dst, err)
	}
}

func TestUpgrade(t *testing.T) {
	native := []string{"megawire.v1", "megawire.v2"}
	for _, c := range []struct {
		about       string
		changes     []string
		spoken      []string
		status      int
		header      string // a line of the response that must be there
		subprotocol string
	}{
		{"a good request", nil, native, 101, "Sec-WebSocket-Accept: " + sampleAccept, ""},
		{"Firefox lists keep-alive first", []string{"Connection: keep-alive, Upgrade"}, native, 101, "", ""},
		{"names and tokens in any case", []string{"Upgrade: WebSocket", "Connection: UPGRADE"}, native, 101, "", ""},
		{"Connection in two lines", []string{"Connection: keep-alive", "+Connection: upgrade"}, native, 101, "", ""},
		{"POST", []string{"method:POST"}, native, 405, "Allow: GET", ""},
		{"HEAD", []string{"method:HEAD"}, native, 405, "Allow: GET", ""},
		{"a plain request", []string{"Upgrade:", "Connection:"}, native, 426, "Upgrade: websocket", ""},
		{"Upgrade to something else", []string{"Upgrade: h2c"}, native, 426, "Upgrade: websocket", ""},
		{"Connection does not say upgrade", []string{"Connection: keep-alive"}, native, 426, "Upgrade: websocket", ""},
		{"an old version", []string{"Sec-WebSocket-Version: 8"}, native, 426, "Sec-WebSocket-Version: 13", ""},
		{"no version", []string{"Sec-WebSocket-Version:"}, native, 426, "Sec-WebSocket-Version: 13", ""},
		{"two versions", []string{"+Sec-WebSocket-Version: 8"}, native, 400, "", ""},
		{"no key", []string{"Sec-WebSocket-Key:"}, native, 400, "", ""},
		{"two keys", []string{"+Sec-WebSocket-Key: " + sampleKeyText}, native, 400, "", ""},
		{"a key of 15 bytes", []string{"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j"}, native, 400, "", ""},
		{"a key of 17 bytes in 24 characters", []string{"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZTE="}, native, 400, "", ""},
		{"a key that is not base64", []string{"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j!Q=="}, native, 400, "", ""},
		{"an extension is not taken up", []string{"Sec-WebSocket-Extensions: permessage-deflate"}, native, 101, "", ""},
		{"our subprotocol", []string{"Sec-WebSocket-Protocol: megawire.v1"}, native, 101, "Sec-WebSocket-Protocol: megawire.v1", "megawire.v1"},
		{"the client's order decides", []string{"Sec-WebSocket-Protocol: mqtt, megawire.v2, megawire.v1"}, native, 101, "Sec-WebSocket-Protocol: megawire.v2", "megawire.v2"},
		{"offers in two lines", []string{"Sec-WebSocket-Protocol: mqtt", "+Sec-WebSocket-Protocol: megawire.v1"}, native, 101, "Sec-WebSocket-Protocol: megawire.v1", "megawire.v1"},
		{"subprotocols have their case", []string{"Sec-WebSocket-Protocol: Megawire.V1"}, native, 400, "", ""},
		{"only unknown subprotocols", []string{"Sec-WebSocket-Protocol: mqtt"}, native, 400, "", ""},
		{"an offer where none is spoken is passed over", []string{"Sec-WebSocket-Protocol: mqtt"}, nil, 101, "", ""},
	} {
		dst, _, err := AppendUpgrade([]byte("before"), parse(t, upgradeHead(c.changes...)), UpgradeOptions{Subprotocols: c.spoken})
		rest, _ := strings.CutPrefix(string(dst), "before")
		if err != nil {
			if rest != "" {
				t.Errorf("%s: refused, but appended %q", c.about, rest)
			}
			rest = string(http1.AppendError(nil, err))
		}
		status := 101
		if err != nil {
			status = err.Status
		}
		if status != c.status {
			t.Errorf("%s: status %d (%v), want %d", c.about, status, err, c.status)
			continue
		}
		if c.header != "" && !strings.Contains(rest, "\r\n"+c.header+"\r\n") {
			t.Errorf("%s: no line %q in %q", c.about, c.header, rest)
		}
		if status == 101 && strings.Contains(rest, "Sec-WebSocket-Protocol") != (c.subprotocol != "") {
			t.Errorf("%s: subprotocol in %q, want %q", c.about, rest, c.subprotocol)
		}
		if strings.Contains(rest, "Extensions") {
			t.Errorf("%s: an extension in %q", c.about, rest)
		}
	}
}

func TestHandshakeOfBothSides(t *testing.T) {
	request := AppendClientRequest(nil, "example.org:8080", "/ws?topics=a", sampleKey, "megawire.v1", "other")
	r := parse(t, string(request))
	if string(r.Path) != "/ws" || string(r.Query) != "topics=a" || string(r.Host) != "example.org:8080" {
		t.Errorf("host %q, path %q, query %q", r.Host, r.Path, r.Query)
	}
	response, _, fault := AppendUpgrade(nil, r, UpgradeOptions{Subprotocols: []string{"megawire.v1"}})
	if fault != nil {
		t.Fatal(fault)
	}
	for cut := range response {
		if n, err := ParseClientResponse(response[:cut], sampleKey); n != 0 || err != nil {
			t.Fatalf("%d bytes of the response: %d, %v; want to be asked for more", cut, n, err)
		}
	}
	n, err := ParseClientResponse(append(response, "\x81\x02hi"...), sampleKey)
	if err != nil || n != len(response) {
		t.Errorf("n %d, error %v; want %d", n, err, len(response))
	}
}

func TestClientResponseFaults(t *testing.T) {
	const good = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + sampleAccept + "\r\n\r\n"
	if n, err := ParseClientResponse([]byte(good), sampleKey); n != len(good) || err != nil {
		t.Fatalf("good response: %d, %v", n, err)
	}
	for _, c := range []struct{ about, from, to, want string }{
		{"another status", "101 Switching Protocols", "503 Service Unavailable", "503"},
		{"a status that only begins so", "101 ", "1010 ", "1010"},
		{"no Upgrade", "Upgrade: websocket\r\n", "", "Upgrade"},
		{"no Connection", "Connection: Upgrade\r\n", "", "Upgrade"},
		{"another accept", "s3pP", "s3pQ", "Accept"},
		{"no accept", "Sec-WebSocket-Accept: " + sampleAccept, "X: y", "Accept"},
		{"an extension", "\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n", "extension"},
		{"a line without a colon", "Connection: Upgrade", "Connection", "malformed"},
		{"a head that does not end", "\r\n\r\n", "\r\nX: " + strings.Repeat("x", http1.HeadBytesMax), "over"},
	} {
		n, err := ParseClientResponse([]byte(strings.Replace(good, c.from, c.to, 1)), sampleKey)
		if n != 0 || !errors.Is(err, ErrResponse) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %d, %v; want an error with %q", c.about, n, err, c.want)
		}
	}
}
