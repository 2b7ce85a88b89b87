package e2e

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/megawire/megawire/server/config"
)

// Requests past the rate are told so, in order, and not run; after the time that the answer names they are again.
func TestRequestsPastTheRate(t *testing.T) {
	r := serve(t, func(c *config.Config) { c.Limits.MessagesPerSecond = 20 })
	p := r.dial("/ws")
	var burst bytes.Buffer
	for i := range 40 {
		burst.Write(frame(final(opText), fmt.Appendf(nil, `{"op":"subscribe","id":%d,"topics":["t%d"]}`, i, i)))
	}
	p.write(burst.Bytes())
	ran, wait := 0, 0
	for i := range 40 {
		var answer struct {
			Op, Code   string
			ID         int
			RetryAfter int `json:"retry_after"`
		}
		p.decode(p.text(), &answer)
		switch {
		case answer.ID != i:
			t.Fatalf("answer %d is that to %d", i, answer.ID)
		case answer.Op == "ok":
			ran++
		case answer.Code != "rate_limited" || answer.RetryAfter <= 0:
			t.Fatalf("%+v", answer)
		default:
			wait = answer.RetryAfter
		}
	}
	if ran < 20 || ran > 30 || wait == 0 {
		t.Fatalf("%d of 40 requests were run; the last one is to be repeated after %d ms", ran, wait)
	}
	eventually(t, func() bool {
		got := p.ask(`{"op":"list"}`)
		if got.Op == "ok" && len(got.Topics) != ran {
			t.Fatalf("%d subscriptions of %d requests that were run", len(got.Topics), ran)
		}
		return got.Op == "ok"
	}, func() string { return "requests are refused for ever" })
	r.awaitMetricAtLeast(`megawire_requests_refused_total{code="rate_limited"}`, float64(40-ran))
}

// A request for many topics is as much as many requests.
func TestTopicsOfARequestCount(t *testing.T) {
	r := serve(t, func(c *config.Config) { c.Limits.MessagesPerSecond = 100 })
	p := r.dial("/ws")
	var names []string
	for i := range 150 {
		names = append(names, fmt.Sprintf(`"t%d"`, i))
	}
	if got := p.ask(`{"op":"subscribe","topics":[` + strings.Join(names, ",") + `]}`); got.Op != "ok" {
		t.Fatalf("%+v", got)
	}
	if got := p.ask(`{"op":"ping"}`); got.Code != "rate_limited" {
		t.Errorf("%+v", got)
	}
}

// What has no answers is held back: it all comes, at the rate, and others are not concerned.
func TestHeldBack(t *testing.T) {
	for _, row := range []struct {
		says   string
		change func(c *config.Config)
	}{
		{"messages", func(c *config.Config) { c.Limits.MessagesPerSecond = 200 }},
		{"bytes", func(c *config.Config) { c.Limits.BytesPerSecond = 4 * config.KiB }},
	} {
		t.Run(row.says, func(t *testing.T) {
			r := serve(t, func(c *config.Config) {
				allowPublish(c)
				row.change(c)
			})
			const count = 500
			p, other := r.dial("/raw/t?echo=1"), r.dial("/echo")
			var burst bytes.Buffer
			for i := range count {
				burst.Write(frame(final(opText), fmt.Appendf(nil, "message %d", i)))
			}
			p.write(burst.Bytes())
			other.send("meanwhile")
			other.expect("meanwhile")
			for i := range count {
				p.expect(fmt.Sprintf("message %d", i))
			}
			r.awaitMetricAtLeast("megawire_throttled_total", 1)
		})
	}
}

// A message has so long to come, in one frame or in many, whatever else the client sends.
func TestMessageTimeout(t *testing.T) {
	for _, row := range []struct {
		says       string
		begin, add []byte
	}{
		{"a byte at a time", frame(final(opText), make([]byte, 1000))[:10], []byte("x")},
		{"a fragment at a time", frame(opText, []byte("x")), frame(0, []byte("y"))},
		{"pongs in between", frame(opText, []byte("x")), frame(final(opPong), nil)},
		{"then nothing", frame(final(opText), make([]byte, 1000))[:10], nil},
		{"a fragment, then nothing", frame(opText, []byte("x")), nil},
	} {
		t.Run(row.says, func(t *testing.T) {
			t.Parallel()
			r := serve(t, func(c *config.Config) { c.Limits.MessageTimeout = time.Second })
			p := r.dial("/echo")
			p.write(row.begin)
			done := make(chan string, 1)
			go func() {
				code, reason, err := p.readClose()
				done <- fmt.Sprint(code, " ", reason, " ", err)
			}()
			tick := time.NewTicker(50 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case got := <-done:
					if !strings.HasPrefix(got, "1008 message not finished in time") {
						t.Error(got)
					}
					return
				case <-tick.C:
					_, _ = p.nc.Write(row.add) // may find the connection closed
				}
			}
		})
	}
}

