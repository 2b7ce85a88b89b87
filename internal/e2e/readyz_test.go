package e2e

import (
	"strings"
	"testing"

	"github.com/megawire/megawire/server/config"
)

// Health checks speak HTTP/1.0 or 1.1, with a Host or without.
func TestReadyzForHealthChecks(t *testing.T) {
	r := serve(t, func(c *config.Config) { c.Limits.Connections = 1 })
	for _, state := range []struct {
		says   string
		status int
	}{{"with room", 200}, {"full", 503}} {
		if state.status == 503 {
			defer r.dial("/ws").close()
		}
		for _, row := range []struct{ says, request string }{
			{"HAProxy's httpchk", "GET /readyz HTTP/1.0\r\n\r\n"},
			{"HTTP/1.0 with a Host, as nginx sends it", "GET /readyz HTTP/1.0\r\nHost: test\r\nConnection: close\r\n\r\n"},
			{"HEAD", "HEAD /readyz HTTP/1.0\r\n\r\n"},
			{"HEAD in HTTP/1.1", "HEAD /readyz HTTP/1.1\r\nHost: test\r\n\r\n"},
			{"HTTP/1.1", "GET /readyz HTTP/1.1\r\nHost: test\r\n\r\n"},
		} {
			p := r.connect()
			p.write([]byte(row.request))
			a, err := p.response()
			if err != nil || a.status != state.status || state.status == 503 && a.header["retry-after"] == "" {
				t.Errorf("%s, %s: status %d, %v, %v", row.says, state.says, a.status, a.header, err)
			}
			if strings.HasPrefix(row.request, "HEAD") != (len(a.body) == 0) || a.header["content-length"] == "0" { // RFC 9110 §9.3.2
				t.Errorf("%s, %s: body %q, %v", row.says, state.says, a.body, a.header)
			}
			p.close()
		}
	}
}
