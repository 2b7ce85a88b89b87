package loadgen

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/mochi-mqtt/server/v2/packets"
)

// hub is what the fake peers have in common: topics, and who subscribed to them.
type hub struct {
	mu      sync.Mutex
	members map[string][]func(data []byte)
	drop    int // leaves out every so many-th delivery; 0: none
	sent    int
	dropped uint64
}

func (h *hub) join(topic string, send func([]byte)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.members[topic] = append(h.members[topic], send)
}

func (h *hub) publish(topic string, data []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, send := range h.members[topic] {
		if h.sent++; h.drop > 0 && h.sent%h.drop == h.drop/2 {
			h.dropped++
			continue
		}
		send(data)
	}
}

func (h *hub) lost() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.dropped
}

// peer serves one connection of a protocol on a stream. Writes of one connection may come from several goroutines.
type peer func(h *hub, in *bufio.Reader, out func([]byte)) error

// overTCP serves a peer on a listener.
func overTCP(t *testing.T, h *hub, p peer) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	t.Cleanup(func() {
		_ = ln.Close()
		all.Wait()
	})
	all.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				var mu sync.Mutex
				_ = p(h, bufio.NewReader(c), func(b []byte) {
					mu.Lock()
					defer mu.Unlock()
					_, _ = c.Write(b)
				})
			})
		}
	})
	return ln.Addr().String()
}

// overFrames serves a peer in binary frames that pay no heed to where messages begin and end.
func overFrames(t *testing.T, h *hub, subprotocol string, p peer) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{subprotocol}})
		if err != nil {
			return
		}
		defer c.CloseNow()
		if c.Subprotocol() != subprotocol {
			t.Errorf("subprotocol %q instead of %q", c.Subprotocol(), subprotocol)
		}
		stream := websocket.NetConn(context.Background(), c, websocket.MessageBinary)
		var mu sync.Mutex
		sent := 0
		_ = p(h, bufio.NewReader(stream), func(b []byte) {
			mu.Lock()
			defer mu.Unlock()
			if sent++; sent%3 == 0 && len(b) > 40 { // in three pieces
				_, _ = stream.Write(b[:1])
				_, _ = stream.Write(b[1:33])
				b = b[33:]
			}
			_, _ = stream.Write(b)
			if sent%50 == 0 {
				go func() { _ = c.Ping(context.Background()) }()
			}
		})
	}))
	t.Cleanup(s.Close)
	return strings.Replace(s.URL, "http", "ws", 1)
}

// serveNATS is as much of nats-server as the driver needs.
func serveNATS(h *hub, in *bufio.Reader, out func([]byte)) error {
	out([]byte(`INFO {"server_id":"fake"}` + "\r\n"))
	connected := false
	for {
		text, err := in.ReadString('\n')
		if err != nil {
			return err
		}
		f := strings.Fields(text)
		switch {
		case len(f) == 0:
		case f[0] == "CONNECT":
			connected = json.Valid([]byte(strings.TrimPrefix(text, "CONNECT ")))
		case !connected:
			out([]byte("-ERR 'Authorization Violation'\r\n"))
		case f[0] == "PING":
			out([]byte("PONG\r\n"))
		case f[0] == "SUB":
			h.join(f[1], func(data []byte) {
				out(fmt.Appendf(nil, "MSG %s %s %d\r\n%s\r\n", f[1], f[2], len(data), data))
			})
			out([]byte("PING\r\n"))
		case f[0] == "PUB":
			n, _ := strconv.Atoi(f[2])
			data := make([]byte, n+2)
			if _, err := io.ReadFull(in, data); err != nil {
				return err
			}
			h.publish(f[1], data[:n])
		}
	}
}

// serveMQTT is as much of a broker as the driver needs.
func serveMQTT(h *hub, in *bufio.Reader, out func([]byte)) error {
	send := func(p *packets.Packet, encode func(*packets.Packet, *bytes.Buffer) error) {
		p.ProtocolVersion = 4
		var b bytes.Buffer
		if encode(p, &b) == nil {
			out(b.Bytes())
		}
	}
	for {
		first, err := in.ReadByte()
		if err != nil {
			return err
		}
		length, _, err := packets.DecodeLength(in)
		if err != nil {
			return err
		}
		body := make([]byte, length)
		if _, err := io.ReadFull(in, body); err != nil {
			return err
		}
		p := packets.Packet{ProtocolVersion: 4}
		if err := p.FixedHeader.Decode(first); err != nil {
			return err
		}
		switch p.FixedHeader.Type {
		case packets.Connect:
			if err := p.ConnectDecode(body); err != nil {
				return err
			}
			send(&packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Connack}}, (*packets.Packet).ConnackEncode)
		case packets.Subscribe:
			if err := p.SubscribeDecode(body); err != nil {
				return err
			}
			codes := make([]byte, len(p.Filters))
			for i, f := range p.Filters {
				if strings.HasPrefix(f.Filter, "secret") {
					codes[i] = mqttRefusedBit
				}
				h.join(f.Filter, func(data []byte) {
					send(&packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish}, TopicName: f.Filter, Payload: data}, (*packets.Packet).PublishEncode)
				})
			}
			send(&packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Suback}, PacketID: p.PacketID, ReasonCodes: codes}, (*packets.Packet).SubackEncode)
		case packets.Publish:
			if err := p.PublishDecode(body); err != nil {
				return err
			}
			h.publish(p.TopicName, p.Payload)
		case packets.Pingreq:
			send(&packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Pingresp}}, (*packets.Packet).PingrespEncode)
		case packets.Disconnect:
			return nil
		}
	}
}

