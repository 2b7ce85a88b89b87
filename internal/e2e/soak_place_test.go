package e2e

import (
	"bytes"
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
	goal      []uint64          // of each standing, what is to come before it leaves; nil: it stays
}

// narrowBytes is the receive buffer of narrow clients. Of a much smaller one the kernel takes the window, which opens for less
// than what is next to be sent, for one that does not open at all, and ends the connection (TCP_USER_TIMEOUT).
const narrowBytes = 128 << 10

// standing is where a client stands in a topic.
type standing struct {
	topic *soakTopic
	all   bool // every message; else the latest

	begun  bool   // from is known
	low    uint64 // until then: the first message is above it,
	high   uint64 // and this one at the latest
	from   uint64 // counting begins after it
	at     uint64 // up to here everything has come, or was told missing
	got    uint64 // messages that have come
	told   uint64 // messages that were told missing
	ts     int64  // of the ack that it began with
	byTime bool   // it was asked for by a pattern
}

// enter connects the client, which asks for what it is to read from now on, or since it left.
func (p *place) enter() {
	p.asking, p.partly, p.goal = true, false, nil
	p.floor = map[string]uint64{}
	for _, a := range p.asks {
		if f := p.soak.topics[a.Filter]; f != nil {
			p.floor[a.Filter] = f.seen
		}
	}
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
		p.soak.fail(fmt.Errorf("%s %d, %v, connected %v ago: %w", p.cohort.name, p.n, p.asks, time.Since(p.connected).Round(time.Second), why))
	}
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
	err := p.take(text)
	if err != nil {
		err = fmt.Errorf("%s %d, %v: %w", p.cohort.name, p.n, p.asks, err)
	}
	return err
}

func (p *place) take(text []byte) error {
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

// message takes the next message of a topic: in order, once, and what was published.
func (r *standing) message(s *soak, seq uint64, data []byte) error {
	switch {
	case seq > r.topic.sent.Load() || !bytes.Equal(data, r.topic.payload(seq)):
		return fmt.Errorf("%s %d is not what was published: %.200s", r.topic.name, seq, data)
	case !r.begun && (seq <= r.low || r.all && seq > r.high):
		return fmt.Errorf("%s begins with %d, not with one of %d to %d", r.topic.name, seq, r.low+1, r.high)
	case r.begun && (seq <= r.at || r.all && seq != r.at+1):
		return fmt.Errorf("%s %d came behind %d", r.topic.name, seq, r.at)
	}
	r.begins(seq - 1)
	r.at = seq
	r.got++
	r.topic.seen = max(r.topic.seen, seq)
	s.received++
	return nil
}

// begins says that counting begins after a number, if it has not begun.
func (r *standing) begins(after uint64) {
	if !r.begun {
		r.begun, r.from, r.at = true, after, after
	}
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
// falls out of what is kept. Only who was away may have missed what has expired: the ack says so, but of long messages
// some may go between the ack and what it promises.
func (p *place) gap(g *gap) error {
	r := p.standing([]byte(g.Topic))
	long := strings.HasPrefix(g.Topic, bulkPrefix)
	excused := map[string]bool{"slow": long && r != nil && r.all, "expired": p.partly || p.resumed && long}
	switch {
	case r == nil, !excused[g.Reason], p.asking, g.From > g.To, g.To > r.topic.sent.Load(),
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

// subscribedByPattern: what is published once the ack has come, comes; what was published just before, maybe.
func (r *standing) subscribedByPattern(ts int64) {
	if r.byTime {
		return // it goes on
	}
	r.ts, r.byTime, r.high = ts, true, r.topic.sent.Load()+1
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

// owed is how a client that is to have everything is short of it, when nothing is on its way any more.
func (r *standing) owed() error {
	switch head := r.topic.sent.Load(); {
	case !r.begun && head >= r.high, r.begun && r.at != head:
		return fmt.Errorf("%s: it stands at %d, the topic at %d", r.topic.name, r.at, head)
	case r.begun && r.all && r.got+r.told != head-r.from:
		return fmt.Errorf("%s: %d came and %d were told missing, of %d", r.topic.name, r.got, r.told, head-r.from)
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
