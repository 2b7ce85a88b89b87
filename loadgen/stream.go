package loadgen

import (
	"bytes"

	"github.com/megawire/megawire/codec/ws"
)

// wire is a protocol on a stream of bytes: over TCP, or in the frames of a WebSocket, whose borders mean nothing to it.
// The methods are those of driver, but for hello and parse.
type wire interface {
	// appendHello appends what a client says first.
	appendHello(dst []byte, conn int) []byte
	opened(src []byte, conn, stage int, dst []byte) (n int, out []byte, done bool, err error)
	appendSubscribe(dst []byte, topics []int) (out []byte, answers int)
	appendPublish(dst []byte, topic int, planned int64) []byte
	appendFinish(dst []byte) (out []byte, reply bool)
	// parse reads one event; 0 means that it needs more bytes.
	parse(src []byte, ev *event) int
	appendReply(dst []byte, ev *event) []byte
	appendClose(dst []byte) []byte
}

// newStreamDriver puts a wire on what the URL asks for.
func newStreamDriver(w webSocket, o wire, subprotocol string, overTCP bool) driver {
	if overTCP {
		return &tcpDriver{o}
	}
	w.subprotocol = subprotocol
	return &framedDriver{webSocket: w, wire: o}
}

// tcpDriver is a wire on a plain TCP connection.
type tcpDriver struct{ wire }

func (d *tcpDriver) appendOpen(dst []byte, conn int) []byte { return d.appendHello(dst, conn) }

func (d *tcpDriver) next(src []byte, ev *event) int { return d.parse(src, ev) }

func (d *tcpDriver) eof([]byte, *event) {}

// framedDriver is a wire in the binary frames of a WebSocket.
//
// A server may put several messages into a frame, and a message into several frames. The driver keeps no state of a
// connection, so what is left of a frame becomes a chunk: the rest of the payload behind a header of our own, written over
// bytes that were read already.
type framedDriver struct {
	webSocket
	wire  wire
	bytes []byte // scratch
	spare event
	ping  []byte // payload of a ping that was taken out of the middle
}

// A chunk's header: a byte that no server may send, since no extension was offered (RFC 6455 §5.2), and 24 bits of length.
const (
	chunkByte      = 0xF2
	chunkHeadBytes = 4
)

func putChunk(b []byte, size int) {
	b[0], b[1], b[2], b[3] = chunkByte, byte(size>>16), byte(size>>8), byte(size)
}

func (d *framedDriver) appendFrame(dst []byte) []byte {
	if len(d.bytes) == 0 {
		return dst
	}
	return ws.AppendMaskedFrame(dst, ws.Binary, d.mask(), d.bytes)
}

// opened takes the upgrade, and then what the wire needs.
func (d *framedDriver) opened(src []byte, conn, stage int, dst []byte) (int, []byte, bool, error) {
	if stage == 0 {
		n, dst, done, err := d.webSocket.opened(src, conn, 0, dst)
		if done && err == nil {
			d.bytes = d.wire.appendHello(d.bytes[:0], conn)
			dst = d.appendFrame(dst)
		}
		return n, dst, false, err
	}
	var done bool
	var err error
	d.bytes = d.bytes[:0]
	n := d.unframe(src, &d.spare, func(b []byte, _ *event) (n int) {
		n, d.bytes, done, err = d.wire.opened(b, conn, stage-1, d.bytes)
		return n
	})
	if err == nil && n > 0 && (d.spare.kind == evClose || d.spare.kind == evBroken) {
		err = errClosedInHandshake
	}
	return n, d.appendFrame(dst), done, err
}

func (d *framedDriver) appendSubscribe(dst []byte, topics []int) ([]byte, int) {
	var answers int
	d.bytes, answers = d.wire.appendSubscribe(d.bytes[:0], topics)
	return d.appendFrame(dst), answers
}

