//go:build interop

package interop

import (
	"encoding/json"
	"strings"
	"testing"
)

// upgrade are the headers of a right upgrade request.
var upgrade = []string{"-H", "Connection: Upgrade", "-H", "Upgrade: websocket",
	"-H", "Sec-WebSocket-Version: 13", "-H", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="}

func TestCurlOnThePublicListener(t *testing.T) {
	s := startServer(t, "--origins", "https://good.example")
	for _, row := range []struct {
		name    string
		args    []string
		status  string
		header  string // in lower case; "" for none in particular
		hasJSON bool
	}{
		{"a plain GET on a WebSocket path", []string{"/ws"}, "426", "upgrade: websocket", true},
		{"and on the echo", []string{"/echo"}, "426", "upgrade: websocket", true},
		{"and on a raw topic", []string{"/raw/chat/lobby"}, "426", "upgrade: websocket", true},
		{"a path that is not there", []string{"/nowhere"}, "404", "", true},
		{"another method", []string{"/ws", "-X", "DELETE"}, "405", "allow: get", true},
		{"readiness", []string{"/readyz"}, "200", "", false},
		{"a wrong version of the protocol", []string{"/ws", "-H", "Connection: Upgrade", "-H", "Upgrade: websocket",
			"-H", "Sec-WebSocket-Version: 8", "-H", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="}, "426", "sec-websocket-version: 13", true},
		{"a key that is none", []string{"/ws", "-H", "Connection: Upgrade", "-H", "Upgrade: websocket",
			"-H", "Sec-WebSocket-Version: 13", "-H", "Sec-WebSocket-Key: short"}, "400", "", true},
		{"a head of 20,000 bytes", []string{"/ws", "-H", "X-Long: " + strings.Repeat("x", 20000)}, "431", "", true},
		{"a wildcard in a raw topic", []string{"/raw/chat/%23", "-H", "Connection: Upgrade", "-H", "Upgrade: websocket",
			"-H", "Sec-WebSocket-Version: 13", "-H", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="}, "400", "", true},
		{"a line of 20,000 bytes", []string{"/ws?" + strings.Repeat("x", 20000)}, "414", "connection: close", true},
		{"a body", []string{"/ws", "--data-binary", "{}", "-X", "GET"}, "400", "connection: close", true},
		{"an upgrade in HTTP/1.0", append([]string{"/ws", "--http1.0"}, upgrade...), "400", "connection: close", true},
		{"readiness in HTTP/1.0", []string{"/readyz", "--http1.0"}, "200", "", false},
		{"readiness, with an offer of HTTP/2", []string{"/readyz", "--http2"}, "200", "", false},
		{"no host", []string{"/readyz", "-H", "Host:"}, "400", "", true},
		{"a page of another origin", append([]string{"/echo", "-H", "Origin: https://evil.example"}, upgrade...), "403", "connection: close", true},
		{"an extension list that is none", append([]string{"/echo", "-H", "Sec-WebSocket-Extensions: ;;"}, upgrade...), "400", "", true},
	} {
		t.Run(row.name, func(t *testing.T) {
			out := run(t, nil, "curl", append([]string{"-sS", "-i", "--max-time", "20", "http://" + s.public + row.args[0]}, row.args[1:]...)...)
			head, body, _ := strings.Cut(out, "\r\n\r\n")
			if fields := strings.Fields(head); len(fields) < 2 || fields[1] != row.status {
				t.Errorf("want status %s:\n%s", row.status, out)
			}
			if !strings.Contains(strings.ToLower(head), row.header) {
				t.Errorf("want header %s:\n%s", row.header, head)
			}
			if row.hasJSON {
				fault(t, head, body)
			}
		})
	}
}

// TestCurlSeesNoBodyOfAHead: curl takes what would come behind the head of an answer to HEAD for an answer of its own.
func TestCurlSeesNoBodyOfAHead(t *testing.T) {
	s := startServer(t)
	for path, status := range map[string]string{"/readyz": "200", "/nowhere": "404", "/ws": "405"} {
		out := run(t, nil, "curl", "-sS", "-I", "--max-time", "20", "-w", "%{http_code} %{size_download}", "http://"+s.public+path)
		if !strings.HasSuffix(out, "\r\n\r\n"+status+" 0") {
			t.Errorf("HEAD %s:\n%s", path, out)
		}
	}
}

// TestCurlSpeaksHTTP2: there is none here, and who begins with it is not left waiting.
func TestCurlSpeaksHTTP2(t *testing.T) {
	s := startServer(t)
	p := start(t, nil, "curl", "-sS", "--http2-prior-knowledge", "--max-time", "50", "http://"+s.public+"/ws")
	const timedOut = 28
	if code := p.wait(); code == 0 || code == timedOut {
		t.Errorf("curl left with %d:\n%s", code, p.text())
	}
}

// TestCurlWhileThereIsNoRoom: who is too many is told when to come again.
func TestCurlWhileThereIsNoRoom(t *testing.T) {
	ask := func(s *server, path string) (head, body string) {
		out := run(t, nil, "curl", append([]string{"-sS", "-i", "--max-time", "20", "http://" + s.public + path}, upgrade...)...)
		head, body, _ = strings.Cut(out, "\r\n\r\n")
		return strings.ToLower(head), body
	}
	t.Run("connections", func(t *testing.T) {
		s := startServer(t, "--limits.connections", "1")
		inside := start(t, s.env(), python, "-u", "testdata/websocket_app.py")
		inside.expect("open 1")
		head, body := ask(s, "/echo")
		if !strings.HasPrefix(head, "http/1.1 503") || !strings.Contains(head, "retry-after: 5") || !strings.Contains(body, `"full"`) {
			t.Errorf("%s\n\n%s", head, body)
		}
		fault(t, head, body)
		s.counts(`megawire_connections_refused_total{reason="full"}`)
		inside.say("enough")
		inside.succeed()
	})
	t.Run("new connections a second", func(t *testing.T) {
		s := startServer(t, "--limits.connects_per_second", "1")
		for {
			head, body := ask(s, "/raw/a/%23") // refused for its topic, if it is let in
			if strings.HasPrefix(head, "http/1.1 400") {
				continue // each came a second after the one before
			}
			if !strings.HasPrefix(head, "http/1.1 503") || !strings.Contains(head, "retry-after: 1") || !strings.Contains(body, `"rate_limited"`) {
				t.Errorf("%s\n\n%s", head, body)
			}
			fault(t, head, body)
			break
		}
		s.counts(`megawire_connections_refused_total{reason="rate_limited"}`)
	})
}

// fault sees that an error has a JSON body that names it.
func fault(t *testing.T, head, body string) {
	t.Helper()
	var answer struct {
		Error struct{ Code, Message string }
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || answer.Error.Code == "" || answer.Error.Message == "" {
		t.Errorf("the body %q: %v", body, err)
	}
	if !strings.Contains(strings.ToLower(head), "content-type: application/json") {
		t.Errorf("the body is not called JSON:\n%s", head)
	}
}

func TestCurlPublishes(t *testing.T) {
	s := startServer(t)
	url := "http://" + s.admin + "/v1/publish"
	for _, row := range []struct {
		name, contentType, body string
		status, has             string
	}{
		{"one message", "application/json", `{"topic":"a","data":{"x": 1.0}}`, "200", `"topic":"a"`},
		{"an array", "application/json", `[{"topic":"a","text":"x"},{"topic":"b","bin":"AAE="}]`, "200", `"topic":"b"`},
		{"a stream", "application/x-ndjson", "{\"topic\":\"a\",\"data\":1}\n{\"topic\":\"a\",\"data\":2}\n", "200", `{"published":2}`},
		{"a stream with a bad line", "application/x-ndjson", "{\"topic\":\"a\",\"data\":1}\nnot JSON\n", "422", `"line":2`},
		{"a wildcard", "application/json", `{"topic":"a/#","data":1}`, "400", "bad_topic"},
		{"an unknown key", "application/json", `{"topic":"a","dat":1}`, "400", "dat"},
		{"what a web page could send", "text/plain", `{"topic":"a","data":1}`, "415", "application/json"},
	} {
		t.Run(row.name, func(t *testing.T) {
			out := run(t, nil, "curl", "-sS", "-i", "--max-time", "20", "-H", "Content-Type: "+row.contentType, "--data-binary", row.body, url)
			head, body, _ := strings.Cut(out, "\r\n\r\n")
			if fields := strings.Fields(head); len(fields) < 2 || fields[1] != row.status || !strings.Contains(body, row.has) {
				t.Errorf("want %s with %s:\n%s", row.status, row.has, out)
			}
		})
	}
}
