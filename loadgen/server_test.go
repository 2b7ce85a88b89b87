package loadgen

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/megawire/megawire/codec/codes"
	"github.com/megawire/megawire/codec/native"
)

// misbehaviour is what a test server does to one message in faultEvery of each subscription.
type misbehaviour int

const (
	correct misbehaviour = iota
	drops
	doubles
	reorders // sends it after the next one
	tells    // drops it and says so
	damages
	garbles // sends a text that is no JSON instead
)

const faultEvery = 1000

// testServer is a small push server on a WebSocket library that is not ours.
type testServer struct {
	*httptest.Server
	how misbehaviour

	mu          sync.Mutex
	subscribers map[string][]*testSubscriber
	seqs        map[string]uint64
	faults      uint64
	published   int
	refuse      int    // publications to refuse from now on
	refuseAs    string // with this code; empty: unavailable
	hangUpAfter int    // publications after which one subscriber is closed with 4002; 0: never
	forbidden   string // topics that end so may not be subscribed to

	acrossTopics bool // count faultEvery over all subscriptions instead of in each
	sentInAll    int
	deaf         bool // reads the first publication and no more
	over         chan struct{}

	accepting *websocket.AcceptOptions // nil: without compression
}

type testSubscriber struct {
	conn *websocket.Conn
	sent int
	held []byte
}

func newTestServer(t *testing.T, how misbehaviour, more ...func(*testServer)) *testServer {
	t.Helper()
	s := &testServer{how: how, subscribers: map[string][]*testSubscriber{}, seqs: map[string]uint64{}, over: make(chan struct{})}
	for _, set := range more {
		set(s)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/ws", s.serveNative)
	mux.HandleFunc("/echo", s.serveEcho)
	mux.HandleFunc("/v1/publish", s.servePublish)
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	t.Cleanup(func() { close(s.over) })
	return s
}

// faulted is how often it misbehaved.
func (s *testServer) faulted() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.faults
}

func (s *testServer) url(path string) string { return strings.Replace(s.URL, "http", "ws", 1) + path }

func (s *testServer) serveNative(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, s.accepting)
	if err != nil {
		return
	}
	c.SetReadLimit(1 << 20)
	defer c.CloseNow()
	var q native.Request
	for {
		_, text, err := c.Read(context.Background())
		if err != nil {
			return
		}
		if e := native.ParseRequest(text, &q); e != nil {
			_ = write(c, native.AppendError(nil, q.ID, e))
			continue
		}
		switch q.Op {
		case native.OpSubscribe:
			s.subscribe(c, &q)
		case native.OpPublish:
			s.publish(c, string(q.Topic), q.Payload)
			if s.deaf {
				<-s.over
				return
			}
		case native.OpPing:
			_ = write(c, native.AppendPong(nil, q.ID))
		}
	}
}

func write(c *websocket.Conn, text []byte) error {
	return c.Write(context.Background(), websocket.MessageText, text)
}

func (s *testServer) subscribe(c *websocket.Conn, q *native.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var results []native.TopicResult
	var joined []string
	for i := range q.Topics {
		topic := string(q.Topics[i].Topic)
		r := native.TopicResult{Topic: topic, Epoch: "e", Seq: s.seqs[topic], HasSeq: true, Recovered: -1}
		if s.forbidden != "" && strings.HasSuffix(topic, s.forbidden) {
			r = native.TopicResult{Topic: topic, Recovered: -1, Err: &native.Error{Code: codes.Forbidden, Message: "no permission"}}
		} else {
			joined = append(joined, topic)
		}
		results = append(results, r)
	}
	_ = write(c, native.AppendSubscribed(nil, q.ID, "c", results))
	for _, topic := range joined {
		s.subscribers[topic] = append(s.subscribers[topic], &testSubscriber{conn: c})
	}
}

func (s *testServer) publish(from *websocket.Conn, topic string, data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse > 0 {
		s.refuse--
		_ = write(from, native.AppendError(nil, nil, &native.Error{Code: cmp.Or(s.refuseAs, codes.Unavailable), Message: "busy"}))
		return
	}
	s.published++
	s.seqs[topic]++
	seq := s.seqs[topic]
	text := native.AppendMessage(nil, topic, seq, seq-1, time.Now().UnixMilli(), native.JSON, data)
	for _, sub := range s.subscribers[topic] {
		s.deliver(sub, topic, seq, text)
	}
	if s.published == s.hangUpAfter {
		sub := s.subscribers[topic][0]
		s.subscribers[topic] = s.subscribers[topic][1:]
		go func() { _ = sub.conn.Close(4002, "slow reader") }()
	}
}

func (s *testServer) deliver(sub *testSubscriber, topic string, seq uint64, text []byte) {
	sub.sent++
	s.sentInAll++
	count := sub.sent
	if s.acrossTopics {
		count = s.sentInAll
	}
	if sub.held != nil {
		_ = write(sub.conn, text)
		_ = write(sub.conn, sub.held)
		sub.held = nil
		s.faults++
		return
	}
	if count%faultEvery != faultEvery/2 || s.how == correct {
		_ = write(sub.conn, text)
		return
	}
	if s.how == reorders {
		sub.held = text
		return
	}
	s.faults++
	switch s.how {
	case doubles:
		_ = write(sub.conn, text)
		_ = write(sub.conn, text)
	case tells:
		_ = write(sub.conn, native.AppendGap(nil, topic, seq, seq, "slow"))
	case damages:
		_ = write(sub.conn, []byte(strings.Replace(string(text), "xx", "xy", 1)))
	case garbles:
		_ = write(sub.conn, []byte(`{"topic":`))
	}
}

func (s *testServer) serveEcho(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, s.accepting)
	if err != nil {
		return
	}
	defer c.CloseNow()
	for n := 1; ; n++ {
		kind, text, err := c.Read(context.Background())
		if err != nil {
			return
		}
		if n%faultEvery == faultEvery/2 && s.how == damages {
			text[len(text)-1]++
			s.mu.Lock()
			s.faults++
			s.mu.Unlock()
		}
		if c.Write(context.Background(), kind, text) != nil {
			return
		}
	}
}

func (s *testServer) servePublish(w http.ResponseWriter, r *http.Request) {
	lines := bufio.NewScanner(r.Body)
	var answer struct {
		Published uint64 `json:"published"`
	}
	for lines.Scan() {
		var m struct {
			Topic string          `json:"topic"`
			Data  json.RawMessage `json:"data"`
		}
		if json.Unmarshal(lines.Bytes(), &m) != nil {
			w.WriteHeader(http.StatusUnprocessableEntity)
			return
		}
		s.publish(nil, m.Topic, m.Data)
		answer.Published++
	}
	_ = json.NewEncoder(w).Encode(answer)
}
