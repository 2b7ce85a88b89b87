package loadgen

import (
	"fmt"
	"strings"

	"github.com/megawire/megawire/codec/ws"
)

// socketIODriver speaks Socket.IO 4 (Engine.IO 4) over its WebSocket transport. The server is to join a client to rooms on
// "subscribe", which it acknowledges, and to send what comes with "publish" to the room as "message".
type socketIODriver struct {
	webSocket
	marker
	text []byte // scratch
}

// Packets of Engine.IO (the first digit) and Socket.IO (the second).
const (
	eioOpen         = '0'
	eioPing         = '2'
	eioPong         = "3"
	sioConnect      = "40"
	sioConnectError = "44"
	sioEvent        = "42"
	sioAck          = "43"
)

const socketIOPath = "/socket.io/?EIO=4&transport=websocket"

func newSocketIODriver(p *Plan, w webSocket, t topics) driver {
	if !strings.Contains(w.path, "EIO=") {
		w.path = socketIOPath
	}
	return &socketIODriver{webSocket: w, marker: newMarker(p, t)}
}

// opened takes the upgrade, then the Engine.IO handshake, then the connection to the namespace.
func (d *socketIODriver) opened(src []byte, conn, stage int, dst []byte) (int, []byte, bool, error) {
	if stage == 0 {
		n, dst, _, err := d.webSocket.opened(src, conn, stage, dst)
		return n, dst, false, err
	}
	var ev event
	n := d.frame(src, &ev)
	switch {
	case n == 0:
		return 0, dst, false, nil
	case ev.kind != evFrame || len(ev.payload) == 0:
		return n, dst, false, fmt.Errorf("no Socket.IO packet but %s", ev.text)
	}
	switch packet := string(ev.payload); {
	case packet[0] == eioOpen:
		return n, d.appendText(dst, []byte(sioConnect)), false, nil
	case strings.HasPrefix(packet, sioConnect):
		return n, dst, true, nil
	case strings.HasPrefix(packet, sioConnectError):
		return n, dst, false, fmt.Errorf("refused: %s", packet[len(sioConnectError):])
	case packet[0] == eioPing:
		return n, d.appendText(dst, []byte(eioPong)), false, nil
	}
	return n, dst, false, nil
}

func (d *socketIODriver) appendText(dst, text []byte) []byte {
	return ws.AppendMaskedFrame(dst, ws.Text, d.mask(), text)
}

func (d *socketIODriver) appendSubscribe(dst []byte, topics []int) ([]byte, int) {
	d.text = append(d.text[:0], sioEvent+`1["subscribe",[`...)
	for i, t := range topics {
		if i > 0 {
			d.text = append(d.text, ',')
		}
		d.text = append(d.topics.append(append(d.text, '"'), t), '"')
	}
	d.text = append(d.text, "]]"...)
	return d.appendText(dst, d.text), 1
}

func (d *socketIODriver) appendPublish(dst []byte, topic int, planned int64) []byte {
	data := d.payload(topic, planned)
	d.text = append(d.text[:0], sioEvent+`["publish","`...)
	d.text = append(d.topics.append(d.text, topic), `",`...)
	d.text = append(append(d.text, data...), ']')
	return d.appendText(dst, d.text)
}

func (d *socketIODriver) appendFinish(dst []byte) ([]byte, bool) { return dst, false }

func (d *socketIODriver) next(src []byte, ev *event) int {
	n := d.frame(src, ev)
	if n == 0 || ev.kind != evFrame {
		return n
	}
	b := ev.payload
	ev.kind, ev.counted, ev.inner = evNothing, false, true
	switch {
	case len(b) == 1 && b[0] == eioPing:
		ev.kind = evPing
	case len(b) > 2 && string(b[:2]) == sioEvent:
		d.find(b, ev)
	case len(b) > 2 && string(b[:2]) == sioAck:
		ev.kind = evPublished
	}
	return n
}

func (d *socketIODriver) appendReply(dst []byte, ev *event) []byte {
	if ev.kind == evPing && ev.inner {
		return d.appendText(dst, []byte(eioPong))
	}
	return d.webSocket.appendReply(dst, ev)
}
