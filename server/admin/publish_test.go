package admin

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestPublishOne(t *testing.T) {
	big := `"` + strings.Repeat("x", 1<<20) + `"`
	for _, tc := range []struct {
		sentence string
		body     string
		status   int
		answer   string
		topic    string // of what is published, "" for nothing
		content  byte
		payload  string
		exclude  []string
	}{
		{sentence: "data is kept byte for byte, spaces and escapes too", body: ` {"data": { "a" : 1.0,"b":"\u00e4\/"} ,"topic":"a/b"}` + "\r\n",
			status: 200, answer: `{"topic":"a/b","epoch":"k3x9","seq":1}`, topic: "a/b", payload: `{ "a" : 1.0,"b":"\u00e4\/"}`},
		{sentence: "a byte order mark before it is passed over", body: "\xEF\xBB\xBF" + `{"topic":"t","data":1}`,
			status: 200, answer: `{"topic":"t","epoch":"k3x9","seq":1}`, topic: "t", payload: `1`},
		{sentence: "data of 128 levels", body: `{"topic":"t","data":` + nested(128) + `}`,
			status: 200, answer: `{"topic":"t","epoch":"k3x9","seq":1}`, topic: "t", payload: nested(128)},
		{sentence: "data of 129 levels", body: `{"topic":"t","data":` + nested(129) + `}`,
			status: 400, answer: fault("bad_request", "it is nested deeper than 128 levels")},
		{sentence: "two byte order marks", body: "\xEF\xBB\xBF\xEF\xBB\xBF" + `{"topic":"t","data":1}`,
			status: 400, answer: fault("bad_request", "it is not valid JSON: invalid character 'ï' looking for beginning of value (at byte 1)")},
		{sentence: "null is a value like any other", body: `{"topic":"t","data":null}`,
			status: 200, answer: `{"topic":"t","epoch":"k3x9","seq":1}`, topic: "t", payload: `null`},
		{sentence: "a number keeps its digits", body: `{"topic":"t","data":1e400}`,
			status: 200, answer: `{"topic":"t","epoch":"k3x9","seq":1}`, topic: "t", payload: `1e400`},
		{sentence: "brackets within strings do not end a value", body: `{"topic":"t","data":["}]\"{[",{"a":"\\"}]}`,
			status: 200, answer: `{"topic":"t","epoch":"k3x9","seq":1}`, topic: "t", payload: `["}]\"{[",{"a":"\\"}]`},
		{sentence: "text is decoded", body: `{"topic":"t","text":"a\n\"\ud83d\ude00\u20ac\\"}`,
			status: 200, answer: `{"topic":"t","epoch":"k3x9","seq":1}`, topic: "t", content: ContentText, payload: "a\n\"\U0001f600€\\"},
		{sentence: "an empty text is a text", body: `{"topic":"t","text":""}`,
			status: 200, answer: `{"topic":"t","epoch":"k3x9","seq":1}`, topic: "t", content: ContentText, payload: ""},
		{sentence: "bin is base64", body: `{"topic":"t","bin":"AP\/+"}`,
			status: 200, answer: `{"topic":"t","epoch":"k3x9","seq":1}`, topic: "t", content: ContentBinary, payload: "\x00\xff\xfe"},
		{sentence: "escapes in the topic and in keys are decoded", body: `{"\u0074opic":"\u0061/é","data":1}`,
			status: 200, answer: `{"topic":"a/é","epoch":"k3x9","seq":1}`, topic: "a/é", payload: `1`},
		{sentence: "exclude names clients", body: `{"topic":"t","exclude":["7f2c","a"],"data":1}`,
			status: 200, answer: `{"topic":"t","epoch":"k3x9","seq":1}`, topic: "t", payload: `1`, exclude: []string{"7f2c", "a"}},

		{sentence: "an empty body", body: " \n", status: 400, answer: fault("bad_request", "there is no JSON in it")},
		{sentence: "half a body", body: `{"topic":"t","da`,
			status: 400, answer: fault("bad_request", "it is not valid JSON: unexpected end of JSON input (at byte 16)")},
		{sentence: "two objects", body: `{"topic":"t","data":1}{}`,
			status: 400, answer: fault("bad_request", "it is not valid JSON: invalid character '{' after top-level value (at byte 23)")},
		{sentence: "neither object nor array", body: `"topic"`, status: 400, answer: fault("bad_request", "it must be an object, not a string")},
		{sentence: "invalid UTF-8 in data", body: "{\"topic\":\"t\",\"data\":\"\xff\"}", status: 400, answer: fault("bad_request", "it is not valid UTF-8")},
		{sentence: "half a surrogate pair in text", body: `{"topic":"t","text":"\ud83dx"}`,
			status: 400, answer: fault("bad_request", `key "text": it has half of a surrogate pair, which is no character`)},
		{sentence: "the low half of a surrogate pair alone", body: `{"topic":"\ude00","data":1}`,
			status: 400, answer: fault("bad_request", `key "topic": it has half of a surrogate pair, which is no character`)},
		{sentence: "no payload", body: `{"topic":"t"}`, status: 400, answer: fault("bad_request", `one of "data", "text" and "bin" is missing`)},
		{sentence: "two payloads", body: `{"topic":"t","data":1,"text":"a"}`,
			status: 400, answer: fault("bad_request", `only one of "data", "text" and "bin" may stand in it`)},
		{sentence: "no topic", body: `{"data":1}`, status: 400, answer: fault("bad_request", `key "topic" is missing`)},
		{sentence: "an unknown key", body: `{"topic":"t","dta":1}`, status: 400, answer: fault("bad_request", `unknown key "dta"`)},
		{sentence: "keys tell case apart", body: `{"Topic":"t","data":1}`, status: 400, answer: fault("bad_request", `unknown key "Topic"`)},
		{sentence: "a key twice, once escaped", body: `{"topic":"t","data":1,"d\u0061ta":2}`,
			status: 400, answer: fault("bad_request", `key "data" stands twice`)},
		{sentence: "ts is for captures", body: `{"ts":1,"topic":"t","data":1}`, status: 400, answer: fault("bad_request", `unknown key "ts"`)},
		{sentence: "a topic of the wrong type", body: `{"topic":7,"data":1}`,
			status: 400, answer: fault("bad_request", `key "topic": it must be a string, not a number`)},
		{sentence: "a text of the wrong type", body: `{"topic":"t","text":{}}`,
			status: 400, answer: fault("bad_request", `key "text": it must be a string, not an object`)},
		{sentence: "exclude of the wrong type", body: `{"topic":"t","data":1,"exclude":"a"}`,
			status: 400, answer: fault("bad_request", `key "exclude": it must be an array, not a string`)},
		{sentence: "exclude of wrong ids", body: `{"topic":"t","data":1,"exclude":[true]}`,
			status: 400, answer: fault("bad_request", `key "exclude": it must be a string, not a boolean`)},
		{sentence: "base64 without padding", body: `{"topic":"t","bin":"AA"}`,
			status: 400, answer: fault("bad_request", `key "bin": it is not base64 (RFC 4648 §4, with padding and no line breaks)`)},
		{sentence: "base64 with a line break", body: `{"topic":"t","bin":"AA\nAA"}`,
			status: 400, answer: fault("bad_request", `key "bin": it is not base64 (RFC 4648 §4, with padding and no line breaks)`)},

		{sentence: "the backend's rules: a wildcard", body: `{"topic":"a/+","data":1}`,
			status: 400, answer: fault("bad_topic", "a topic has 1 to 255 bytes and no wildcard")},
		{sentence: "the backend's rules: the server's topics, told by pointer", body: `{"topic":"$sys/x","data":1}`,
			status: 403, answer: fault("forbidden", "topics that begin with $ are the server's own")},
		{sentence: "the backend's rules: a message past the bound", body: `{"topic":"t","data":` + big + `}`,
			status: 413, answer: fault("too_large", "a message holds at most 1048576 bytes")},
		{sentence: "a body past its bound", body: strings.Repeat(" ", 17<<20),
			status: 413, answer: fault("too_large", "the body is longer than 8388608 bytes; stream more as application/x-ndjson")},
	} {
		t.Run(tc.sentence, func(t *testing.T) {
			b := &fakeBackend{}
			post(t, newServer(t, Options{Backend: b}), jsonType, tc.body, tc.status, tc.answer)
			if tc.topic == "" {
				if b.count() > 0 {
					t.Errorf("published %q", b.lines())
				}
				return
			}
			if b.count() != 1 {
				t.Fatalf("%d publications", b.count())
			}
			p := b.published[0]
			if p.Topic != tc.topic || p.Content != tc.content || string(p.Payload) != tc.payload || !slices.Equal(p.Exclude, tc.exclude) {
				t.Errorf("published %q kind %d %q excluding %q", p.Topic, p.Content, p.Payload, p.Exclude)
			}
		})
	}
}

