package admin

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestStream(t *testing.T) {
	long := `{"topic":"a","text":"` + strings.Repeat("x", 1<<20) + `"}`
	tooLong := `{"topic":"a","data":"` + strings.Repeat("x", 2<<20) + `"}`
	for _, tc := range []struct {
		sentence string
		body     string
		status   int
		answer   string
		lines    []string
	}{
		{"nothing", "", 200, `{"published":0}`, nil},
		{"a line each, the last without its end", "{\"topic\":\"a\",\"data\": [1, 2]}\n{\"topic\":\"b\",\"text\":\"x\"}", 200, `{"published":2}`, []string{"a=[1, 2]", "b=x"}},
		{"a capture: ts is ignored, whatever it is", "{\"ts\":1618677817078,\"topic\":\"a\",\"data\":1}\n{\"ts\":null,\"topic\":\"a\",\"bin\":\"AA==\"}\n", 200, `{"published":2}`, []string{"a=1", "a=\x00"}},
		{"a byte order mark at the start, as an editor leaves it", "\xEF\xBB\xBF{\"topic\":\"a\",\"data\":1}\n", 200, `{"published":1}`, []string{"a=1"}},
		{"a byte order mark alone", "\xEF\xBB\xBF", 200, `{"published":0}`, nil},
		{"a byte order mark on a later line", "\n\xEF\xBB\xBF{\"topic\":\"a\",\"data\":1}\n", 422,
			`{"published":0,"failed":1,"first":{"line":2,"error":{"code":"bad_request","message":"it is not valid JSON: invalid character 'ï' looking for beginning of value (at byte 1)"}}}`, nil},
		{"a line that is nested too deep is skipped", `{"topic":"a","data":` + nested(129) + "}\n" + `{"topic":"a","data":` + nested(128) + "}\n", 422,
			`{"published":1,"failed":1,"first":{"line":1,"error":{"code":"bad_request","message":"it is nested deeper than 128 levels"}}}`, []string{"a=" + nested(128)}},
		{"blank lines and carriage returns", "\r\n\n{\"topic\":\"a\",\"data\":1}\r\n  \t\n", 200, `{"published":1}`, []string{"a=1"}},
		{"bad lines are skipped, the first is named", "{\"topic\":\"a\",\"data\":1}\n\n{\"topic\":\"a\"}\nx\n{\"topic\":\"b\",\"data\":2}\n", 422,
			`{"published":2,"failed":2,"first":{"line":3,"error":{"code":"bad_request","message":"one of \"data\", \"text\" and \"bin\" is missing"}}}`, []string{"a=1", "b=2"}},
		{"a line that the backend refuses", "{\"topic\":\"#\",\"data\":1}\n{\"topic\":\"b\",\"data\":2}\n", 422,
			`{"published":1,"failed":1,"first":{"line":1,"error":{"code":"bad_topic","message":"a topic has 1 to 255 bytes and no wildcard"}}}`, []string{"b=2"}},
		{"a line that is not an object", "[]\n", 422, `{"published":0,"failed":1,"first":{"line":1,"error":{"code":"bad_request","message":"it must be an object, not an array"}}}`, nil},
		{"an object over two lines is two bad lines", "{\"topic\":\"a\",\n\"data\":1}\n", 422,
			`{"published":0,"failed":2,"first":{"line":1,"error":{"code":"bad_request","message":"it is not valid JSON: unexpected end of JSON input (at byte 13)"}}}`, nil},
		{"invalid UTF-8", "{\"topic\":\"a\",\"data\":\"\xc3\"}\n", 422, `{"published":0,"failed":1,"first":{"line":1,"error":{"code":"bad_request","message":"it is not valid UTF-8"}}}`, nil},
		{"a message of the longest length", long + "\n", 200, `{"published":1}`, []string{"a=" + strings.Repeat("x", 1<<20)}},
		{"a line past the bound is skipped", tooLong + "\n{\"topic\":\"b\",\"data\":2}\n", 422,
			`{"published":1,"failed":1,"first":{"line":1,"error":{"code":"too_large","message":"the line is longer than 1402200 bytes"}}}`, []string{"b=2"}},
		{"binary garbage", "\x00\x01\xff\xfe\n\x80\n{\"topic\":\"b\",\"data\":2}", 422,
			`{"published":1,"failed":2,"first":{"line":1,"error":{"code":"bad_request","message":"it is not valid UTF-8"}}}`, []string{"b=2"}},
	} {
		t.Run(tc.sentence, func(t *testing.T) {
			b := &fakeBackend{}
			post(t, newServer(t, Options{Backend: b}), ndjsonType, tc.body, tc.status, tc.answer)
			if !slices.Equal(b.lines(), tc.lines) {
				t.Errorf("published %.200q, want %.200q", b.lines(), tc.lines)
			}
		})
	}
}

