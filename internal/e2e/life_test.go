package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/megawire/megawire/server/config"
)

func allowPublish(c *config.Config) { c.Anonymous.Publish = []string{"#"} }

func TestUpgradeByteByByte(t *testing.T) {
	r := serve(t, nil)
	p := r.connect()
	for _, b := range []byte(upgradeRequest("/ws")) {
		p.write([]byte{b})
	}
	p.upgraded()
	for _, b := range frame(final(opText), []byte(`{"op":"ping","id":1}`)) {
		p.write([]byte{b})
	}
	p.expect(`{"op":"pong","id":1}`)
}

func TestFirstFramesWithTheUpgrade(t *testing.T) {
	r := serve(t, allowPublish)
	p := r.connect()
	p.write(bytes.Join([][]byte{
		[]byte(upgradeRequest("/ws?topics=a")),
		frame(final(opText), []byte(`{"op":"ping","id":1}`)),
		frame(final(opPing), []byte("are you there")),
		frame(final(opText), []byte(`{"op":"publish","id":2,"topic":"a","data":{"x": 1.50}}`)),
		frame(final(opClose), []byte{1000 >> 8, 1000 & 0xFF}),
	}, nil))
	p.upgraded()
	p.expect(`{"op":"pong","id":1}`)
	p.control(opPong, "are you there")
	if a := p.text(); !strings.HasPrefix(a, `{"op":"ok","id":2,"topic":"a","epoch":"`) || !strings.HasSuffix(a, `","seq":1}`) {
		t.Errorf("got %s", a)
	}
	p.closed(1000)
}

// Everything that RFC 6455 lets a client do with frames, on /echo.
func TestFrames(t *testing.T) {
	r := serve(t, nil)
	p := r.dial("/echo")
	for _, n := range []int{0, 1, 125, 126, 127, 65535, 65536, 1 << 20} {
		text := bytes.Repeat([]byte("é1"), n/3+1)[:n/3*3]
		p.write(frame(final(opBinary), text))
		p.control(opBinary, string(text))
		p.write(frame(final(opText), text))
		p.control(opText, string(text))
	}

	p.write(frame(opText, []byte("H\xc3"))) // cut within a character
	p.write(frame(final(opPing), []byte("between")))
	p.control(opPong, "between")
	p.write(frame(opContinuation, nil))
	p.write(frame(final(opPong), []byte("nobody asked")))
	p.write(frame(final(opContinuation), []byte("\xa9llo")))
	p.control(opText, "H\u00e9llo")
}

func TestClientCloses(t *testing.T) {
	r := serve(t, nil)
	for _, row := range []struct {
		says string
		path string
		body string
		code int
	}{
		{"a normal end", "/ws", "\x03\xe8bye", 1000},
		{"a code of the application's own", "/raw/a", "\x10\xe1", 4321},
		{"going away", "/echo", "\x03\xe9", 1001},
		{"no code at all", "/ws", "", 1000},
	} {
		t.Run(row.says, func(t *testing.T) {
			p := r.dial(row.path)
			p.t = t
			p.write(frame(final(opClose), []byte(row.body)))
			p.closed(row.code)
			p.close()
		})
	}
	gone := r.dial("/ws?topics=a")
	gone.close()
	r.awaitMetricIs(`megawire_websocket_closes_total{code="1006"}`, 1)
	r.awaitMetricIs("megawire_connections", 0)
	r.awaitMetricIs("megawire_subscriptions", 0)
}

// What comes out of a room is what went in, to everybody but who said it.
func TestRawRoom(t *testing.T) {
	r := serve(t, allowPublish)
	ann, ben, cat := r.dial("/raw/chat"), r.dial("/raw/chat"), r.dial("/raw/chat?echo=1")
	ann.write(frame(final(opText), []byte(`{"say": "hello",  "n":1.0}`)))
	ben.control(opText, `{"say": "hello",  "n":1.0}`)
	cat.control(opText, `{"say": "hello",  "n":1.0}`)
	cat.send("no JSON")
	ann.control(opText, "no JSON")
	ben.control(opText, "no JSON")
	cat.control(opText, "no JSON")
	ben.write(frame(final(opBinary), []byte{0, 0xFF}))
	ann.control(opBinary, "\x00\xFF")
	cat.control(opBinary, "\x00\xFF")
}

func TestForbiddenOnRaw(t *testing.T) {
	r := serve(t, nil)
	p := r.dial("/raw/chat")
	p.send("hello")
	if reason := p.closed(1008); reason != "no permission to publish to chat" {
		t.Errorf("reason %q", reason)
	}
}

