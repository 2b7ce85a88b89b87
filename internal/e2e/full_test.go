package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"syscall"
	"testing"

	"github.com/megawire/megawire/server/config"
)

// attempt tries to open a WebSocket, and returns the connection if the server agrees, else how it declined.
func (s *site) attempt() (*peer, response, error) {
	s.t.Helper()
	p := s.connect()
	if _, err := io.WriteString(p.nc, upgradeRequest("/ws")); err != nil {
		return nil, response{}, err
	}
	a, err := p.response()
	if err != nil || a.status != 101 {
		p.close()
		return nil, a, err
	}
	return p, a, nil
}

// full reports whether an answer is the documented refusal of a server that is full.
func (a *response) full() bool {
	return a.status == 503 && a.header["retry-after"] != "" && a.header["content-type"] == typeJSON &&
		bytes.HasPrefix(a.body, []byte(`{"error":{"code":"full","message":"`))
}

// dialEventually is dial for when a place is about to become free.
func (s *site) dialEventually() (p *peer) {
	s.t.Helper()
	var a response
	var err error
	eventually(s.t, func() bool { p, a, err = s.attempt(); return p != nil },
		func() string { return fmt.Sprintf("no place: status %d, %s, %v", a.status, a.body, err) })
	return p
}

// Past limits.connections newcomers are told to come back; those inside do not notice.
func TestConnectionsMax(t *testing.T) {
	const connectionsMax, refusals = 5, 10
	r := serve(t, func(c *config.Config) { c.Limits.Connections = connectionsMax })
	w := newWitness(r)
	inside := []*peer{}
	for range connectionsMax - 1 {
		inside = append(inside, r.dial("/ws"))
	}
	for range refusals {
		if _, a, err := r.attempt(); err != nil || !a.full() {
			t.Fatalf("one too many: status %d, %v, %s, %v", a.status, a.header, a.body, err)
		}
		w.check(t)
	}
	resp, err := httpClient.Get("http://" + r.admin + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("/readyz of a full server: %d", resp.StatusCode)
	}

	inside[0].close()
	r.dialEventually()
	w.check(t)
	r.awaitMetricAtLeast(`megawire_connections_refused_total{reason="full"}`, refusals)
	r.awaitMetricIs("megawire_connections", connectionsMax)
	r.awaitMetricIs("megawire_connections_max", connectionsMax)
}

// Running out of file descriptors does not end the server: who has no place is answered or closed, and
// there is place again once others have left.
func TestFewFiles(t *testing.T) {
	const files, clients = 80, 200
	p := launch(t, files, "--loops=2")
	peers := make([]*peer, clients)
	for i := range peers {
		peers[i] = p.connect() // all at once: nobody's end makes place for the next
	}
	inside, full, closed := 0, 0, 0
	for i, c := range peers {
		_, err := io.WriteString(c.nc, upgradeRequest("/ws"))
		var a response
		if err == nil {
			a, err = c.response()
		}
		switch {
		case err == nil && a.status == 101:
			inside++
			c.subscribe("a")
		case a.full():
			full++
		case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
			closed++
		default:
			t.Errorf("client %d: status %d, %s, %v", i, a.status, a.body, err)
		}
	}
	t.Logf("%d clients with %d files: %d inside, %d answered with 503, %d closed", clients, files, inside, full, closed)
	if inside == 0 || full == 0 {
		t.Error("want some inside and some answered")
	}
	p.publish(`{"topic":"a","data":1}`) // the admin listener has its files
	for _, c := range peers {
		c.close()
	}
	again := p.dialEventually()
	again.subscribe("a")
	p.publish(`{"topic":"a","data":2}`)
	again.message("a", 2, "2")
}
