// Package native is megawire.v1, the multiplexed protocol of /ws: JSON in text frames, one object a frame.
package native

import (
	"bytes"
	"errors"
	"strings"

	"github.com/megawire/megawire/codec/codes"
	"github.com/megawire/megawire/codec/http1"
	"github.com/megawire/megawire/codec/native"
	"github.com/megawire/megawire/codec/ws"
	"github.com/megawire/megawire/protocol"
	"github.com/megawire/megawire/pubsub"
)

// Subprotocol is the name that a client may offer.
const Subprotocol = "megawire.v1"

// Protocol serves /ws on one loop. Requests are answered in order.
type Protocol struct {
	req     native.Request
	results []native.TopicResult
	out     []byte

	// Of the subscription under way.
	ask   pubsub.Request
	since pubsub.Since

	// Of the publication under way; here, so that it makes no garbage.
	publication pubsub.Publication
	topic       string                    // the last one; a publisher mostly has one
	later       func() protocol.Published // answerLater
}

// Open subscribes to what ?topics= names, with the options beside it. There is no ack.
func (n *Protocol) Open(p protocol.Peer, r *http1.Request) *http1.Error {
	if err := protocol.RefuseUnbuilt(r, "token"); err != nil {
		return err
	}
	n.ask = pubsub.Request{}
	option, err := protocol.ReadOptions(r.Query, &n.ask)
	if err != nil {
		return err
	}
	list, count := http1.Param(r.Query, "topics")
	switch {
	case count == 0 && option == "":
		return nil
	case count == 0:
		return &http1.Error{Status: 400, Code: codes.BadRequest,
			Message: "the parameter " + option + " is about the topics of a URL, and this one has none"}
	case count > 1:
		return badTopics("the parameter topics stands more than once: separate topics by commas")
	}
	if n := len(list); n == 0 || list[n-1] == '/' || list[n-1] == ',' {
		return badTopics("topics ends in an empty level: if a # was meant, it is written %23 in a URL")
	}
	var refused *http1.Error
	room := protocol.SnapshotMessagesMax
	http1.SplitList(list, func(raw []byte) bool {
		topic, err := http1.Unescape(nil, raw)
		if err != nil {
			refused = badTopics("the parameter topics: " + err.Error())
			return false
		}
		n.ask.Filter = string(topic)
		if _, err := protocol.Ask(p, &n.ask, &room); err != nil {
			refused = protocol.Refuse(err, n.ask.Filter)
		}
		return refused == nil
	})
	return refused
}

func badTopics(message string) *http1.Error {
	return &http1.Error{Status: 400, Code: codes.BadTopic, Message: message}
}

// Message runs one request. A failed one never closes the connection.
func (n *Protocol) Message(p protocol.Peer, op ws.Opcode, payload []byte) {
	if op == ws.Binary {
		p.Close(ws.UnsupportedData, "requests are JSON in text frames")
		return
	}
	err := native.ParseRequest(payload, &n.req)
	if wait := p.Admit(); wait > 0 {
		err = &native.Error{Code: codes.RateLimited, Message: "too many messages a second", RetryAfterMs: wait}
	}
	if err != nil {
		n.fail(p, n.req.ID, err)
		return
	}
	switch n.req.Op {
	case native.OpSubscribe:
		n.subscribe(p)
	case native.OpUnsubscribe:
		n.unsubscribe(p)
	case native.OpPublish:
		n.publish(p)
	case native.OpList:
		n.list(p)
	case native.OpPing:
		n.reply(p, func(dst []byte) []byte { return native.AppendPong(dst, n.req.ID) })
	case native.OpPresence:
		n.presence(p)
	case native.OpAuth:
		n.fail(p, n.req.ID, &native.Error{Code: codes.BadRequest, Message: "this op is not built yet"})
	default:
		n.fail(p, n.req.ID, &native.Error{Code: codes.BadRequest, Message: "unknown op"})
	}
}

func (n *Protocol) publish(p protocol.Peer) {
	if n.topic != string(n.req.Topic) {
		n.topic = string(n.req.Topic)
	}
	if n.later == nil {
		n.later = n.answerLater
	}
	n.publication = pubsub.Publication{
		Topic: n.topic, Content: pubsub.Content(n.req.Content), Payload: n.req.Payload, NoEcho: n.req.NoEcho,
	}
	r, err := p.Publish(&n.publication, n.later)
	if !errors.Is(err, pubsub.ErrPending) {
		n.published(p, n.req.ID, n.topic, r, err)
	}
}

// answerLater keeps what the answer needs of a request that will be gone.
func (n *Protocol) answerLater() protocol.Published {
	id, topic := bytes.Clone(n.req.ID), n.topic
	return func(p protocol.Peer, r pubsub.Receipt, err error) { n.published(p, id, topic, r, err) }
}

func (n *Protocol) published(p protocol.Peer, id []byte, topic string, r pubsub.Receipt, err error) {
	switch {
	case err != nil:
		n.fail(p, id, explain(err, "publish", topic))
	case id != nil:
		n.reply(p, func(dst []byte) []byte { return native.AppendPublished(dst, id, topic, r.Epoch, r.Seq) })
	}
}

func (n *Protocol) fail(p protocol.Peer, id []byte, err *native.Error) {
	p.Refused(err.Code)
	n.reply(p, func(dst []byte) []byte { return native.AppendError(dst, id, err) })
}

func explain(err error, verb, topic string) *native.Error {
	code, message := protocol.Explain(err, verb, topic)
	e := &native.Error{Code: code, Message: strings.ToValidUTF8(message, "\uFFFD")}
	if errors.Is(err, pubsub.ErrBusy) {
		e.RetryAfterMs = busyMillis
	}
	return e
}

// busyMillis is when what patterns may look at has grown again.
const busyMillis = 1000

// reply sends one text frame.
func (n *Protocol) reply(p protocol.Peer, body func(dst []byte) []byte) {
	n.out = ws.FinishFrame(body(ws.BeginFrame(n.out[:0])), 0, ws.Text)
	p.Reply(n.out)
	n.out = protocol.Scratch(n.out)
}

// Goaway tells the client when to come back.
func (n *Protocol) Goaway(dst []byte, reconnectAfterMillis int) ([]byte, string) {
	start := len(dst)
	dst = native.AppendGoaway(ws.BeginFrame(dst), reconnectAfterMillis)
	return ws.FinishFrame(dst, start, ws.Text), ""
}