// A publisher may leave itself out, and the HTTP API anybody; on /ws the gap is told.
func TestLeftOut(t *testing.T) {
	r := serve(t, allowPublish)
	a, b := r.dial("/ws"), r.dial("/ws")
	raw := r.dial("/raw/t")
	id := a.subscribe("t")
	b.subscribe("t")

	a.send(`{"op":"publish","topic":"t","data":1,"echo":false}`)
	b.message("t", 1, "1")
	a.expect(`{"op":"gap","topic":"t","from":1,"to":1,"reason":"excluded"}`)
	a.send(`{"op":"publish","topic":"t","data":2,"echo":true}`)
	b.message("t", 2, "2")
	a.message("t", 2, "2")

	r.publish(fmt.Sprintf(`[{"topic":"t","data":3},{"topic":"t","data":4,"exclude":["nobody",%q]},{"topic":"t","data":5,"exclude":[%q]},{"topic":"t","data":6}]`, id, id))
	for i := uint64(3); i <= 6; i++ {
		b.message("t", i, strconv.FormatUint(i, 10))
	}
	a.message("t", 3, "3")
	a.gapFrom("t", 4, 5, "excluded")
	a.message("t", 6, "6")
	for i := 1; i <= 6; i++ {
		raw.control(opText, strconv.Itoa(i))
	}
}

// message reads the next text, which must be that message.
func (p *peer) message(topic string, seq uint64, data string) {
	p.t.Helper()
	text := p.text()
	m, ok := cutMessage([]byte(text))
	if !ok || string(m.topic) != topic || m.seq != seq || string(m.data) != data {
		p.t.Fatalf("got %s, want message %d of %s, %s", text, seq, topic, data)
	}
}

// gapFrom reads notices until they have told that messages from..to are missing: one for all or several.
func (p *peer) gapFrom(topic string, from, to uint64, reason string) {
	p.t.Helper()
	for from <= to {
		var g gap
		text := p.text()
		if err := json.Unmarshal([]byte(text), &g); err != nil ||
			g.Op != "gap" || g.Topic != topic || g.From != from || g.To < from || g.To > to || g.Reason != reason {
			p.t.Fatalf("got %s, want a gap in %s from %d to %d at most, %s", text, topic, from, to, reason)
		}
		from = g.To + 1
	}
}

// After an unsubscribe is acknowledged nothing of the topic comes; after subscribing again, what is new.
func TestUnsubscribe(t *testing.T) {
	r := serve(t, nil)
	p := r.dial("/ws")
	p.subscribe("a", "b")
	r.publish(`[{"topic":"a","data":1},{"topic":"b","data":1}]`)
	p.message("a", 1, "1")
	p.message("b", 1, "1")
	p.send(`{"op":"unsubscribe","id":1,"topics":["a"]}`)
	p.expect(`{"op":"ok","id":1,"topics":[{"topic":"a"}]}`)
	r.publish(`[{"topic":"a","data":2},{"topic":"b","data":2}]`)
	p.message("b", 2, "2")
	a := p.ask(`{"op":"subscribe","topics":["a"]}`)
	if len(a.Topics) != 1 || a.Topics[0].Seq == nil || *a.Topics[0].Seq != 2 {
		t.Fatalf("got %+v, want to begin after message 2", a)
	}
	r.publish(`{"topic":"a","data":3}`)
	p.message("a", 3, "3")
}

// With several loops every subscriber gets everything, whichever loop it is on.
func TestLoops(t *testing.T) {
	const subscribers, messages = 60, 100
	r := serve(t, func(c *config.Config) { c.Loops = 3 })
	peers := make([]*peer, subscribers)
	loops := map[uint64]int{}
	for i := range peers {
		peers[i] = r.dial("/ws")
		id, err := strconv.ParseUint(peers[i].subscribe("t"), 36, 64)
		if err != nil {
			t.Fatal(err)
		}
		loops[id>>56]++ // a client id begins with its loop
	}
	if len(loops) < 2 {
		t.Fatalf("the kernel put %d connections on loops %v: nothing is tested", subscribers, loops)
	}
	for i := range messages {
		r.publish(fmt.Sprintf(`{"topic":"t","data":%d}`, i+1))
	}
	for _, p := range peers {
		for i := range messages {
			p.message("t", uint64(i+1), strconv.Itoa(i+1))
		}
	}
}

// Answers and messages share a connection, each of them in order.
func TestRequestsAndDataInOneStream(t *testing.T) {
	const rounds = 500
	r := serve(t, allowPublish)
	p := r.dial("/ws")
	p.subscribe("t")
	go func() {
		var b []byte
		for i := range rounds {
			b = append(b, frame(final(opText), fmt.Appendf(nil, `{"op":"publish","id":%d,"topic":"t","data":%d}`, i+1, i+1))...)
		}
		_, _ = p.nc.Write(b) // the reader finds out
	}()
	acks, messages := 0, 0
	for acks+messages < 2*rounds {
		text := p.text()
		if m, ok := cutMessage([]byte(text)); ok {
			messages++
			if m.seq != uint64(messages) || string(m.data) != strconv.Itoa(messages) {
				t.Fatalf("got %s, want message %d", text, messages)
			}
			continue
		}
		acks++
		var a struct {
			Op      string
			ID, Seq int
		}
		p.decode(text, &a)
		if a.Op != "ok" || a.ID != acks || a.Seq != acks {
			t.Fatalf("got %s, want the answer to request %d", text, acks)
		}
	}
	p.write(frame(final(opClose), nil))
	p.closed(1000)
	if _, err := p.r.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("after the close: %v", err)
	}
}