// nested is an array of that many levels.
func nested(levels int) string {
	return strings.Repeat("[", levels) + strings.Repeat("]", levels)
}

// fault is the body of a refusal.
func fault(code, message string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	_ = e.Encode(errorAnswer{Fault{code, message}})
	return strings.TrimSpace(b.String())
}

func TestPublishArray(t *testing.T) {
	for _, tc := range []struct {
		sentence string
		body     string
		status   int
		answer   string
		lines    []string
	}{
		{"an empty array is nothing to do", ` [ ] `, 200, `[]`, nil},
		{"data of 128 levels", `[{"topic":"a","data":` + nested(128) + `}]`, 200, `[{"topic":"a","epoch":"k3x9","seq":1}]`, []string{"a=" + nested(128)}},
		{"data of 129 levels", `[{"topic":"a","data":` + nested(129) + `}]`, 400, fault("bad_request", "it is nested deeper than 128 levels"), nil},
		{"a result each, in order", `[{"topic":"a","data": 1},` + "\n" + `{"topic":"b","text":"x"}]`, 200,
			`[{"topic":"a","epoch":"k3x9","seq":1},{"topic":"b","epoch":"k3x9","seq":2}]`, []string{"a=1", "b=x"}},
		{"a bad entry publishes nothing and is named", `[{"topic":"a","data":1},{"topic":"b"}]`, 400,
			`{"error":{"code":"bad_request","message":"one of \"data\", \"text\" and \"bin\" is missing","index":1}}`, nil},
		{"an entry that the backend refuses publishes nothing", `[{"topic":"a","data":1},{"topic":"b","data":1},{"topic":"#","data":1}]`, 400,
			`{"error":{"code":"bad_topic","message":"a topic has 1 to 255 bytes and no wildcard","index":2}}`, nil},
		{"an entry that is no object", `[7]`, 400, `{"error":{"code":"bad_request","message":"it must be an object, not a number","index":0}}`, nil},
		{"what is not JSON has no index", `[{"topic":"a","data":1},]`, 400,
			`{"error":{"code":"bad_request","message":"it is not valid JSON: invalid character ']' looking for beginning of value (at byte 25)"}}`, nil},
		{"more entries than an array holds", "[" + strings.Repeat(`{"topic":"a","data":1},`, entriesMax) + `{"topic":"a","data":1}]`, 413,
			`{"error":{"code":"too_large","message":"an array holds at most 10000 entries; stream more as application/x-ndjson","index":10000}}`, nil},
	} {
		t.Run(tc.sentence, func(t *testing.T) {
			b := &fakeBackend{}
			post(t, newServer(t, Options{Backend: b}), jsonType, tc.body, tc.status, tc.answer)
			if !slices.Equal(b.lines(), tc.lines) {
				t.Errorf("published %q, want %q", b.lines(), tc.lines)
			}
		})
	}
}

