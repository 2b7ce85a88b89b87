package server

import (
	"context"
	"fmt"
	"time"

	"github.com/megawire/megawire/codec/codes"
	"github.com/megawire/megawire/codec/ws"
	"github.com/megawire/megawire/poller"
	"github.com/megawire/megawire/protocol"
	"github.com/megawire/megawire/pubsub"
	"github.com/megawire/megawire/server/admin"
)

// What an operator looks at belongs to the loops, and so does all that is done to look: a function posted to a loop, at
// most so much of it at a time that the clients do not notice.

// loopAnswerTimeout is how long an operator's request waits for one answer of a loop.
const loopAnswerTimeout = 2 * time.Second

// ask runs fn on a worker's loop and returns what it returned, unless the loop does not get to it in time.
func ask[T any](ctx context.Context, w *worker, fn func() T) (answer T, err error) {
	within, cancel := context.WithTimeout(ctx, loopAnswerTimeout)
	defer cancel()
	answers := make(chan T, 1)
	taken := w.loop.Post(func() {
		if within.Err() == nil { // else nobody waits any more
			answers <- fn()
		}
	})
	if !taken {
		return answer, admin.Fault{Code: codes.Unavailable, Message: fmt.Sprintf(
			"event loop %d has too much to do; try again", w.loop.Index())}
	}
	select {
	case answer = <-answers:
		return answer, nil
	case <-within.Done():
		if ctx.Err() != nil {
			return answer, ctx.Err()
		}
		return answer, admin.Fault{Code: codes.Unavailable, Message: fmt.Sprintf(
			"event loop %d has not answered within %s; try again", w.loop.Index(), loopAnswerTimeout)}
	}
}

// presenceMax is how many of a topic's subscribers an operator is shown.
const presenceMax = 1000

// Topics implements admin.Views.
func (b *backend) Topics(q *admin.TopicQuery) (page []admin.Topic, more bool, err error) {
	if err := checkFilter(q.Filter); err != nil {
		return nil, false, err
	}
	infos, more := b.hub.Topics(q.After, pubsub.Filter(q.Filter), q.Limit)
	page = make([]admin.Topic, 0, len(infos))
	for i := range infos {
		page = append(page, topicOf(&infos[i]))
	}
	return page, more, nil
}

// Topic implements admin.Views.
func (b *backend) Topic(name string) (admin.Topic, error) {
	switch {
	case pubsub.ValidTopic(name):
	case pubsub.Filter(name).Wild():
		return admin.Topic{}, admin.Fault{Code: codes.BadTopic, Message: "this shows one topic; /v1/topics?filter= shows those of a pattern"}
	default:
		code, message := protocol.Explain(pubsub.ErrBadTopic, "publish", name)
		return admin.Topic{}, admin.Fault{Code: code, Message: message}
	}
	info, ok := b.hub.Topic(name)
	if !ok {
		return admin.Topic{}, notFound("topic", name)
	}
	t := topicOf(&info)
	if clients, count, ok := b.hub.Presence(name, presenceMax); ok {
		t.Presence = &admin.Presence{Count: count}
		for _, id := range clients {
			t.Presence.Clients = append(t.Presence.Clients, formatClientID(id))
		}
	}
	return t, nil
}

func topicOf(i *pubsub.TopicInfo) admin.Topic {
	t := admin.Topic{
		Name: i.Name, Epoch: i.Epoch, Seq: i.Seq, Subscribers: i.Subscribers, RatePerSecond: i.RatePerSecond,
		Messages: i.Messages, Bytes: i.Bytes, UsedMillis: i.UsedMillis,
	}
	if m := i.Last; m != nil {
		t.Last = &admin.Last{Seq: m.Seq, TSMillis: m.TS, Content: byte(m.Content), Payload: m.Payload}
	}
	return t
}

// checkFilter refuses what is no filter; "" stands for none.
func checkFilter(filter string) error {
	if filter == "" {
		return nil
	}
	if _, err := pubsub.ParseFilter(filter); err != nil {
		code, message := protocol.Explain(err, "subscribe", filter)
		return admin.Fault{Code: code, Message: message}
	}
	return nil
}

func notFound(what, name string) admin.Fault {
	return admin.Fault{Code: codes.NotFound, Message: fmt.Sprintf("there is no %s %.100q", what, name)}
}

// Client implements admin.Views.
func (b *backend) Client(ctx context.Context, id string) (admin.ClientDetail, error) {
	return withClient(ctx, b, id, (*worker).clientDetail)
}

// Kick implements admin.Views.
func (b *backend) Kick(ctx context.Context, id string) error {
	_, err := withClient(ctx, b, id, func(w *worker, c *poller.Conn) struct{} {
		w.close(c, ws.Kicked, "kicked by an operator")
		w.endSubscriptions(c) // now, not when the client has answered the close, if ever it does
		return struct{}{}
	})
	if err == nil {
		b.log.Info("an operator has kicked a client", "client", id)
	}
	return err
}

// withClient runs fn on the loop of the client with that id.
func withClient[T any](ctx context.Context, b *backend, text string, fn func(*worker, *poller.Conn) T) (answer T, err error) {
	id, ok := parseClientID(text)
	at := placeOf(id)
	if !ok || at.loop >= len(b.workers) {
		return answer, notFound("client", text)
	}
	w := b.workers[at.loop]
	type found struct {
		answer T
		ok     bool
	}
	f, err := ask(ctx, w, func() (f found) {
		if c := w.client(id); c != nil {
			f = found{fn(w, c), true}
		}
		return f
	})
	if err == nil && !f.ok {
		err = notFound("client", text)
	}
	return f.answer, err
}

// client finds one of this loop's, nil where it is gone.
func (w *worker) client(id pubsub.ClientID) (client *poller.Conn) {
	w.loop.Scan(placeOf(id).handle, 1, func(c *poller.Conn) bool {
		if w.id(c) == id && isClient(c) {
			client = c
		}
		return false
	})
	return client
}

// isClient reports whether a connection is past its upgrade and not being closed.
func isClient(c *poller.Conn) bool { return c.Kind != connHTTP && c.Open() }