// Much work at once of one client is done piece by piece, with the answers in order and none missing.
func TestMuchWorkAtOnce(t *testing.T) {
	r := serve(t, func(c *config.Config) { c.Limits.MessagesPerSecond = 1_000_000 })
	p := r.dial("/ws")
	const count = 3000
	var burst bytes.Buffer
	for i := range count {
		burst.Write(frame(final(opText), fmt.Appendf(nil, `{"op":"ping","id":%d}`, i)))
	}
	go func() { _, _ = p.nc.Write(burst.Bytes()) }()
	for i := range count {
		p.expect(fmt.Sprintf(`{"op":"pong","id":%d}`, i))
	}
}

// A compressed message takes longer than its sender may go on at once: it is inflated and answered when the rest is over,
// without a further sign of the client's.
func TestInflatingOutlastsARest(t *testing.T) {
	r := serve(t, func(c *config.Config) {
		c.Limits.BytesPerSecond, c.Heartbeat.PingInterval = 64*config.KiB, time.Hour
	})
	p := r.dialDeflate("/echo")
	noise := make([]byte, 128<<10)
	_, _ = rand.NewChaCha8([32]byte{7}).Read(noise)
	p.write(frame(final(opBinary)|rsv1, compress(noise)))
	if got := p.inflated(); !bytes.Equal(got, noise) {
		t.Errorf("%d bytes came back", len(got))
	}
	r.awaitMetricAtLeast("megawire_throttled_total", 1)
}

// A request that comes in many pieces is one message.
func TestPiecesAreNoMessages(t *testing.T) {
	r := serve(t, func(c *config.Config) { c.Limits.MessagesPerSecond = 10 })
	p := r.dial("/ws")
	for _, b := range frame(final(opText), []byte(`{"op":"ping","id":"`+strings.Repeat("1", 60)+`"}`)) {
		p.write([]byte{b})
		r.awaitMetricAtLeast("megawire_received_bytes_total", 0) // a look at the server between two bytes, so that they are read one by one
	}
	if got := p.text(); !strings.HasPrefix(got, `{"op":"pong"`) {
		t.Error(got)
	}
}

// Who is held back for longer than the heartbeat's patience answers pings that nobody reads: that is no fault of its own.
func TestHeldBackIsAlive(t *testing.T) {
	r := serve(t, func(c *config.Config) {
		c.Limits.BytesPerSecond = 8 * config.KiB
		c.Heartbeat.PingInterval, c.Heartbeat.PongTimeout = time.Second, time.Second
	})
	p := r.dial("/echo")
	p.write(append(frame(final(opBinary), make([]byte, 60<<10)), frame(final(opText), []byte("next"))...))
	for {
		op, payload, err := p.next()
		if err != nil || op == opClose {
			t.Fatalf("opcode %#x, %q, %v", op, payload, err)
		}
		if op == opPing {
			p.write(frame(final(opPong), nil))
		}
		if op == opText {
			return
		}
	}
}

// A snapshot of thousands of topics is much work for one request: it counts for as much.
func TestSnapshotsCount(t *testing.T) {
	r := serve(t, nil)
	var lines bytes.Buffer
	const topics = 9000
	for i := range topics {
		fmt.Fprintf(&lines, `{"topic":"snap/%d","data":%d}`+"\n", i, i)
	}
	if err := r.stream(&lines, topics); err != nil {
		t.Fatal(err)
	}
	p := r.dial("/ws")
	go func() {
		for range 40 {
			_, _ = p.nc.Write(frame(final(opText), []byte(`{"op":"subscribe","topics":[{"topic":"snap/#","last":1}]}`)))
		}
	}()
	for {
		var answer struct{ Op, Code string }
		p.decode(p.text(), &answer)
		if answer.Code == "rate_limited" {
			return
		}
		if answer.Op == "error" {
			t.Fatalf("%+v", answer)
		}
	}
}
