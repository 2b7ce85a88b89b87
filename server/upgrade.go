package server

import (
	"bytes"

	"github.com/megawire/megawire/codec/codes"
	"github.com/megawire/megawire/codec/http1"
	"github.com/megawire/megawire/codec/ws"
	"github.com/megawire/megawire/poller"
	"github.com/megawire/megawire/protocol/native"
	"github.com/megawire/megawire/protocol/raw"
	"github.com/megawire/megawire/pubsub"
)

// upgrade reads the request and makes the connection a WebSocket, or answers and ends it. It returns
// how many bytes of p it is done with; frames may follow in the same bytes.
func (w *worker) upgrade(c *poller.Conn, p []byte) (used int) {
	r := &w.request
	n, err := http1.Parse(p, r)
	switch {
	case err != nil:
		w.refuse(c, r, err)
		return len(p)
	case n == 0:
		return 0
	}
	if err := w.accept(c, r); err != nil {
		w.refuse(c, r, err)
		return len(p)
	}
	return n
}

var (
	nativeSubprotocols = []string{native.Subprotocol}
	rawPrefix          = []byte(raw.Prefix)
)

// endpoint is a path of the public listener.
type endpoint struct {
	kind         uint8
	subprotocols []string
}

// accept decides on a whole request. Its order: path, server's state, handshake, then what the protocol
// makes of the URL; the 101 is last, since nothing can be refused after it.
func (w *worker) accept(c *poller.Conn, r *http1.Request) *http1.Error {
	if string(r.Path) == "/readyz" {
		return w.readyz(c, r)
	}
	e, err := w.route(r.Path)
	if err != nil {
		return err
	}
	if err := w.s.welcome(); err != nil {
		return err
	}
	o := ws.UpgradeOptions{Subprotocols: e.subprotocols, Deflate: w.s.cfg.Deflate.Enabled}
	out, deflate, err := ws.AppendUpgrade(w.out[:0], r, o)
	if err != nil {
		return err
	}
	w.out = out
	if origin, n := r.Header("Origin"); n > 0 && !w.s.origins.allow(string(origin)) {
		return &http1.Error{Status: 403, Code: codes.Forbidden, Message: "pages of this origin may not connect"}
	}
	if err := w.admit(c, e.kind); err != nil {
		return err
	}
	if deflate {
		c.Flags |= flagDeflate // before Open, whose subscriptions it decides on
	}
	if err := w.protocols[e.kind].Open(w.peerOf(c), r); err != nil {
		w.leave(c)
		return err
	}
	w.send(c, out)
	c.SetDue(w.loop.Seconds() + seconds(w.s.cfg.Heartbeat.PingInterval))
	return nil
}

func (w *worker) route(path []byte) (endpoint, *http1.Error) {
	switch {
	case string(path) == "/ws":
		return endpoint{connNative, nativeSubprotocols}, nil
	case bytes.HasPrefix(path, rawPrefix):
		return endpoint{connRaw, nil}, nil
	case string(path) == "/echo" && w.s.cfg.Echo.Enabled:
		return endpoint{connEcho, nil}, nil
	default:
		return endpoint{}, &http1.Error{
			Status: 404, Code: codes.NotFound, Message: "no such endpoint: there are /ws, /raw/<topic> and /readyz",
		}
	}
}

// refuse answers a request that does not become a WebSocket, and ends the connection. The query is never
// logged: it may hold a token. r is nil where there is none.
func (w *worker) refuse(c *poller.Conn, r *http1.Request, e *http1.Error) {
	w.counts.refuse(e)
	w.out = http1.AppendError(w.out[:0], e)
	if r != nil && string(r.Method) == "HEAD" {
		w.out = http1.HeadOnly(w.out)
	}
	w.send(c, w.out)
	c.Finish()
}

// readyz answers a load balancer's question on the public listener.
func (w *worker) readyz(c *poller.Conn, r *http1.Request) *http1.Error {
	if m := string(r.Method); m != "GET" && m != "HEAD" {
		return &http1.Error{Status: 405, Code: codes.MethodNotAllowed, Message: "GET only", Header: []string{"Allow: GET, HEAD"}}
	}
	if err := w.s.unready(); err != nil {
		return err
	}
	w.out = http1.AppendResponse(w.out[:0], 200, "application/json", []byte(`{"ready":true}`))
	if string(r.Method) == "HEAD" {
		w.out = http1.HeadOnly(w.out)
	}
	w.send(c, w.out)
	c.Finish()
	return nil
}

// leave takes back the subscriptions and the place of a request that was refused half-way.
func (w *worker) leave(c *poller.Conn) {
	if id := c.User[userSubscriber]; id != 0 {
		w.shard.Remove(pubsub.SubscriberID(id))
	}
	c.User, c.Flags = [2]uint32{}, c.Flags&^flagDeflate
	w.dismiss(c)
}
