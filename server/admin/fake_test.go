package admin

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeBackend keeps what was published. Its rules are a small part of the real ones.
type fakeBackend struct {
	fakeViews

	mu        sync.Mutex
	published []Publication
	checked   int
	refused   map[string]int // by code

	room    chan struct{} // nil: always room; else one publication for each value
	waiting chan struct{} // nil, or told of each publication that finds no room
	gaveUp  chan error    // nil, or told of each wait that ended without room
	deaf    bool          // does not hear its context
	fail    error         // what Publish returns instead
	why     string        // why it is not ready; "" means ready
	stats   Stats
}

func (b *fakeBackend) Check(p *Publication) error {
	b.mu.Lock()
	b.checked++
	b.mu.Unlock()
	switch {
	case p.Topic == "" || len(p.Topic) > 255 || strings.ContainsAny(p.Topic, "+#"):
		return Fault{"bad_topic", "a topic has 1 to 255 bytes and no wildcard"}
	case len(p.Payload) > 1<<20:
		return Fault{"too_large", "a message holds at most 1048576 bytes"}
	case strings.HasPrefix(p.Topic, "$"):
		return &Fault{"forbidden", "topics that begin with $ are the server's own"}
	}
	return nil
}

func (b *fakeBackend) Publish(ctx context.Context, p *Publication) (Receipt, error) {
	if err := b.Check(p); err != nil {
		return Receipt{}, err
	}
	if b.fail != nil {
		return Receipt{}, b.fail
	}
	if b.room != nil {
		select {
		case <-b.room:
		default:
			if err := b.waitForRoom(ctx); err != nil {
				return Receipt{}, err
			}
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	c := *p
	c.Payload = slices.Clone(p.Payload)
	b.published = append(b.published, c)
	return Receipt{"k3x9", uint64(len(b.published))}, nil
}

func (b *fakeBackend) waitForRoom(ctx context.Context) error {
	if b.waiting != nil {
		b.waiting <- struct{}{}
	}
	if b.deaf {
		<-b.room
		return nil
	}
	select {
	case <-b.room:
		return nil
	case <-ctx.Done():
		if b.gaveUp != nil {
			b.gaveUp <- ctx.Err()
		}
		return ctx.Err()
	}
}

func (b *fakeBackend) Refused(code string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.refused == nil {
		b.refused = map[string]int{}
	}
	b.refused[code]++
}

func (b *fakeBackend) Ready() (bool, string) { return b.why == "", b.why }
func (b *fakeBackend) Stats() Stats          { return b.stats }
func (b *fakeBackend) Info() any             { return map[string]any{"version": "test"} }

// count is how many were published so far.
func (b *fakeBackend) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.published)
}

// lines shows what was published, one "topic=payload" each.
func (b *fakeBackend) lines() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []string
	for _, p := range b.published {
		out = append(out, p.Topic+"="+string(p.Payload))
	}
	return out
}

func newServer(t *testing.T, o Options) *Server {
	t.Helper()
	if o.Backend == nil {
		o.Backend = &fakeBackend{}
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// do sends one request to the handler. header holds "Name: value" lines; Host is localhost where none is given.
func do(s *Server, method, path, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Host = "localhost:9080"
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			r.Host = value
			continue
		}
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w
}

const (
	jsonType   = "Content-Type: application/json"
	ndjsonType = "Content-Type: application/x-ndjson"
)

// post publishes a body and expects the status and the exact body of the answer.
func post(t *testing.T, s *Server, kind, body string, status int, want string) {
	t.Helper()
	w := do(s, http.MethodPost, "/v1/publish", body, kind)
	if got := strings.TrimSuffix(w.Body.String(), "\n"); w.Code != status || got != want {
		t.Errorf("body %.200q\n got %d %s\nwant %d %s", body, w.Code, got, status, want)
	}
	if kind := w.Header().Get("Content-Type"); kind != "application/json" {
		t.Errorf("body %.200q: Content-Type %q", body, kind)
	}
}
