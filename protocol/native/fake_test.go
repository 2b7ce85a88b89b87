package native

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/megawire/megawire/codec/http1"
	"github.com/megawire/megawire/codec/ws"
	"github.com/megawire/megawire/protocol"
	"github.com/megawire/megawire/pubsub"
)

// fakePeer is a connection whose server answers as the test says.
type fakePeer struct {
	protocol.Peer
	joined   map[string]pubsub.Joined // by filter; a topic at 42 where there is none
	refused  map[string]error         // by filter or topic
	has      []string                 // what list yields
	clients  []string                 // on every topic
	count    int
	kept     int      // messages of every topic, for last
	asked    []string // subscriptions, as showAsk gives them
	left     []string
	replies  []string
	closed   string
	presence []string // what was asked for
	state    uint32
	wait     int      // what Admit says
	charged  int      // messages
	told     []string // codes
}

func (p *fakePeer) ClientID() string { return "7f2c" }

func (p *fakePeer) Reply(frames []byte) { p.replies = append(p.replies, textOf(frames)) }

func (p *fakePeer) Close(code ws.CloseCode, reason string) {
	p.closed = fmt.Sprintf("%d %s", code, reason)
}

func (p *fakePeer) Admit() int {
	if p.wait == 0 {
		p.charged++
	}
	return p.wait
}

func (p *fakePeer) Charge(messages int) { p.charged += messages }

func (p *fakePeer) Refused(code string) { p.told = append(p.told, code) }

func (p *fakePeer) State() *uint32 { return &p.state }

func (p *fakePeer) Subscribe(r *pubsub.Request) (pubsub.Joined, error) {
	p.asked = append(p.asked, showAsk(r))
	if err := p.refused[r.Filter]; err != nil {
		return pubsub.Joined{}, err
	}
	if _, err := pubsub.ParseFilter(r.Filter); err != nil {
		return pubsub.Joined{}, err
	}
	joined, ok := p.joined[r.Filter]
	if !ok {
		joined = pubsub.Joined{
			Epoch: "k3x9", Seq: 42, Wild: pubsub.Filter(r.Filter).Wild(), Recovered: -1, Terms: pubsub.Terms{Mode: pubsub.ModeAll},
		}
	}
	if joined.Wild {
		joined.TS = 1763632800123
	}
	joined.Snapshot = min(r.Last, p.kept)
	if r.Last > 0 && joined.Snapshot > r.SnapshotMax {
		return pubsub.Joined{}, pubsub.ErrSnapshot
	}
	return joined, nil
}

func (p *fakePeer) Unsubscribe(filter string) bool {
	p.left = append(p.left, filter)
	return false
}

func (p *fakePeer) Subscriptions(yield func(filter string, at pubsub.Joined)) {
	for _, filter := range p.has {
		yield(filter, p.joined[filter])
	}
}

func (p *fakePeer) Presence(topic string, limit int) (clients []string, count int, err error) {
	p.presence = append(p.presence, fmt.Sprintf("%s %d", topic, limit))
	return p.clients, p.count, p.refused[topic]
}

// showAsk gives a request of a subscription in a line, with what is set.
func showAsk(r *pubsub.Request) string {
	var b strings.Builder
	b.WriteString(r.Filter)
	if r.Last > 0 {
		fmt.Fprintf(&b, " last=%d of %d", r.Last, r.SnapshotMax)
	}
	if s := r.Since; s != nil {
		fmt.Fprintf(&b, " since=%s,%d,%dms", s.Epoch, s.Seq, s.TS)
		for _, topic := range slices.Sorted(maps.Keys(s.Seqs)) {
			fmt.Fprintf(&b, ",%s:%d", topic, s.Seqs[topic])
		}
	}
	if r.Terms.Mode != pubsub.ModeOfRule {
		b.WriteString([...]string{pubsub.ModeAll: " all", pubsub.ModeLatest: " latest"}[r.Terms.Mode])
	}
	if r.Terms.EveryMillis > 0 {
		fmt.Fprintf(&b, " every=%d", r.Terms.EveryMillis)
	}
	return b.String()
}

// textOf gives what one frame of text, sent by a server, says.
func textOf(frame []byte) string {
	header, n, err := ws.ParseHeader(frame, ws.ClientSide)
	if err != nil || n == 0 || header.OpCode != ws.Text || int64(len(frame)-n) != header.Length {
		return fmt.Sprintf("not one frame of text: %q", frame)
	}
	return string(frame[n:])
}

// upgradeFor gives the request for a target, as the protocols see it.
func upgradeFor(target string) *http1.Request {
	path, query, _ := strings.Cut(target, "?")
	return &http1.Request{Path: []byte(path), Query: []byte(query)}
}
