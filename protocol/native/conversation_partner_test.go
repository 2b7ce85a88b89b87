package native

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/megawire/megawire/codec/ws"
	"github.com/megawire/megawire/protocol"
	"github.com/megawire/megawire/pubsub"
)

// What the server of FuzzConversation is like, for both sides of the comparison.
const (
	partnerSubsMax = 4
	partnerKept    = 6000 // messages of each filter, for last
	partnerBudget  = 24   // messages of the conversation: past them everything is rate_limited
	partnerWait    = 250  // ms, which it then asks for
)

// partner is a connection to a server that keeps subscriptions and refuses by name: what begins with secret is
// forbidden, what begins with full has no room, what begins with later is decided behind the next request.
type partner struct {
	protocol.Peer
	subscriptions []joined // oldest first
	seq           uint64

	pending []func()
	settled int // of pending, those that are due

	replies []string
	did     []string
	told    []string // codes
	charged int      // messages
	closed  bool
}

type joined struct {
	filter string
	at     pubsub.Joined
}

func newPartner() *partner { return &partner{} }

// settle decides publications that were to be decided later: those of the requests before the last one, or all.
func (p *partner) settle(all bool) {
	due := p.settled
	if all {
		due = len(p.pending)
	}
	for _, decide := range p.pending[:due] {
		decide()
	}
	p.pending = p.pending[due:]
	p.settled = len(p.pending)
}

func (p *partner) ClientID() string { return "7f2c" }

func (p *partner) Reply(frames []byte) { p.replies = append(p.replies, textOf(frames)) }

func (p *partner) Close(code ws.CloseCode, _ string) {
	p.did = append(p.did, fmt.Sprintf("close %d", code))
	p.closed = true
}

func (p *partner) Admit() (retryAfterMillis int) {
	if p.charged >= partnerBudget {
		return partnerWait
	}
	p.charged++
	return 0
}

func (p *partner) Charge(messages int) { p.charged += max(0, messages) }

func (p *partner) Refused(code string) { p.told = append(p.told, code) }

func (p *partner) Deflates() bool { return false }

func (p *partner) Subscribe(r *pubsub.Request) (pubsub.Joined, error) {
	filter, err := pubsub.ParseFilter(r.Filter)
	i := slices.IndexFunc(p.subscriptions, func(j joined) bool { return j.filter == r.Filter })
	at := pubsub.Joined{Epoch: "k3x9", Seq: 42, Wild: filter.Wild(), Terms: r.Terms, Recovered: -1}
	at.Snapshot = min(r.Last, partnerKept)
	switch {
	case err != nil:
		return pubsub.Joined{}, err
	case strings.HasPrefix(r.Filter, "secret"):
		return pubsub.Joined{}, protocol.ErrForbidden
	case i < 0 && len(p.subscriptions) == partnerSubsMax:
		return pubsub.Joined{}, pubsub.ErrTooManySubs
	case r.Last > 0 && at.Snapshot > r.SnapshotMax:
		return pubsub.Joined{}, pubsub.ErrSnapshot
	case at.Wild:
		at.TS = 1763632800123
	case at.Terms.Mode == pubsub.ModeOfRule:
		at.Terms.Mode = pubsub.ModeAll
	}
	if r.Since != nil {
		at.Recovered = 0
		if r.Since.Epoch == at.Epoch {
			at.Recovered = 1
		}
		p.did = append(p.did, showSince(r.Filter, r.Since.Epoch, r.Since.Seq, r.Since.TS, r.Since.Seqs))
	}
	if i < 0 {
		p.subscriptions = append(p.subscriptions, joined{strings.Clone(r.Filter), at})
	} else {
		p.subscriptions[i].at = at
	}
	return at, nil
}

func (p *partner) Unsubscribe(filter string) bool {
	before := len(p.subscriptions)
	p.subscriptions = slices.DeleteFunc(p.subscriptions, func(j joined) bool { return j.filter == filter })
	return len(p.subscriptions) < before
}

func (p *partner) Subscriptions(yield func(filter string, at pubsub.Joined)) {
	for _, j := range p.subscriptions {
		yield(j.filter, j.at)
	}
}

func (p *partner) Presence(topic string, _ int) (clients []string, count int, err error) {
	switch {
	case strings.HasPrefix(topic, "secret"):
		return nil, 0, protocol.ErrForbidden
	case strings.HasPrefix(topic, "full"):
		return nil, 0, protocol.ErrNoPresence
	}
	return []string{"7f2c"}, 2, nil
}

func (p *partner) Publish(m *pubsub.Publication, later func() protocol.Published) (pubsub.Receipt, error) {
	switch {
	case !pubsub.ValidTopic(m.Topic):
		return pubsub.Receipt{}, pubsub.ErrBadTopic
	case pubsub.Reserved(m.Topic):
		return pubsub.Receipt{}, pubsub.ErrReservedTopic
	case strings.HasPrefix(m.Topic, "secret"):
		return pubsub.Receipt{}, protocol.ErrForbidden
	case strings.HasPrefix(m.Topic, "full"):
		return pubsub.Receipt{}, pubsub.ErrNoRoom
	}
	p.seq++
	r := pubsub.Receipt{Epoch: "k3x9", Seq: p.seq}
	p.did = append(p.did, showPublication(m.Topic, int(m.Content), m.Payload, m.NoEcho))
	if strings.HasPrefix(m.Topic, "later") {
		published := later()
		p.pending = append(p.pending, func() { published(p, r, nil) })
		return pubsub.Receipt{}, pubsub.ErrPending
	}
	return r, nil
}

func showPublication(topic string, content int, payload []byte, noEcho bool) string {
	return fmt.Sprintf("publish %q %d %q %v", topic, content, payload, noEcho)
}

func showSince(filter, epoch string, seq uint64, ts int64, seqs map[string]uint64) string {
	var named []string
	for _, topic := range slices.Sorted(maps.Keys(seqs)) {
		named = append(named, fmt.Sprintf("%q:%d", topic, seqs[topic]))
	}
	return fmt.Sprintf("since %q %q %d %d %v", filter, epoch, seq, ts, named)
}
