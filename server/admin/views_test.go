package admin

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// get asks for a path and expects the status and the exact body of the answer.
func get(t *testing.T, s *Server, path string, status int, want string) {
	t.Helper()
	w := do(s, http.MethodGet, path, "")
	if got := strings.TrimSuffix(w.Body.String(), "\n"); w.Code != status || got != want {
		t.Errorf("GET %s\n got %d %s\nwant %d %s", path, w.Code, got, status, want)
	}
	if kind := w.Header().Get("Content-Type"); kind != "application/json" {
		t.Errorf("GET %s: Content-Type %q", path, kind)
	}
	if !json.Valid(w.Body.Bytes()) {
		t.Errorf("GET %s: %s is not JSON", path, w.Body)
	}
}

func someTopics() []Topic {
	long := []byte(`"` + strings.Repeat("x", lastBytesMax) + `"`)
	return []Topic{
		{
			Name: "a/b", Epoch: "k3x9", Seq: 7, Subscribers: 2, RatePerSecond: 1.23456, Messages: 5, Bytes: 900, UsedMillis: 1700000000000,
			Last: &Last{Seq: 7, TSMillis: 1700000000001, Payload: []byte(`{"x": 1.0,"tag":"<b>"}`)},
		},
		{Name: "bin", Epoch: "k3x9", Last: &Last{Seq: 1, TSMillis: 2, Content: ContentBinary, Payload: []byte{0, 255}}},
		{Name: "empty", Epoch: "k3x9"},
		{Name: "long", Epoch: "k3x9", Last: &Last{Seq: 3, TSMillis: 4, Payload: long}},
		{Name: `te"xt`, Epoch: "k3x9", Last: &Last{Seq: 5, TSMillis: 6, Content: ContentText, Payload: []byte("a\"b\n")}},
	}
}

// How someTopics stand in an answer; those of the long one's payload are apart.
const (
	topicAB    = `{"topic":"a/b","subscribers":2,"rate":1.235,"epoch":"k3x9","seq":7,"messages":5,"bytes":900,"used":1700000000000`
	topicNone  = `,"subscribers":0,"rate":0,"epoch":"k3x9","seq":0,"messages":0,"bytes":0,"used":0`
	lastAB     = `,"last":{"seq":7,"ts":1700000000001,"data":{"x": 1.0,"tag":"<b>"}}`
	lastBin    = `,"last":{"seq":1,"ts":2,"bin":"AP8="}`
	lastText   = `,"last":{"seq":5,"ts":6,"text":"a\"b\n"}`
	lastCut    = `,"last":{"seq":3,"ts":4,"truncated":true}`
	topicBin   = `{"topic":"bin"` + topicNone
	topicEmpty = `{"topic":"empty"` + topicNone
	topicLong  = `{"topic":"long"` + topicNone
	topicText  = `{"topic":"te\"xt"` + topicNone
)

func TestTopics(t *testing.T) {
	for _, tc := range []struct {
		sentence, path string
		more           bool
		asked          TopicQuery
		want           string
	}{
		{"all, and the payloads byte for byte", "/v1/topics", false, TopicQuery{Limit: 100},
			`{"topics":[` + topicAB + lastAB + `},` + topicBin + lastBin + `},` + topicEmpty + `},` + topicLong + lastCut + `},` + topicText + lastText + `}]}`},
		{"without the last messages", "/v1/topics?last=0", false, TopicQuery{Limit: 100},
			`{"topics":[` + topicAB + `},` + topicBin + `},` + topicEmpty + `},` + topicLong + `},` + topicText + `}]}`},
		{"a page, and where the next begins", "/v1/topics?limit=2&last=1&after=a", true, TopicQuery{After: "a", Limit: 2},
			`{"topics":[` + topicAB + lastAB + `},` + topicBin + lastBin + `}],"next":"bin"}`},
		{"a filter with a plus, and one that was escaped", "/v1/topics?last=0&limit=1&filter=+/%2B/%23", false, TopicQuery{Filter: "+/+/#", Limit: 1},
			`{"topics":[` + topicAB + `}]}`},
		{"a filter that ends in an empty level on purpose", "/v1/topics?last=0&limit=1&filter=a%2F", false, TopicQuery{Filter: "a/", Limit: 1},
			`{"topics":[` + topicAB + `}]}`},
		{"a name in another script, and a space", "/v1/topics?last=0&limit=1&after=caf%C3%A9%20x&", false, TopicQuery{After: "café x", Limit: 1},
			`{"topics":[` + topicAB + `}]}`},
	} {
		t.Run(tc.sentence, func(t *testing.T) {
			b := &fakeBackend{fakeViews: fakeViews{topics: someTopics(), more: tc.more}}
			get(t, newServer(t, Options{Backend: b}), tc.path, 200, tc.want)
			if len(b.topicsAsked) != 1 || b.topicsAsked[0] != tc.asked {
				t.Errorf("asked %+v, want %+v", b.topicsAsked, tc.asked)
			}
		})
	}
	get(t, newServer(t, Options{}), "/v1/topics", 200, `{"topics":[]}`)
}

