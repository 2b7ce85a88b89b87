package pubsub

import (
	"errors"
	"slices"
	"sync"
)

// PresencePrefix and a topic's name make the topic on which its presence is told.
const PresencePrefix = "$presence/"

// presencePerMessageMax bounds the clients that one message of presence speaks of.
const presencePerMessageMax = 1000

// presence is who is subscribed to a topic by its very name. Guarded by the topic's lock.
type presence struct {
	clients map[ClientID]struct{}
}

// newPresence returns nil where the topic's presence is off.
func newPresence(t *topic) *presence {
	if !hasPresence(t.rule, t.name) {
		return nil
	}
	return new(presence)
}

// hasPresence reports whether presence is kept of a topic with that rule. Of the server's own topics it is not,
// nor where the name is too long to have PresencePrefix before it.
func hasPresence(r *Rule, topic string) bool {
	return r.Presence && !Reserved(topic) && len(PresencePrefix)+len(topic) <= TopicBytesMax
}

// presenceJoin says that a client has a subscription to this very topic. The caller holds mu.
func (t *topic) presenceJoin(id ClientID) {
	p := t.present
	if p == nil {
		return
	}
	if _, in := p.clients[id]; in {
		return
	}
	if p.clients == nil {
		p.clients = make(map[ClientID]struct{})
	}
	p.clients[id] = struct{}{}
	t.hub.presenceNews.note(t.name, id, true, len(p.clients))
}

// presenceLeave says that it no longer has. The caller holds mu.
func (t *topic) presenceLeave(id ClientID) {
	p := t.present
	if p == nil {
		return
	}
	if _, in := p.clients[id]; !in {
		return
	}
	if delete(p.clients, id); len(p.clients) == 0 {
		p.clients = nil // a map keeps the size of its best times
	}
	t.hub.presenceNews.note(t.name, id, false, len(p.clients))
}

// Presence returns up to limit of the clients that are subscribed to a topic by its very name, in the order of
// their ids, and how many they are in all. ok is false where presence is off: the topic's rule says so, or it is
// the server's own, or its name is too long for PresencePrefix and it to be a topic.
func (h *Hub) Presence(topic string, limit int) (clients []ClientID, count int, ok bool) {
	t := h.lookup(topic)
	if t == nil {
		return nil, 0, hasPresence(h.ruleOf(topic), topic)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.present == nil {
		return nil, 0, false
	}
	count = len(t.present.clients)
	clients = make([]ClientID, 0, max(0, min(limit, count)))
	for id := range t.present.clients {
		if len(clients) == cap(clients) {
			break
		}
		clients = append(clients, id)
	}
	slices.Sort(clients)
	return clients, count, true
}

// presenceNews is who joined and left since it was last told. It goes by name rather than standing with the
// topics, since a topic may go before its last leave was told, and come again. Its lock comes after a topic's.
type presenceNews struct {
	mu     sync.Mutex
	topics map[string]*presenceChanges // those with news, or with a message that is not yet decided
}

// presenceChanges is the news of one topic, no more than the clients it had when they were last told, and those
// it has now: who joined and left again, or left and came back, is not in it.
type presenceChanges struct {
	joined map[ClientID]bool // false: left
	count  int               // of clients, after all of them
	told   bool              // a message is with the broker; another one waits for its answer
}

// presenceBatch is what one message tells.
type presenceBatch struct {
	joined, left []ClientID // rising
	count        int
}

// note adds a change, after which the topic has count clients.
func (n *presenceNews) note(topic string, id ClientID, joined bool, count int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := n.topics[topic]
	if c == nil {
		c = &presenceChanges{joined: make(map[ClientID]bool)}
		if n.topics == nil {
			n.topics = make(map[string]*presenceChanges)
		}
		n.topics[topic] = c
	}
	c.count = count
	c.change(id, joined)
	n.forget(topic, c)
}

// change adds one of a client. One that is there is the opposite, as joining and leaving take turns; then nothing
// is left to tell.
func (c *presenceChanges) change(id ClientID, joined bool) {
	if _, opposite := c.joined[id]; opposite {
		delete(c.joined, id)
	} else {
		c.joined[id] = joined
	}
}

// forget lets a topic's news go when there are none.
func (n *presenceNews) forget(topic string, c *presenceChanges) {
	if len(c.joined) == 0 && !c.told {
		delete(n.topics, topic)
	}
}

// due is how many changes there are to tell, by topic.
func (n *presenceNews) due() map[string]int {
	n.mu.Lock()
	defer n.mu.Unlock()
	due := make(map[string]int, len(n.topics))
	for topic, c := range n.topics {
		due[topic] = len(c.joined)
	}
	return due
}

// take takes a message's worth of a topic's changes. settle must follow where ok.
func (n *presenceNews) take(topic string) (b presenceBatch, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := n.topics[topic]
	if c == nil || c.told || len(c.joined) == 0 {
		return b, false
	}
	c.told, b.count = true, c.count
	for id, joined := range c.joined {
		if len(b.joined)+len(b.left) == presencePerMessageMax {
			break
		}
		if joined {
			b.joined = append(b.joined, id)
		} else {
			b.left = append(b.left, id)
		}
		delete(c.joined, id)
	}
	slices.Sort(b.joined)
	slices.Sort(b.left)
	return b, true
}

// settle says what became of a message. What could not be told is to be told yet, with what came meanwhile.
func (n *presenceNews) settle(topic string, b *presenceBatch, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := n.topics[topic]
	c.told = false
	if err != nil {
		for _, id := range b.joined {
			c.change(id, true)
		}
		for _, id := range b.left {
			c.change(id, false)
		}
	}
	n.forget(topic, c)
}

// FlushPresence publishes who joined and left since the last time, on PresencePrefix and the topic's name: a
// message a topic, or several where one would be too long. encode makes its payload, JSON; the slices are for the call
// only, count is how many clients there are now. What a broker has no room for is told the next time. Call it a
// few times a second from any goroutine.
func (h *Hub) FlushPresence(encode func(topic string, joined, left []ClientID, count int) []byte) {
	for topic, changes := range h.presenceNews.due() {
		for changes > 0 && h.tellPresence(topic, encode) { // no more than there were: others' turn comes
			changes -= presencePerMessageMax
		}
	}
}

// tellPresence publishes one message; no lock is held meanwhile. It reports whether another one may follow.
func (h *Hub) tellPresence(topic string, encode func(topic string, joined, left []ClientID, count int) []byte) bool {
	b, ok := h.presenceNews.take(topic)
	if !ok {
		return false
	}
	p := &Publication{Topic: PresencePrefix + topic, Payload: encode(topic, b.joined, b.left, b.count)}
	settle := func(_ Receipt, err error) { h.presenceNews.settle(topic, &b, err) }
	r, err := h.broker.Publish(p, settle)
	if !errors.Is(err, ErrPending) {
		settle(r, err)
	}
	return err == nil
}