// overTexts serves a protocol of text frames: answer is told of each frame, and of the first with an empty text. Who offers
// compression gets it.
func overTexts(t *testing.T, answer func(text string, send func(string))) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, compressed)
		if err != nil {
			return
		}
		defer c.CloseNow()
		send := func(text string) { _ = write(c, []byte(text)) }
		answer("", send)
		for {
			_, text, err := c.Read(context.Background())
			if err != nil {
				return
			}
			answer(string(text), send)
		}
	}))
	t.Cleanup(s.Close)
	return strings.Replace(s.URL, "http", "ws", 1)
}

// serveSocketIO is Engine.IO's and Socket.IO's handshake, and an application with rooms.
func serveSocketIO(h *hub) func(string, func(string)) {
	return func(text string, send func(string)) {
		switch {
		case text == "":
			send(`0{"sid":"x","upgrades":[],"pingInterval":25000,"pingTimeout":20000}`)
		case text == sioConnect:
			send(`40{"sid":"y"}`)
			send("2")
		case strings.HasPrefix(text, sioEvent+"1"):
			var event []json.RawMessage
			var topics []string
			_ = json.Unmarshal([]byte(text[3:]), &event)
			_ = json.Unmarshal(event[1], &topics)
			for _, topic := range topics {
				h.join(topic, func(data []byte) { send(fmt.Sprintf(`42["message",%q,%s]`, topic, data)) })
			}
			send("431[]")
		case strings.HasPrefix(text, sioEvent+"["):
			var event []json.RawMessage
			var topic string
			_ = json.Unmarshal([]byte(text[2:]), &event)
			_ = json.Unmarshal(event[1], &topic)
			h.publish(topic, event[2])
		}
	}
}

// serveCentrifugo is as much of Centrifugo as the driver needs. Its frames hold several messages wherever that is allowed.
func serveCentrifugo(h *hub) func(string, func(string)) {
	return func(text string, send func(string)) {
		var replies []string
		for line := range strings.Lines(text) {
			var c struct {
				ID                   int
				Connect, Unsubscribe *struct{}
				Subscribe            *struct{ Channel string }
				Publish              *struct {
					Channel string
					Data    json.RawMessage
				}
			}
			_ = json.Unmarshal([]byte(line), &c)
			reply := ""
			switch {
			case c.Connect != nil:
				reply = `"connect":{"client":"x","version":"6.0.0","ping":25,"pong":true}`
			case c.Subscribe != nil && strings.HasPrefix(c.Subscribe.Channel, "secret"):
				reply = `"error":{"code":103,"message":"permission denied"}`
			case c.Subscribe != nil:
				reply = `"subscribe":{}`
				push := fmt.Sprintf(`{"push":{"channel":%q,`, c.Subscribe.Channel)
				h.join(c.Subscribe.Channel, func(data []byte) {
					send(push + `"join":{"info":{}}}}` + "\n" + push + `"pub":{"data":` + string(data) + "}}}\n{}")
				})
			case c.Publish != nil:
				h.publish(c.Publish.Channel, c.Publish.Data)
				reply = `"publish":{}`
			case c.Unsubscribe != nil:
				reply = `"unsubscribe":{}`
			case strings.TrimSpace(line) == centrifugoPing:
				continue
			}
			replies = append(replies, fmt.Sprintf(`{"id":%d,%s}`, c.ID, reply))
		}
		if replies != nil {
			send(strings.Join(replies, "\n"))
		}
	}
}

// servePlain is a server of some text protocol that sends payloads as strings in JSON.
func servePlain(h *hub) func(string, func(string)) {
	return func(text string, send func(string)) {
		var q struct {
			Join []string
			To   string
			What json.RawMessage
		}
		if json.Unmarshal([]byte(text), &q) != nil {
			return
		}
		for _, topic := range q.Join {
			h.join(topic, func(data []byte) { send(fmt.Sprintf(`{"msg":%q}`, data)) })
		}
		if q.Join != nil {
			send(`{"joined":true}`)
		}
		if q.To != "" {
			h.publish(q.To, q.What)
		}
	}
}

func peerPlan(driver, url string) Plan {
	p := testPlan(Ticker, url)
	p.Driver, p.Topics, p.Subscriptions, p.DeliveryRate, p.Rate, p.Loops = driver, 12, 5, 0, 600, 2
	return p
}

