package native

import (
	"errors"

	"github.com/megawire/megawire/codec/codes"
	"github.com/megawire/megawire/codec/native"
	"github.com/megawire/megawire/protocol"
	"github.com/megawire/megawire/pubsub"
)

const (
	// presenceClientsMax bounds the clients that an answer to presence lists.
	presenceClientsMax = 1000
	// rowsAMessage is how many rows of an answer are as much work as a message.
	rowsAMessage = 8
)

// subscribe makes the subscriptions of a request, with a result each.
func (n *Protocol) subscribe(p protocol.Peer) {
	p.Charge(max(len(n.req.Topics)-1, 0))
	n.results = n.results[:0]
	room := protocol.SnapshotMessagesMax
	for i := range n.req.Topics {
		r := n.join(p, &n.req.Topics[i], &room)
		if r.Err != nil {
			p.Refused(r.Err.Code)
		}
		n.results = append(n.results, r)
	}
	n.ask, n.since = pubsub.Request{}, pubsub.Since{} // what a client names here may be large
	n.reply(p, func(dst []byte) []byte {
		return native.AppendSubscribed(dst, n.req.ID, p.ClientID(), n.results)
	})
}

// join makes one subscription, or gives a standing one other options.
func (n *Protocol) join(p protocol.Peer, t *native.TopicRequest, room *int) native.TopicResult {
	filter := string(t.Topic)
	if t.Err != nil {
		return denied(filter, t.Err)
	}
	n.ask = pubsub.Request{
		Filter: filter,
		Terms:  pubsub.Terms{Mode: modeOf(t), EveryMillis: t.EveryMs},
		Last:   t.Last,
	}
	resumes := t.Has&(native.HasSince|native.HasSinceTime) != 0
	if resumes {
		if err := n.resume(t); err != nil {
			return denied(filter, err)
		}
	}
	joined, err := protocol.Ask(p, &n.ask, room)
	switch {
	case resumes && errors.Is(err, pubsub.ErrSnapshot):
		return denied(filter, errSinceTopics)
	case err != nil:
		return denied(filter, explain(err, "subscribe", filter))
	}
	r := granted(filter, &joined)
	if joined.Wild {
		r.TS = joined.TS
	}
	if resumes {
		r.Recovered = joined.Recovered
	}
	return r
}

func modeOf(t *native.TopicRequest) pubsub.Mode {
	switch {
	case t.Has&native.HasMode == 0:
		return pubsub.ModeOfRule
	case t.Mode == native.ModeLatest:
		return pubsub.ModeLatest
	default:
		return pubsub.ModeAll
	}
}

var (
	errSinceOfTopic = &native.Error{
		Code:    codes.BadRequest,
		Message: `since for a topic is {"epoch":<string>,"seq":<number>}: ts and seqs are for patterns`,
	}
	errSinceOfPattern = &native.Error{
		Code:    codes.BadRequest,
		Message: `since for a pattern is {"epoch":<string>,"ts":<number>,"seqs":{"<topic>":<number>}}: seq is for a topic`,
	}
	errSinceTopics = &native.Error{
		Code:    codes.TooMany,
		Message: "since brings news of more topics than a connection may be behind in: resume narrower patterns",
	}
)

// resume adds since, whose form must suit the filter.
func (n *Protocol) resume(t *native.TopicRequest) *native.Error {
	filter, err := pubsub.ParseFilter(n.ask.Filter)
	switch {
	case err != nil:
		return explain(err, "subscribe", n.ask.Filter)
	case filter.Wild() && t.Has&native.HasSince != 0:
		return errSinceOfPattern
	case !filter.Wild() && t.Has&native.HasSinceTime != 0:
		return errSinceOfTopic
	}
	seqs, fault := t.SeqsByTopic()
	if fault != nil {
		return fault
	}
	epoch := n.since.Epoch
	if epoch != string(t.SinceEpoch) { // else that of the entry before, which it mostly is
		epoch = string(t.SinceEpoch)
	}
	n.since = pubsub.Since{Epoch: epoch, Seq: t.SinceSeq, TS: t.SinceTS, Seqs: seqs}
	n.ask.Since = &n.since
	return nil
}

func denied(filter string, err *native.Error) native.TopicResult {
	return native.TopicResult{Topic: filter, Recovered: -1, Err: err}
}

// granted says what holds of a subscription, but for what came of a since.
func granted(filter string, at *pubsub.Joined) native.TopicResult {
	r := native.TopicResult{Topic: filter, Epoch: at.Epoch, Recovered: -1, EveryMs: at.Terms.EveryMillis}
	if !at.Wild {
		r.Seq, r.HasSeq = at.Seq, true
	}
	if at.Terms.Mode == pubsub.ModeLatest || at.Terms.EveryMillis > 0 {
		r.Mode = native.ModeLatest
	}
	return r
}

// unsubscribe takes each filter as it was subscribed to; one that is not there is no fault.
func (n *Protocol) unsubscribe(p protocol.Peer) {
	p.Charge(max(len(n.req.Topics)-1, 0))
	n.results = n.results[:0]
	for i := range n.req.Topics {
		r := native.TopicResult{Topic: string(n.req.Topics[i].Topic), Recovered: -1}
		if r.Err = n.req.Topics[i].Err; r.Err == nil {
			if _, err := pubsub.ParseFilter(r.Topic); err != nil {
				r.Err = explain(err, "unsubscribe", r.Topic)
			} else {
				p.Unsubscribe(r.Topic)
			}
		}
		if r.Err != nil {
			p.Refused(r.Err.Code)
		}
		n.results = append(n.results, r)
	}
	n.reply(p, func(dst []byte) []byte { return native.AppendUnsubscribed(dst, n.req.ID, n.results) })
}

func (n *Protocol) list(p protocol.Peer) {
	n.results = n.results[:0]
	p.Subscriptions(func(filter string, at pubsub.Joined) {
		n.results = append(n.results, granted(filter, &at))
	})
	p.Charge(len(n.results) / rowsAMessage)
	n.reply(p, func(dst []byte) []byte { return native.AppendList(dst, n.req.ID, p.ClientID(), n.results) })
}

// presence answers who is on a topic.
func (n *Protocol) presence(p protocol.Peer) {
	topic := string(n.req.Topic)
	clients, count, err := []string(nil), 0, pubsub.ErrBadTopic
	if pubsub.ValidTopic(topic) && !pubsub.Reserved(topic) {
		clients, count, err = p.Presence(topic, presenceClientsMax)
	}
	if err != nil {
		n.fail(p, n.req.ID, explain(err, "presence", topic))
		return
	}
	p.Charge(len(clients) / rowsAMessage)
	n.reply(p, func(dst []byte) []byte { return native.AppendPresence(dst, n.req.ID, topic, count, clients) })
}
