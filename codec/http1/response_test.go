package http1

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"testing"
)

// TestAppendError reads our responses with another implementation.
func TestAppendError(t *testing.T) {
	for _, e := range []*Error{
		{Status: 400, Code: "bad_request", Message: "plain"},
		{Status: 426, Code: "upgrade_required", Message: "use \"WebSocket\" \\ \x01\n é \xff", Header: []string{"Upgrade: websocket", "Connection: Upgrade"}},
		{Status: 503, Code: "unavailable", Message: "full", Header: []string{"Retry-After: 5"}},
		{Status: 599, Code: "x", Message: ""},
	} {
		out := AppendError([]byte("before"), e)
		response, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(out[len("before"):])), nil)
		if err != nil {
			t.Fatalf("%+v: %v in %q", e, err, out)
		}
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		var shown struct {
			Error struct{ Code, Message string }
		}
		if err := json.Unmarshal(body, &shown); err != nil {
			t.Errorf("%q: %v", body, err)
		}
		want := string(bytes.ToValidUTF8([]byte(e.Message), []byte("\uFFFD")))
		if response.StatusCode != e.Status || shown.Error.Code != e.Code || shown.Error.Message != want {
			t.Errorf("%+v shown as %d %q", e, response.StatusCode, body)
		}
		if !response.Close || response.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%+v: headers %v", e, response.Header)
		}
		for _, line := range e.Header {
			if !bytes.Contains(out, []byte("\r\n"+line+"\r\n")) {
				t.Errorf("%+v: no line %q", e, line)
			}
		}
	}
}

func TestAppendResponse(t *testing.T) {
	const want = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n"
	if got := AppendResponse(nil, 200, "text/plain", []byte("ok\n")); string(got) != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestHeadOnly: the answer to HEAD has the headers of the answer to GET, its length among them, and no body.
func TestHeadOnly(t *testing.T) {
	for _, whole := range [][]byte{
		AppendError(nil, &Error{Status: 503, Code: "full", Message: "full", Header: []string{"Retry-After: 5"}}),
		AppendResponse(nil, 200, "text/plain", []byte("a\r\n\r\nb")),
		AppendResponse(nil, 200, "text/plain", nil),
	} {
		theirs, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(HeadOnly(whole))), &http.Request{Method: http.MethodHead})
		if err != nil {
			t.Fatal(err)
		}
		if theirs.Body.Close() != nil || theirs.ContentLength != int64(len(whole)-len(HeadOnly(whole))) {
			t.Errorf("%q for %q", HeadOnly(whole), whole)
		}
		if !bytes.HasPrefix(whole, HeadOnly(whole)) || bytes.Count(HeadOnly(whole), emptyLine) != 1 {
			t.Errorf("%q for %q", HeadOnly(whole), whole)
		}
	}
}

// TestEveryStatusHasItsPhrase holds our list against another's.
func TestEveryStatusHasItsPhrase(t *testing.T) {
	for status := range 600 {
		ours, theirs := reason(status), http.StatusText(status)
		if status == 414 {
			theirs = "URI Too Long" // RFC 9110 §15.5.15
		}
		if ours != "" && ours != theirs {
			t.Errorf("%d: %q, want %q", status, ours, theirs)
		}
	}
}
