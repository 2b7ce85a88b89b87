package loadgen

import (
	"encoding/binary"
	"fmt"

	"github.com/megawire/megawire/codec/ws"
)

// MessageBytesMax is the longest message that a loop reads.
const MessageBytesMax = 4 << 20

// webSocket is what the drivers over WebSocket share: the upgrade, control frames and masking.
type webSocket struct {
	host, path  string
	subprotocol string // to offer; empty: none
	seed        uint64
	masks       uint64     // state of the generator of masks
	inflation   *inflation // the loop's; nil: compression is not offered
}

// mix is splitmix64: it turns a counter into random bits, so that a key need not be stored.
func mix(x uint64) uint64 {
	x += 0x9E3779B97F4A7C15
	x = (x ^ x>>30) * 0xBF58476D1CE4E5B9
	x = (x ^ x>>27) * 0x94D049BB133111EB
	return x ^ x>>31
}

// key is the Sec-WebSocket-Key of a connection (RFC 6455 §4.1): computed again when the answer is checked.
func (d *webSocket) key(conn int) (k [16]byte) {
	binary.LittleEndian.PutUint64(k[:8], mix(d.seed+uint64(conn)*2))
	binary.LittleEndian.PutUint64(k[8:], mix(d.seed+uint64(conn)*2+1))
	return k
}

func (d *webSocket) mask() (m [4]byte) {
	d.masks++
	binary.LittleEndian.PutUint32(m[:], uint32(mix(d.seed^d.masks)))
	return m
}

func (d *webSocket) appendOpen(dst []byte, conn int) []byte {
	if d.subprotocol != "" {
		dst = ws.AppendClientRequest(dst, d.host, d.path, d.key(conn), d.subprotocol)
	} else {
		dst = ws.AppendClientRequest(dst, d.host, d.path, d.key(conn))
	}
	if d.inflation != nil {
		dst = appendOffer(dst)
	}
	return dst
}

func (d *webSocket) opened(src []byte, conn, _ int, dst []byte) (int, []byte, bool, error) {
	parse := func() (int, error) { return ws.ParseClientResponse(src, d.key(conn)) }
	if d.inflation != nil {
		parse = func() (int, error) { return d.deflating(src, conn) }
	}
	n, err := parse()
	return n, dst, n > 0, err
}

func (d *webSocket) appendReply(dst []byte, ev *event) []byte {
	if ev.kind == evPing {
		return ws.AppendMaskedFrame(dst, ws.Pong, d.mask(), ev.payload)
	}
	return ws.AppendMaskedFrame(dst, ws.Close, d.mask(), ev.payload[:min(2, len(ev.payload))])
}

func (d *webSocket) appendClose(dst []byte) []byte {
	return ws.AppendMaskedFrame(dst, ws.Close, d.mask(), []byte{1000 >> 8, 1000 & 0xff})
}

func (d *webSocket) eof([]byte, *event) {}

// frame reads one whole frame of any kind. Data frames come back as evFrame, inflated.
func (d *webSocket) frame(src []byte, ev *event) int {
	h, n, packed, err := d.header(src)
	switch {
	case err != nil:
		return broken(ev, len(src), err.Error())
	case n == 0:
		return 0
	case h.Length > MessageBytesMax:
		return broken(ev, len(src), fmt.Sprintf("a message of %d bytes is longer than the %d that loadgen reads", h.Length, MessageBytesMax))
	case len(src) < n+int(h.Length):
		return 0
	}
	ev.payload = src[n : n+int(h.Length)]
	n += int(h.Length)
	switch h.OpCode {
	case ws.Ping:
		ev.kind, ev.inner = evPing, false
	case ws.Pong:
		ev.kind = evNothing
	case ws.Close:
		ev.kind, ev.code, ev.text = evClose, 1005, ""
		if len(ev.payload) >= 2 {
			ev.code, ev.text = int(binary.BigEndian.Uint16(ev.payload)), string(ev.payload[2:])
		}
	default:
		if !h.Fin {
			return broken(ev, len(src), "a fragmented message, which loadgen does not read")
		}
		ev.kind = evFrame
		if packed {
			if ev.payload, err = d.inflation.inflate(ev.payload); err != nil {
				return broken(ev, len(src), err.Error())
			}
		}
	}
	return n
}

func broken(ev *event, n int, why string) int {
	ev.kind, ev.text = evBroken, why
	return max(n, 1)
}
