package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"testing"
)

// Memory above its mark: newcomers are told to come back, those who hold it are closed, and with that the others go on
// and newcomers are let in again.
func TestShortOfMemory(t *testing.T) {
	const (
		clients = 120
		half    = 1<<20 - 1024 // of a message of 1 MiB
		markMiB = 96
		healthy = 20
	)
	for _, row := range []struct {
		says string
		make func(s *site) *peer // a client that holds about a MiB
		hold func(p *peer)
		code string // with which it is closed
	}{
		{"unfinished messages", func(s *site) *peer { return s.dial("/echo") }, func(p *peer) {
			_, _ = p.nc.Write(frame(final(opBinary), make([]byte, 1<<20))[:half])
		}, "1013"},
		{"fragments", func(s *site) *peer { return s.dial("/echo") }, func(p *peer) {
			_, _ = p.nc.Write(frame(opBinary, make([]byte, half)))
		}, "1013"},
		{"replies that are not read", func(s *site) *peer { return s.dialNarrow("/echo") }, func(p *peer) {
			go func() { _, _ = p.nc.Write(bytes.Repeat(frame(final(opBinary), make([]byte, 64<<10)), 32)) }()
		}, "4002"},
	} {
		t.Run(row.says, func(t *testing.T) {
			p := launch(t, 0, "--loops=2", fmt.Sprintf("--limits.memory_bytes=%dMiB", markMiB),
				"--limits.unfinished_bytes=1GiB", "--limits.replies_bytes=1MiB")
			s := &p.site
			s.t = t
			var inside, greedy []*peer
			for range healthy {
				c := s.dial("/ws")
				c.subscribe("a")
				inside = append(inside, c)
			}
			for range clients {
				greedy = append(greedy, row.make(s))
			}
			for _, c := range greedy {
				row.hold(c)
			}
			s.awaitRefusal("memory")
			s.awaitMetricAtLeast("megawire_connections_shed_total", 1)
			s.awaitMetricAtLeast(`megawire_websocket_closes_total{code="`+row.code+`"}`, 1)
			s.dialEventually().close()
			m := s.metrics()
			if used, mark := m["megawire_memory_bytes"], m["megawire_memory_mark_bytes"]; mark != markMiB<<20 || used > mark {
				t.Errorf("%v bytes where the mark is %v", used, mark)
			}
			if m[`megawire_connections_refused_total{reason="memory"}`] == 0 {
				t.Error("no refusal was counted")
			}
			if shed := m["megawire_connections_shed_total"]; shed > clients {
				t.Errorf("%v clients were closed of %d that hold something", shed, clients)
			}
			s.publish(`{"topic":"a","data":1}`)
			for _, c := range inside {
				c.message("a", 1, "1")
			}
		})
	}
}

// awaitRefusal waits until newcomers are refused with that code, and both listeners say so to those who ask.
func (s *site) awaitRefusal(code string) {
	s.t.Helper()
	var a response
	eventually(s.t, func() bool {
		c, refused, err := s.attempt()
		if err == nil && c != nil {
			c.close()
			return false
		}
		a = refused
		return a.refusal() == code
	}, func() string { return fmt.Sprintf("status %d, %s; want %s", a.status, a.body, code) })
	if a.status != 503 || a.header["retry-after"] != "5" {
		s.t.Errorf("status %d, %v, %s", a.status, a.header, a.body)
	}
	c := s.connect()
	c.write([]byte("GET /readyz HTTP/1.1\r\nHost: test\r\n\r\n"))
	if a, err := c.response(); err != nil || a.status != 503 || a.refusal() != code {
		s.t.Errorf("/readyz: status %d, %s, %v", a.status, a.body, err)
	}
	c.close()
	resp, err := httpClient.Get("http://" + s.admin + "/readyz")
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	var body bytes.Buffer
	_, _ = body.ReadFrom(resp.Body)
	if resp.StatusCode != http.StatusServiceUnavailable || !bytes.Contains(body.Bytes(), []byte(code)) {
		s.t.Errorf("/readyz of the admin listener: status %d, %s", resp.StatusCode, &body)
	}
}
