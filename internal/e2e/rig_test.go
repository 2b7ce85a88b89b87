package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/megawire/megawire/server"
	"github.com/megawire/megawire/server/config"
)

// site is where a server is, in this process or in another one: its two addresses.
type site struct {
	t     *testing.T
	addr  string // of the public listener
	admin string // of the admin listener
}

// rig is a server in this process.
type rig struct {
	site

	cancel context.CancelFunc
	ended  chan error // gets what Run returned, once
}

// serve runs a server with the default settings on free ports of the loopback; change may alter them. It is
// stopped when the test ends, and must not have panicked anywhere.
func serve(t *testing.T, change func(c *config.Config)) *rig {
	t.Helper()
	c := config.Default()
	c.Listen, c.Admin.Listen = "127.0.0.1:0", "127.0.0.1:0"
	c.Loops = 2
	if change != nil {
		change(&c)
	}
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	s, err := server.New(c, log)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &rig{site: site{t: t}, cancel: cancel, ended: make(chan error, 1)}
	go func() { r.ended <- s.Run(ctx) }()
	select {
	case <-s.Started():
	case err := <-r.ended:
		cancel()
		t.Fatalf("the server did not start: %v", err)
	case <-time.After(patience):
		t.Fatal("the server did not start")
	}
	r.addr, r.admin = s.Addr(), s.AdminAddr()
	t.Cleanup(r.stop)
	return r
}

// stop ends the server as SIGTERM would, and waits for it. A second call does nothing.
func (r *rig) stop() {
	r.t.Helper()
	if r.ended == nil {
		return
	}
	if n := r.metrics()["megawire_panics_total"]; n != 0 {
		r.t.Errorf("the server panicked %v times", n)
	}
	r.cancel()
	r.await()
}

// await waits for the end of Run, which must be without an error.
func (r *rig) await() {
	r.t.Helper()
	select {
	case err := <-r.ended:
		if err != nil {
			r.t.Errorf("Run returned %v", err)
		}
	case <-time.After(patience):
		r.t.Fatal("the server did not end")
	}
	r.ended = nil
}

// httpClient keeps no connections, so that none outlives its test.
var httpClient = &http.Client{
	Timeout:   4 * patience,
	Transport: &http.Transport{DisableKeepAlives: true, ExpectContinueTimeout: patience},
}

const (
	typeJSON   = "application/json"
	typeNDJSON = "application/x-ndjson"
)

// expectBytes is from which length on a body is announced and sent only once the server agrees, as curl does
// it (RFC 9110 §10.1.1): an answer that comes while a body is under way may be lost to a reset.
const expectBytes = 1 << 20

// post sends a body to /v1/publish and returns the answer. Any goroutine.
func (s *site) post(contentType string, body io.Reader) (status int, answer []byte, err error) {
	req, err := http.NewRequest(http.MethodPost, "http://"+s.admin+"/v1/publish", body)
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", contentType)
	if req.ContentLength >= expectBytes {
		req.Header.Set("Expect", "100-continue")
	}
	resp, err := httpClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}

// publish publishes one message or an array of them by HTTP.
func (s *site) publish(body string) []byte {
	s.t.Helper()
	status, answer, err := s.post(typeJSON, strings.NewReader(body))
	if err != nil || status != http.StatusOK {
		s.t.Fatalf("publish %.100s: status %d, %s, %v", body, status, answer, err)
	}
	return answer
}

// stream publishes NDJSON lines in one request and wants all of them taken. Any goroutine.
func (s *site) stream(lines io.Reader, count int) error {
	status, answer, err := s.post(typeNDJSON, lines)
	if err != nil {
		return err
	}
	var a struct{ Published, Failed int }
	if err := json.Unmarshal(answer, &a); err != nil {
		return fmt.Errorf("stream: %w in %s", err, answer)
	}
	if status != http.StatusOK || a.Published != count || a.Failed != 0 {
		return fmt.Errorf("stream of %d lines: status %d, %s", count, status, answer)
	}
	return nil
}

// metrics are the samples of /metrics, by name with labels.
func (s *site) metrics() map[string]float64 {
	s.t.Helper()
	resp, err := httpClient.Get("http://" + s.admin + "/metrics")
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	samples := map[string]float64{}
	for line := range bytes.Lines(body) {
		name, value, ok := strings.Cut(string(bytes.TrimSpace(line)), " ")
		if !ok || name == "#" {
			continue
		}
		if samples[name], err = strconv.ParseFloat(value, 64); err != nil {
			s.t.Fatalf("/metrics: %s: %v", line, err)
		}
	}
	return samples
}

// awaitMetric waits until a sample satisfies the condition: the loops tell of their counts ten times a
// second.
func (s *site) awaitMetric(name, condition string, ok func(v float64) bool) {
	s.t.Helper()
	var v float64
	eventually(s.t, func() bool { v = s.metrics()[name]; return ok(v) },
		func() string { return fmt.Sprintf("%s is %v, want %s", name, v, condition) })
}

func (s *site) awaitMetricAtLeast(name string, least float64) {
	s.t.Helper()
	s.awaitMetric(name, fmt.Sprint("at least ", least), func(v float64) bool { return v >= least })
}

func (s *site) awaitMetricIs(name string, want float64) {
	s.t.Helper()
	s.awaitMetric(name, fmt.Sprint(want), func(v float64) bool { return v == want })
}

// eventually looks at a condition until it holds.
func eventually(t *testing.T, holds func() bool, what func() string) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !holds(); <-tick.C {
		if time.Now().After(end) {
			t.Fatal(what())
		}
	}
}