func TestOneTopic(t *testing.T) {
	names := []string{"a", "a/b", "a//b", "/a", "a/", "a/../b", "a/./b", "100%", "a b", "a+b", "café", "a?b", "$sys/heartbeat"}
	b := &fakeBackend{}
	for _, name := range names {
		b.topics = append(b.topics, Topic{Name: name})
	}
	s := newServer(t, Options{Backend: b})
	for i, path := range []string{
		"a", "a/b", "a//b", "/a", "a/", "a/../b", "a/./b", "100%25", "a%20b", "a+b", "caf%C3%A9", "a%3Fb", "$sys/heartbeat",
	} {
		w := do(s, http.MethodGet, "/v1/topics/"+path, "")
		name, _ := json.Marshal(names[i])
		if w.Code != 200 || !strings.HasPrefix(w.Body.String(), `{"topic":`+string(name)+`,`) {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	if !slices.Equal(b.topicAsked, names) {
		t.Errorf("asked %q", b.topicAsked)
	}
	get(t, s, "/v1/topics/a%2Fb", 200, `{"topic":"a/b","subscribers":0,"rate":0,"epoch":"","seq":0,"messages":0,"bytes":0,"used":0}`)
	get(t, s, "/v1/topics/100%2525", 404, fault("not_found", `there is no topic "100%25"`))
	get(t, s, "/v1/topics/a?presence=1", 400, fault("bad_request", `unknown parameter "presence": none is taken here`))

	long := someTopics()[3]
	b.topics = []Topic{long}
	get(t, s, "/v1/topics/long", 200, topicLong+`,"last":{"seq":3,"ts":4,"data":`+string(long.Last.Payload)+`}}`)
	b.topics = []Topic{{Name: "p", Presence: &Presence{Count: 2, Clients: []string{"7f2c", "a"}}}}
	const p = `{"topic":"p","subscribers":0,"rate":0,"epoch":"","seq":0,"messages":0,"bytes":0,"used":0,"presence":`
	get(t, s, "/v1/topics/p", 200, p+`{"count":2,"clients":[{"client":"7f2c"},{"client":"a"}]}}`)
	b.topics[0].Presence.Count = 3
	get(t, s, "/v1/topics/p", 200, p+`{"count":3,"clients":[{"client":"7f2c"},{"client":"a"}],"truncated":true}}`)
	b.topics[0].Presence = &Presence{}
	get(t, s, "/v1/topics/p", 200, p+`{"count":0,"clients":[]}}`)
}

const clientAnswer = `"client":"7f2c","address":"127.0.0.1:1","protocol":"native","since":1700000000000,"subscriptions":2,` +
	`"backlog":{"topics":1,"messages":3,"ms":40,"why":"not_reading"},"waiting_bytes":9,"received_bytes":10,"sent_bytes":11,"rtt_ms":0.5`

func someClient() Client {
	return Client{
		ID: "7f2c", Address: "127.0.0.1:1", Protocol: "native", SinceMillis: 1700000000000, Subscriptions: 2,
		Backlog: Backlog{Topics: 1, Messages: 3, Millis: 40, Why: WhyNotReading}, WaitingBytes: 9, ReceivedBytes: 10, SentBytes: 11, RTTMillis: 0.5,
	}
}

func TestClients(t *testing.T) {
	for _, tc := range []struct {
		sentence, path string
		page           ClientPage
		asked          ClientQuery
		want           string
	}{
		{"nobody", "/v1/clients", ClientPage{}, ClientQuery{Limit: 100}, `{"clients":[]}`},
		{"nobody yet", "/v1/clients?limit=1", ClientPage{Next: "x"}, ClientQuery{Limit: 1}, `{"clients":[],"next":"x"}`},
		{"one", "/v1/clients?after=7f2b&limit=1000", ClientPage{Clients: []Client{someClient()}, Next: "7f2c"}, ClientQuery{After: "7f2b", Limit: 1000},
			`{"clients":[{` + clientAnswer + `}],"next":"7f2c"}`},
		{"what is not known is left out", "/v1/clients?lagging=0", ClientPage{Clients: []Client{{ID: "a", Protocol: "raw"}}}, ClientQuery{Limit: 100},
			`{"clients":[{"client":"a","protocol":"raw","subscriptions":0,"backlog":{"topics":0,"messages":0,"ms":0},"waiting_bytes":0,"received_bytes":0,"sent_bytes":0,"rtt_ms":0}]}`},
		{"those behind with a filter", "/v1/clients?lagging=1&filter=ticker/%23", ClientPage{}, ClientQuery{Limit: 100, Lagging: true, Filter: "ticker/#"}, `{"clients":[]}`},
		{"those furthest behind", "/v1/clients?sort=backlog&limit=5", ClientPage{}, ClientQuery{Limit: 5, ByBacklog: true}, `{"clients":[]}`},
	} {
		t.Run(tc.sentence, func(t *testing.T) {
			b := &fakeBackend{fakeViews: fakeViews{page: tc.page}}
			get(t, newServer(t, Options{Backend: b}), tc.path, 200, tc.want)
			if len(b.clientsAsked) != 1 || b.clientsAsked[0] != tc.asked {
				t.Errorf("asked %+v, want %+v", b.clientsAsked, tc.asked)
			}
		})
	}
}

func TestOneClient(t *testing.T) {
	b := &fakeBackend{fakeViews: fakeViews{detail: ClientDetail{Client: someClient()}}}
	s := newServer(t, Options{Backend: b})
	get(t, s, "/v1/clients/7f2c", 200, `{`+clientAnswer+`,"filters":[]}`)
	b.detail.Filters = []Subscription{{Filter: "a/#"}, {"b", "latest", 250}}
	b.detail.Truncated = true
	get(t, s, "/v1/clients/7f2c", 200, `{`+clientAnswer+`,"filters":[{"filter":"a/#"},{"filter":"b","mode":"latest","every":250}],"truncated":true}`)
	if !slices.Equal(b.idsAsked, []string{"7f2c", "7f2c"}) || len(b.kicked) != 0 {
		t.Errorf("asked %q, kicked %q", b.idsAsked, b.kicked)
	}
	b.refuse = Fault{"not_found", `there is no client "x"`}
	get(t, s, "/v1/clients/x", 404, fault("not_found", `there is no client "x"`))
}

func TestKick(t *testing.T) {
	b := &fakeBackend{}
	s := newServer(t, Options{Backend: b})
	for _, tc := range []struct {
		sentence, path, body string
		header               []string
		fail                 error
		status               int
		want                 string
	}{
		{"one that is there", "/v1/clients/7f2c", "", nil, nil, 200, `{"client":"7f2c"}`},
		{"one that is not", "/v1/clients/7f2c", "", nil, &Fault{"not_found", "there is no client"}, 404, fault("not_found", "there is no client")},
		{"a loop that does not answer", "/v1/clients/7f2c", "", nil, Fault{"unavailable", "an event loop does not answer"}, 503, fault("unavailable", "an event loop does not answer")},
		{"a fault of the server's is not told", "/v1/clients/7f2c", "", nil, errors.New("secret"), 500, fault("internal", "internal error; the server's log has more")},
		{"with a body", "/v1/clients/7f2c", "{}", nil, nil, 400, fault("bad_request", "DELETE takes no body here")},
		{"with a parameter", "/v1/clients/7f2c?code=1008", "", nil, nil, 400, fault("bad_request", `unknown parameter "code": none is taken here`)},
		{"from a page of another origin", "/v1/clients/7f2c", "", []string{"Origin: https://evil.example"}, nil, 403, fault("forbidden", `origin "https://evil.example" may not call this listener`)},
		{"all of them", "/v1/clients", "", nil, nil, 405, fault("method_not_allowed", `/v1/clients takes GET, HEAD, not "DELETE"`)},
	} {
		t.Run(tc.sentence, func(t *testing.T) {
			b.kicked, b.refuse = nil, tc.fail
			w := do(s, http.MethodDelete, tc.path, tc.body, tc.header...)
			if got := strings.TrimSpace(w.Body.String()); w.Code != tc.status || got != tc.want {
				t.Errorf("got %d %s\nwant %d %s", w.Code, got, tc.status, tc.want)
			}
			if asked := len(b.kicked) == 1; asked != (tc.fail != nil || tc.status == 200) {
				t.Errorf("kicked %q", b.kicked)
			}
		})
	}
}

func TestViewFaults(t *testing.T) {
	b := &fakeBackend{}
	s := newServer(t, Options{Backend: b})
	const escaped = "filter ends in an empty level: if a # was meant, it is written %23 in a URL (and an empty level after %2F)"
	for _, tc := range []struct{ sentence, path, want string }{
		{"a limit of nothing", "/v1/topics?limit=0", fault("bad_request", `limit is a number from 1 to 1000, not "0"`)},
		{"a limit past the bound", "/v1/clients?limit=1001", fault("bad_request", `limit is a number from 1 to 1000, not "1001"`)},
		{"a limit that is no number", "/v1/clients?limit=all", fault("bad_request", `limit is a number from 1 to 1000, not "all"`)},
		{"an empty limit", "/v1/topics?limit=", fault("bad_request", `limit is a number from 1 to 1000, not ""`)},
		{"a flag that is none", "/v1/topics?last=yes", fault("bad_request", `last is 1 or 0, not "yes"`)},
		{"another flag", "/v1/clients?lagging=", fault("bad_request", `lagging is 1 or 0, not ""`)},
		{"an order that is not there", "/v1/clients?sort=age", fault("bad_request", `sort is backlog, or left out; not "age"`)},
		{"a second page of laggards", "/v1/clients?sort=backlog&after=x", fault("bad_request", "sort=backlog has one page, of the clients furthest behind: there is nothing after it")},
		{"an unknown parameter", "/v1/topics?prefix=a", fault("bad_request", `unknown parameter "prefix"; there are after, filter, last, limit`)},
		{"a parameter of another list", "/v1/clients?last=0", fault("bad_request", `unknown parameter "last"; there are after, filter, lagging, limit, sort`)},
		{"one that stands twice", "/v1/clients?limit=1&limit=1", fault("bad_request", "parameter limit stands twice")},
		{"half an escape", "/v1/topics?filter=a%2", fault("bad_request", `parameter filter: "a%2" is not percent-encoded UTF-8`)},
		{"what is no UTF-8", "/v1/topics?after=%FF", fault("bad_request", `parameter after: "%FF" is not percent-encoded UTF-8`)},
		{"a # that was not escaped", "/v1/topics?filter=a/", fault("bad_topic", escaped)},
		{"a # alone that was not escaped", "/v1/clients?filter=", fault("bad_topic", escaped)},
		{"no client's name", "/v1/clients/", fault("not_found", `there is nothing at "/v1/clients/"`)},
	} {
		t.Run(tc.sentence, func(t *testing.T) {
			status := 400
			if strings.Contains(tc.want, "not_found") {
				status = 404
			}
			get(t, s, tc.path, status, tc.want)
		})
	}
	if len(b.topicsAsked)+len(b.clientsAsked)+len(b.idsAsked) > 0 {
		t.Error("the backend was asked all the same")
	}
	b.refuse = Fault{"bad_topic", "a filter is 1 to 255 bytes"}
	get(t, s, "/v1/topics?filter=a%23", 400, fault("bad_topic", "a filter is 1 to 255 bytes"))
	b.refuse = Fault{"unavailable", "an event loop has not answered"}
	get(t, s, "/v1/clients", 503, fault("unavailable", "an event loop has not answered"))
}

// TestLooksMax: no more lists are made at once than there are places, and who waits for one is served in turn.
func TestLooksMax(t *testing.T) {
	b := &fakeBackend{fakeViews: fakeViews{looking: make(chan struct{}), seen: make(chan struct{})}}
	s := newServer(t, Options{Backend: b})
	codes := make(chan int, looksMax+1)
	for range looksMax + 1 {
		go func() { codes <- do(s, http.MethodGet, "/v1/topics", "").Code }()
	}
	for range looksMax {
		<-b.looking
	}
	select {
	case <-b.looking:
		t.Error("one list too many")
	default:
	}
	b.seen <- struct{}{}
	<-b.looking
	for range looksMax {
		b.seen <- struct{}{}
	}
	for range looksMax + 1 {
		if code := <-codes; code != 200 {
			t.Errorf("status %d", code)
		}
	}
}
