package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pipeListener is a listener in memory, so that a test runs inside a synctest bubble.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case l.conns <- far:
		return near, nil
	case <-l.done:
		return nil, errors.New("connection refused")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// visit is what the fake server does with one connection: an HTTP answer, or a
// dialogue over the WebSocket.
type visit struct {
	status int
	header string // "Name: value"
	body   string
	talk   func(p *peer)
	other  bool // a WebSocket of another protocol

	deflate websocket.CompressionMode
	offered *string // is set to the extensions that the client offers
}

// peer is the server's end of one connection, in a test's dialogue.
type peer struct {
	t  *testing.T
	ws *websocket.Conn
}

func (p *peer) send(frames ...string) {
	for _, f := range frames {
		if err := p.ws.Write(context.Background(), websocket.MessageText, []byte(f)); err != nil {
			p.t.Errorf("the server could not write %s: %v", f, err)
			return
		}
	}
}

// sendUntilRefused is send for a client that may not read.
func (p *peer) sendUntilRefused(frame string) error {
	return p.ws.Write(context.Background(), websocket.MessageText, []byte(frame))
}

// request reads one request and returns it, with its id and the names of its topics.
func (p *peer) request() (raw, id string, topics []string) {
	_, b, err := p.ws.Read(context.Background())
	if err != nil {
		panic(http.ErrAbortHandler) // the dialogue is over
	}
	var r struct {
		ID     json.RawMessage
		Topics []json.RawMessage
	}
	if err := json.Unmarshal(b, &r); err != nil {
		p.t.Errorf("request %s: %v", b, err)
	}
	for _, entry := range r.Topics {
		topics = append(topics, nameOf(p.t, entry))
	}
	return string(b), string(r.ID), topics
}

// nameOf is the topic of an entry, a string or an object.
func nameOf(t *testing.T, entry json.RawMessage) (name string) {
	var object struct{ Topic string }
	if json.Unmarshal(entry, &name) == nil {
		return name
	}
	if err := json.Unmarshal(entry, &object); err != nil {
		t.Errorf("entry %s: %v", entry, err)
	}
	return object.Topic
}

// asked reads one request to subscribe, whose entries must be those given, and answers each with the result given for
// it: what stands behind its topic.
func (p *peer) asked(pairs ...string) {
	p.t.Helper()
	id := p.wants(pairs...)
	var rs []string
	for i := 0; i < len(pairs); i += 2 {
		q, _ := json.Marshal(nameOf(p.t, json.RawMessage(pairs[i])))
		rs = append(rs, `{"topic":`+string(q)+`,`+pairs[i+1]+`}`)
	}
	p.send(`{"op":"ok","id":` + id + `,"client":"c1","topics":[` + strings.Join(rs, ",") + `]}`)
}

// wants is asked without an answer.
func (p *peer) wants(pairs ...string) (id string) {
	p.t.Helper()
	raw, id, _ := p.request()
	var entries []string
	for i := 0; i < len(pairs); i += 2 {
		entries = append(entries, pairs[i])
	}
	if want := `{"op":"subscribe","id":` + id + `,"topics":[` + strings.Join(entries, ",") + `]}`; raw != want {
		p.t.Errorf("the client asked\n%s\nwant\n%s", raw, want)
	}
	return id
}

// ack answers one subscribe or unsubscribe, every topic with the same epoch and seq.
func (p *peer) ack(epoch, seq string) (topics []string) {
	_, id, topics := p.request()
	p.ackID(id, epoch, seq, topics)
	return topics
}

func (p *peer) ackID(id, epoch, seq string, topics []string) {
	var rs []string
	for _, t := range topics {
		q, _ := json.Marshal(t)
		rs = append(rs, `{"topic":`+string(q)+`,"epoch":"`+epoch+`","seq":`+seq+`}`)
	}
	p.send(`{"op":"ok","id":` + id + `,"client":"c1","topics":[` + strings.Join(rs, ",") + `]}`)
}

// untilGone reads until the client closes.
func (p *peer) untilGone() {
	for {
		if _, _, err := p.ws.Read(context.Background()); err != nil {
			return
		}
	}
}

// fakeServer serves the visits in order, one a connection, and refuses connections
// after the last.
type fakeServer struct {
	t        *testing.T
	listener *pipeListener
	server   *http.Server
	visits   chan visit
	talks    sync.WaitGroup
}

func newFakeServer(t *testing.T, visits ...visit) *fakeServer {
	s := &fakeServer{
		t:        t,
		listener: &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})},
		visits:   make(chan visit, len(visits)),
	}
	for _, v := range visits {
		s.visits <- v
	}
	s.server = &http.Server{Handler: http.HandlerFunc(s.serve)}
	go func() { _ = s.server.Serve(s.listener) }()
	return s
}

func (s *fakeServer) serve(w http.ResponseWriter, r *http.Request) {
	s.talks.Add(1)
	defer s.talks.Done()
	var v visit
	select {
	case v = <-s.visits:
	default:
		v = visit{status: http.StatusServiceUnavailable}
	}
	if v.status != 0 {
		if name, value, ok := strings.Cut(v.header, ": "); ok {
			w.Header().Set(name, value)
		}
		w.WriteHeader(v.status)
		_, _ = io.WriteString(w, v.body)
		return
	}
	if v.offered != nil {
		*v.offered = r.Header.Get("Sec-WebSocket-Extensions")
	}
	o := &websocket.AcceptOptions{Subprotocols: []string{"megawire.v1"}, CompressionMode: v.deflate, CompressionThreshold: 1}
	if v.other {
		o = nil
	}
	ws, err := websocket.Accept(w, r, o)
	if err != nil {
		s.t.Errorf("accept: %v", err)
		return
	}
	defer func() { _ = ws.CloseNow() }()
	ws.SetReadLimit(1 << 20)
	v.talk(&peer{t: s.t, ws: ws})
}

func (s *fakeServer) stop() {
	_ = s.listener.Close()
	_ = s.server.Close()
	s.talks.Wait()
}

// client dials the fake server; what is not set in o is made quick to reason about.
func (s *fakeServer) client(o Options) *Client {
	s.t.Helper()
	c, err := s.dial(o)
	if err != nil {
		s.t.Fatalf("dial: %v", err)
	}
	return c
}

func (s *fakeServer) dial(o Options) (*Client, error) {
	o.HTTPClient = &http.Client{Transport: &http.Transport{DialContext: s.listener.dial, DisableKeepAlives: true}}
	return Dial(context.Background(), "ws://fake/ws", o)
}

func closeWith(code websocket.StatusCode, reason string) func(*peer) {
	return func(p *peer) { _ = p.ws.Close(code, reason) }
}
