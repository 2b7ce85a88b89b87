// Package echo is the /echo endpoint: every data frame comes back as it went, for conformance suites and
// first contacts.
package echo

import (
	"github.com/megawire/megawire/codec/http1"
	"github.com/megawire/megawire/codec/ws"
	"github.com/megawire/megawire/protocol"
)

// Protocol serves /echo on one loop.
type Protocol struct {
	Deflater *ws.Deflater // for peers that have agreed on compression

	out []byte
}

// Open accepts everybody.
func (*Protocol) Open(_ protocol.Peer, r *http1.Request) *http1.Error {
	return protocol.RefuseUnbuilt(r, "token")
}

// Message sends the message back.
func (e *Protocol) Message(p protocol.Peer, op ws.Opcode, payload []byte) {
	if p.Deflates() {
		e.out = e.Deflater.AppendFrame(e.out[:0], op, payload)
	} else {
		e.out = ws.AppendFrame(e.out[:0], op, payload)
	}
	p.Reply(e.out)
	e.out = protocol.Scratch(e.out)
}

// Goaway has nothing to say but the close frame.
func (*Protocol) Goaway(dst []byte, _ int) ([]byte, string) { return dst, "" }