func TestPublishContentType(t *testing.T) {
	for _, tc := range []struct {
		sentence string
		header   []string
		status   int
	}{
		{"JSON", []string{"Content-Type: application/json"}, 200},
		{"JSON in capitals with a charset", []string{"Content-Type: Application/JSON; charset=UTF-8"}, 200},
		{"NDJSON with a charset", []string{"Content-Type: application/x-ndjson; charset=utf-8"}, 200},
		{"what a form sends", []string{"Content-Type: application/x-www-form-urlencoded"}, 415},
		{"what a page may send across origins without asking", []string{"Content-Type: text/plain"}, 415},
		{"another charset", []string{"Content-Type: application/json; charset=latin1"}, 415},
		{"none at all", nil, 415},
		{"one that cannot be read", []string{"Content-Type: application/json; ="}, 415},
		{"a packed body", []string{"Content-Type: application/json", "Content-Encoding: gzip"}, 415},
		{"a body packed as identity", []string{"Content-Type: application/json", "Content-Encoding: identity"}, 200},
	} {
		t.Run(tc.sentence, func(t *testing.T) {
			b := &fakeBackend{}
			w := do(newServer(t, Options{Backend: b}), http.MethodPost, "/v1/publish", `{"topic":"t","data":1}`, tc.header...)
			if w.Code != tc.status || (b.count() == 1) != (tc.status == 200) {
				t.Errorf("status %d with %d published, want %d: %s", w.Code, b.count(), tc.status, w.Body)
			}
			if w.Code != 200 && !strings.Contains(w.Body.String(), `{"error":{"code":"bad_media_type"`) {
				t.Errorf("answer %s", w.Body)
			}
		})
	}
}

