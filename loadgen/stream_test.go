package loadgen

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/megawire/megawire/codec/ws"
)

// framesOf cuts a stream into frames of any size, with pings in between, and counts those.
func framesOf(random *rand.Rand, stream []byte) (frames []byte, pings int) {
	for len(stream) > 0 {
		if random.IntN(3) == 0 {
			frames = ws.AppendFrame(frames, ws.Ping, fmt.Appendf(nil, "ping %d", pings))
			pings++
		}
		n := min(len(stream), []int{0, 1, random.IntN(10), random.IntN(500), random.IntN(70_000)}[random.IntN(5)])
		frames = ws.AppendFrame(frames, ws.Binary, stream[:n])
		stream = stream[n:]
	}
	return frames, pings
}

func TestMessagesInFramesOfAnySize(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	for range 300 {
		m := newMarker(&Plan{Payload: 100}, topics{prefix: "a.", count: 3, width: 1})
		var stream []byte
		messages := 1 + random.IntN(40)
		for i := range messages {
			data := m.payload(i%3, 1763632800123456789+int64(i))
			stream = append(fmt.Appendf(stream, "MSG a.%d 1 %d\r\n", i%3, len(data)), data...)
			stream = append(stream, "\r\n"...)
		}
		frames, pings := framesOf(random, stream)
		d := newStreamDriver(webSocket{}, &natsWire{m}, "", false)
		got, pinged := 0, 0
		var rest []byte
		var ev event
		for len(frames) > 0 {
			n := min(len(frames), 1+random.IntN(3000))
			buf := append(append(make([]byte, 0, len(rest)+n), rest...), frames[:n]...)
			frames = frames[n:]
			used := 0
			for used < len(buf) {
				taken := d.next(buf[used:], &ev)
				if taken == 0 {
					break
				}
				used += taken
				switch ev.kind {
				case evMessage:
					if ev.topic != got%3 || ev.seq != uint64(got/3+1) || ev.planned != 1763632800123456789+int64(got) || ev.damaged {
						t.Fatalf("seed %d: message %d is read as %+v", seed, got, ev)
					}
					got++
				case evPing:
					if want := fmt.Sprintf("ping %d", pinged); ev.inner || string(ev.payload) != want {
						t.Fatalf("seed %d: %q instead of %q", seed, ev.payload, want)
					}
					pinged++
				case evBroken:
					t.Fatalf("seed %d: %s", seed, ev.text)
				}
			}
			rest = append(rest[:0:0], buf[used:]...)
		}
		if got != messages || pinged != pings {
			t.Fatalf("seed %d: %d of %d messages, %d of %d pings", seed, got, messages, pinged, pings)
		}
	}
}

func TestMarker(t *testing.T) {
	m := newMarker(&Plan{Payload: 60}, topics{prefix: "a/", count: 12, width: 2})
	first := append([]byte(nil), m.payload(11, 1763632800123456789)...)
	second := append([]byte(nil), m.payload(11, 1763632800123456790)...)
	if len(first) != 60 || len(second) != 60 {
		t.Errorf("%d and %d bytes instead of 60", len(first), len(second))
	}
	short := newMarker(&Plan{Payload: markedBytesMin}, m.topics)
	for _, c := range []struct {
		name, text string
		found      bool
		want       event
	}{
		{"as sent", string(first), true, event{topic: 11, seq: 1, planned: 1763632800123456789}},
		{"the next one", string(second), true, event{topic: 11, seq: 2, prev: 1, planned: 1763632800123456790}},
		{"inside an envelope", `42["message","~a",` + string(first) + `]`, true, event{topic: 11, seq: 1, planned: 1763632800123456789}},
		{"as a string in JSON", fmt.Sprintf(`{"m":%q}`, first), true, event{topic: 11, seq: 1, planned: 1763632800123456789}},
		{"another's filler", string(first[:50]) + "y" + string(first[51:]), true, event{topic: 11, seq: 1, planned: 1763632800123456789, damaged: true}},
		{"cut short", string(first[:50]), true, event{topic: 11, seq: 1, planned: 1763632800123456789, damaged: true}},
		{"a topic that there is not", string(short.headed(12)), true, event{topic: -1, seq: 7, prev: 6, planned: 1763632800123456789, damaged: true}},
		{"a letter among the digits", `{"p":"~17636328001234567x9000000110000000000012"}`, false, event{}},
		{"not one", `{"hello":"~"}`, false, event{}},
		{"nothing", "", false, event{}},
	} {
		var ev event
		if found := m.find([]byte(c.text), &ev); found != c.found {
			t.Errorf("%s: found %v", c.name, found)
		} else if found && (ev.topic != c.want.topic || ev.seq != c.want.seq || ev.prev != c.want.seq-1 || ev.planned != c.want.planned || ev.damaged != c.want.damaged) {
			t.Errorf("%s: %+v", c.name, ev)
		}
	}
}

