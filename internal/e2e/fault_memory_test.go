package e2e

import (
	"fmt"
	"testing"
)

// Memory is above its mark, since some clients send messages that they do not end: newcomers are refused, then those
// who hold it go.
func TestFaultMemory(t *testing.T) {
	const clients, half, markMiB = 120, 1<<20 - 1024, 96
	tr := newTrial(t, 0, markMiB<<20, append(quietHeartbeat,
		fmt.Sprintf("--limits.memory_bytes=%dMiB", markMiB), "--limits.unfinished_bytes=1GiB")...)
	g := tr.upgraded(clients, "/echo")
	g.send(frame(final(opBinary), make([]byte, 1<<20))[:half])
	tr.awaitRefusal("memory")
	tr.outlast()
	tr.awaitMetricAtLeast("megawire_connections_shed_total", 1)
	tr.dialEventually().close()
	shed := tr.metrics()["megawire_connections_shed_total"]
	g.cut()
	tr.over(rise{metric: "megawire_connections_shed_total", by: shed}, rise{metric: `megawire_websocket_closes_total{code="1013"}`, by: shed},
		rise{metric: `megawire_connections_refused_total{reason="memory"}`, by: 1, orMore: true})
}