// TestPublishWaits: without room a publication waits for its deadline and no longer, and an array as a whole waits that long.
func TestPublishWaits(t *testing.T) {
	const message = `no room within 10s: the server is behind with earlier messages; try again`
	for _, tc := range []struct {
		sentence string
		kind     string
		body     string
		room     int
		answer   string
	}{
		{"one message", jsonType, `{"topic":"a","data":1}`, 0, `{"error":{"code":"unavailable","message":"` + message + `"}}`},
		{"an array tells what was published", jsonType, `[{"topic":"a","data":1},{"topic":"b","data":1},{"topic":"c","data":1}]`, 1,
			`{"error":{"code":"unavailable","message":"` + message + `","index":1},"results":[{"topic":"a","epoch":"k3x9","seq":1}]}`},
		{"a stream tells its counts and where it stopped", ndjsonType, "{\"topic\":\"a\",\"data\":1}\nbad\n\n{\"topic\":\"b\",\"data\":1}\n{\"topic\":\"c\",\"data\":1}\n", 1,
			`{"published":1,"failed":1,"first":{"line":2,"error":{"code":"bad_request","message":"it is not valid JSON: invalid character 'b' looking for beginning of value (at byte 1)"}},` +
				`"error":{"code":"unavailable","message":"` + message + `"},"line":4}`},
	} {
		t.Run(tc.sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := &fakeBackend{room: make(chan struct{}, 10)}
				for range tc.room {
					b.room <- struct{}{}
				}
				s := newServer(t, Options{Backend: b})
				begin := time.Now()
				w := do(s, http.MethodPost, "/v1/publish", tc.body, tc.kind)
				if got := strings.TrimSpace(w.Body.String()); w.Code != 503 || got != tc.answer || w.Header().Get("Retry-After") != "1" {
					t.Errorf("got %d %v %s\nwant 503 %s", w.Code, w.Header(), got, tc.answer)
				}
				if waited := time.Since(begin); waited != 10*time.Second {
					t.Errorf("waited %v", waited)
				}
			})
		})
	}
}

func TestPublishFailures(t *testing.T) {
	internal := fault("internal", "internal error; the server's log has more")
	for _, tc := range []struct {
		sentence string
		fail     error
		status   int
		one      string
		stream   string
	}{
		{"an unknown error is not told", errors.New("secret path"), 500, internal,
			`{"published":0,"error":{"code":"internal","message":"internal error; the server's log has more"},"line":1}`},
		{"a draining server", Fault{"unavailable", "draining"}, 503, fault("unavailable", "draining"),
			`{"published":0,"error":{"code":"unavailable","message":"draining"},"line":1}`},
		{"the request given up", context.Canceled, 503, fault("unavailable", "the request was given up while it waited for room"),
			`{"published":0,"error":{"code":"unavailable","message":"the request was given up while it waited for room"},"line":1}`},
	} {
		t.Run(tc.sentence, func(t *testing.T) {
			s := newServer(t, Options{Backend: &fakeBackend{fail: tc.fail}})
			post(t, s, jsonType, `{"topic":"a","data":1}`, tc.status, tc.one)
			post(t, s, ndjsonType, "{\"topic\":\"a\",\"data\":1}\n{\"topic\":\"a\",\"data\":1}", tc.status, tc.stream)
		})
	}
}

// TestBodySlots: long bodies are read a few at a time; small ones are not held up by them.
func TestBodySlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, Options{})
		for range bodiesMax {
			s.bodies <- struct{}{}
		}
		post(t, s, jsonType, `{"topic":"a","data":1}`, 200, `{"topic":"a","epoch":"k3x9","seq":1}`)
		long := `{"topic":"a","data":1}` + strings.Repeat(" ", bodySmallBytes)
		post(t, s, jsonType, long, 503, fault("unavailable", "too many long bodies at once; try again"))
		<-s.bodies
		post(t, s, jsonType, long, 200, `{"topic":"a","epoch":"k3x9","seq":2}`)
		if len(s.bodies) != bodiesMax-1 {
			t.Errorf("%d slots are taken, want %d", len(s.bodies), bodiesMax-1)
		}
	})
}
