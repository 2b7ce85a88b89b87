package client

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/megawire/megawire/codec/native"
)

// call is a request that waits for its answer.
type call struct {
	op      string // subscribe or unsubscribe; "" for others
	subs    []Sub  // of those two
	renewal bool   // a subscribe of the client's own, after a reconnect

	bytes  int // of the request, roughly: of subs or of the payload
	answer chan answer
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
		return l.finishFilters(c, refusedAll(c.subs, refusal))
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
	if len(p.Results) != len(c.subs) {
		return fmt.Errorf("%w: %d results for %d topics", ErrProtocol, len(p.Results), len(c.subs))
	}
	results := make([]Result, len(c.subs))
	for i := range c.subs {
		results[i] = resultOf(c.subs[i].Filter, &p.Results[i])
	}
	return l.finishFilters(c, results)
}

func resultOf(filter string, r *native.TopicResult) Result {
	if r.Err != nil {
		return Result{Filter: filter, Err: &ServerError{
			Code: r.Err.Code, Message: r.Err.Message, RetryAfter: time.Duration(r.Err.RetryAfterMs) * time.Millisecond,
		}}
	}
	return Result{
		Filter: filter, Epoch: r.Epoch, Seq: r.Seq, Recovered: r.Recovered == 1,
		Latest: r.Mode == native.ModeLatest || r.EveryMs > 0, Every: time.Duration(r.EveryMs) * time.Millisecond,
		began: r.TS,
	}
}

func refusedAll(subs []Sub, why error) []Result {
	results := make([]Result, len(subs))
	for i := range subs {
		results[i] = Result{Filter: subs[i].Filter, Err: why}
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
