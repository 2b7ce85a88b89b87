package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/megawire/megawire/client"
)

// mute is a server that confirms the protocol and answers nothing.
func mute(t *testing.T) (url string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"megawire.v1"}})
		if err != nil {
			t.Error(err)
			return
		}
		for err == nil {
			_, _, err = ws.Read(context.Background())
		}
	}))
	t.Cleanup(s.Close)
	return s.URL + "/ws"
}

func TestSubscriptionWithoutAnAnswer(t *testing.T) {
	url := mute(t)
	c, err := client.Dial(context.Background(), url, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	p := &printer{client: c, errs: io.Discard, ackTimeout: time.Millisecond}
	if err := p.ask(context.Background(), url, []client.Sub{{Filter: "a"}}); err == nil || !strings.Contains(err.Error(), "did not answer the subscription within 1ms") {
		t.Errorf("got %v", err)
	}
}

// A time limit that ends before the answer came is a failure too: nothing was subscribed to.
func TestTimeoutBeforeTheAnswer(t *testing.T) {
	cmd := newSubCommand()
	cmd.SetArgs([]string{"--url", mute(t), "--timeout", "500ms", "a"})
	cmd.SetErr(io.Discard)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	if err := cmd.Execute(); err == nil || !strings.Contains(err.Error(), "did not answer the subscription within 500ms") {
		t.Errorf("got %v", err)
	}
}

// A server that is full says when to come again.
func TestSubWhereThereIsNoRoom(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, `{"error":{"code":"full","message":"no more room"}}`)
	}))
	defer s.Close()
	cmd := newSubCommand()
	cmd.SetArgs([]string{"--url", s.URL, "a"})
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	err := cmd.Execute()
	if want := "503 Service Unavailable: no more room\n  it asks to be left alone for 7s: try again then"; err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("got %v", err)
	}
}

func TestAppendLine(t *testing.T) {
	event := func(c client.Content, payload string) client.Event {
		return client.Event{Kind: client.Message, Topic: "a/b", Content: c, Payload: []byte(payload),
			Raw: []byte(`{"topic":"a/b","seq":1,"ts":1,"data":` + payload + `}`)}
	}
	for _, row := range []struct {
		name  string
		flags subFlags
		event client.Event
		want  string
	}{
		{"JSON as it came", subFlags{}, event(client.JSON, `{"x": 1.0}`), `a/b {"x": 1.0}`},
		{"JSON with line breaks is compacted", subFlags{}, event(client.JSON, "{\n \"x\": 1.0}"), `a/b {"x":1.0}`},
		{"text", subFlags{}, event(client.Text, "hello"), "a/b hello"},
		{"text is one line and commands no terminal", subFlags{}, event(client.Text, "a\nb\x1b[2J\u009b\t."), `a/b a\nb\u001b[2J\u009b` + "\t."},
		{"bytes are base64", subFlags{}, event(client.Binary, "\x00\xff"), "a/b AP8="},
		{"--json is the envelope", subFlags{json: true}, event(client.JSON, `7`), `{"topic":"a/b","seq":1,"ts":1,"data":7}`},
		{"--json is one line", subFlags{json: true}, event(client.JSON, "[\n7]"), `{"topic":"a/b","seq":1,"ts":1,"data":[7]}`},
		{"--raw is the payload", subFlags{raw: true}, event(client.JSON, `7`), "7"},
		{"--raw text is one line", subFlags{raw: true}, event(client.Text, "a\nb"), `a\nb`},
	} {
		if got := string(appendLine(nil, &row.flags, &row.event)); got != row.want+"\n" {
			t.Errorf("%s: %q, want %q", row.name, got, row.want)
		}
	}
	e := event(client.Binary, "\x00\n\xff")
	if got := string(appendLine(nil, &subFlags{raw: true}, &e)); got != "\x00\n\xff" {
		t.Errorf("--raw leaves bytes alone: %q", got)
	}
}

func TestEndpoint(t *testing.T) {
	for _, row := range []struct{ url, want string }{
		{"ws://h:1/ws", "ws://h:1/ws"},
		{"h:1", "ws://h:1/ws"},
		{"wss://h/", "wss://h/ws"},
		{"http://h/ws?token=x", "http://h/ws?token=x"},
		{"ftp://h/", ""},
		{"", ""},
	} {
		got, err := (&subFlags{url: row.url}).endpoint()
		if got != row.want || (err == nil) != (row.want != "") {
			t.Errorf("%q: %q, %v", row.url, got, err)
		}
	}
}

func TestSubFlags(t *testing.T) {
	flags := subFlags{url: "h", last: 2, latest: true, every: time.Second}
	subs, err := flags.subs([]string{"a", "b/#"})
	if err != nil || len(subs) != 2 || subs[1] != (client.Sub{Filter: "b/#", Last: 2, Mode: client.ModeLatest, Every: time.Second}) {
		t.Errorf("%+v, %v", subs, err)
	}
	flags = subFlags{url: "h", since: "rj6ct2hu:84"}
	subs, err = flags.subs([]string{"a"})
	if err != nil || len(subs) != 1 || subs[0].Since.Epoch != "rj6ct2hu" || subs[0].Since.Seq != 84 {
		t.Errorf("%+v, %v", subs, err)
	}
}
