package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/megawire/megawire/internal/model"
)

// place is one of the soak's clients, or several of which one comes when the other has left: what it has asked for, and
// how far it has come in each topic.
type place struct {
	soak      *soak
	cohort    *cohort
	n         int     // of its cohort
	m         *member // nil while it is away
	asks      []model.Ask
	standings []*standing
	next      time.Time // when it is its turn to do something
	turns     int       // it has done something

	connected time.Time         // when it connected
	asking    bool              // an answer is to come
	floor     map[string]uint64 // the newest numbers of exact topics that anybody had when it asked
	resumed   bool              // its subscriptions go on from earlier ones
	partly    bool              // and the server has said that not all was kept
	stale     bool              // it comes back to messages that are about to expire, or have
	gone      time.Time         // when it left
	goal      []uint64          // of each standing, what is to come before it leaves; nil: it stays
}

// narrowBytes is the receive buffer of narrow clients. Of a much smaller one the kernel's window opens for less than what is
// next to be sent, so that the peer hardly gets on, and is closed once in a while for having read nothing for too long.
const narrowBytes = 128 << 10

// staleAfter is from when on messages may go while a client catches up, seconds of this busy machine before the minute for
// which they are kept.
const staleAfter = 30 * time.Second

// enter connects the client, which asks for what it is to read from now on, or since it left.
func (p *place) enter() {
	p.asking, p.partly, p.goal = true, false, nil
	p.floor = map[string]uint64{}
	for _, a := range p.asks {
		if f := p.soak.topics[a.Filter]; f != nil {
			p.floor[a.Filter] = f.seen
		}
	}
	p.stale = p.resumed && time.Since(p.gone) > staleAfter
	asks := p.asks
	if p.resumed {
		asks = p.since()
	}
	p.soak.asking++
	p.join("/ws", p.on, subscription(asks))
}

// join connects the client, which does not expect the end of it.
func (p *place) join(target string, on func(text []byte) error, requests ...string) {
	p.connected = time.Now()
	p.m = p.soak.joinAt(p.upgrade(target), false, on, requests...)
	if p.cohort.narrow { // else the kernel would read on for seconds
		if err := unix.SetsockoptInt(p.m.fd, unix.SOL_SOCKET, unix.SO_RCVBUF, narrowBytes); err != nil {
			p.soak.fail(err)
		}
	}
	p.m.ended = func(why error) {
		p.soak.fail(fmt.Errorf("%v: %w", p, why))
	}
}

func (p *place) String() string {
	return fmt.Sprintf("%s %d, connected %v ago, %s", p.cohort.name, p.n, time.Since(p.connected).Round(time.Second), subscription(p.asks))
}

// upgrade is the client's HTTP request. A third of all offer permessage-deflate.
func (p *place) upgrade(target string) string {
	u := upgradeRequest(target)
	if p.n%3 == 0 {
		u = strings.TrimSuffix(u, "\r\n") + "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
	}
	return u
}

// begin sets a new client on the place.
func (p *place) begin(asks []model.Ask) {
	p.asks, p.resumed, p.standings = asks, false, nil
	account := model.NewLog("").NewClient(0)
	for _, a := range asks {
		account.SubscribedByURL(a, model.Always)
	}
	for _, name := range p.soak.names {
		for _, a := range asks {
			if model.Match(a.Filter, name) {
				p.standings = append(p.standings, &standing{topic: p.soak.topics[name], all: account.ReadsAll(name)})
				break
			}
		}
	}
	p.enter()
}

// since are the subscriptions with where the client stands.
func (p *place) since() []model.Ask {
	asks := make([]model.Ask, len(p.asks))
	for i, a := range p.asks {
		a.Last = 0
		a.Since = &model.Since{Epoch: p.soak.epoch}
		if model.Wild(a.Filter) {
			a.Since.Seqs = map[string]uint64{}
		}
		for _, r := range p.standings {
			if !model.Match(a.Filter, r.topic.name) {
				continue
			}
			a.Since.Seq, a.Since.TS = r.at, r.ts // the one for a topic, the other for a pattern
			if r.begun && a.Since.Seqs != nil {
				a.Since.Seqs[r.topic.name] = r.at
			}
		}
		asks[i] = a
	}
	return asks
}

func (p *place) standing(topic []byte) *standing {
	for _, r := range p.standings {
		if r.topic.name == string(topic) {
			return r
		}
	}
	return nil
}

