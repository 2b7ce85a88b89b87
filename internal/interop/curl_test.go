//go:build interop

package interop

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestCurlOnThePublicListener(t *testing.T) {
	s := startServer(t)
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
