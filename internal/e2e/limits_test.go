package e2e

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/megawire/megawire/server/config"
)

// What is configured is what a client meets, with the reason and the metric that the manual says.
func TestBoundsOfFrames(t *testing.T) {
	zeros := func(n int) []byte { return frame(final(rsv1|opBinary), compress(make([]byte, n))) }
	for _, row := range []struct {
		says    string
		change  func(c *config.Config)
		deflate bool
		frames  []byte
		reason  string
	}{
		{"a message one byte too large", func(c *config.Config) { c.Limits.MessageBytes = config.KiB }, false,
			frame(final(opBinary), make([]byte, 1025)), "message too big"},
		{"a message too large with its last fragment", func(c *config.Config) { c.Limits.MessageBytes = config.KiB }, false,
			append(frame(opBinary, make([]byte, 1000)), frame(final(opContinuation), make([]byte, 25))...), "message too big"},
		{"one frame too many", func(c *config.Config) { c.Limits.Fragments = 3 }, false,
			append(frame(opBinary, nil), bytes.Repeat(frame(opContinuation, nil), 2)...), "message in too many fragments"},
		{"a message too large when inflated", func(c *config.Config) { c.Limits.MessageBytes, c.Deflate.RatioMax = 100*config.KiB, 1100 }, true,
			zeros(200_000), "message too big when inflated"},
		{"a message that grows too many times", func(c *config.Config) { c.Limits.MessageBytes, c.Deflate.RatioMax = 4*config.MiB, 500 }, true,
			zeros(2 << 20), "message inflates to too many times its size"},
	} {
		t.Run(row.says, func(t *testing.T) {
			r := serve(t, row.change)
			w := newWitness(r)
			p := r.connect()
			request := upgradeRequest("/echo")
			if row.deflate {
				request = strings.Replace(request, "\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n", 1)
			}
			p.write([]byte(request))
			p.upgraded()
			p.write(row.frames)
			if reason := p.closed(1009); reason != row.reason {
				t.Errorf("the reason is %q, want %q", reason, row.reason)
			}
			w.check(t)
			r.awaitMetricIs(`megawire_websocket_closes_total{code="1009"}`, 1)
		})
	}
}

// Just below the bounds all is well.
func TestWithinBoundsOfFrames(t *testing.T) {
	r := serve(t, func(c *config.Config) {
		c.Limits.MessageBytes, c.Limits.Fragments = config.KiB, 3
	})
	p := r.dial("/echo")
	p.write(frame(final(opBinary), make([]byte, 1024)))
	p.write(append(frame(opBinary, make([]byte, 1000)), append(frame(opContinuation, nil), frame(final(opContinuation), make([]byte, 24))...)...))
	for range 2 {
		if op, payload, err := p.next(); err != nil || op != opBinary || len(payload) != 1024 {
			t.Fatalf("opcode %d, %d bytes, %v", op, len(payload), err)
		}
	}
}

// A head that is too large is refused by what of it is.
func TestBoundsOfHeads(t *testing.T) {
	r := serve(t, func(c *config.Config) { c.Limits.HeadBytes = config.KiB })
	w := newWitness(r)
	for i, row := range []struct {
		says, request string
		status        int
	}{
		{"headers", strings.Replace(upgradeRequest("/ws"), "\r\n\r\n", "\r\nX: "+strings.Repeat("x", 1024)+"\r\n\r\n", 1), 431},
		{"a request line", upgradeRequest("/ws?topics=" + strings.Repeat("x", 1024)), 414},
		{"many headers", strings.Replace(upgradeRequest("/ws"), "\r\n\r\n", "\r\n"+strings.Repeat("X:y\r\n", 64)+"\r\n", 1), 431},
	} {
		p := r.connect()
		p.write([]byte(row.request))
		if a, err := p.response(); err != nil || a.status != row.status || a.refusal() != "too_large" {
			t.Errorf("%s: status %d, %s, %v", row.says, a.status, a.body, err)
		}
		r.awaitMetricIs(`megawire_connections_refused_total{reason="too_large"}`, float64(i+1))
		w.check(t)
	}
}

// What is refused on /ws is counted by the code that the client is told.
func TestRefusedRequestsAreCounted(t *testing.T) {
	r := serve(t, func(c *config.Config) {
		allowPublish(c)
		c.Limits.SubscriptionsPerConnection = 3
	})
	p := r.dial("/ws")
	long, deep := strings.Repeat("x", 256), strings.Repeat("a/", 32)+"#"
	told := map[string]int{}
	for _, row := range []struct {
		says, request string
		codes         []string
	}{
		{"a name of 256 bytes", `{"op":"subscribe","topics":["` + long + `"]}`, []string{"bad_topic"}},
		{"one of 255", `{"op":"subscribe","topics":["` + long[1:] + `"]}`, nil},
		{"a pattern of 33 levels", `{"op":"subscribe","topics":["` + deep + `"]}`, []string{"bad_topic"}},
		{"two subscriptions too many", `{"op":"subscribe","topics":["s/1","s/2","s/3","s/4"]}`, []string{"too_many", "too_many"}},
		{"publishing to 256 bytes", `{"op":"publish","id":1,"topic":"` + long + `","data":1}`, []string{"bad_topic"}},
		{"JSON nested too deep", `{"op":"publish","id":1,"topic":"d","data":` + strings.Repeat("[", 129) + strings.Repeat("]", 129) + `}`, []string{"bad_request"}},
	} {
		a := p.ask(row.request)
		var got []string
		if a.Code != "" {
			got = append(got, a.Code)
		}
		for _, topic := range a.Topics {
			if topic.Error != "" {
				got = append(got, topic.Error)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(row.codes) {
			t.Errorf("%s: told %v, want %v", row.says, got, row.codes)
		}
		for _, code := range row.codes {
			told[code]++
		}
	}
	for code, n := range told {
		r.awaitMetricIs(`megawire_requests_refused_total{code="`+code+`"}`, float64(n))
	}
}