// on takes a frame.
func (p *place) on(text []byte) error {
	m, ok := cutMessage(text)
	if !ok {
		return p.other(text)
	}
	r := p.standing(m.topic)
	switch {
	case r == nil:
		return fmt.Errorf("not asked for: %.200s", text)
	case p.asking:
		return fmt.Errorf("before the ack: %.200s", text)
	}
	return r.message(p.soak, m.seq, m.data)
}

// other takes what is no message.
func (p *place) other(text []byte) error {
	var x struct {
		gap
		ID     *uint64
		Seq    uint64
		Topics []struct {
			granted
			TS int64
		}
	}
	if err := json.Unmarshal(text, &x); err != nil {
		return err
	}
	switch {
	case x.Op == "gap":
		return p.gap(&x.gap)
	case x.Op == "ok" && p.asking && len(x.Topics) == len(p.asks):
		p.asking = false
		p.soak.asking--
		for i := range x.Topics {
			if err := p.granted(p.asks[i], &x.Topics[i].granted, x.Topics[i].TS); err != nil {
				return err
			}
		}
		return nil
	case x.Op == "ok" && x.ID != nil && p.cohort.publishes:
		return p.published(x.Topic, *x.ID, x.Seq)
	}
	return fmt.Errorf("got %.300s", text)
}

// gap takes a notice. Only of long messages can so many come that a reader who waits, or whom this busy machine lets wait,
// falls out of what is kept. Only who was away may have missed what has expired. The ack says so, but of what was about to
// go some may go between the ack and what it promises, or before the client has caught up; of a snapshot, too.
func (p *place) gap(g *gap) error {
	r := p.standing([]byte(g.Topic))
	long := strings.HasPrefix(g.Topic, bulkPrefix)
	excused := g.Reason == "slow" && (long || p.stale || r != nil && !r.begun) || g.Reason == "expired" && (p.partly || p.stale || p.resumed && long)
	switch {
	case r == nil, !excused, g.Reason == "slow" && !r.all, p.asking, g.From > g.To, g.To > r.topic.sent.Load(),
		!r.begun && (g.From <= r.low || g.From > r.high), r.begun && g.From != r.at+1:
		return fmt.Errorf("out of place: %+v, where %+v", *g, r)
	}
	r.begins(g.From - 1)
	r.at = g.To
	r.told += g.To - g.From + 1
	p.soak.told[g.Reason] += g.To - g.From + 1
	return nil
}

// granted takes what the ack says of a filter.
func (p *place) granted(a model.Ask, g *granted, ts int64) error {
	o := g.answer()
	switch {
	case g.Error != "", g.Topic != a.Filter, (o.Recovered >= 0) != p.resumed:
		return fmt.Errorf("asked for %+v, got %+v", a, *g)
	case p.soak.epoch == "":
		p.soak.epoch = g.Epoch
	case p.soak.epoch != g.Epoch:
		return fmt.Errorf("the epoch was %s, it is %s", p.soak.epoch, g.Epoch)
	}
	p.partly = p.partly || o.Recovered == 0
	for _, r := range p.standings {
		if !model.Match(a.Filter, r.topic.name) {
			continue
		}
		if model.Wild(a.Filter) {
			r.subscribedByPattern(ts)
		} else if err := p.subscribed(r, a.Last, o.Seq); err != nil {
			return err
		}
	}
	return nil
}

// subscribed takes the head of a topic that was asked for by its name.
func (p *place) subscribed(r *standing, last int, head uint64) error {
	if floor := p.floor[r.topic.name]; head < floor || head < r.at || head > r.topic.sent.Load() {
		return fmt.Errorf("%s is said to be at %d; somebody had %d before, it %d, %d were sent",
			r.topic.name, head, floor, r.at, r.topic.sent.Load())
	}
	switch {
	case p.resumed:
	case last > 0 && head > 0:
		r.low, r.high = head-min(head, uint64(last)), head
	default:
		r.begins(head)
	}
	return nil
}

// has says that the client has everything that there is.
func (p *place) has() bool { return !p.asking && p.short() == nil }

func (p *place) short() error {
	if p.m == nil {
		return errors.New("it is away")
	}
	for _, r := range p.standings {
		if err := r.owed(); err != nil {
			return err
		}
	}
	return nil
}
