package loadgen

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

var errClosedInHandshake = errors.New("the server closed the connection")

// natsWire speaks the NATS client protocol (docs.nats.io, "Client Protocol").
type natsWire struct{ marker }

func newNATSDriver(p *Plan, w webSocket, t topics) driver {
	t.prefix = strings.ReplaceAll(t.prefix, "/", ".") // as subjects are usually named
	return newStreamDriver(w, &natsWire{newMarker(p, t)}, "", strings.HasPrefix(p.URL, "nats:"))
}

func (d *natsWire) appendHello(dst []byte, _ int) []byte { return dst }

// opened answers the server's INFO with CONNECT, and waits for the answer to a PING.
func (d *natsWire) opened(src []byte, _, stage int, dst []byte) (int, []byte, bool, error) {
	text, n := line(src)
	switch {
	case n == 0:
		return 0, dst, false, nil
	case bytes.HasPrefix(text, []byte("INFO ")) && stage == 0:
		dst = append(dst, `CONNECT {"verbose":false,"pedantic":false,"tls_required":false,"lang":"loadgen","version":"1","protocol":1,"echo":true}`+"\r\nPING\r\n"...)
		return n, dst, false, nil
	case bytes.HasPrefix(text, []byte("-ERR")):
		return n, dst, false, fmt.Errorf("refused: %s", bytes.TrimSpace(text[len("-ERR"):]))
	}
	return n, dst, string(text) == "PONG", nil
}

func (d *natsWire) appendSubscribe(dst []byte, topics []int) ([]byte, int) {
	for i, t := range topics {
		dst = d.topics.append(append(dst, "SUB "...), t)
		dst = strconv.AppendInt(append(dst, ' '), int64(i+1), 10)
		dst = append(dst, "\r\n"...)
	}
	return append(dst, "PING\r\n"...), 1
}

func (d *natsWire) appendPublish(dst []byte, topic int, planned int64) []byte {
	data := d.payload(topic, planned)
	dst = d.topics.append(append(dst, "PUB "...), topic)
	dst = strconv.AppendInt(append(dst, ' '), int64(len(data)), 10)
	dst = append(append(dst, "\r\n"...), data...)
	return append(dst, "\r\n"...)
}

func (d *natsWire) appendFinish(dst []byte) ([]byte, bool) { return append(dst, "PING\r\n"...), true }

func (d *natsWire) parse(src []byte, ev *event) int {
	text, n := line(src)
	if n == 0 {
		if len(src) > 64<<10 {
			return broken(ev, len(src), "a line without an end")
		}
		return 0
	}
	ev.kind, ev.counted, ev.inner = evNothing, false, true
	switch {
	case bytes.HasPrefix(text, []byte("MSG ")):
		size, ok := digits(text[bytes.LastIndexByte(text, ' ')+1:])
		switch {
		case !ok || size > MessageBytesMax:
			return broken(ev, len(src), "no length in "+strconv.Quote(string(text)))
		case uint64(len(src)) < uint64(n)+size+2:
			return 0
		}
		if !d.find(src[n:n+int(size)], ev) {
			ev.kind, ev.topic, ev.damaged, ev.planned = evMessage, -1, true, 0
		}
		n += int(size) + 2
	case string(text) == "PING":
		ev.kind = evPing
	case string(text) == "PONG":
		ev.kind = evPublished
	case bytes.HasPrefix(text, []byte("-ERR")):
		ev.kind, ev.text = evRefused, string(bytes.TrimSpace(text[len("-ERR"):]))
	}
	return n
}

func (d *natsWire) appendReply(dst []byte, ev *event) []byte {
	if ev.kind == evPing {
		dst = append(dst, "PONG\r\n"...)
	}
	return dst
}

func (d *natsWire) appendClose(dst []byte) []byte { return dst }
