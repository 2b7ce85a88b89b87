package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
)

// subprotocol is what the client offers, and a server of the protocol confirms (RFC 6455 §1.9).
const subprotocol = "megawire.v1"

// Client is one connection to a server, made again when it breaks. Its methods may be
// called from any goroutine.
type Client struct {
	url     string
	options Options
	queue   *queue
	backoff backoff
	places  chan struct{} // one taken by each request in flight

	life  context.Context // ended by Close
	close context.CancelFunc
	done  chan struct{} // closed when run has returned

	positions    *positions   // of what came
	requestBytes atomic.Int64 // bounds a request to subscribe

	mu      sync.Mutex
	link    *link          // nil while there is no connection ready for requests
	current *link          // the connection, ready or not
	changed chan struct{}  // closed, and replaced, when link, end or postponed changes
	end     error          // set once, when the client will not connect again
	wanted  map[string]Sub // what is asked for again after a reconnect, by filter
	order   []string       // the keys of wanted, oldest first
	lastID  uint64

	// Of those wanted: which the server has refused to renew for the moment.
	postponed  map[string]bool // by filter: whether it is being asked for again
	retryAfter time.Duration   // how long the server wants to be left alone with them
}

// Dial connects to url (ws:, wss:, http: or https:, path included) and returns once the
// connection stands. ctx bounds this first attempt alone. An attempt that fails
// is returned, not repeated: only a connection that has stood is made again.
func Dial(ctx context.Context, url string, options Options) (*Client, error) {
	o, err := options.withDefaults()
	if err != nil {
		return nil, err
	}
	c := &Client{
		url: url, options: o,
		queue:     newQueue(o.QueueEventsMax, o.QueueBytesMax),
		backoff:   newBackoff(&o),
		places:    make(chan struct{}, RequestsInFlightMax),
		done:      make(chan struct{}),
		changed:   make(chan struct{}),
		positions: newPositions(TopicsTrackedMax),
		wanted:    make(map[string]Sub),
		postponed: make(map[string]bool),
	}
	c.requestBytes.Store(RequestBytesMax)
	l, err := c.dial(ctx)
	if err != nil {
		return nil, err
	}
	c.life, c.close = context.WithCancel(context.Background())
	go c.run(l)
	return c, nil
}

// Next returns the next event, waiting for one until ctx ends. Once the client has ended
// and everything before that has been read, it returns why: ErrClosed after
// Close, otherwise the reason for which it does not connect again. Several goroutines
// may call it; each event goes to one of them.
func (c *Client) Next(ctx context.Context) (Event, error) {
	return c.queue.next(ctx)
}

// Position says how far the application has come in a filter that it has subscribed to:
// what Next has returned lies behind it, and what still waits to be read does not.
// Subscribed to with it as Since, by this client or by another one, the filter goes
// on from there. ok is false for a filter that is not subscribed to, or in which nobody
// knows the place yet. A pattern's topics are gone through: once a second is
// often enough.
func (c *Client) Position(filter string) (at Position, ok bool) {
	return c.queue.taken.place(filter, SinceTopicsMax, RequestBytesMax-requestSpareBytes)
}

// Close says goodbye to the server, ends every call in progress with ErrClosed and waits
// until all goroutines are gone. A server that does not answer is waited for up to
// 10 s. Events that have come can still be read.
func (c *Client) Close() error {
	c.close()
	c.mu.Lock()
	l := c.current
	c.mu.Unlock()
	if l != nil {
		// The error is about a goodbye that a dead peer did not answer.
		_ = l.ws.Close(websocket.StatusNormalClosure, "")
	}
	<-c.done
	return nil
}

// dial makes one attempt.
func (c *Client) dial(ctx context.Context) (*link, error) {
	ctx, cancel := context.WithTimeout(ctx, c.options.DialTimeout)
	defer cancel()
	o := websocket.DialOptions{
		HTTPClient: c.options.HTTPClient, HTTPHeader: c.options.Header, Subprotocols: []string{subprotocol},
	}
	if c.options.Compression {
		o.CompressionMode = websocket.CompressionNoContextTakeover
	}
	ws, resp, err := websocket.Dial(ctx, c.url, &o) //nolint:bodyclose // Dial leaves none that is open
	if err != nil {
		if resp != nil && resp.StatusCode >= 300 {
			return nil, refused(resp, time.Now())
		}
		return nil, fmt.Errorf("client: connecting: %w", err)
	}
	if ws.Subprotocol() != subprotocol {
		_ = ws.CloseNow()
		return nil, ErrNotMegawire
	}
	ws.SetReadLimit(int64(c.options.MessageBytesMax))
	return newLink(c, ws), nil
}