func (d *framedDriver) appendPublish(dst []byte, topic int, planned int64) []byte {
	d.bytes = d.wire.appendPublish(d.bytes[:0], topic, planned)
	return d.appendFrame(dst)
}

func (d *framedDriver) appendFinish(dst []byte) ([]byte, bool) {
	var reply bool
	d.bytes, reply = d.wire.appendFinish(d.bytes[:0])
	return d.appendFrame(dst), reply
}

func (d *framedDriver) appendReply(dst []byte, ev *event) []byte {
	if ev.kind != evPing || !ev.inner {
		return d.webSocket.appendReply(dst, ev)
	}
	d.bytes = d.wire.appendReply(d.bytes[:0], ev)
	return d.appendFrame(dst)
}

func (d *framedDriver) appendClose(dst []byte) []byte {
	d.bytes = d.wire.appendClose(d.bytes[:0])
	return d.webSocket.appendClose(d.appendFrame(dst))
}

func (d *framedDriver) next(src []byte, ev *event) int { return d.unframe(src, ev, d.wire.parse) }

// unframe has parse read one event from the stream that the frames in src carry. It changes src in place.
func (d *framedDriver) unframe(src []byte, ev *event, parse func([]byte, *event) int) int {
	base := 0
	for {
		b := src[base:]
		head, size, data := d.chunk(b, ev)
		if head == 0 {
			return d.partly(base, ev)
		}
		if !data {
			return base + head + size
		}
		if n := parse(b[head:head+size], ev); n > 0 {
			if n == size {
				return base + head + size
			}
			base += head + n - chunkHeadBytes // no message is shorter than two bytes, nor any header
			putChunk(src[base:], size-n)
			return base
		}
		next := b[head+size:]
		head2, size2, data := d.chunk(next, &d.spare)
		switch {
		case head2 == 0 || size+size2 > MessageBytesMax && d.tooLong(ev):
			return d.partly(base, ev)
		case !data:
			return base + d.ahead(b, head+size, head2+size2, ev)
		}
		copy(b[head+head2:], b[head:head+size])
		base += head + head2 - chunkHeadBytes
		putChunk(src[base:], size+size2)
	}
}

// chunk looks at the frame or chunk that b begins with. head 0: it is not whole. A control frame is read into ev, and
// takes head+size bytes.
func (d *framedDriver) chunk(b []byte, ev *event) (head, size int, data bool) {
	if len(b) >= chunkHeadBytes && b[0] == chunkByte {
		return chunkHeadBytes, int(b[1])<<16 | int(b[2])<<8 | int(b[3]), true
	}
	h, n, err := ws.ParseHeader(b, ws.ClientSide)
	if err != nil || n == 0 || h.Length > MessageBytesMax || h.OpCode >= ws.Close {
		return d.frame(b, ev), 0, false // an error, a control frame, or not whole
	}
	if len(b) < n+int(h.Length) {
		return 0, 0, false
	}
	return n, int(h.Length), true
}

// partly returns what was taken without an event.
func (d *framedDriver) partly(taken int, ev *event) int {
	if ev.kind != evBroken {
		ev.kind = evNothing
	}
	return taken
}

func (d *framedDriver) tooLong(ev *event) bool {
	broken(ev, 1, "a message longer than loadgen reads")
	return true
}

// ahead takes a control frame from behind an incomplete message, and moves the message over its place.
func (d *framedDriver) ahead(b []byte, message, control int, ev *event) int {
	acks := ev.acks
	*ev = d.spare
	ev.acks = acks
	d.ping = append(d.ping[:0], ev.payload...)
	ev.payload = d.ping
	copy(b[control:], b[:message])
	return control
}

// line cuts one line that ends in CRLF; n is 0 if it is not whole.
func line(src []byte) (text []byte, n int) {
	i := bytes.Index(src, []byte("\r\n"))
	if i < 0 {
		return nil, 0
	}
	return src[:i], i + 2
}
