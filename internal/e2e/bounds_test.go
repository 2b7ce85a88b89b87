package e2e

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/megawire/megawire/server/config"
)

// One read of the server's holds more small messages than a topic may have in flight. The loop that reads
// them makes room itself, so the only client of an idle server is not refused.
func TestBurstInOneRead(t *testing.T) {
	const burst = 6000
	r := serve(t, func(c *config.Config) {
		allowPublish(c)
		c.Ring.RetainMessages = burst
	})
	p := r.dial("/raw/burst?echo=1")
	var out bytes.Buffer
	for i := range burst {
		out.Write(frame(final(opText), fmt.Append(nil, i%10)))
	}
	p.write(out.Bytes())
	for i := range burst {
		if got, want := p.text(), fmt.Sprint(i%10); got != want {
			t.Fatalf("message %d: got %s, want %s", i, got, want)
		}
	}
}

// Names that clients only ask for do not fill the server: such a topic goes with its last subscriber.
func TestNamesNobodyPublishesTo(t *testing.T) {
	r := serve(t, func(c *config.Config) { c.Limits.Topics = 100 })
	p := r.dial("/ws")
	for round := range 5 {
		var names []string
		for i := range 100 {
			names = append(names, fmt.Sprintf(`"name/%d/%d"`, round, i))
		}
		list := "[" + strings.Join(names, ",") + "]"
		for _, result := range p.ask(`{"op":"subscribe","topics":` + list + `}`).Topics {
			if result.Error != "" {
				t.Fatalf("round %d: %+v", round, result)
			}
		}
		p.ask(`{"op":"unsubscribe","topics":` + list + `}`)
	}
	r.publish(`{"topic":"somebody/publishes","data":1}`)
	r.awaitMetricIs("megawire_topics", 2) // the heartbeat's is one
}

// A reader that takes nothing for too long is a slow reader, not one that owes a pong: nobody could ask it.
func TestStalledReaderIsGivenUp(t *testing.T) {
	r := serve(t, func(c *config.Config) {
		c.Heartbeat.PingInterval, c.Heartbeat.PongTimeout = time.Second, time.Second
		c.Socket.SendBufferBytes = 4 * config.KiB
	})
	p := r.dialNarrow("/ws?topics=t")
	line := []byte(`{"topic":"t","data":"` + strings.Repeat("x", 1000) + `"}` + "\n")
	if err := r.stream(bytes.NewReader(bytes.Repeat(line, 2000)), 2000); err != nil {
		t.Fatal(err)
	}
	r.awaitMetricIs(`megawire_websocket_closes_total{code="4002"}`, 1)
	if n := r.metrics()[`megawire_websocket_closes_total{code="4004"}`]; n != 0 {
		t.Errorf("%v closed with 4004", n)
	}
	p.close()
}

// What the admin listener refuses is counted by the code that it was answered with.
func TestRefusalsAreCounted(t *testing.T) {
	r := serve(t, nil)
	for code, body := range map[string]string{
		"bad_topic": `{"topic":"a/#","data":1}`, "forbidden": `{"topic":"$sys/a","data":1}`,
		"bad_request": `[{"topic":"a","data":1},{"topic":"a"}]`,
		"too_large":   `{"topic":"a","data":"` + strings.Repeat("x", 1<<20) + `"}`,
	} {
		if status, answer, err := r.post(typeJSON, strings.NewReader(body)); err != nil || status < 400 || !bytes.Contains(answer, []byte(code)) {
			t.Errorf("%.60s: status %d, %s, %v; want %s", body, status, answer, err, code)
		}
		r.awaitMetricIs(`megawire_publish_refused_total{code="`+code+`"}`, 1)
	}
}

// A client that sends much before it reads anything waits as TCP has it: nothing is lost, nobody is cut off.
func TestSendingAheadOfReading(t *testing.T) {
	const messages, size = 30, 1 << 20
	r := serve(t, nil)
	p := r.dial("/echo")
	sent := make(chan error, 1)
	go func() {
		for i := range messages {
			if _, err := p.nc.Write(frame(final(opBinary), bytes.Repeat([]byte{byte(i)}, size))); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	r.awaitMetricAtLeast("megawire_connections_lagging", 1)
	for i := range messages {
		op, payload, err := p.next()
		if err != nil || op != opBinary || len(payload) != size || bytes.Count(payload, []byte{byte(i)}) != size {
			t.Fatalf("message %d: opcode %d, %d bytes, %v", i, op, len(payload), err)
		}
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
}

// Messages that are begun and never finished have a bound in all; the others go on.
func TestUnfinishedMessages(t *testing.T) {
	const clients, size = 12, 512 << 10
	for name, begin := range map[string][]byte{
		"half a frame":    frame(final(opBinary), make([]byte, size))[:size-1],
		"half a message":  frame(opBinary, make([]byte, size)),
		"many half-ended": append(frame(opBinary, make([]byte, size/2)), frame(0, make([]byte, size/2))...),
	} {
		t.Run(name, func(t *testing.T) {
			r := serve(t, func(c *config.Config) { c.Loops, c.Limits.UnfinishedBytes = 1, 2*config.MiB })
			w := newWitness(r)
			var peers []*peer
			for range clients {
				p := r.dial("/echo")
				if _, err := p.nc.Write(begin); err != nil {
					t.Fatal(err)
				}
				peers = append(peers, p)
			}
			r.awaitMetricAtLeast(`megawire_websocket_closes_total{code="1013"}`, clients-5)
			w.check(t)
			for _, p := range peers {
				p.close()
			}
			r.awaitMetricIs("megawire_connections", 1)
			p := r.dial("/echo")
			p.write(append(frame(opBinary, make([]byte, size)), frame(final(0), nil)...))
			if op, payload, err := p.next(); err != nil || op != opBinary || len(payload) != size {
				t.Errorf("afterwards: opcode %d, %d bytes, %v", op, len(payload), err)
			}
		})
	}
}
