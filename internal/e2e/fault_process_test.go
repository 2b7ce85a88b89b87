package e2e

import (
	"strings"
	"testing"
)

// A panic while a connection is served closes that one.
func TestFaultPanic(t *testing.T) {
	const panics = 20
	tr := newTrial(t, 0, 0, quietHeartbeat...)
	tr.panicsPlanted = panics
	bystander := tr.dial("/echo")
	g := tr.upgraded(panics, "/echo")
	g.send(append(frame(final(opText), []byte("panic!")), frame(final(opText), []byte("more"))...))
	g.meet("end", "reset")
	bystander.send("panic?")
	bystander.expect("panic?")
	bystander.close()
	tr.outlast()
	tr.over(rise{metric: "megawire_panics_total", by: panics}, rise{metric: `megawire_websocket_closes_total{code="1006"}`, by: panics + 1})
}

// More come than there are files for: they are told so.
func TestFaultFewFiles(t *testing.T) {
	const files, clients = healthyClients + 200, 400
	tr := newTrial(t, files, 0, quietHeartbeat...)
	g := tr.gang(clients, []byte(upgradeRequest("/ws?topics=a")))
	tr.outlast()
	refused := 0
	for _, b := range g.bare {
		head, err := b.head()
		if err != nil {
			t.Error(err)
		}
		if strings.HasPrefix(string(head), "HTTP/1.1 503") {
			refused++
		}
	}
	if least := clients - (files - healthyClients); refused < least {
		t.Errorf("%d of %d are refused with %d files, want at least %d", refused, clients, files, least)
	}
	g.cut()
	tr.over(rise{metric: `megawire_connections_refused_total{reason="full"}`, by: float64(refused)})
}
