package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// 500 clients send their upgrade's head a byte a second.
func TestFaultDribbledUpgrades(t *testing.T) {
	const clients = 500
	tr := newTrial(t, 0, clients*(bytesPerConnection+1<<10), append(quietHeartbeat, "--limits.handshake_timeout=2s")...)
	request := []byte(upgradeRequest("/ws"))
	g := tr.gang(clients, request[:1])
	at, refused := 1, rise{metric: `megawire_connections_refused_total{reason="timeout"}`, by: clients}
	tr.meanwhile(paced(time.Second, func() error {
		for _, b := range g.bare {
			_ = b.send(request[at : at+1]) // who has been refused is gone
		}
		at++
		return nil
	}), refused)
	g.meet("408 timeout")
	g.cut()
	tr.over(refused)
}

// 500 clients begin a message and send it a byte a second: half of them in one frame, the others in fragments of a byte.
func TestFaultDribbledMessages(t *testing.T) {
	const clients = 500
	tr := newTrial(t, 0, clients*(bytesPerConnection+4<<10), append(quietHeartbeat, "--limits.message_timeout=1s")...)
	g := tr.upgraded(clients, "/echo")
	for i, b := range g.bare {
		begin := frame(final(opText), make([]byte, 1000))[:10]
		if i%2 == 0 {
			begin = frame(opText, []byte("a"))
		}
		if err := b.send(begin); err != nil {
			t.Fatal(err)
		}
	}
	closes := rise{metric: `megawire_websocket_closes_total{code="1008"}`, by: clients}
	tr.meanwhile(paced(time.Second, func() error {
		for i, b := range g.bare {
			more := []byte("x")
			if i%2 == 0 {
				more = frame(opContinuation, more)
			}
			_ = b.send(more) // who has been closed is gone
		}
		return nil
	}), closes)
	g.meet("1008")
	g.cut()
	tr.over(closes)
}

// 200 clients read and answer nothing.
func TestFaultNoPongs(t *testing.T) {
	const clients = 200
	tr := newTrial(t, 0, clients*bytesPerConnection, "--heartbeat.ping_interval=1s", "--heartbeat.pong_timeout=1s")
	g := tr.upgraded(clients, "/ws?topics=quiet")
	tr.outlast()
	g.meet("4004")
	g.cut()
	tr.over(rise{metric: `megawire_websocket_closes_total{code="4004"}`, by: clients})
}

// 50 subscribers of the busiest topic read a byte a second, half of them where there is no way to be told of a gap.
func TestFaultSlowReaders(t *testing.T) {
	const clients, messageBytes = 25, 4096
	// Beside the ring each may hold the rest of one batch.
	tr := newTrial(t, 0, 1<<20+2*clients*64<<10, append(quietHeartbeat, "--socket.send_buffer_bytes=16KiB", "--ring.retain_bytes=1MiB")...)
	g := tr.upgraded(clients, "/ws?topics=busiest", narrow)
	raws := tr.upgraded(clients, "/raw/busiest", narrow)
	all := append(raws.bare, g.bare...)
	message := fmt.Sprintf(`{"topic":"busiest","data":"%0*d"}`, messageBytes, 0)
	next, read := time.Now(), make([]byte, 1)
	tr.meanwhile(func() error {
		for range 20 {
			if err := tr.send(message); err != nil {
				return err
			}
		}
		if time.Now().Before(next) {
			return nil
		}
		next = next.Add(time.Second)
		for _, b := range all {
			if _, err := unix.Read(b.fd, read); err != nil && !errors.Is(err, unix.EINTR) {
				return err
			}
		}
		return nil
	}, rise{metric: "megawire_connections_lagging", by: 2 * clients, orMore: true})
	tr.publish(`{"topic":"busiest","data":"the last"}`)
	for _, b := range g.bare {
		got, err := b.readTo(`"the last"`)
		if err != nil || !bytes.Contains(got, []byte(`{"op":"gap","topic":"busiest","from":`)) {
			t.Fatalf("a slow reader has had %d bytes, no gap among them; %v", len(got), err)
		}
	}
	raws.fates() // of which the metric tells: in the middle of what they have read they do not know where a frame begins
	raws.cut()
	tr.awaitMetricIs("megawire_connections_lagging", 0)
	g.cut()
	tr.over(rise{metric: "megawire_gaps_total", by: clients, orMore: true}, rise{metric: `megawire_websocket_closes_total{code="4002"}`, by: clients})
}
