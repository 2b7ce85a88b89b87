package admin

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestGuard(t *testing.T) {
	s := newServer(t, Options{Listen: "feed.example:9080", Hosts: []string{"Admin.Example", "prometheus"}})
	for _, tc := range []struct {
		sentence string
		header   []string
		status   int
	}{
		{"localhost", []string{"Host: localhost:9080"}, 200},
		{"localhost in capitals without a port", []string{"Host: LOCALHOST"}, 200},
		{"an IPv4 literal", []string{"Host: 127.0.0.1:9080"}, 200},
		{"an IPv4 literal that is not loopback cannot be rebound either", []string{"Host: 10.1.2.3"}, 200},
		{"an IPv6 literal", []string{"Host: [::1]:9080"}, 200},
		{"an IPv6 literal without a port", []string{"Host: [::1]"}, 200},
		{"the listen host", []string{"Host: feed.example:80"}, 200},
		{"a listed host, with the root's dot", []string{"Host: admin.example.:9080"}, 200},
		{"another name, as DNS rebinding has it", []string{"Host: evil.example:9080"}, 421},
		{"a name that begins like an allowed one", []string{"Host: localhost.evil.example"}, 421},
		{"a name that looks like an address", []string{"Host: 127.0.0.1.evil.example"}, 421},
		{"no host at all", []string{"Host: "}, 421},
		{"the page's own origin", []string{"Host: localhost:9080", "Origin: http://localhost:9080"}, 200},
		{"another port is another origin", []string{"Host: localhost:9080", "Origin: http://localhost:3000"}, 403},
		{"another site", []string{"Host: 127.0.0.1:9080", "Origin: https://evil.example"}, 403},
		{"a sandboxed page", []string{"Host: 127.0.0.1:9080", "Origin: null"}, 403},
		{"a script of the page", []string{"Host: localhost:9080", "Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: cors"}, 200},
		{"an address that somebody typed", []string{"Host: localhost:9080", "Sec-Fetch-Site: none", "Sec-Fetch-Mode: navigate"}, 200},
		{"an image of another site", []string{"Host: localhost:9080", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors"}, 403},
		{"a script tag of another port of this host", []string{"Host: localhost:9080", "Sec-Fetch-Site: same-site", "Sec-Fetch-Mode: no-cors"}, 403},
		{"a value that is none", []string{"Host: localhost:9080", "Sec-Fetch-Site: SAME-ORIGIN"}, 403},
		{"a second value", []string{"Host: localhost:9080", "Sec-Fetch-Site: none", "Sec-Fetch-Site: cross-site"}, 403},
		{"two origins", []string{"Host: localhost:9080", "Origin: http://localhost:9080", "Origin: http://evil.example"}, 403},
	} {
		t.Run(tc.sentence, func(t *testing.T) {
			for _, path := range []string{"/healthz", "/", "/metrics", "/v1/info"} {
				if w := do(s, http.MethodGet, path, "", tc.header...); w.Code != tc.status {
					t.Errorf("%s: status %d, want %d: %s", path, w.Code, tc.status, w.Body)
				}
			}
			w := do(s, http.MethodPost, "/v1/publish", `{"topic":"a","data":1}`, append(tc.header, jsonType)...)
			if w.Code != tc.status {
				t.Errorf("publish: status %d, want %d", w.Code, tc.status)
			}
			if w.Code != 200 && !strings.HasPrefix(w.Body.String(), `{"error":{"code":"forbidden","message":"`) {
				t.Errorf("answer %s", w.Body)
			}
		})
	}
}

// TestLinksToThePage: a link of another site leads to the page, and to nothing else.
func TestLinksToThePage(t *testing.T) {
	s := newServer(t, Options{})
	for _, site := range []string{"cross-site", "same-site"} {
		for path, status := range map[string]int{"/": 200, "/?x": 200, "/metrics": 403, "/debug/pprof/profile": 403, "/assets/page.js": 403} {
			w := do(s, http.MethodGet, path, "", "Sec-Fetch-Site: "+site, "Sec-Fetch-Mode: navigate")
			if w.Code != status {
				t.Errorf("%s to %s: status %d, want %d", site, path, w.Code, status)
			}
		}
	}
}

func TestRoutes(t *testing.T) {
	s := newServer(t, Options{})
	for _, tc := range []struct {
		sentence     string
		method, path string
		status       int
		has, allow   string
	}{
		{"alive", "GET", "/healthz", 200, "ok\n", ""},
		{"alive by HEAD", "HEAD", "/healthz", 200, "", ""},
		{"ready", "GET", "/readyz", 200, "ready\n", ""},
		{"info is the backend's", "GET", "/v1/info", 200, `{"version":"test"}`, ""},
		{"the page", "GET", "/", 200, "<title>Megawire</title>", ""},
		{"the page's script", "GET", "/assets/page.js", 200, "import { Feed }", ""},
		{"profiles", "GET", "/debug/pprof/", 200, "goroutine", ""},
		{"one profile", "GET", "/debug/pprof/goroutine?debug=1", 200, "goroutine profile", ""},
		{"publish by GET", "GET", "/v1/publish", 405, `{"error":{"code":"method_not_allowed","message":"/v1/publish takes POST, not \"GET\""}}`, "POST"},
		{"publish by OPTIONS grants nothing to other origins", "OPTIONS", "/v1/publish", 405, "method_not_allowed", "POST"},
		{"health by POST", "POST", "/healthz", 405, "method_not_allowed", "GET, HEAD"},
		{"the page by DELETE", "DELETE", "/", 405, "method_not_allowed", "GET, HEAD"},
		{"an unknown path", "GET", "/nowhere?token=secret", 404, `{"error":{"code":"not_found","message":"there is nothing at \"/nowhere\""}}`, ""},
		{"an unknown asset", "GET", "/assets/index.html", 404, "not_found", ""},
		{"topics", "GET", "/v1/topics", 200, `{"topics":[]}`, ""},
		{"topics by POST", "POST", "/v1/topics", 405, "method_not_allowed", "GET, HEAD"},
		{"one topic by DELETE", "DELETE", "/v1/topics/a//b", 405, "method_not_allowed", "GET, HEAD"},
		{"clients", "GET", "/v1/clients", 200, `{"clients":[]}`, ""},
		{"one client by HEAD", "HEAD", "/v1/clients/7f2c", 200, "", ""},
		{"one client by POST", "POST", "/v1/clients/7f2c", 405, "method_not_allowed", "GET, DELETE, HEAD"},
		{"what is below a client", "GET", "/v1/clients/7f2c/topics", 404, "not_found", ""},
	} {
		t.Run(tc.sentence, func(t *testing.T) {
			w := do(s, tc.method, tc.path, "")
			if w.Code != tc.status || !strings.Contains(w.Body.String(), tc.has) || w.Header().Get("Allow") != tc.allow {
				t.Errorf("got %d Allow %q: %.300s", w.Code, w.Header().Get("Allow"), w.Body)
			}
			if w.Code >= 400 && !json.Valid(w.Body.Bytes()) {
				t.Errorf("the refusal is not JSON: %s", w.Body)
			}
			if w.Header().Get("X-Content-Type-Options") != "nosniff" {
				t.Error("nosniff is missing")
			}
		})
	}
}

func TestNotReady(t *testing.T) {
	s := newServer(t, Options{Backend: &fakeBackend{why: "draining"}})
	w := do(s, http.MethodGet, "/readyz", "")
	if w.Code != 503 || strings.TrimSpace(w.Body.String()) != fault("unavailable", "draining") || w.Header().Get("Retry-After") == "" {
		t.Errorf("got %d %v %s", w.Code, w.Header(), w.Body)
	}
	if w := do(s, http.MethodGet, "/healthz", ""); w.Code != 200 {
		t.Errorf("a server that is not ready is alive all the same: %d", w.Code)
	}
}

func TestPage(t *testing.T) {
	topics := []string{"ticker/BTC-USD", "</script><b>"}
	s := newServer(t, Options{PublicPort: 8181, Topics: topics})
	for _, tc := range []struct{ sentence, host, connect string }{
		{"by name", "localhost:9080", "'self' ws://localhost:8181;"},
		{"by IPv4", "127.0.0.1:9080", "'self' ws://127.0.0.1:8181;"},
		{"by IPv6, which the policy cannot name", "[::1]:9080", "'self' ws://*:8181;"},
	} {
		t.Run(tc.sentence, func(t *testing.T) {
			policy := do(s, http.MethodGet, "/", "", "Host: "+tc.host).Header().Get("Content-Security-Policy")
			if !strings.HasPrefix(policy, "default-src 'none'; ") || !strings.Contains(policy, "connect-src "+tc.connect) || strings.Contains(policy, "unsafe") {
				t.Errorf("policy %s", policy)
			}
		})
	}
	body := do(s, http.MethodGet, "/", "").Body.String()
	_, rest, _ := strings.Cut(body, `id="config">`)
	config, _, _ := strings.Cut(rest, "</script>")
	var got pageConfig
	if err := json.Unmarshal([]byte(config), &got); err != nil || got.Port != 8181 || !slices.Equal(got.Topics, topics) {
		t.Errorf("config %s: %v", config, err)
	}
	if strings.Contains(body, "style=") || strings.Contains(body, "onclick=") || strings.Contains(body, "https://") {
		t.Error("the page holds what its policy forbids")
	}
	if empty := do(newServer(t, Options{}), http.MethodGet, "/", "").Body.String(); !strings.Contains(empty, `{"port":8080,"topics":[]}`) {
		t.Error("a page without topics lacks its empty list")
	}
}

func TestMetrics(t *testing.T) {
	stats := Stats{
		Connections: 3, ConnectionsMax: 100, Subscriptions: 7, Topics: 5, Lagging: 1, RingBytes: 4096, InFlightBytes: 128, Loops: 2,
		ConnectionsOpened: 10, ConnectionsClosed: 7, ClosedByCode: map[int]uint64{1000: 4, 4002: 1, 3123: 1, 4999: 1},
		Refused: map[string]uint64{"full": 2}, MessagesIn: map[string]uint64{"native": 11, "admin": 12}, PublishRefused: map[string]uint64{"bad_topic": 1},
		BytesIn: 1, Deliveries: 2, BytesOut: 3, Writes: 4, PartialWrites: 5, Batches: 6, Gaps: 8, GapMessages: 9, Pings: 10, Panics: 13, MemoryTrims: 14,
		Filters: 15, Conflated: 16, RequestsRefused: map[string]uint64{"rate_limited": 21}, Throttled: 22, AcceptErrors: 23, WriteRetries: 24,
		Deflated: Deflated{Messages: 25, BytesIn: 26, BytesOut: 27},
		Shed:     28, MemoryBytes: 29, MemoryMarkBytes: 30,
	}
	b := &fakeBackend{stats: stats, fakeViews: fakeViews{lag: Lag{Subscribers: 17, Messages: 18, MessagesMax: 19, MillisMax: 20500}}}
	c := newCollector(b)
	if problems, err := testutil.CollectAndLint(c); err != nil || len(problems) > 0 {
		t.Errorf("lint: %v %v", problems, err)
	}
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(c)
	if _, err := reg.Gather(); err != nil {
		t.Error(err)
	}
	body := do(newServer(t, Options{Backend: b}), http.MethodGet, "/metrics", "").Body.String()
	for _, line := range []string{
		"megawire_connections 3", "megawire_connections_max 100", "megawire_connections_lagging 1", "megawire_connections_opened_total 10",
		"megawire_connections_closed_total 7", `megawire_websocket_closes_total{code="1000"} 4`, `megawire_websocket_closes_total{code="4002"} 1`,
		`megawire_websocket_closes_total{code="other"} 2`, `megawire_connections_refused_total{reason="full"} 2`, "megawire_subscriptions 7",
		"megawire_topics 5", "megawire_ring_bytes 4096", "megawire_in_flight_bytes 128", "megawire_loops 2",
		`megawire_messages_in_total{source="admin"} 12`, `megawire_messages_in_total{source="native"} 11`, `megawire_publish_refused_total{code="bad_topic"} 1`,
		"megawire_received_bytes_total 1", "megawire_messages_out_total 2", "megawire_sent_bytes_total 3", "megawire_writes_total 4",
		"megawire_writes_partial_total 5", "megawire_batches_total 6", "megawire_gaps_total 8", "megawire_gap_messages_total 9",
		"megawire_pings_total 10", "megawire_panics_total 13", "megawire_memory_trims_total 14", "megawire_filters 15",
		"megawire_conflated_messages_total 16", "megawire_lagging_subscribers 17", "megawire_backlog_messages 18", "megawire_backlog_messages_max 19",
		`megawire_requests_refused_total{code="rate_limited"} 21`, "megawire_throttled_total 22", "megawire_accept_errors_total 23",
		"megawire_write_retries_total 24", "megawire_deflated_messages_total 25", "megawire_deflated_bytes_in_total 26",
		"megawire_deflated_bytes_out_total 27", "megawire_connections_shed_total 28", "megawire_memory_bytes 29", "megawire_memory_mark_bytes 30",
		"megawire_backlog_seconds_max 20.5", "# TYPE megawire_topics gauge", "# TYPE megawire_writes_total counter",
	} {
		if !strings.Contains(body, line+"\n") {
			t.Errorf("%s is missing", line)
		}
	}
	for _, line := range []string{"go_goroutines ", "process_resident_memory_bytes "} {
		if !strings.Contains(body, line) {
			t.Errorf("%s is missing", line)
		}
	}
}

// TestMetricLabels: a label by topic or client would grow with use.
func TestMetricLabels(t *testing.T) {
	labels := map[string]bool{}
	for _, f := range families {
		if (f.label == "") != (f.byLabel == nil) || (f.label == "") != (f.read != nil) {
			t.Errorf("%s is neither one value nor a labelled one", f.name)
		}
		labels[f.label] = true
	}
	if got := slices.Sorted(maps.Keys(labels)); !slices.Equal(got, []string{"", "code", "reason", "source"}) {
		t.Errorf("labels %q", got)
	}
}

func TestSharedRegistry(t *testing.T) {
	reg := prometheus.NewRegistry()
	s := newServer(t, Options{Registry: reg})
	if s.Registry() != reg {
		t.Error("another registry")
	}
	if _, err := New(Options{Backend: &fakeBackend{}, Registry: reg}); err == nil {
		t.Error("two servers on one registry would count each other's metrics")
	}
}

func TestOptions(t *testing.T) {
	b := &fakeBackend{}
	for _, tc := range []struct {
		sentence string
		o        Options
		has      string
	}{
		{"no backend", Options{}, "Backend is required"},
		{"an address without a port", Options{Backend: b, Listen: "localhost"}, "must be host:port"},
		{"a negative bound", Options{Backend: b, ConnectionsMax: -1}, "must be positive"},
		{"a port that is none", Options{Backend: b, PublicPort: 70000}, "is not a port"},
	} {
		if _, err := New(tc.o); err == nil || !strings.Contains(err.Error(), tc.has) {
			t.Errorf("%s: %v", tc.sentence, err)
		}
	}
}
