package server

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/megawire/megawire/codec/codes"
	"github.com/megawire/megawire/poller"
	"github.com/megawire/megawire/pubsub"
	"github.com/megawire/megawire/server/admin"
)

// What one posted function does at most, some 100 µs of work each.
const (
	looksAStretch   = 4096 // slots of connections, topics that their clients are behind in, and subscriptions where these are looked at
	clientsAStretch = 64   // each takes some system calls
)

// walkTimeMax is after how long a page is answered as it is, with a place to go on from.
const walkTimeMax = 3 * time.Second

// filtersShownMax is how many subscriptions of one client an operator is shown.
const filtersShownMax = 1024

// place is where a walk over all connections has come to: it has looked at the handles up to this one.
type place struct {
	loop   int
	handle uint32
}

func placeOf(id pubsub.ClientID) place { return place{int(id >> 56), uint32(id)} }

// String is a client id of no generation, so that a client's own id serves as a place too.
func (p place) String() string {
	return formatClientID(pubsub.ClientID(uint64(p.loop)<<56 | uint64(p.handle)))
}

// Clients implements admin.Views.
func (b *backend) Clients(ctx context.Context, q *admin.ClientQuery) (page admin.ClientPage, err error) {
	if err := checkFilter(q.Filter); err != nil {
		return page, err
	}
	if q.ByBacklog {
		return b.furthestBehind(ctx, q)
	}
	at := place{}
	if q.After != "" {
		id, ok := parseClientID(q.After)
		if at = placeOf(id); !ok || at.loop >= len(b.workers) {
			return page, admin.Fault{Code: codes.BadRequest, Message: `after is a client id or the "next" of a page`}
		}
	}
	for until := time.Now().Add(walkTimeMax); ; {
		w, from, room := b.workers[at.loop], max(at.handle, at.handle+1), q.Limit-len(page.Clients)
		s, err := ask(ctx, w, func() stretch { return w.look(from, room, q) })
		if err != nil {
			return page, err
		}
		page.Clients = append(page.Clients, s.clients...)
		if at.handle = s.last; s.end {
			at = place{loop: at.loop + 1}
		}
		if at.loop == len(b.workers) {
			return page, nil
		}
		if len(page.Clients) == q.Limit || time.Now().After(until) {
			page.Next = at.String()
			return page, nil
		}
	}
}

// stretch is what one posted function has found.
type stretch struct {
	clients []admin.Client
	last    uint32 // the handle that was looked at last
	end     bool   // there is none after it
}

// look goes over the connections from a handle on, on the loop, until it has found as many as there is room for or has
// done its share of work.
func (w *worker) look(from uint32, room int, q *admin.ClientQuery) (s stretch) {
	looks, room := looksAStretch, min(room, clientsAStretch)
	next := w.loop.Scan(from, looksAStretch, func(c *poller.Conn) bool {
		looks--
		if !isClient(c) {
			return looks > 0
		}
		b := w.backlog(c)
		if looks -= b.Topics; q.Lagging && !behind(c, b) {
			return looks > 0
		}
		if q.Filter != "" {
			looks -= w.subscriptions(c)
			if !w.has(c, q.Filter) {
				return looks > 0
			}
		}
		s.clients = append(s.clients, w.clientOf(c, b))
		return looks > 0 && len(s.clients) < room
	})
	s.last, s.end = next-1, next == 0
	return s
}

// subscriber is the shard's name for a connection, 0 where it has none.
func subscriber(c *poller.Conn) pubsub.SubscriberID {
	return pubsub.SubscriberID(c.User[userSubscriber])
}

func (w *worker) subscriptions(c *poller.Conn) int {
	if id := subscriber(c); id != 0 {
		return w.shard.SubscriptionCount(id)
	}
	return 0
}

// backlog is what a client has yet to get. Each topic that it is behind in is a lock and a look.
func (w *worker) backlog(c *poller.Conn) (b pubsub.Backlog) {
	if id := subscriber(c); id != 0 && w.shard.Lagging(id) {
		b = w.shard.Backlog(id)
	}
	return b
}

// behind reports whether a client has messages to get that are not on their way yet, or bytes that its kernel does not
// take.
func behind(c *poller.Conn, b pubsub.Backlog) bool { return c.Stalled() || b.Topics > 0 }

func (w *worker) has(c *poller.Conn, filter string) (has bool) {
	if id := subscriber(c); id != 0 {
		w.shard.Topics(id, func(f string) { has = has || f == filter })
	}
	return has
}

var protocolNames = [connKinds]string{connNative: "native", connRaw: "raw", connEcho: "echo"}

func (w *worker) clientOf(c *poller.Conn, b pubsub.Backlog) admin.Client {
	info := c.Info()
	client := admin.Client{
		ID: formatClientID(w.id(c)), Protocol: protocolNames[c.Kind], Subscriptions: w.subscriptions(c),
		WaitingBytes: info.WaitingBytes, ReceivedBytes: info.ReceivedBytes, SentBytes: info.SentBytes,
		RTTMillis: float64(info.RTT.Microseconds()) / 1000,
	}
	if info.Address.IsValid() {
		client.Address = info.Address.String()
	}
	if info.OpenedSecond != 0 {
		client.SinceMillis = w.loop.Began(info.OpenedSecond).UnixMilli()
	}
	client.Backlog = admin.Backlog{Topics: b.Topics, Messages: b.Messages, Millis: ageOf(b)}
	switch {
	case c.Stalled() && info.WindowShut:
		client.Backlog.Why = admin.WhyNotReading
	case c.Stalled():
		client.Backlog.Why = admin.WhyNetwork
	case b.Topics > 0:
		client.Backlog.Why = admin.WhyCatchingUp
	}
	return client
}

// ageOf is how many ms ago the oldest message of a backlog was published.
func ageOf(b pubsub.Backlog) int64 {
	if b.OldestMillis == 0 {
		return 0
	}
	return max(0, wallMillis()-b.OldestMillis)
}

var modeNames = map[pubsub.Mode]string{pubsub.ModeAll: "all", pubsub.ModeLatest: "latest"}

func (w *worker) clientDetail(c *poller.Conn) admin.ClientDetail {
	d := admin.ClientDetail{Client: w.clientOf(c, w.backlog(c))}
	id := subscriber(c)
	if id == 0 {
		return d
	}
	w.shard.Subscriptions(id, func(filter string, at pubsub.Joined) {
		if len(d.Filters) == filtersShownMax {
			d.Truncated = true
			return
		}
		d.Filters = append(d.Filters, admin.Subscription{
			Filter: filter, Mode: modeNames[at.Terms.Mode], EveryMillis: at.Terms.EveryMillis,
		})
	})
	slices.SortFunc(d.Filters, func(a, b admin.Subscription) int { return strings.Compare(a.Filter, b.Filter) })
	return d
}
