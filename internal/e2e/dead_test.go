package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/megawire/megawire/server/config"
)

// A connection that does not ask for anything in time is answered and closed, however it trickles.
func TestHandshakeTimeout(t *testing.T) {
	r := serve(t, func(c *config.Config) { c.Limits.HandshakeTimeout = 500 * time.Millisecond })
	silent, slow := r.connect(), r.connect()
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for _, b := range []byte(upgradeRequest("/ws?" + strings.Repeat("x", 7000))) {
			select {
			case <-tick.C:
			case <-stop:
				return
			}
			if _, err := slow.nc.Write([]byte{b}); err != nil {
				return
			}
		}
	}()
	for says, p := range map[string]*peer{"a silent client": silent, "a slow one": slow} {
		a, err := p.response()
		if err != nil || a.status != 408 || !bytes.Contains(a.body, []byte(`"code":"timeout"`)) {
			t.Errorf("%s: status %d, %s, %v", says, a.status, a.body, err)
		}
	}
	close(stop)
	<-stopped
	r.awaitMetricIs(`megawire_connections_refused_total{reason="timeout"}`, 2)
}

// A client that is silent and answers no ping is closed; one that answers stays.
func TestHeartbeat(t *testing.T) {
	r := serve(t, func(c *config.Config) { c.Heartbeat.PingInterval, c.Heartbeat.PongTimeout = time.Second, time.Second })
	dead, alive := r.dial("/ws"), r.dial("/raw/a")
	gone := make(chan error, 1)
	go func() {
		for {
			op, payload, err := dead.next()
			if err != nil || op != opPing {
				if err == nil && op == opClose && bytes.HasPrefix(payload, []byte{4004 >> 8, 4004 & 0xFF}) {
					gone <- nil
				} else {
					gone <- fmt.Errorf("opcode %#x, %q, error %w; want pings, then a close with 4004", op, payload, err)
				}
				return
			}
		}
	}()
	const pings = 3 // by then the other one is gone
	for range pings {
		op, payload, err := alive.next()
		if err != nil || op != opPing {
			t.Fatalf("opcode %#x, %q, %v instead of a ping", op, payload, err)
		}
		alive.write(frame(final(opPong), payload))
	}
	if err := <-gone; err != nil {
		t.Error(err)
	}
	r.awaitMetricIs(`megawire_websocket_closes_total{code="4004"}`, 1)
	r.awaitMetricIs("megawire_connections", 1)
	r.awaitMetricAtLeast("megawire_pings_total", pings+1)
}

// Who asks on and on and never reads is not read from either, and given up when nothing goes on for the
// heartbeat's time; not much is kept for it.
func TestRepliesNobodyReads(t *testing.T) {
	const clients = 20
	r := launch(t, 0, "--heartbeat.ping_interval", "2s", "--heartbeat.pong_timeout", "2s")
	before, _ := r.memory()
	ended := make(chan error, clients)
	for i := range clients {
		p := r.dialNarrow([]string{"/ws", "/raw/a", "/echo"}[i%3])
		flood := bytes.Repeat(frame(final(opPing), make([]byte, 125)), 200)
		if i%3 == 0 {
			flood = bytes.Repeat(frame(final(opText), []byte(`{"op":"ping","id":"`+strings.Repeat("x", 64)+`"}`)), 200)
		}
		go func() {
			var err error
			for err == nil { // to the connection's end, which comes some seconds after the close frame
				_, err = p.nc.Write(flood)
			}
			if errors.Is(err, os.ErrDeadlineExceeded) {
				ended <- errors.New("a client may flood without end")
				return
			}
			ended <- nil
		}()
	}
	for range clients {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	r.awaitMetricIs(`megawire_websocket_closes_total{code="4002"}`, clients)
	r.awaitMetricIs("megawire_connections", 0)
	const growthMax = 32 << 20 // replies_bytes for each would be 5 MiB
	if _, most := r.memory(); most-before > growthMax {
		t.Errorf("the server grew by %d bytes, want at most %d", most-before, growthMax)
	}
}
