package raw

import (
	"github.com/megawire/megawire/codec/ws"
	"github.com/megawire/megawire/pubsub"
)

// Encoder encodes messages as bare payloads: JSON and text in text frames, binary in binary frames.
type Encoder struct {
	Deflater *ws.Deflater // nil: messages are not compressed
}

// AppendMessage implements pubsub.Encoder.
func (e Encoder) AppendMessage(dst []byte, m *pubsub.Message) ([]byte, int) {
	op := ws.Text
	if m.Content == pubsub.Binary {
		op = ws.Binary
	}
	if e.Deflater != nil {
		return e.Deflater.AppendFrame(dst, op, m.Payload), -1
	}
	dst = ws.AppendFrame(dst, op, m.Payload)
	return dst, len(dst) - len(m.Payload)
}

// AppendGap implements pubsub.Encoder: /raw has no way to tell of a gap.
func (Encoder) AppendGap(dst []byte, _ string, _, _ uint64, _ pubsub.Reason) ([]byte, bool) {
	return dst, false
}
