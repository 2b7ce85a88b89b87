package e2e

import (
	"encoding/json"
	"testing"

	"github.com/megawire/megawire/server/config"
)

// Past limits.connects_per_second newcomers are told to come back, and can; those inside and health checks do not notice.
func TestConnectsPerSecond(t *testing.T) {
	const perSecond, clients = 1, 40
	r := serve(t, func(c *config.Config) { c.Limits.ConnectsPerSecond = perSecond })
	w := newWitness(r)
	refused := 0
	for range clients {
		p, a, err := r.attempt()
		switch {
		case err == nil && p != nil:
			p.close()
		case err == nil && a.status == 503 && a.refusal() == "rate_limited" && a.header["retry-after"] == "1":
			refused++
		default:
			t.Fatalf("status %d, %v, %s, %v", a.status, a.header, a.body, err)
		}
	}
	if refused == 0 {
		t.Errorf("%d clients came at once, and none was refused", clients)
	}
	w.check(t)
	p := r.connect()
	p.write([]byte("GET /readyz HTTP/1.1\r\nHost: test\r\n\r\n"))
	if a, err := p.response(); err != nil || a.status != 200 {
		t.Errorf("/readyz: status %d, %s, %v", a.status, a.body, err)
	}
	r.awaitMetricIs(`megawire_connections_refused_total{reason="rate_limited"}`, float64(refused))
	r.dialEventually()
}

// refusal is the code of a refused request.
func (a *response) refusal() string {
	var body struct{ Error struct{ Code string } }
	_ = json.Unmarshal(a.body, &body)
	return body.Error.Code
}
