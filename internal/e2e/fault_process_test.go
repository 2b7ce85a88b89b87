package e2e

import (
	"strings"
	"testing"
)

// A panic while a connection is served closes that one, whatever of its message the server holds.
func TestFaultPanic(t *testing.T) {
	const word = "panic!"
	messages := map[string][]byte{
		upgradeRequest("/echo"): frame(final(opText), []byte(word)),
		upgradeRequest("/echo?in=fragments"): append(frame(opText, []byte(word[:3])),
			frame(final(opContinuation), []byte(word[3:]))...),
		offerDeflate("/echo"): deflated(t, opText, []byte(word)),
	}
	const each = 10
	panics := each * len(messages)
	tr := newTrial(t, 0, 0, quietHeartbeat...)
	tr.panicsPlanted = panics
	bystander := tr.dial("/echo")
	for request, message := range messages {
		g := tr.gang(each, []byte(request))
		g.send(append(message, frame(final(opText), []byte("more"))...))
		g.meet("end", "reset")
		g.cut()
		bystander.write(append(frame(opText, []byte("not a ")), frame(final(opContinuation), []byte(word))...))
		bystander.expect("not a " + word)
	}
	bystander.close()
	tr.outlast()
	tr.over(rise{metric: "megawire_panics_total", by: float64(panics)},
		rise{metric: `megawire_websocket_closes_total{code="1006"}`, by: float64(panics + 1)})
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
