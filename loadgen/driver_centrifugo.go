package loadgen

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/megawire/megawire/codec/ws"
)

// centrifugoDriver speaks Centrifugo's client protocol in JSON (centrifugal.dev, "Client protocol"). A text frame holds one
// or more messages with a newline between them.
type centrifugoDriver struct {
	webSocket
	marker
	text []byte // scratch
}

// Ids of commands. Replies repeat them; only what is asked for one at a time needs an id of its own.
const (
	centrifugoConnect = 1 + iota
	centrifugoSubscribe
	centrifugoPublish
	centrifugoBarrier
)

// centrifugoPing is a ping of the server, and the answer to it.
const centrifugoPing = "{}"

var centrifugoPush = []byte(`{"push":`)

func newCentrifugoDriver(p *Plan, w webSocket, t topics) driver {
	t.prefix = strings.ReplaceAll(t.prefix, "/", ".") // which the documentation reserves
	return &centrifugoDriver{webSocket: w, marker: newMarker(p, t)}
}

// command begins a command; what it asks for and two braces follow.
func (d *centrifugoDriver) command(id int, method string) {
	d.text = strconv.AppendInt(append(d.text, `{"id":`...), int64(id), 10)
	d.text = append(append(append(d.text, `,"`...), method...), `":{`...)
}

func (d *centrifugoDriver) channel(topic int) {
	d.text = append(d.topics.append(append(d.text, `"channel":"`...), topic), '"')
}

func (d *centrifugoDriver) appendText(dst []byte) []byte {
	return ws.AppendMaskedFrame(dst, ws.Text, d.mask(), d.text)
}

// opened takes the upgrade, and then the answer to the connect command.
func (d *centrifugoDriver) opened(src []byte, conn, stage int, dst []byte) (int, []byte, bool, error) {
	d.text = d.text[:0]
	if stage == 0 {
		n, dst, done, err := d.webSocket.opened(src, conn, stage, dst)
		if done && err == nil {
			d.command(centrifugoConnect, "connect")
			d.text = append(d.text, "}}"...)
			dst = d.appendText(dst)
		}
		return n, dst, false, err
	}
	var ev event
	n := d.next(src, &ev)
	switch {
	case n == 0:
	case ev.kind == evPing:
		dst = d.appendReply(dst, &ev)
	case ev.kind == evRefused:
		return n, dst, false, fmt.Errorf("refused: %s", ev.text)
	case ev.kind == evClose || ev.kind == evBroken:
		return n, dst, false, fmt.Errorf("%w: %s", errClosedInHandshake, ev.text)
	}
	return n, dst, n > 0 && ev.kind == evPublished, nil
}

func (d *centrifugoDriver) appendSubscribe(dst []byte, topics []int) ([]byte, int) {
	d.text = d.text[:0]
	for i, t := range topics {
		if i > 0 {
			d.text = append(d.text, '\n')
		}
		d.command(centrifugoSubscribe, "subscribe")
		d.channel(t)
		d.text = append(d.text, "}}"...)
	}
	return d.appendText(dst), len(topics)
}

func (d *centrifugoDriver) appendPublish(dst []byte, topic int, planned int64) []byte {
	data := d.payload(topic, planned)
	d.text = d.text[:0]
	d.command(centrifugoPublish, "publish")
	d.channel(topic)
	d.text = append(append(d.text, `,"data":`...), data...)
	d.text = append(d.text, "}}"...)
	return d.appendText(dst)
}

// appendFinish leaves a channel that the publisher is not in: commands are carried out in order, and this one always is.
func (d *centrifugoDriver) appendFinish(dst []byte) ([]byte, bool) {
	d.text = d.text[:0]
	d.command(centrifugoBarrier, "unsubscribe")
	d.channel(0)
	d.text = append(d.text, "}}"...)
	return d.appendText(dst), true
}

// next reads one message. What is left of its frame becomes a chunk, as in framedDriver.
func (d *centrifugoDriver) next(src []byte, ev *event) int {
	var head, size int
	if len(src) >= chunkHeadBytes && src[0] == chunkByte {
		head, size = chunkHeadBytes, int(src[1])<<16|int(src[2])<<8|int(src[3])
	} else {
		n := d.frame(src, ev)
		if n == 0 || ev.kind != evFrame {
			return n
		}
		size = len(ev.payload)
		head = n - size
	}
	text := src[head : head+size]
	end := bytes.IndexByte(text, '\n')
	if end < 0 {
		d.parse(text, ev)
		return head + size
	}
	d.parse(text[:end], ev)
	if end+1 < chunkHeadBytes-1 { // an empty line, or one of a single byte: there is no room for a header over it
		return broken(ev, head+size, "a line that is no message")
	}
	next := head + end + 1 - chunkHeadBytes
	putChunk(src[next:], size-end-1)
	return next
}

// parse reads one message: a push, an answer, or a ping.
func (d *centrifugoDriver) parse(text []byte, ev *event) {
	ev.kind, ev.counted, ev.inner = evNothing, false, true
	switch {
	case string(text) == centrifugoPing:
		ev.kind = evPing
	case !bytes.HasPrefix(text, centrifugoPush):
		d.answer(text, ev)
	case d.find(text, ev):
	case bytes.Contains(text, []byte(`"pub":`)):
		ev.kind, ev.topic, ev.damaged, ev.planned = evMessage, -1, true, 0
	case bytes.Contains(text, []byte(`"unsubscribe":`)):
		ev.kind, ev.text = evRefused, string(text)
	}
}

func (d *centrifugoDriver) answer(text []byte, ev *event) {
	var r struct {
		ID    int
		Error *struct {
			Code    int
			Message string
		}
	}
	switch err := json.Unmarshal(text, &r); {
	case err != nil:
		ev.kind, ev.text = evUnread, err.Error()
	case r.ID == centrifugoBarrier: // whatever it says
		ev.kind = evPublished
	case r.Error != nil:
		ev.kind, ev.text = evRefused, fmt.Sprintf("%d: %s", r.Error.Code, r.Error.Message)
	case r.ID == centrifugoConnect || r.ID == centrifugoSubscribe:
		ev.kind = evPublished
	}
}

func (d *centrifugoDriver) appendReply(dst []byte, ev *event) []byte {
	if ev.kind == evPing && ev.inner {
		d.text = append(d.text[:0], centrifugoPing...)
		return d.appendText(dst)
	}
	return d.webSocket.appendReply(dst, ev)
}
