package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/megawire/megawire/codec/native"
)

// link is one connection, from upgrade to close. run is its reading side and owns
// what is not marked otherwise.
type link struct {
	client *Client
	ws     *websocket.Conn
	ctx    context.Context
	cancel context.CancelFunc
	out    chan []byte // frames to write, unbuffered

	// What tells a dead peer from an application that does not read.
	heard     atomic.Uint64 // frames read and handed on
	handingOn atomic.Bool   // the reader waits for room in the queue

	// Of the reading goroutine.
	push       native.Push
	goaway     time.Duration // what the server asked for before the next connection
	unanswered int           // bytes of the longest request without an answer when it ended; 0 if it was no list of filters

	mu    sync.Mutex
	calls map[uint64]*call // by id; bounded by RequestsInFlightMax
	lost  bool             // no further calls
}

func newLink(c *Client, ws *websocket.Conn) *link {
	l := &link{client: c, ws: ws, out: make(chan []byte), calls: make(map[uint64]*call)}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	return l
}

// run reads until the connection ends, and returns why, once its goroutines are gone.
func (l *link) run() error {
	var others sync.WaitGroup
	var cause error
	fail := func(err error) {
		l.mu.Lock()
		// A ping that cannot even be written breaks the connection by itself.
		if cause == nil || errors.Is(err, errNoPong) {
			cause = err
		}
		l.mu.Unlock()
		_ = l.ws.CloseNow()
	}
	if l.client.emit(Event{Kind: State, State: Connected}) {
		others.Go(func() { l.write(fail) })
		others.Go(func() { l.watch(fail) })
		others.Go(l.renew)
		fail(l.read())
	}
	l.unanswered = l.longestList()
	l.cancel()
	_ = l.ws.CloseNow()
	others.Wait()
	l.abandon()
	return cause
}

// read hands on what the server says until it says no more.
func (l *link) read() error {
	var frame bytes.Buffer
	for {
		kind, r, err := l.ws.Reader(context.Background())
		if err != nil {
			return err
		}
		frame.Reset()
		if _, err := frame.ReadFrom(r); err != nil {
			return err
		}
		if kind != websocket.MessageText {
			return fmt.Errorf("%w: a binary frame", ErrProtocol)
		}
		l.handingOn.Store(true)
		err = l.handle(bytes.Clone(frame.Bytes()))
		l.heard.Add(1)
		l.handingOn.Store(false)
		if err != nil {
			return err
		}
		if frame.Cap() > 64<<10 {
			frame = bytes.Buffer{}
		}
	}
}

// write sends frames one by one. Requests hand them over instead of writing themselves,
// because a context that ends during a write breaks the whole connection.
func (l *link) write(fail func(error)) {
	for {
		select {
		case frame := <-l.out:
			ctx, cancel := context.WithTimeout(l.ctx, l.client.options.WriteTimeout)
			err := l.ws.Write(ctx, websocket.MessageText, frame)
			cancel()
			if err != nil {
				fail(err)
				return
			}
		case <-l.ctx.Done():
			return
		}
	}
}

// watch asks a silent server for a sign of life. While the application does not read, a
// pong may stand behind messages in the socket and proves nothing, so it is not
// asked for.
func (l *link) watch(fail func(error)) {
	tick := time.NewTicker(l.client.options.PingInterval)
	defer tick.Stop()
	last := l.heard.Load()
	for {
		select {
		case <-tick.C:
		case <-l.ctx.Done():
			return
		}
		if now := l.heard.Load(); now != last || l.handingOn.Load() {
			last = now
			continue
		}
		ctx, cancel := context.WithTimeout(l.ctx, l.client.options.PongTimeout)
		err := l.ws.Ping(ctx)
		cancel()
		if errors.Is(err, context.DeadlineExceeded) && l.heard.Load() == last && !l.handingOn.Load() {
			fail(errNoPong)
			return
		}
	}
}

// longestList is how long the longest request is that has not been answered, 0 if that is not a list of filters.
func (l *link) longestList() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	var longest call
	for _, c := range l.calls {
		if c.bytes > longest.bytes {
			longest = *c
		}
	}
	if longest.op == "" {
		return 0
	}
	return longest.bytes
}

// abandon ends the calls that wait for an answer.
func (l *link) abandon() {
	l.mu.Lock()
	calls := l.calls
	l.calls, l.lost = nil, true
	l.mu.Unlock()
	for _, c := range calls {
		c.answer <- answer{err: ErrConnectionLost}
	}
}

// errStopped ends read when Close has taken the queue away.
var errStopped = fmt.Errorf("client: stopped: %w", ErrClosed)

// handle takes in one frame, which it keeps.
func (l *link) handle(raw []byte) error {
	p := &l.push
	if err := native.ParsePush(raw, p); err != nil {
		return fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	ok := true
	switch p.Kind {
	case native.PushMessage:
		ok = l.message(raw, p)
	case native.PushGap:
		ok = l.gap(raw, p)
	case native.PushOK, native.PushError, native.PushPong:
		return l.reply(raw, p)
	case native.PushGoaway:
		l.goaway = time.Duration(p.ReconnectAfterMs) * time.Millisecond
		ok = l.client.emit(Event{Kind: Goaway, RetryIn: l.goaway, Raw: raw})
	case native.PushUnsubscribed:
		ok = l.unsubscribed(string(p.Topic), &ServerError{Code: string(p.Code), Message: string(p.Message)}, raw)
	case native.PushUnknown: // from a newer server; PROTOCOL has clients ignore it
	}
	if !ok {
		return errStopped
	}
	return nil
}

func (l *link) message(raw []byte, p *native.Push) bool {
	topic := string(p.Topic)
	epoch, news, before := l.client.positions.saw(topic, p.Seq, p.Prev, p.TS)
	if !news {
		return true
	}
	payload := p.Payload
	if p.Content != native.JSON {
		payload = bytes.Clone(payload) // it may lie in the parser's own memory
	}
	return l.missed(topic, epoch, before) && l.client.emit(Event{
		Kind: Message, Topic: topic, Epoch: epoch, Seq: p.Seq, Prev: p.Prev, Time: time.UnixMilli(p.TS),
		Content: Content(p.Content), Payload: payload, Raw: raw,
	})
}

// gap passes on a gap of the server's, after one of our own if numbers are missing
// before it.
func (l *link) gap(raw []byte, p *native.Push) bool {
	topic := string(p.Topic)
	epoch, news, before := l.client.positions.lost(topic, p.From, p.To)
	if !l.missed(topic, epoch, before) {
		return false
	}
	return news.to == 0 || l.client.emit(Event{
		Kind: Gap, Topic: topic, Epoch: epoch, From: news.from, To: news.to, Reason: string(p.Reason), Raw: raw,
	})
}

// missed tells of a hole, if it is one.
func (l *link) missed(topic, epoch string, h hole) bool {
	return h.to == 0 || l.client.emit(Event{Kind: Gap, Topic: topic, Epoch: epoch, From: h.from, To: h.to, Reason: h.reason})
}

func (l *link) unsubscribed(filter string, why error, raw []byte) bool {
	l.client.unpostpone(filter)
	l.client.unwant(filter)
	l.client.forget(filter)
	return l.client.emit(Event{Kind: Unsubscribed, Topic: filter, Err: why, Raw: raw})
}
