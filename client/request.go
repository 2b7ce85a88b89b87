package client

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
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
	Err    error  // a *ServerError if this filter was refused; the others stand
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

// Subscribe asks for the topics and patterns given and returns a result for each, in
// order. They are asked for again after every reconnect, and so is what a call
// whose connection breaks was about, until ctx ends. The error is about the whole: look
// at each Result's Err too. More than FiltersPerRequestMax are sent as several requests.
func (c *Client) Subscribe(ctx context.Context, filters ...string) ([]Result, error) {
	return c.inBatches(ctx, "subscribe", filters)
}

// Unsubscribe takes back exactly these filters. Nothing that only they matched comes
// after it returns, other than what waits in the queue already.
func (c *Client) Unsubscribe(ctx context.Context, filters ...string) ([]Result, error) {
	for _, f := range filters {
		c.unwant(f) // first, so that a reconnect meanwhile does not bring it back
	}
	return c.inBatches(ctx, "unsubscribe", filters)
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
	l, err := c.ready(ctx)
	if err != nil {
		return Receipt{}, err
	}
	a := l.do(ctx, &call{}, func(id uint64) []byte { return appendPublish(id, topic, p, toOthers) })
	return a.receipt, a.err
}

// inBatches sends filters in requests of bounded size, each again after a lost connection:
// to repeat them does no harm.
func (c *Client) inBatches(ctx context.Context, op string, filters []string) ([]Result, error) {
	results := make([]Result, 0, len(filters))
	for len(filters) > 0 {
		batch := filters[:batchLen(filters)]
		l, err := c.ready(ctx)
		if err != nil {
			return results, err
		}
		a := l.do(ctx, &call{op: op, filters: batch}, func(id uint64) []byte { return appendFilters(id, op, batch) })
		if errors.Is(a.err, ErrConnectionLost) {
			continue
		}
		if a.err != nil {
			return results, a.err
		}
		results = append(results, a.results...)
		filters = filters[len(batch):]
	}
	return results, nil
}

// batchLen is how many of the filters fit into one request.
func batchLen(filters []string) int {
	size := 0
	for i, f := range filters {
		size += len(f) + 3
		if i == FiltersPerRequestMax || i > 0 && size > SubscribeBytesMax {
			return i
		}
	}
	return len(filters)
}

func appendFilters(id uint64, op string, filters []string) []byte {
	b := append([]byte(`{"op":"`), op...)
	b = strconv.AppendUint(append(b, `","id":`...), id, 10)
	b = append(b, `,"topics":[`...)
	for i, f := range filters {
		if i > 0 {
			b = append(b, ',')
		}
		b = native.AppendString(b, f)
	}
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

// call is a request that waits for its answer.
type call struct {
	op      string   // subscribe or unsubscribe; "" for others
	filters []string // of those two
	renewal bool     // a subscribe of the client's own, after a reconnect
	answer  chan answer
}

type answer struct {
	results []Result
	receipt Receipt
	err     error
}

// do sends a request and waits for its answer until ctx ends.
func (l *link) do(ctx context.Context, c *call, frame func(id uint64) []byte) answer {
	select {
	case l.client.places <- struct{}{}:
	case <-ctx.Done():
		return answer{err: ctx.Err()}
	}
	defer func() { <-l.client.places }()

	id, ok := l.register(c)
	if !ok {
		return answer{err: ErrConnectionLost}
	}
	defer l.forgetCall(id)
	select {
	case l.out <- frame(id):
	case a := <-c.answer:
		return a
	case <-ctx.Done():
		return answer{err: ctx.Err()}
	}
	select {
	case a := <-c.answer:
		return a
	case <-ctx.Done():
		return answer{err: ctx.Err()}
	}
}

func (l *link) register(c *call) (id uint64, ok bool) {
	c.answer = make(chan answer, 1)
	l.client.mu.Lock()
	l.client.lastID++
	id = l.client.lastID
	l.client.mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lost {
		return 0, false
	}
	l.calls[id] = c
	return id, true
}

func (l *link) forgetCall(id uint64) {
	l.mu.Lock()
	delete(l.calls, id)
	l.mu.Unlock()
}

// reply gives an answer to the call that waits for it.
func (l *link) reply(raw []byte, p *native.Push) error {
	var c *call
	id, err := strconv.ParseUint(string(p.ID), 10, 64)
	if err == nil {
		l.mu.Lock()
		c = l.calls[id]
		delete(l.calls, id)
		l.mu.Unlock()
	}
	refusal := &ServerError{
		Code: string(p.Code), Message: string(p.Message), RetryAfter: time.Duration(p.RetryAfterMs) * time.Millisecond,
	}
	switch {
	case c == nil && p.Kind == native.PushError && p.ID == nil:
		if !l.client.emit(Event{Kind: Fault, Err: refusal, Raw: raw}) {
			return errStopped
		}
	case c == nil: // its caller has gone
	case p.Kind == native.PushError && c.renewal && !temporary(refusal):
		return l.finishFilters(c, refusedAll(c.filters, refusal))
	case p.Kind == native.PushError:
		c.answer <- answer{err: refusal}
	case c.op == "":
		c.answer <- answer{receipt: Receipt{Topic: string(p.Topic), Epoch: string(p.Epoch), Seq: p.Seq}}
	default:
		return l.replyFilters(c, p)
	}
	return nil
}

func (l *link) replyFilters(c *call, p *native.Push) error {
	if len(p.Results) != len(c.filters) {
		return fmt.Errorf("%w: %d results for %d topics", ErrProtocol, len(p.Results), len(c.filters))
	}
	results := make([]Result, len(c.filters))
	for i, f := range c.filters {
		r := &p.Results[i]
		results[i] = Result{Filter: f, Epoch: r.Epoch, Seq: r.Seq}
		if r.Err != nil {
			results[i].Err = &ServerError{
				Code: r.Err.Code, Message: r.Err.Message, RetryAfter: time.Duration(r.Err.RetryAfterMs) * time.Millisecond,
			}
		}
	}
	return l.finishFilters(c, results)
}

func refusedAll(filters []string, why error) []Result {
	results := make([]Result, len(filters))
	for i, f := range filters {
		results[i] = Result{Filter: f, Err: why}
	}
	return results
}

func (l *link) finishFilters(c *call, results []Result) error {
	if !l.applied(c, results) {
		return errStopped
	}
	c.answer <- answer{results: results}
	return nil
}
