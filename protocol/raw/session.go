// Package raw is the /raw/<topic> endpoint: one exact topic whose messages come and go as bare payloads.
package raw

import (
	"errors"
	"strconv"

	"github.com/megawire/megawire/codec/codes"
	"github.com/megawire/megawire/codec/http1"
	"github.com/megawire/megawire/codec/native"
	"github.com/megawire/megawire/codec/ws"
	"github.com/megawire/megawire/protocol"
	"github.com/megawire/megawire/pubsub"
)

// Prefix of the endpoint's paths; what follows is the topic, percent-encoded.
const Prefix = "/raw/"

// withEcho in a peer's state: its own messages come back to it.
const withEcho = 1

// Protocol serves /raw on one loop.
type Protocol struct{ ask pubsub.Request }

// Open subscribes to the topic in the path.
func (w *Protocol) Open(p protocol.Peer, r *http1.Request) *http1.Error {
	if err := protocol.RefuseUnbuilt(r, "token"); err != nil {
		return err
	}
	topic, err := http1.Unescape(nil, r.Path[len(Prefix):])
	if err != nil {
		return badTopic("the topic in the path: " + err.Error())
	}
	w.ask = pubsub.Request{Filter: string(topic)}
	if pubsub.Filter(w.ask.Filter).Wild() {
		return badTopic("/raw serves one exact topic: patterns with + or # are for /ws")
	}
	if _, err := protocol.ReadOptions(r.Query, &w.ask); err != nil {
		return err
	}
	switch echo, n := http1.Param(r.Query, "echo"); {
	case n == 1 && string(echo) == "1":
		*p.State() = withEcho
	case n > 1 || n == 1 && string(echo) != "0":
		return &http1.Error{Status: 400, Code: codes.BadRequest, Message: "the parameter echo is 0 or 1"}
	}
	room := protocol.SnapshotMessagesMax
	if _, err := protocol.Ask(p, &w.ask, &room); err != nil {
		return protocol.Refuse(err, w.ask.Filter)
	}
	return nil
}

func badTopic(message string) *http1.Error {
	return &http1.Error{Status: 400, Code: codes.BadTopic, Message: message}
}

// Message publishes a frame to the topic. There are no replies on /raw, so a failure closes.
func (*Protocol) Message(p protocol.Peer, op ws.Opcode, payload []byte) {
	m := pubsub.Publication{Payload: payload, NoEcho: *p.State() != withEcho}
	switch {
	case op == ws.Binary:
		m.Content = pubsub.Binary
	case !native.Valid(payload):
		m.Content = pubsub.Text
	}
	p.Topics(func(topic string) { m.Topic = topic })
	topic := m.Topic
	_, err := p.Publish(&m, func() protocol.Published {
		return func(p protocol.Peer, _ pubsub.Receipt, err error) { failed(p, topic, err) }
	})
	failed(p, topic, err)
}

func failed(p protocol.Peer, topic string, err error) {
	if err == nil || errors.Is(err, pubsub.ErrPending) {
		return
	}
	code, message := protocol.Explain(err, "publish", topic)
	if code == codes.Forbidden {
		p.Close(ws.PolicyViolation, message)
		return
	}
	p.Close(ws.TryAgainLater, message)
}

// Goaway says in the close frame's reason when to come back.
func (*Protocol) Goaway(dst []byte, reconnectAfterMillis int) ([]byte, string) {
	return dst, "reconnect_after=" + strconv.Itoa(reconnectAfterMillis)
}