// run keeps the connection until Close or a reason not to come back.
func (c *Client) run(l *link) {
	defer close(c.done)
	failures := 0
	for {
		began := time.Now()
		err := c.serve(l)
		switch {
		case c.isClosing():
			c.finish(ErrClosed)
			return
		case c.options.NoReconnect || final(err):
			c.finish(err)
			return
		}
		if time.Since(began) >= steadyAfter {
			failures = 0
		}
		if !c.emit(Event{Kind: State, State: Disconnected, Err: err}) {
			c.finish(ErrClosed)
			return
		}
		if l, err = c.reconnect(&failures, l.goaway); err != nil {
			c.finish(err)
			return
		}
	}
}

// serve makes l the connection and returns what ended it.
func (c *Client) serve(l *link) error {
	c.mu.Lock()
	c.current = l
	c.mu.Unlock()
	if c.isClosing() {
		// Close may have looked before current was set.
		_ = l.ws.CloseNow()
	}
	err := l.run()
	if l.unanswered > 0 && websocket.CloseStatus(err) == websocket.StatusMessageTooBig {
		c.requestBytes.Store(int64(max(requestBytesMin, l.unanswered/2)))
	}
	c.mu.Lock()
	c.current = nil
	c.mu.Unlock()
	c.setLink(nil)
	c.positions.disconnected()
	return err
}

// reconnect tries until a connection stands, or returns why there will be none. asked is
// what the server asked for when it said goodbye, 0 if it did not.
func (c *Client) reconnect(failures *int, asked time.Duration) (*link, error) {
	spread := asked > 0
	for {
		wait := c.backoff.delay(*failures, asked, spread)
		*failures++
		if !c.emit(Event{Kind: State, State: Reconnecting, RetryIn: wait}) || !c.sleep(wait) {
			return nil, ErrClosed
		}
		l, err := c.dial(c.life)
		switch {
		case err == nil:
			return l, nil
		case c.isClosing():
			return nil, ErrClosed
		case final(err):
			return nil, err
		}
		asked, spread = 0, false
		var r *RefusedError
		if errors.As(err, &r) {
			asked = r.RetryAfter
		}
		if !c.emit(Event{Kind: State, State: Disconnected, Err: err}) {
			return nil, ErrClosed
		}
	}
}

func (c *Client) sleep(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-c.life.Done():
		return false
	}
}

// emit queues e, waiting for room until Close.
func (c *Client) emit(e Event) bool {
	return c.queue.put(c.life.Done(), e)
}

func (c *Client) isClosing() bool { return c.life.Err() != nil }

// finish ends the client for good.
func (c *Client) finish(err error) {
	c.mu.Lock()
	if c.end == nil {
		c.end = err
	}
	c.mu.Unlock()
	c.setLink(nil)
	c.queue.finish(err)
}

// setLink says which connection takes requests, nil for none.
func (c *Client) setLink(l *link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.link = l
	if l == nil {
		clear(c.postponed) // the next connection renews all
		c.retryAfter = 0
	}
	c.signal()
}

// signal wakes those that wait in ready. The caller holds mu.
func (c *Client) signal() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// ready returns the connection once one takes a request, about subs if it is a list of filters, waiting until ctx ends.
func (c *Client) ready(ctx context.Context, op string, subs []Sub) (*link, error) {
	for {
		c.mu.Lock()
		l, changed, end := c.link, c.changed, c.end
		held := c.held(op, subs)
		c.mu.Unlock()
		switch {
		case end != nil:
			return nil, end
		case l != nil && !held:
			return l, nil
		}
		select {
		case <-changed:
		case <-c.life.Done():
			return nil, ErrClosed
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Waiting is how many events Next would return without waiting.
func (c *Client) Waiting() int { return c.queue.len() }
