package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// What a connection may cost the server: the connection itself and its place in the tables, which grow by doubling.
const bytesPerConnection = 1 << 10

// 5,000 connections are opened and held.
func TestFaultManyConnections(t *testing.T) {
	connections := size(5000, 500)
	tr := newTrial(t, 0, connections*bytesPerConnection, quietHeartbeat...)
	g := tr.upgraded(connections, "/ws?topics=crowded")
	tr.outlast()
	g.cut()
	tr.over(rise{metric: "megawire_connections_opened_total", by: float64(connections)},
		rise{metric: `megawire_websocket_closes_total{code="1006"}`, by: float64(connections)})
}

// 5,000 upgrades are begun, and never come to their end.
func TestFaultHalfUpgrades(t *testing.T) {
	connections := size(5000, 500)
	request := upgradeRequest("/ws")
	tr := newTrial(t, 0, connections*(bytesPerConnection+len(request)), append(quietHeartbeat, "--limits.handshake_timeout=2s")...)
	g := tr.gang(connections, []byte(request[:len(request)-2]))
	tr.outlast()
	g.meet("408 timeout")
	g.cut()
	tr.over(rise{metric: `megawire_connections_refused_total{reason="timeout"}`, by: float64(connections)})
}

// Thousands of connections are reset, half of them as soon as they are upgraded, the others before.
func TestFaultResets(t *testing.T) {
	tr := newTrial(t, 0, 100*bytesPerConnection, quietHeartbeat...)
	const atOnce, least = 20, 1000
	resets := 0
	some := func() error {
		for i := range atOnce {
			b, err := tr.bare()
			if err != nil {
				return err
			}
			if err = b.send([]byte(upgradeRequest("/ws?topics=healthy/1"))); err == nil && i%2 == 0 {
				_, err = b.head()
				resets++
			}
			b.cut()
			if err != nil {
				return err
			}
		}
		return nil
	}
	tr.meanwhile(some)
	for resets < least {
		if err := some(); err != nil {
			t.Fatal(err)
		}
	}
	tr.over(rise{metric: `megawire_websocket_closes_total{code="1006"}`, by: float64(resets), orMore: true})
}

// More come than may come in a second, for as long as they like.
func TestFaultManyConnects(t *testing.T) {
	const perSecond = healthyClients + 50
	tr := newTrial(t, 0, perSecond*bytesPerConnection, append(quietHeartbeat, fmt.Sprint("--limits.connects_per_second=", perSecond))...)
	began, granted, refused := time.Now(), 0, 0
	tr.meanwhile(func() error {
		b, err := tr.bare()
		if err != nil {
			return err
		}
		defer b.cut()
		if err := b.send([]byte(upgradeRequest("/ws"))); err != nil {
			return err
		}
		head, err := b.head()
		switch {
		case err != nil:
			return err
		case bytes.HasPrefix(head, []byte("HTTP/1.1 101")):
			granted++
		case bytes.Contains(head, []byte("Retry-After: 1\r\n")) && bytes.Contains(head, []byte(`"code":"rate_limited"`)):
			refused++
		default:
			return fmt.Errorf("a newcomer is answered by %q", head)
		}
		return nil
	}, rise{metric: `megawire_connections_refused_total{reason="rate_limited"}`, by: 1, orMore: true})
	if most := perSecond * (1 + time.Since(began).Seconds()); refused == 0 || float64(granted) > most {
		t.Errorf("%d were let in, %d refused; want at most %.0f let in", granted, refused, most)
	}
	tr.over(rise{metric: `megawire_connections_refused_total{reason="rate_limited"}`, by: float64(refused)})
}

// 500 clients are gone without a word: half of them were idle, the others had much to get.
func TestFaultVanished(t *testing.T) {
	const idle, busy = 250, 250
	tr := newTrial(t, 0, (idle+busy)*(bytesPerConnection+16<<10), "--heartbeat.ping_interval=1s", "--heartbeat.pong_timeout=1s")
	g := tr.upgraded(idle, "/ws?topics=idle")
	readers := tr.upgraded(busy, "/ws?topics=busy")
	g.bare = append(g.bare, readers.bare...)
	for _, b := range g.bare {
		if err := b.vanish(); err != nil {
			t.Fatal(err)
		}
	}
	message := fmt.Sprintf(`{"topic":"busy","data":"%08192d"}`, 0)
	publish := paced(10*time.Millisecond, func() error { return tr.send(message) })
	gone := []rise{{metric: `megawire_websocket_closes_total{code="4004"}`, by: idle},
		{metric: `megawire_websocket_closes_total{code="4002"}`, by: busy}}
	tr.meanwhile(publish, gone...)
	tr.over(gone...)
}

// send publishes one message. Any goroutine.
func (tr *trial) send(body string) error {
	status, answer, err := tr.post(typeJSON, strings.NewReader(body))
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("publish: status %d, %.200s", status, answer)
	}
	return err
}
