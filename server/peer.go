package server

import (
	"errors"
	"strconv"
	"strings"

	"github.com/megawire/megawire/codec/ws"
	"github.com/megawire/megawire/poller"
	"github.com/megawire/megawire/protocol"
	"github.com/megawire/megawire/pubsub"
)

// peer is a connection as its protocol sees it: protocol.Peer. There is one a worker, which stands for
// whichever connection is being served.
type peer struct {
	w *worker
	c *poller.Conn
}

func (w *worker) peerOf(c *poller.Conn) *peer {
	w.peer.c = c
	return &w.peer
}

// A client id holds the loop, the generation and the handle of a connection: 8, 24 and 32 bits.
func (w *worker) id(c *poller.Conn) pubsub.ClientID {
	return pubsub.ClientID(uint64(w.loop.Index())<<56 | uint64(c.Generation()&0xffffff)<<32 | uint64(c.Handle()))
}

func formatClientID(id pubsub.ClientID) string { return strconv.FormatUint(uint64(id), 36) }

func parseClientID(s string) (pubsub.ClientID, bool) {
	n, err := strconv.ParseUint(s, 36, 64)
	return pubsub.ClientID(n), err == nil && strings.ToLower(s) == s
}

func (p *peer) ID() pubsub.ClientID { return p.w.id(p.c) }

func (p *peer) ClientID() string { return formatClientID(p.ID()) }

func (p *peer) Reply(frames []byte) { p.w.send(p.c, frames) }

func (p *peer) Close(code ws.CloseCode, reason string) { p.w.close(p.c, code, reason) }

func (p *peer) State() *uint32 { return &p.c.User[userWord] }

func (p *peer) Refused(code string) { p.w.counts.tell(code) }

func (p *peer) Deflates() bool { return p.c.Flags&flagDeflate != 0 }

// kinds of encoding by Conn.Kind, without and with compression.
var kinds = [connKinds][2]pubsub.Kind{connNative: {kindNative, kindNativeDeflate}, connRaw: {kindRaw, kindRawDeflate}}

func (p *peer) kind() pubsub.Kind {
	if p.Deflates() {
		return kinds[p.c.Kind][1]
	}
	return kinds[p.c.Kind][0]
}

func (p *peer) Subscribe(r *pubsub.Request) (pubsub.Joined, error) {
	if err := p.w.s.maySubscribe(r.Filter); err != nil {
		return pubsub.Joined{}, err
	}
	id := pubsub.SubscriberID(p.c.User[userSubscriber])
	if id == 0 {
		id = p.w.shard.NewSubscriber(p.c.Handle(), p.kind())
		p.c.User[userSubscriber] = uint32(id)
	}
	before := p.w.shard.Looks()
	joined, err := p.w.shard.Subscribe(id, r)
	p.chargeLooks(before, joined.Snapshot)
	return p.told(r.Filter, joined), err
}

// told is what a client is told of a subscription. The shard leaves the mode of a pattern to each topic's rule; where
// these agree on the latest the client is to know, or it takes what is passed over for lost.
func (p *peer) told(filter string, at pubsub.Joined) pubsub.Joined {
	if at.Wild && p.w.s.rules.latestAlone(pubsub.Filter(filter), at.Terms.Mode) {
		at.Terms.Mode = pubsub.ModeLatest
	}
	return at
}

func (p *peer) Unsubscribe(filter string) bool {
	id := p.c.User[userSubscriber]
	if id == 0 {
		return false
	}
	before := p.w.shard.Looks()
	ended := p.w.shard.Unsubscribe(pubsub.SubscriberID(id), filter)
	p.chargeLooks(before, 0)
	return ended
}

// chargeLooks counts looks at topics since there were so many, and messages of a snapshot.
func (p *peer) chargeLooks(before, snapshot int) {
	p.w.pace.messages((p.w.shard.Looks() - before + snapshot) / looksAMessage)
}

func (p *peer) Subscriptions(yield func(filter string, at pubsub.Joined)) {
	if id := p.c.User[userSubscriber]; id != 0 {
		p.w.shard.Subscriptions(pubsub.SubscriberID(id), func(filter string, at pubsub.Joined) { yield(filter, p.told(filter, at)) })
	}
}

func (p *peer) Topics(yield func(filter string)) {
	if id := p.c.User[userSubscriber]; id != 0 {
		p.w.shard.Topics(pubsub.SubscriberID(id), yield)
	}
}

func (p *peer) Presence(topic string, limit int) (clients []string, count int, err error) {
	if !pubsub.ValidTopic(topic) || pubsub.Reserved(topic) {
		return nil, 0, pubsub.ErrBadTopic
	}
	if err := p.w.s.maySubscribe(topic); err != nil {
		return nil, 0, err
	}
	ids, count, ok := p.w.s.hub.Presence(topic, limit)
	if !ok {
		return nil, 0, protocol.ErrNoPresence
	}
	clients = make([]string, len(ids))
	for i, id := range ids {
		clients[i] = formatClientID(id)
	}
	return clients, count, nil
}

// Publish publishes on the loop. Many small frames can come in one read, so the topic may be full because
// of this loop alone, which gets no turn before the read is dealt with: it takes what is in flight and
// tries once more.
func (p *peer) Publish(m *pubsub.Publication, later func() protocol.Published) (pubsub.Receipt, error) {
	w := p.w
	r, err := pubsub.Receipt{}, w.s.mayPublish(m.Topic)
	if err == nil {
		m.Origin = p.ID()
		a := w.nextAnswer()
		if r, err = w.s.hub.Publish(m, a.come); errors.Is(err, pubsub.ErrNoRoom) {
			w.shard.Take()
			r, err = w.s.hub.Publish(m, a.come)
		}
		if errors.Is(err, pubsub.ErrPending) {
			a.handle, a.generation, a.published = p.c.Handle(), p.c.Generation(), later()
			w.answer = nil
		}
	}
	w.counts.publication(p.c.Kind, err)
	return r, err
}

// answer is a broker's to a publication that it decides later. Its fields are of the loop.
type answer struct {
	handle, generation uint32
	published          protocol.Published

	come func(pubsub.Receipt, error) // any goroutine
}

// nextAnswer returns the answer for the next publication. As long as brokers decide on the spot it stays
// the same one.
func (w *worker) nextAnswer() *answer {
	if w.answer == nil {
		a := &answer{}
		a.come = func(r pubsub.Receipt, err error) {
			// After the event that published, even if the broker was quicker. A loop that takes no more has lost touch with
			// its clients for longer than they wait for an answer.
			_ = w.loop.Post(func() {
				if c := w.loop.Conn(a.handle, a.generation); c != nil && c.Open() {
					a.published(w.peerOf(c), r, err)
				}
			})
		}
		w.answer = a
	}
	return w.answer
}
