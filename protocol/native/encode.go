package native

import (
	"github.com/megawire/megawire/codec/native"
	"github.com/megawire/megawire/codec/ws"
	"github.com/megawire/megawire/pubsub"
)

// Encoder encodes messages in the envelope of megawire.v1, one text frame each.
type Encoder struct {
	Deflater *ws.Deflater // nil: messages are not compressed
}

// AppendMessage implements pubsub.Encoder. JSON stands in the envelope as it is.
func (e Encoder) AppendMessage(dst []byte, m *pubsub.Message) ([]byte, int) {
	start := len(dst)
	dst = ws.BeginFrame(dst)
	dst = native.AppendMessage(dst, m.Topic, m.Seq, m.Prev, m.TS, native.Content(m.Content), m.Payload)
	if e.Deflater != nil {
		return e.Deflater.FinishFrame(dst, start, ws.Text), -1
	}
	dst = ws.FinishFrame(dst, start, ws.Text)
	if m.Content != pubsub.JSON {
		return dst, -1
	}
	return dst, len(dst) - len("}") - len(m.Payload)
}

// AppendGap implements pubsub.Encoder.
func (Encoder) AppendGap(dst []byte, topic string, from, to uint64, reason pubsub.Reason) ([]byte, bool) {
	start := len(dst)
	dst = native.AppendGap(ws.BeginFrame(dst), topic, from, to, string(reason))
	return ws.FinishFrame(dst, start, ws.Text), true
}
