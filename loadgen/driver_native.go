package loadgen

import (
	"encoding/binary"

	"github.com/megawire/megawire/codec/native"
	"github.com/megawire/megawire/codec/ws"
)

// nativeDriver speaks megawire.v1 on /ws.
type nativeDriver struct {
	webSocket
	topics topics
	data   *payload
	head   string // `{"topic":"<prefix>`
	text   []byte // scratch for a request
	push   native.Push
}

func newNativeDriver(w webSocket, t topics, data *payload) *nativeDriver {
	return &nativeDriver{webSocket: w, topics: t, data: data, head: `{"topic":"` + t.prefix}
}

func (d *nativeDriver) appendSubscribe(dst []byte, topics []int) ([]byte, int) {
	d.text = append(d.text[:0], `{"op":"subscribe","id":1,"topics":[`...)
	for i, t := range topics {
		if i > 0 {
			d.text = append(d.text, ',')
		}
		d.text = append(d.text, '"')
		d.text = d.topics.append(d.text, t)
		d.text = append(d.text, '"')
	}
	d.text = append(d.text, "]}"...)
	return ws.AppendMaskedFrame(dst, ws.Text, d.mask(), d.text), 1
}

func (d *nativeDriver) appendPublish(dst []byte, topic int, planned int64) []byte {
	d.text = append(d.text[:0], `{"op":"publish","topic":"`...)
	d.text = d.topics.append(d.text, topic)
	d.text = append(d.text, `","data":`...)
	d.text = append(d.data.append(d.text, planned), '}')
	return ws.AppendMaskedFrame(dst, ws.Text, d.mask(), d.text)
}

// appendFinish asks for a pong: requests run and are answered in order.
func (d *nativeDriver) appendFinish(dst []byte) ([]byte, bool) {
	return ws.AppendMaskedFrame(dst, ws.Text, d.mask(), []byte(`{"op":"ping","id":"end"}`)), true
}

// next reads one frame. A whole unmasked text below 64 KiB, all that a fast server sends, is decided without a call.
func (d *nativeDriver) next(src []byte, ev *event) int {
	if len(src) < 4 || src[0] != 0x81 || src[1] > 126 {
		return d.other(src, ev)
	}
	n, length := 2, int(src[1])
	if length == 126 {
		n, length = 4, int(binary.BigEndian.Uint16(src[2:]))
		if length < 126 {
			return d.other(src, ev)
		}
	}
	if len(src) < n+length {
		return 0
	}
	text := src[n : n+length]
	if !d.scan(text, ev) {
		d.parse(text, ev)
	}
	return n + length
}

func (d *nativeDriver) other(src []byte, ev *event) int {
	n := d.frame(src, ev)
	if n > 0 && ev.kind == evFrame && !d.scan(ev.payload, ev) {
		d.parse(ev.payload, ev)
	}
	return n
}

// parse reads any text of the server.
func (d *nativeDriver) parse(text []byte, ev *event) {
	ev.topic, ev.planned, ev.damaged = -1, 0, false
	p := &d.push
	if err := native.ParsePush(text, p); err != nil {
		ev.kind, ev.text = evUnread, err.Error()
		return
	}
	switch p.Kind {
	case native.PushMessage:
		ev.kind, ev.seq, ev.prev = evMessage, p.Seq, p.Prev
		d.name(p.Topic, ev)
		ev.planned, ev.damaged = d.dataOf(p.Payload)
	case native.PushGap:
		ev.kind, ev.from, ev.to = evGap, p.From, p.To
		d.name(p.Topic, ev)
	case native.PushOK:
		d.subscribed(p, ev)
	case native.PushError:
		ev.kind, ev.text = evRefused, string(p.Code)+": "+string(p.Message)
	case native.PushPong:
		ev.kind, ev.counted = evPublished, false
	default: // goaway is followed by a close; the rest is not for us
		ev.kind = evNothing
	}
}

func (d *nativeDriver) name(topic []byte, ev *event) {
	if n, ok := d.topics.number(topic); ok {
		ev.topic = n
	}
}

func (d *nativeDriver) subscribed(p *native.Push, ev *event) {
	ev.kind, ev.acks = evSubscribed, ev.acks[:0]
	for i := range p.Results {
		r := &p.Results[i]
		a := ack{topic: -1, seq: r.Seq, hasSeq: r.HasSeq}
		if n, ok := d.topics.number([]byte(r.Topic)); ok {
			a.topic = n
		}
		if r.Err != nil {
			a.fault = r.Err.Code + ": " + r.Err.Message
		}
		ev.acks = append(ev.acks, a)
	}
}