func TestDriversOfPeers(t *testing.T) {
	for _, c := range []struct {
		name, driver string
		serve        func(t *testing.T, h *hub) string
		change       func(p *Plan)
	}{
		{"NATS over TCP", "nats", func(t *testing.T, h *hub) string { return "nats://" + overTCP(t, h, serveNATS) }, nil},
		{"NATS over WebSocket", "nats", func(t *testing.T, h *hub) string { return overFrames(t, h, "", serveNATS) }, nil},
		{"MQTT over TCP", "mqtt", func(t *testing.T, h *hub) string { return "mqtt://" + overTCP(t, h, serveMQTT) }, nil},
		{"MQTT over WebSocket", "mqtt", func(t *testing.T, h *hub) string { return overFrames(t, h, "mqtt", serveMQTT) }, nil},
		{"Socket.IO", "socketio", func(t *testing.T, h *hub) string { return overTexts(t, serveSocketIO(h)) }, nil},
		{"Socket.IO, compressed", "socketio", func(t *testing.T, h *hub) string { return overTexts(t, serveSocketIO(h)) }, func(p *Plan) { p.Deflate = true }},
		{"a template, compressed", "template", func(t *testing.T, h *hub) string { return overTexts(t, servePlain(h)) }, func(p *Plan) {
			p.SubscribeTemplate, p.SubscribedMarker, p.Deflate = `{"join":[{topics}]}`, `"joined"`, true
		}},
		{"Centrifugo", "centrifugo", func(t *testing.T, h *hub) string { return overTexts(t, serveCentrifugo(h)) }, nil},
		{"a template with a list of topics, answered once", "template", func(t *testing.T, h *hub) string { return overTexts(t, servePlain(h)) }, func(p *Plan) {
			p.SubscribeTemplate, p.SubscribedMarker = `{"join":[{topics}]}`, `"joined"`
		}},
		{"a template for each topic, answered each time", "template", func(t *testing.T, h *hub) string { return overTexts(t, servePlain(h)) }, func(p *Plan) {
			p.SubscribeTemplate, p.SubscribedMarker = `{"join":["{topic}"]}`, `"joined"`
		}},
	} {
		for _, drop := range []int{0, 100} {
			t.Run(fmt.Sprintf("%s, dropping %d", c.name, drop), func(t *testing.T) {
				h := &hub{members: map[string][]func([]byte){}, drop: drop}
				p := peerPlan(c.driver, c.serve(t, h))
				p.PublishTemplate = `{"to":"{topic}","what":{data}}`
				p.Duration = 500 * time.Millisecond
				if c.change != nil {
					c.change(&p)
				}
				r := mustRun(t, p)
				want := faultless(r.Verdict)
				want.Lost = h.lost()
				if r.Verdict != want || r.Published.Sent != 300 || r.Verdict.Delivered+r.Verdict.Lost != r.Expected || drop > 0 && r.Verdict.Lost == 0 {
					t.Errorf("verdict %+v, want %+v; %d sent, %d expected; %+v", r.Verdict, want, r.Published.Sent, r.Expected, r.Connections)
				}
				if r.Connections.Dropped != 0 || r.Connections.Failed != 0 || r.Latency.Count != int64(r.Verdict.Delivered) {
					t.Errorf("%+v, %d latencies", r.Connections, r.Latency.Count)
				}
				if d := r.Window.Deflate; p.Deflate && (d == nil || d.Share < 0.9) {
					t.Errorf("asked for compression, got %+v", d)
				}
			})
		}
	}
}

func TestPeersThatRefuse(t *testing.T) {
	h := &hub{members: map[string][]func([]byte){}}
	for _, c := range []struct {
		name, driver, url, why string
		change                 func(p *Plan)
	}{
		{"a topic that the broker forbids", "mqtt", "mqtt://" + overTCP(t, h, serveMQTT), "subscribe: refused with SUBACK code 128", func(p *Plan) { p.TopicPrefix = "secret/" }},
		{"a NATS server that wants a password", "nats", "nats://" + overTCP(t, h, func(_ *hub, in *bufio.Reader, out func([]byte)) error {
			out([]byte("INFO {}\r\n"))
			_, _ = in.ReadString('\n')
			out([]byte("-ERR 'Authorization Violation'\r\n"))
			_, err := io.Copy(io.Discard, in)
			return err
		}), "handshake: refused: 'Authorization Violation'", nil},
		{"a namespace that is closed", "socketio", overTexts(t, func(text string, send func(string)) {
			send(map[string]string{"": "0{}", sioConnect: `44{"message":"no"}`}[text])
		}), `handshake: refused: {"message":"no"}`, nil},
		{"a channel that is closed", "centrifugo", overTexts(t, serveCentrifugo(h)), "subscribe: 103: permission denied", func(p *Plan) { p.TopicPrefix = "secret/" }},
		{"a server that wants a token", "centrifugo", overTexts(t, func(text string, send func(string)) {
			if text != "" {
				send(`{"id":1,"error":{"code":101,"message":"unauthorized"}}`)
			}
		}), "handshake: refused: 101: unauthorized", nil},
	} {
		p := peerPlan(c.driver, c.url)
		p.Workload = Idle
		if c.change != nil {
			c.change(&p)
		}
		r, err := Run(t.Context(), p, nil)
		if err == nil || r.Connections.Failures[c.why] != 10 {
			t.Errorf("%s: %v, %+v", c.name, err, r.Connections.Failures)
		}
	}
}
