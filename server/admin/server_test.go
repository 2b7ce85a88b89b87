package admin

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// start serves on a real socket until the test ends.
func start(t *testing.T, o Options) (*Server, string) {
	t.Helper()
	o.Listen = "127.0.0.1:0"
	s := newServer(t, o)
	addr, err := s.Listen()
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve() }()
	t.Cleanup(func() {
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return s, addr.String()
}

// dial opens a connection, sends what is given and returns a reader of the answers.
func dial(t *testing.T, addr, send string) (*net.TCPConn, *bufio.Reader) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if _, err := io.WriteString(c, send); err != nil {
		t.Fatal(err)
	}
	return c.(*net.TCPConn), bufio.NewReader(c)
}

func readAnswer(t *testing.T, r *bufio.Reader) (status int, body string) {
	t.Helper()
	answer, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, strings.TrimSpace(string(b))
}

const head = "POST /v1/publish HTTP/1.1\r\nHost: localhost\r\n"

// TestBrokenBodies: what a client leaves half done is refused, and the server goes on.
func TestBrokenBodies(t *testing.T) {
	b := &fakeBackend{}
	_, addr := start(t, Options{Backend: b})
	for _, tc := range []struct {
		sentence string
		send     string
		status   int
		answer   string
	}{
		{"half a JSON body", head + jsonType + "\r\nContent-Length: 100\r\n\r\n{\"topic\":", 400,
			fault("bad_request", "the body ended before its declared length")},
		{"a body declared past the bound is refused unread", head + jsonType + "\r\nContent-Length: 17000000\r\n\r\n", 413,
			fault("too_large", "the body is longer than 8388608 bytes; stream more as application/x-ndjson")},
		{"half a chunk in a stream", head + ndjsonType + "\r\nTransfer-Encoding: chunked\r\n\r\n100\r\n" + line + `{"topic":"half","data":1}`, 400,
			`{"published":1,"error":{"code":"bad_request","message":"the body ended before its declared length"},"line":2}`},
		{"a stream of known length cut within a line", head + ndjsonType + "\r\nContent-Length: 100\r\n\r\n" + line + `{"topic":"half","data":1}`, 400,
			`{"published":1,"error":{"code":"bad_request","message":"the body ended before its declared length"},"line":2}`},
		{"a chunk that is none", head + ndjsonType + "\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400,
			`{"published":0,"error":{"code":"bad_request","message":"the body could not be read: invalid byte in chunk length"},"line":1}`},
	} {
		t.Run(tc.sentence, func(t *testing.T) {
			c, r := dial(t, addr, tc.send)
			if err := c.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			if status, body := readAnswer(t, r); status != tc.status || body != tc.answer {
				t.Errorf("got %d %s\nwant %d %s", status, body, tc.status, tc.answer)
			}
		})
	}
	for _, l := range b.lines() {
		if strings.HasPrefix(l, "half") {
			t.Error("half a line was published")
		}
	}
	_, r := dial(t, addr, head+jsonType+"\r\nContent-Length: 22\r\n\r\n"+`{"topic":"a","data":1}`)
	if status, body := readAnswer(t, r); status != 200 {
		t.Errorf("afterwards: %d %s", status, body)
	}
}

// TestChunkedBodyPastItsBound: a body of undeclared length is cut off at the bound.
func TestChunkedBodyPastItsBound(t *testing.T) {
	_, addr := start(t, Options{})
	// One byte past the bound, so that the server has read all there is when it answers.
	const bytes = bodyBytesMin + 1
	_, r := dial(t, addr, head+jsonType+"\r\nTransfer-Encoding: chunked\r\n\r\n"+
		strconv.FormatInt(bytes, 16)+"\r\n"+strings.Repeat(" ", bytes)+"\r\n0\r\n\r\n")
	if status, body := readAnswer(t, r); status != 413 || !strings.Contains(body, "too_large") {
		t.Errorf("got %d %s", status, body)
	}
}