// pipeListener hands the server one end of an in-memory connection: it holds no byte, so that what a sender got rid of is what the
// server took.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}
func (l *pipeListener) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

// sender is a client with one open NDJSON request on a pipe.
type sender struct {
	net.Conn

	answers *bufio.Reader
	taken   int // bytes of the body that the server took; read it only while all is blocked
}

// withStream runs the test in a bubble of fake time, with a server on a pipe and one open request. A test that sets b.room does so within
// the bubble, before it sends.
func withStream(t *testing.T, b *fakeBackend, test func(t *testing.T, s *Server, c *sender)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, Options{Backend: b})
		ln := &pipeListener{conns: make(chan net.Conn, 1), closed: make(chan struct{})}
		s.ln = ln
		served := make(chan error, 1)
		go func() { served <- s.Serve() }()
		near, far := net.Pipe()
		ln.conns <- far
		c := &sender{Conn: near, answers: bufio.NewReader(near)}
		if _, err := io.WriteString(near, "POST /v1/publish HTTP/1.1\r\nHost: localhost\r\n"+ndjsonType+"\r\nTransfer-Encoding: chunked\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		test(t, s, c)
		_ = near.Close()
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

// send writes one chunk (RFC 9112 §7.1).
func (c *sender) send(s string) error {
	n, err := fmt.Fprintf(c, "%x\r\n%s\r\n", len(s), s)
	c.taken += n
	return err
}

func (c *sender) finish(t *testing.T) {
	t.Helper()
	if _, err := io.WriteString(c, "0\r\n\r\n"); err != nil {
		t.Error(err)
	}
}

// expect reads the answer.
func (c *sender) expect(t *testing.T, status int, body string) {
	t.Helper()
	r, err := http.ReadResponse(c.answers, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	got, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != status || strings.TrimSpace(string(got)) != body {
		t.Errorf("got %d %s (%v)\nwant %d %s", r.StatusCode, got, err, status, body)
	}
}

const line = "{\"topic\":\"a\",\"data\":1}\n"

// TestStreamPublishesAsItComes: a line is published when it is there, not when the buffer or the body is full.
func TestStreamPublishesAsItComes(t *testing.T) {
	b := &fakeBackend{}
	withStream(t, b, func(t *testing.T, _ *Server, c *sender) {
		for i := range 3 {
			if err := c.send(line); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if b.count() != i+1 {
				t.Errorf("%d published after %d lines", b.count(), i+1)
			}
			time.Sleep(5 * time.Hour) //nolint:forbidigo // the bubble's time: no timeout meets an idle stream
		}
		_ = c.send(line[:10])
		synctest.Wait()
		if b.count() != 3 {
			t.Error("half a line was published")
		}
		_ = c.send(line[10:])
		c.finish(t)
		c.expect(t, 200, `{"published":4}`)
	})
}

// TestStreamPushesBack: while the backend has no room, the sender is blocked, and the server holds no more than its buffers.
func TestStreamPushesBack(t *testing.T) {
	b := &fakeBackend{}
	withStream(t, b, func(t *testing.T, _ *Server, c *sender) {
		b.room = make(chan struct{})
		const lines = 100_000
		sent := make(chan error, 1)
		go func() {
			for range lines / 100 {
				if err := c.send(strings.Repeat(line, 100)); err != nil {
					sent <- err
					return
				}
			}
			_, err := io.WriteString(c, "0\r\n\r\n")
			sent <- err
		}()
		synctest.Wait()
		if c.taken > readBufferBytes+8<<10 {
			t.Errorf("the server took %d bytes while nothing could be published", c.taken)
		}
		before := c.taken
		for range 5000 {
			b.room <- struct{}{}
		}
		synctest.Wait()
		if b.count() != 5000 || c.taken > before+5000*len(line)+readBufferBytes {
			t.Errorf("%d published with room for 5000, %d bytes taken", b.count(), c.taken)
		}
		close(b.room)
		c.expect(t, 200, fmt.Sprintf(`{"published":%d}`, lines))
		if err := <-sent; err != nil {
			t.Error(err)
		}
	})
}

// TestStreamRoomComesInTime: each wait has the whole deadline, however long the stream has been open.
func TestStreamRoomComesInTime(t *testing.T) {
	b := &fakeBackend{}
	withStream(t, b, func(t *testing.T, _ *Server, c *sender) {
		b.room = make(chan struct{})
		const lines = 50
		go func() {
			for range lines {
				time.Sleep(9 * time.Second) //nolint:forbidigo // the bubble's time
				b.room <- struct{}{}
			}
		}()
		if err := c.send(strings.Repeat(line, lines)); err != nil {
			t.Fatal(err)
		}
		c.finish(t)
		c.expect(t, 200, `{"published":50}`)
	})
}

func TestStreamGivesUpWaiting(t *testing.T) {
	b := &fakeBackend{}
	withStream(t, b, func(t *testing.T, _ *Server, c *sender) {
		b.room = make(chan struct{}, 2)
		b.room <- struct{}{}
		b.room <- struct{}{}
		if err := c.send(strings.Repeat(line, 5)); err != nil {
			t.Fatal(err)
		}
		c.expect(t, 503, `{"published":2,"error":{"code":"unavailable","message":"no room within 10s: the server is behind with earlier messages; try again"},"line":3}`)
	})
}

// TestStreamShutdown: an open stream does not hold up the end of the server, and learns its counts.
func TestStreamShutdown(t *testing.T) {
	for _, tc := range []struct {
		sentence string
		full     bool
		answer   string
	}{
		{"while it waits for a line", false, `{"published":1,"error":{"code":"unavailable","message":"the server is shutting down"},"line":2}`},
		{"while it waits for room", true, `{"published":0,"error":{"code":"unavailable","message":"the server is shutting down"},"line":1}`},
	} {
		t.Run(tc.sentence, func(t *testing.T) {
			b := &fakeBackend{}
			withStream(t, b, func(t *testing.T, s *Server, c *sender) {
				if tc.full {
					b.room = make(chan struct{})
				}
				if err := c.send(line); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				ended := make(chan error, 1)
				go func() { ended <- s.Shutdown(context.Background()) }()
				c.expect(t, 503, tc.answer)
				if err := <-ended; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestStreamAbort: a sender that goes away leaves what it sent in whole lines, and nothing of the line it was at.
func TestStreamAbort(t *testing.T) {
	b := &fakeBackend{}
	withStream(t, b, func(t *testing.T, _ *Server, c *sender) {
		_ = c.send(line + `{"topic":"a","data":12`)
		synctest.Wait()
		_ = c.Close()
		synctest.Wait()
		if got := b.lines(); !slices.Equal(got, []string{"a=1"}) {
			t.Errorf("published %q", got)
		}
	})
}