// headed is message 7 of a topic, with no filler.
func (m *marker) headed(topic int) []byte {
	b := append([]byte(markedHead), "1763632800123456789"...)
	b = appendDigits(appendDigits(b, uint64(topic), 8), 7, 12)
	return append(b, markedTail...)
}

func TestDriverOfAPlan(t *testing.T) {
	checkPlans(t, Ticker, []planCase{
		{"native", func(*Plan) {}, ""},
		{"an unknown driver", func(p *Plan) { p.Driver = "amqp" }, "driver"},
		{"NATS over WebSocket", func(p *Plan) { p.Driver = "nats" }, ""},
		{"NATS over TCP", func(p *Plan) { p.Driver, p.URL = "nats", "nats://127.0.0.1" }, ""},
		{"NATS to an MQTT port", func(p *Plan) { p.Driver, p.URL = "nats", "mqtt://127.0.0.1" }, "url"},
		{"native over TCP", func(p *Plan) { p.URL = "nats://127.0.0.1" }, "url"},
		{"publishing over our admin API", func(p *Plan) { p.Driver, p.Via = "mqtt", ViaHTTP }, "via"},
		{"too small a payload", func(p *Plan) { p.Driver, p.Payload = "mqtt", markedBytesMin-1 }, "payload"},
		{"no templates", func(p *Plan) { p.Driver = "template" }, "subscribe-template"},
		{"both kinds of topics", func(p *Plan) { p.Driver, p.SubscribeTemplate = "template", "{topic}{topics}" }, "subscribe-template"},
		{"nothing to publish with", func(p *Plan) { p.Driver, p.SubscribeTemplate = "template", "{topic}" }, "publish-template"},
		{"no data to publish", func(p *Plan) { p.Driver, p.SubscribeTemplate, p.PublishTemplate = "template", "{topic}", "{topic}" }, "publish-template"},
		{"a stream of bytes in frames, compressed", func(p *Plan) { p.Driver, p.Deflate = "nats", true }, "deflate"},
		{"lines of JSON, compressed", func(p *Plan) { p.Driver, p.Deflate = "centrifugo", true }, "deflate"},
		{"a capture for another server", func(p *Plan) { p.Driver, p.PayloadFile = "socketio", "x.ndjson" }, "payload-file"},
		{"whole templates", func(p *Plan) {
			p.Driver, p.SubscribeTemplate, p.PublishTemplate = "template", "{topic}", "{topic}{data}"
		}, ""},
		{"an idle client needs not publish", func(p *Plan) { *p = Defaults(Idle); p.Driver, p.SubscribeTemplate = "template", "{topics}" }, ""},
		{"echo", func(p *Plan) { *p = Defaults(Echo); p.Driver = "nats" }, "driver"},
		{"a share above all", func(p *Plan) { *p = Defaults(Slow); p.Stalled = 1.1 }, "stalled"},
		{"shares above all", func(p *Plan) { *p = Defaults(Slow); p.Stalled, p.SlowShare = 0.6, 0.5 }, "slow"},
		{"slow readers in a closed loop", func(p *Plan) { *p = Defaults(Slow); p.DeliveryRate = 0 }, "delivery-rate"},
		{"a ticker in a closed loop", func(p *Plan) { p.DeliveryRate = 0 }, "delivery-rate"},
		{"an objective that needs a process", func(p *Plan) { p.SLO = "rss_per_conn=600" }, "slo"},
		{"connect", func(p *Plan) { *p = Defaults(Connect) }, ""},
	})
}
