package admin

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/megawire/megawire/internal/plainjson"
)

// FuzzPublish gives bodies to /v1/publish: one publication or an array, or lines of a capture. What is published, and
// how it is answered, is to be what encoding/json makes of the body, however it comes in.
func FuzzPublish(f *testing.F) {
	b := &fakeBackend{}
	s, err := New(Options{Backend: b})
	if err != nil {
		f.Fatal(err)
	}
	handler := s.Handler()
	f.Fuzz(func(t *testing.T, body []byte, lines, byteByByte bool) {
		if halfPair.Match(body) {
			return // encoding/json takes half a surrogate pair for U+FFFD
		}
		b.published = nil
		kind, read := jsonType, posted
		if lines {
			kind, read = ndjsonType, captured
		}
		want, failed := read(b, body)
		var from io.Reader = bytes.NewReader(body)
		if byteByByte {
			from = iotest.OneByteReader(from)
		}
		r := httptest.NewRequest(http.MethodPost, "/v1/publish", from)
		r.Host = "localhost:9080"
		name, value, _ := strings.Cut(kind, ": ")
		r.Header.Set(name, value)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)

		if got := b.lines(); !slices.Equal(got, want) {
			t.Errorf("%q published %q, want %q", body, got, want)
		}
		var a streamAnswer
		if err := json.Unmarshal(w.Body.Bytes(), &a); !json.Valid(w.Body.Bytes()) || lines && err != nil {
			t.Errorf("the answer %q: %v", w.Body, err)
		}
		switch {
		case lines && (int(a.Published) != len(want) || int(a.Failed) != failed || (a.First != nil) != (failed > 0) || a.Error != nil):
			t.Errorf("%q was answered %s, with %d published and %d not", body, w.Body, len(want), failed)
		case (w.Code == http.StatusOK) != (failed == 0) || w.Code >= http.StatusInternalServerError:
			t.Errorf("%q was answered %d, with %d published and %d not", body, w.Code, len(want), failed)
		}
	})
}

var halfPair = regexp.MustCompile(`\\u[dD][89a-fA-F]`)

// captured reads the lines of a capture.
func captured(b *fakeBackend, body []byte) (want []string, failed int) {
	for i, line := range bytes.Split(body, []byte("\n")) {
		if i == 0 {
			line = bytes.TrimPrefix(line, byteOrderMark)
		}
		if len(bytes.Trim(line, blanks)) == 0 {
			continue
		}
		if shown, ok := plainly(b, line, true); ok {
			want = append(want, shown)
		} else {
			failed++
		}
	}
	return want, failed
}

// posted reads a body that is one publication or an array, which is published as a whole or not.
func posted(b *fakeBackend, body []byte) (want []string, failed int) {
	body = bytes.Trim(bytes.TrimPrefix(body, byteOrderMark), blanks)
	entries := []json.RawMessage{body}
	around := 1
	if bytes.HasPrefix(body, []byte("[")) {
		if around = 2; json.Unmarshal(body, &entries) != nil || !utf8.Valid(body) || len(entries) > entriesMax {
			return nil, 1
		}
	}
	for _, entry := range entries {
		shown, ok := plainly(b, entry, false)
		if !ok {
			return nil, 1
		}
		want = append(want, shown)
	}
	if plainjson.Levels(body) > around+128 {
		return nil, 1
	}
	return want, 0
}

// plainly reads one publication, and shows it as fakeBackend.lines does.
func plainly(b *fakeBackend, text []byte, capture bool) (shown string, ok bool) {
	var byName map[string]json.RawMessage
	if !utf8.Valid(text) || !json.Valid(text) || plainjson.Levels(text) > 1+128 {
		return "", false
	}
	if json.Unmarshal(text, &byName) != nil || byName == nil {
		return "", false
	}
	if len(plainjson.Members(text)) != len(byName) {
		return "", false // one stands twice
	}
	var p Publication
	payloads := 0
	for name, value := range byName {
		var s string
		err := json.Unmarshal(value, &s)
		isText := err == nil && value[0] == '"'
		switch name {
		case "topic":
			p.Topic, ok = s, isText
		case "data":
			p.Payload = value
			payloads++
		case "text":
			p.Payload = []byte(s)
			payloads++
			if !isText {
				return "", false
			}
		case "bin":
			p.Payload, err = base64.StdEncoding.DecodeString(s)
			payloads++
			if !isText || err != nil || strings.ContainsAny(s, "\r\n") {
				return "", false
			}
		case "exclude":
			var ids []*string
			if json.Unmarshal(value, &ids) != nil || value[0] != '[' || len(ids) > excludeMax || slices.Contains(ids, nil) {
				return "", false
			}
		case "ts":
			if !capture {
				return "", false
			}
		default:
			return "", false
		}
	}
	return p.Topic + "=" + string(p.Payload), ok && payloads == 1 && b.Check(&p) == nil
}