// TestAbortWhileWaiting: a client that goes away while its message waits for room gives up its place at once.
func TestAbortWhileWaiting(t *testing.T) {
	b := &fakeBackend{room: make(chan struct{}), waiting: make(chan struct{}, 1), gaveUp: make(chan error, 1)}
	_, addr := start(t, Options{Backend: b})
	c, _ := dial(t, addr, head+jsonType+"\r\nContent-Length: 22\r\n\r\n"+`{"topic":"a","data":1}`)
	<-b.waiting
	_ = c.Close()
	if err := <-b.gaveUp; err != context.Canceled { //nolint:errorlint // a context's own error
		t.Errorf("the wait ended with %v", err)
	}
}

func TestConnectionsMax(t *testing.T) {
	_, addr := start(t, Options{ConnectionsMax: 2})
	const get = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
	var open []*net.TCPConn
	for range 2 {
		c, r := dial(t, addr, get)
		if status, _ := readAnswer(t, r); status != 200 {
			t.Fatalf("status %d", status)
		}
		open = append(open, c)
	}
	_, r := dial(t, addr, "")
	if status, body := readAnswer(t, r); status != 503 || body != fault("unavailable", "too many admin connections open") {
		t.Errorf("past the limit: %d %s", status, body)
	}
	_ = open[0].Close()
	for { // the server frees the slot when it has seen the close
		_, r := dial(t, addr, get)
		if status, _ := readAnswer(t, r); status == 200 {
			return
		}
	}
}

// TestStreamsMax: streams leave connections for probes, whether they send or not.
func TestStreamsMax(t *testing.T) {
	b := &fakeBackend{}
	_, addr := start(t, Options{ConnectionsMax: 4, Backend: b})
	const stream = head + ndjsonType + "\r\nTransfer-Encoding: chunked\r\n\r\n"
	const chunk = "17\r\n" + line + "\r\n"
	type sender struct {
		c       *net.TCPConn
		answers *bufio.Reader
	}
	var open []sender
	for range 3 {
		c, r := dial(t, addr, stream+chunk)
		open = append(open, sender{c, r})
	}
	for b.count() < 3 { // until all three are streams
		runtime.Gosched()
	}
	_, r := dial(t, addr, stream)
	answer, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(answer.Body)
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusServiceUnavailable || answer.Header.Get("Retry-After") == "" || !answer.Close ||
		strings.TrimSpace(string(body)) != fault("unavailable", "3 streams are open, as many as may be") {
		t.Errorf("one stream too many: %d %v %s", answer.StatusCode, answer.Header, body)
	}
	if _, err := r.ReadByte(); err != io.EOF {
		t.Errorf("a silent sender that was refused keeps its connection: %v", err)
	}
	for { // its place is free once the server has closed
		_, r := dial(t, addr, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
		if status, _ := readAnswer(t, r); status == 200 {
			break
		}
	}
	for _, s := range open {
		_, _ = io.WriteString(s.c, "0\r\n\r\n")
		if status, body := readAnswer(t, s.answers); status != 200 || body != `{"published":1}` {
			t.Errorf("a stream that was open: %d %s", status, body)
		}
	}
}

func TestListenAndShutdown(t *testing.T) {
	s := newServer(t, Options{Listen: "127.0.0.1:0"})
	if err := s.Serve(); err == nil {
		t.Error("Serve before Listen")
	}
	addr, err := s.Listen()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := newServer(t, Options{Listen: addr.String()}).Listen(); err == nil || !strings.HasPrefix(err.Error(), "admin: listen tcp") {
		t.Errorf("a taken port: %v", err)
	}
	if err := s.Shutdown(context.Background()); err != nil {
		t.Errorf("a server that never served: %v", err)
	}
	if err := s.Serve(); err != nil {
		t.Errorf("Serve after Shutdown: %v", err)
	}
	if w := do(s, http.MethodGet, "/readyz", ""); w.Code != 503 {
		t.Errorf("ready after Shutdown: %d", w.Code)
	}
}

// TestShutdownDeadline: a publication that does not end is cut off.
func TestShutdownDeadline(t *testing.T) {
	b := &fakeBackend{room: make(chan struct{}), deaf: true, waiting: make(chan struct{}, 1)}
	s, addr := start(t, Options{Backend: b})
	dial(t, addr, head+jsonType+"\r\nContent-Length: 22\r\n\r\n"+`{"topic":"a","data":1}`)
	<-b.waiting
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Shutdown(ctx); err == nil {
		t.Error("Shutdown waited past its context")
	}
	close(b.room)
}
