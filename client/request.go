package client

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/megawire/megawire/codec/native"
)

// Result is the server's answer for one filter of a request.
type Result struct {
	Filter string
	Epoch  string
	Seq    uint64 // the topic's newest; 0 for a pattern, or where nothing was published

	Recovered bool          // of a Sub with Since: all that was published since is on its way
	Latest    bool          // messages may be passed over: by the Sub's terms or the rule of the topic
	Every     time.Duration // as the server has rounded it

	Err error // a *ServerError if this filter was refused; the others stand

	began int64 // of a pattern: Unix ms at the server, 0 if it does not say
}

// Receipt says where a message that was published stands.
type Receipt struct {
	Topic string
	Epoch string
	Seq   uint64
}

// Payload is what a message carries. Make one with Data, Words or Bytes.
type Payload struct {
	content Content
	body    []byte
}

// Data is a payload of JSON, kept byte for byte. body is read until the call that
// it is given to returns.
func Data(body []byte) Payload { return Payload{JSON, body} }

// Words is a payload of text that need not be JSON.
func Words(s string) Payload { return Payload{Text, []byte(s)} }

// Bytes is a payload of any bytes.
func Bytes(body []byte) Payload { return Payload{Binary, body} }

// Subscribe asks for the topics and patterns given, each with what comes from now on, and
// returns a result for each, in order. They are asked for again after every
// reconnect, from where they were; and so is what a call whose connection breaks was about,
// until ctx ends. An end of ctx after the request was handed over leaves open whether it holds until the
// next reconnect: Unsubscribe where it must not. The error is about the whole: look at each
// Result's Err too. More than FiltersPerRequestMax are sent as several requests.
func (c *Client) Subscribe(ctx context.Context, filters ...string) ([]Result, error) {
	return c.SubscribeWith(ctx, plain(filters)...)
}

// SubscribeWith is Subscribe for those who want more than what is new, or less than all of it.
// To subscribe again to a filter gives it other terms. A message that has come does not come
// again by that, nor does one come behind a newer one of its topic: for a topic from
// the beginning, unsubscribe first.
func (c *Client) SubscribeWith(ctx context.Context, subs ...Sub) ([]Result, error) {
	for i := range subs {
		if err := subs[i].check(); err != nil {
			return nil, err
		}
	}
	return c.inBatches(ctx, "subscribe", subs)
}

// Unsubscribe takes back exactly these filters. Nothing that only they matched comes
// after it returns, other than what waits in the queue already.
func (c *Client) Unsubscribe(ctx context.Context, filters ...string) ([]Result, error) {
	for _, f := range filters {
		c.unwant(f) // first, so that a reconnect meanwhile does not bring it back
	}
	return c.inBatches(ctx, "unsubscribe", plain(filters))
}

// Publish publishes on one topic and returns once the server has taken the message. It waits
// for a connection until ctx ends. ErrConnectionLost, or an end of ctx after
// the request was handed over, leaves open whether it was published; nothing is sent twice.
func (c *Client) Publish(ctx context.Context, topic string, p Payload) (Receipt, error) {
	return c.publish(ctx, topic, p, false)
}

// PublishToOthers is Publish without the message coming back to this client.
func (c *Client) PublishToOthers(ctx context.Context, topic string, p Payload) (Receipt, error) {
	return c.publish(ctx, topic, p, true)
}

func (c *Client) publish(ctx context.Context, topic string, p Payload, toOthers bool) (Receipt, error) {
	switch {
	case p.content == JSON && (!json.Valid(p.body) || !utf8.Valid(p.body)):
		return Receipt{}, errors.New("client: the data to publish is not valid JSON")
	case p.content == Text && !utf8.Valid(p.body):
		return Receipt{}, errors.New("client: the text to publish is not valid UTF-8")
	}
	l, err := c.ready(ctx, "", nil)
	if err != nil {
		return Receipt{}, err
	}
	a := l.do(ctx, &call{bytes: len(p.body)}, func(id uint64) []byte { return appendPublish(id, topic, p, toOthers) })
	return a.receipt, a.err
}

// inBatches sends subs in requests of bounded size, each again after a lost connection:
// to repeat them does no harm.
func (c *Client) inBatches(ctx context.Context, op string, subs []Sub) ([]Result, error) {
	results := make([]Result, 0, len(subs))
	for len(subs) > 0 {
		l, err := c.ready(ctx, op, subs)
		if err != nil {
			return results, err
		}
		n, topics := c.batch(subs, nil)
		if len(topics) > int(c.requestBytes.Load()) {
			return results, errTooLong
		}
		a := l.do(ctx, &call{op: op, subs: subs[:n], bytes: len(topics)},
			func(id uint64) []byte { return appendFilters(id, op, topics) })
		if errors.Is(a.err, ErrConnectionLost) {
			continue
		}
		if a.err != nil {
			return results, a.err
		}
		results = append(results, a.results...)
		subs = subs[n:]
	}
	return results, nil
}

var errTooLong = errors.New("client: a Since names more than the server takes in one request")

func appendFilters(id uint64, op string, topics []byte) []byte {
	b := append([]byte(`{"op":"`), op...)
	b = strconv.AppendUint(append(b, `","id":`...), id, 10)
	b = append(append(b, `,"topics":[`...), topics...)
	return append(b, "]}"...)
}

func appendPublish(id uint64, topic string, p Payload, toOthers bool) []byte {
	b := strconv.AppendUint([]byte(`{"op":"publish","id":`), id, 10)
	b = native.AppendString(append(b, `,"topic":`...), topic)
	switch p.content {
	case Text:
		b = native.AppendString(append(b, `,"text":`...), string(p.body))
	case Binary:
		b = base64.StdEncoding.AppendEncode(append(b, `,"bin":"`...), p.body)
		b = append(b, '"')
	case JSON:
		b = append(append(b, `,"data":`...), p.body...)
	}
	if toOthers {
		b = append(b, `,"echo":false`...)
	}
	return append(b, '}')
}
