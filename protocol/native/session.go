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

	// Of the publication under way; here, so that it makes no garbage.
	publication pubsub.Publication
	topic       string                    // the last one; a publisher mostly has one
	later       func() protocol.Published // answerLater
}

// Open subscribes to what ?topics= names. There is no ack.
func (n *Protocol) Open(p protocol.Peer, r *http1.Request) *http1.Error {
	if err := protocol.RefuseUnbuilt(r, "token", "last", "mode", "every"); err != nil {
		return err
	}
	list, count := http1.Param(r.Query, "topics")
	if count == 0 {
		return nil
	}
	if count > 1 {
		return badTopics("the parameter topics stands more than once: separate topics by commas")
	}
	if n := len(list); n == 0 || list[n-1] == '/' || list[n-1] == ',' {
		return badTopics("topics ends in an empty level: if a # was meant, it is written %23 in a URL")
	}
	var refused *http1.Error
	http1.SplitList(list, func(raw []byte) bool {
		topic, err := http1.Unescape(nil, raw)
		if err != nil {
			refused = badTopics("the parameter topics: " + err.Error())
		} else if _, err := p.Subscribe(string(topic)); err != nil {
			refused = protocol.Refuse(err, string(topic))
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
	if err := native.ParseRequest(payload, &n.req); err != nil {
		n.reply(p, func(dst []byte) []byte { return native.AppendError(dst, n.req.ID, err) })
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
	case native.OpAuth, native.OpPresence:
		n.fail(p, n.req.ID, codes.BadRequest, "this op is not built yet")
	default:
		n.fail(p, n.req.ID, codes.BadRequest, "unknown op")
	}
}

func (n *Protocol) subscribe(p protocol.Peer) {
	n.results = n.results[:0]
	for i := range n.req.Topics {
		t := &n.req.Topics[i]
		r := native.TopicResult{Topic: string(t.Topic), Recovered: -1}
		switch {
		case t.Err != nil:
			r.Err = t.Err
		case t.Has != 0 && (t.Has != native.HasMode || t.Mode != native.ModeAll):
			r.Err = &native.Error{Code: codes.BadRequest, Message: unbuilt(t.Has) + " is not built yet"}
		default:
			joined, err := p.Subscribe(r.Topic)
			if err != nil {
				r.Err = explain(err, "subscribe", r.Topic)
				break
			}
			r.Epoch, r.Seq, r.HasSeq = joined.Epoch, joined.Seq, true
		}
		n.results = append(n.results, r)
	}
	n.reply(p, func(dst []byte) []byte {
		return native.AppendSubscribed(dst, n.req.ID, p.ClientID(), n.results)
	})
}

// unbuilt names the option that this version refuses.
func unbuilt(has native.Option) string {
	switch {
	case has&native.HasLast != 0:
		return "last"
	case has&(native.HasSince|native.HasSinceTime) != 0:
		return "since"
	case has&native.HasEvery != 0:
		return "every"
	default:
		return "mode latest"
	}
}

func (n *Protocol) unsubscribe(p protocol.Peer) {
	n.results = n.results[:0]
	for i := range n.req.Topics {
		r := native.TopicResult{Topic: string(n.req.Topics[i].Topic), Recovered: -1}
		if r.Err = n.req.Topics[i].Err; r.Err == nil {
			p.Unsubscribe(r.Topic)
		}
		n.results = append(n.results, r)
	}
	n.reply(p, func(dst []byte) []byte { return native.AppendUnsubscribed(dst, n.req.ID, n.results) })
}

func (n *Protocol) list(p protocol.Peer) {
	n.results = n.results[:0]
	p.Subscriptions(func(topic string, at pubsub.Joined) {
		n.results = append(n.results, native.TopicResult{
			Topic: topic, Epoch: at.Epoch, Seq: at.Seq, HasSeq: true, Recovered: -1,
		})
	})
	n.reply(p, func(dst []byte) []byte { return native.AppendList(dst, n.req.ID, p.ClientID(), n.results) })
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
		e := explain(err, "publish", topic)
		n.fail(p, id, e.Code, e.Message)
	case id != nil:
		n.reply(p, func(dst []byte) []byte { return native.AppendPublished(dst, id, topic, r.Epoch, r.Seq) })
	}
}

func (n *Protocol) fail(p protocol.Peer, id []byte, code, message string) {
	n.reply(p, func(dst []byte) []byte {
		return native.AppendError(dst, id, &native.Error{Code: code, Message: message})
	})
}

func explain(err error, verb, topic string) *native.Error {
	code, message := protocol.Explain(err, verb, topic)
	return &native.Error{Code: code, Message: strings.ToValidUTF8(message, "\uFFFD")}
}

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
