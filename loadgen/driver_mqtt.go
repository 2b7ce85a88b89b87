package loadgen

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/mochi-mqtt/server/v2/packets"
)

// mqttWire speaks MQTT 3.1.1 with QoS 0 (docs.oasis-open.org/mqtt/mqtt/v3.1.1).
type mqttWire struct {
	marker
	run    uint64 // makes the client ids of this run its own
	packet packets.Packet
	out    bytes.Buffer
}

const (
	mqttVersion    = 4 // 3.1.1
	mqttRefusedBit = 0x80
)

func newMQTTDriver(p *Plan, w webSocket, t topics) driver {
	return newStreamDriver(w, &mqttWire{marker: newMarker(p, t), run: rand.Uint64N(1 << 40)}, "mqtt", strings.HasPrefix(p.URL, "mqtt:"))
}

// append encodes a packet. What the library refuses to encode is our mistake.
func (d *mqttWire) append(dst []byte, p *packets.Packet, encode func(*packets.Packet, *bytes.Buffer) error) []byte {
	p.ProtocolVersion = mqttVersion
	d.out.Reset()
	if err := encode(p, &d.out); err != nil {
		panic("loadgen: an MQTT packet that cannot be encoded: " + err.Error())
	}
	return append(dst, d.out.Bytes()...)
}

func (d *mqttWire) appendHello(dst []byte, conn int) []byte {
	id := "lg" + strconv.FormatUint(d.run, 36) + "-" + strconv.Itoa(conn)
	return d.append(dst, &packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Connect},
		Connect:     packets.ConnectParams{ProtocolName: []byte("MQTT"), ClientIdentifier: id, Clean: true},
	}, (*packets.Packet).ConnectEncode)
}

// opened takes the CONNACK.
func (d *mqttWire) opened(src []byte, _, _ int, dst []byte) (int, []byte, bool, error) {
	body, n, err := d.cut(src)
	if n == 0 || err != nil {
		return n, dst, false, err
	}
	if d.packet.FixedHeader.Type != packets.Connack {
		return n, dst, false, fmt.Errorf("an MQTT packet of type %d instead of CONNACK", d.packet.FixedHeader.Type)
	}
	if err := d.packet.ConnackDecode(body); err != nil {
		return n, dst, false, err
	}
	if d.packet.ReasonCode != 0 {
		return n, dst, false, fmt.Errorf("refused with CONNACK code %d", d.packet.ReasonCode)
	}
	return n, dst, true, nil
}

// cut reads a fixed header into packet and cuts out what follows it; n is 0 if that is not whole.
func (d *mqttWire) cut(src []byte) (body []byte, n int, err error) {
	if len(src) < 2 {
		return nil, 0, nil
	}
	r := bytes.NewReader(src[1:min(len(src), 5)])
	length, _, err := packets.DecodeLength(r)
	switch {
	case errors.Is(err, io.EOF) && len(src) < 5:
		return nil, 0, nil
	case err != nil:
		return nil, len(src), fmt.Errorf("MQTT length: %w", err)
	case length > MessageBytesMax:
		return nil, len(src), fmt.Errorf("an MQTT packet of %d bytes is longer than the %d that loadgen reads", length, MessageBytesMax)
	}
	head := 1 + int(r.Size()) - r.Len()
	if len(src) < head+length {
		return nil, 0, nil
	}
	d.packet.ProtocolVersion = mqttVersion
	if err := d.packet.FixedHeader.Decode(src[0]); err != nil {
		return nil, len(src), err
	}
	return src[head : head+length], head + length, nil
}

func (d *mqttWire) appendSubscribe(dst []byte, topics []int) ([]byte, int) {
	p := &packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Subscribe, Qos: 1}, PacketID: 1}
	for _, t := range topics {
		p.Filters = append(p.Filters, packets.Subscription{Filter: string(d.topics.append(nil, t))})
	}
	return d.append(dst, p, (*packets.Packet).SubscribeEncode), 1
}

func (d *mqttWire) appendPublish(dst []byte, topic int, planned int64) []byte {
	return d.append(dst, &packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Publish},
		TopicName:   string(d.topics.append(nil, topic)), Payload: d.payload(topic, planned),
	}, (*packets.Packet).PublishEncode)
}

// appendFinish asks for a PINGRESP: a server works off a client's packets in order.
func (d *mqttWire) appendFinish(dst []byte) ([]byte, bool) {
	return d.append(dst, &packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Pingreq}}, (*packets.Packet).PingreqEncode), true
}

func (d *mqttWire) parse(src []byte, ev *event) int {
	body, n, err := d.cut(src)
	if err != nil {
		return broken(ev, len(src), err.Error())
	}
	if n == 0 {
		return 0
	}
	ev.kind, ev.counted, ev.inner = evNothing, false, true
	switch d.packet.FixedHeader.Type {
	case packets.Publish:
		if err := d.packet.PublishDecode(body); err != nil {
			return broken(ev, n, err.Error())
		}
		if !d.find(d.packet.Payload, ev) {
			ev.kind, ev.topic, ev.damaged, ev.planned = evMessage, -1, true, 0
		}
	case packets.Suback:
		d.suback(body, ev)
	case packets.Pingresp:
		ev.kind = evPublished
	case packets.Disconnect:
		return broken(ev, n, "the server sent DISCONNECT")
	}
	return n
}

func (d *mqttWire) suback(body []byte, ev *event) {
	ev.kind = evPublished
	if err := d.packet.SubackDecode(body); err != nil {
		broken(ev, 1, err.Error())
		return
	}
	for _, code := range d.packet.ReasonCodes {
		if code >= mqttRefusedBit {
			ev.kind, ev.text = evRefused, fmt.Sprintf("refused with SUBACK code %d", code)
		}
	}
}

// appendReply: a server sends no pings.
func (d *mqttWire) appendReply(dst []byte, _ *event) []byte { return dst }

func (d *mqttWire) appendClose(dst []byte) []byte {
	return d.append(dst, &packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Disconnect}}, (*packets.Packet).DisconnectEncode)
}
