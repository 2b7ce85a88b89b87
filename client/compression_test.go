package client

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/coder/websocket"
)

// TestCompression: it is offered where it is asked for, and what comes is the same with it and without.
func TestCompression(t *testing.T) {
	large := `"` + strings.Repeat("seldom something new, ", 5000) + `"`
	for _, row := range []struct {
		name    string
		asked   bool
		server  websocket.CompressionMode
		offered string
	}{
		{"is off by default", false, websocket.CompressionNoContextTakeover, ""},
		{"is offered", true, websocket.CompressionNoContextTakeover, "permessage-deflate; client_no_context_takeover; server_no_context_takeover"},
		{"is declined", true, websocket.CompressionDisabled, "permessage-deflate; client_no_context_takeover; server_no_context_takeover"},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var offered string
				s := newFakeServer(t, visit{deflate: row.server, offered: &offered, talk: func(p *peer) {
					p.ack("e", "0")
					raw, id, _ := p.request()
					if !strings.HasSuffix(raw, large+"}") {
						t.Errorf("%d bytes were published", len(raw))
					}
					p.send(`{"op":"ok","id":`+id+`,"topic":"a","epoch":"e","seq":1}`, `{"topic":"a","seq":1,"ts":1,"data":`+large+`}`)
					p.untilGone()
				}})
				defer s.stop()
				c := s.client(Options{Compression: row.asked})
				defer c.Close()
				subscribe(t, c, "a")
				if _, err := c.Publish(t.Context(), "a", Data([]byte(large))); err != nil {
					t.Error(err)
				}
				want(t, read(t, c, 2), "connected\na 1 "+large)
				if offered != row.offered {
					t.Errorf("offered is %q", offered)
				}
			})
		})
	}
}
