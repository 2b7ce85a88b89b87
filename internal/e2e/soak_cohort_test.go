package e2e

import (
	"errors"
	"fmt"
	"math"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/megawire/megawire/internal/model"
)

// cohort is a kind of client.
type cohort struct {
	name     string
	perMille int                     // of all places; one at least
	asks     func(n int) []model.Ask // of its n-th place; nil: it reads by /raw
	acts     func(p *place)          // when it is its turn; nil: never
	every    time.Duration           // from turn to turn, on average

	narrow    bool // a small receive buffer
	publishes bool
}

// publishersPerMille are those on /ws. Each has a topic of its own.
const publishersPerMille, rawPublishersPerMille = 3, 1

// cohorts are those of a soak with so many places, in which x draws from a capture.
func (s *soak) cohorts(places int, x *choice, sensors *capture) []*cohort {
	one := func(filter string, terms model.Terms) []model.Ask { return []model.Ask{{Filter: filter, Terms: terms}} }
	chat := func(n int) string { return fmt.Sprint(chatPrefix, n%share(places, publishersPerMille)) }
	bulk := func(n int) string { return fmt.Sprint(bulkPrefix, n%bulkTopics) }
	latest, often := model.Terms{Mode: model.Latest}, model.Terms{Every: 100}
	return []*cohort{
		{name: "steady", perMille: 588, asks: func(int) []model.Ask { return x.usual() }},
		{name: "busy", perMille: 10, asks: func(int) []model.Ask { return append(x.usual(), model.Ask{Filter: x.much().Filter}) }},
		{name: "sensors", perMille: 10, asks: func(n int) []model.Ask { return one(sensors.topics[n%len(sensors.topics)], model.Terms{}) }},
		{name: "chatty", perMille: 20, asks: func(n int) []model.Ask { return append(x.usual(), model.Ask{Filter: chat(n)}) }},

		{name: "one level", perMille: 5, asks: func(int) []model.Ask {
			a := x.pattern()
			a.Every = 200
			return append(x.usual(), a)
		}},
		{name: "many levels", perMille: 2, asks: func(int) []model.Ask { return one("sensors/#", model.Terms{}) }},
		{name: "everything", perMille: 1, asks: func(n int) []model.Ask { return one("#", []model.Terms{latest, {}}[n%2]) }},

		{name: "churner", perMille: 150, every: 12 * time.Second, acts: (*place).leaveForGood, asks: s.churner(x)},
		{name: "resumer", perMille: 180, every: 10 * time.Second, acts: (*place).dropOrResume, asks: func(n int) []model.Ask {
			switch n % 20 {
			case 0:
				return append(x.usual(), model.Ask{Filter: bulk(n / 20)})
			case 1:
				return append(x.usual(), model.Ask{Filter: "sensors/+/+"})
			}
			return x.usual()
		}},
		{name: "slow", perMille: 10, every: 5 * time.Second, acts: (*place).listenOrNot, narrow: true, asks: func(n int) []model.Ask {
			return append(x.usual(), model.Ask{Filter: bulk(n), Terms: []model.Terms{{}, {}, latest, often}[n%4]})
		}},

		{name: "raw", perMille: 20},
		{name: "publisher", perMille: publishersPerMille, every: 500 * time.Millisecond, acts: (*place).publish, publishes: true,
			asks: func(n int) []model.Ask { return one(chat(n+1), model.Terms{}) }},
		{name: "raw publisher", perMille: rawPublishersPerMille, every: 500 * time.Millisecond, acts: (*place).publish, publishes: true},
	}
}

// Topics of publishers on /ws and on /raw.
const (
	chatPrefix = "chat/"
	rawPrefix  = "raw/"
)

// share is how many places of so many a cohort has.
func share(places, perMille int) int { return max(1, places*perMille/1000) }

// churner asks for what is usual, some with what was said last.
func (s *soak) churner(x *choice) func(n int) []model.Ask {
	return func(n int) []model.Ask {
		asks := x.usual()
		if n%5 == 0 {
			for i := range asks {
				asks[i].Last = 1 + s.rnd.IntN(5)
			}
		}
		return asks
	}
}

// fill takes all places.
func (s *soak) fill(places int, cohorts []*cohort) {
	for _, c := range cohorts {
		for n := range share(places, c.perMille) {
			p := &place{soak: s, cohort: c, n: n}
			s.places = append(s.places, p)
			switch {
			case c.asks == nil && c.publishes:
				p.enterRaw(s.topics[fmt.Sprint(rawPrefix, n)], "?echo=1")
			case c.asks == nil:
				p.enterRaw(s.rawTopics[n%len(s.rawTopics)], []string{"", "?last=1"}[n/len(s.rawTopics)%2])
			default:
				p.begin(c.asks(n))
			}
			if c.acts != nil {
				p.again(c.every)
			}
			if len(s.places)%50 == 0 {
				s.round(0)
			}
		}
	}
	s.until("all have come in", func() bool { return s.asking == 0 })
}

// takeTurns lets those act whose time has come.
func (s *soak) takeTurns() {
	now := time.Now()
	for _, p := range s.places {
		switch {
		case p.cohort.asks == nil:
			p.upgraded()
		case p.asking:
			continue
		}
		if !p.next.IsZero() && now.After(p.next) {
			p.cohort.acts(p)
		}
	}
}

// again sets when it is the client's turn, in such a time on average.
func (p *place) again(in time.Duration) {
	p.next = time.Now().Add(in/2 + time.Duration(p.soak.rnd.Int64N(int64(in))))
}

// leaveForGood makes room for another client: at once, or when the one that is there has all that anybody had when it
// was to leave.
func (p *place) leaveForGood() {
	if p.goal == nil {
		p.goal = make([]uint64, len(p.standings))
		for i, r := range p.standings {
			if r.begun && p.turns%2 == 0 {
				p.goal[i] = r.topic.seen
			}
		}
	}
	for i, r := range p.standings {
		if r.at < p.goal[i] {
			return // the next look is not far
		}
	}
	p.turns++
	p.leave(func() {
		p.begin(p.cohort.asks(p.n))
		p.again(p.cohort.every)
	})
}

// notWaitedFor is for how long somebody may not have read what comes before the answer to a close frame who gets none: the
// server's linger time, but for the second that its clock is coarse.
const notWaitedFor = 4 * time.Second

// leave ends the connection, by a reset, by the end of the stream or by a close handshake in turn.
func (p *place) leave(then func()) {
	m, way := p.m, p.soak.left%3
	p.m, p.next, p.gone = nil, time.Time{}, time.Now()
	p.soak.left++
	p.soak.leaving++
	ended := func() {
		p.soak.leaving--
		then()
	}
	switch way {
	case 0:
		m.cut()
		ended()
		return
	case 1:
		if err := unix.Shutdown(m.fd, unix.SHUT_WR); err != nil {
			p.soak.fail(err)
		}
	default:
		if err := m.write(frame(final(opClose), []byte{3, 232})); err != nil {
			p.soak.fail(err)
		}
	}
	m.ended = func(why error) {
		over := errors.Is(why, errEnded) || errors.Is(why, syscall.ECONNRESET) ||
			way == 1 && errors.Is(why, syscall.EPIPE) // a ping came that could not be answered any more
		switch {
		case way == 2 && over && time.Since(p.gone) > notWaitedFor: // on this busy machine
			p.soak.unanswered++
		case way == 1 && !over, way == 2 && !errors.Is(why, errClosing):
			p.soak.fail(fmt.Errorf("%v, has left: %w", p, why))
		}
		ended()
	}
}

// dropOrResume leaves, or goes on where it was. Seldom it is away for longer than messages are kept: at random, for in turn
// all would be there at times, and many away at others.
func (p *place) dropOrResume() {
	if p.m == nil {
		p.resumed = true
		p.enter()
		p.again(p.cohort.every)
		return
	}
	pause := time.Second
	if p.soak.rnd.IntN(40) == 0 {
		pause = 90 * time.Second
	}
	p.leave(func() { p.again(pause) })
}

// listenOrNot stops reading, or reads on.
func (p *place) listenOrNot() {
	p.m.listen(p.m.deaf)
	p.again(p.cohort.every)
}

// publish publishes the next message of the client's own topic.
func (p *place) publish() {
	p.again(p.cohort.every)
	if p.cohort.asks == nil {
		f := p.standings[0].topic
		p.m.send(string(f.payload(f.sent.Add(1))))
		return
	}
	f := p.soak.topics[fmt.Sprint(chatPrefix, p.n)]
	n := f.sent.Add(1)
	p.soak.publishing++
	p.m.send(fmt.Sprintf(`{"op":"publish","id":%d,"topic":%q,"data":%s}`, n, f.name, f.payload(n)))
}

// published takes the answer to a publication.
func (p *place) published(topic string, id, seq uint64) error {
	if topic != fmt.Sprint(chatPrefix, p.n) || id != seq {
		return fmt.Errorf("message %d was published as %s %d", id, topic, seq)
	}
	p.soak.publishing--
	return nil
}

// enterRaw connects a client on /raw.
func (p *place) enterRaw(f *soakTopic, query string) {
	r := &standing{topic: f, all: true, high: math.MaxUint64}
	p.standings = []*standing{r}
	p.join("/raw/"+f.name+query, func(data []byte) error {
		seq := r.at + 1
		if !r.begun {
			seq = f.number(data)
		}
		return r.message(p.soak, seq, data)
	})
}

// upgraded says that what is published from now on comes.
func (p *place) upgraded() {
	if r := p.standings[0]; p.m.frame && !r.begun && r.high == math.MaxUint64 {
		r.high = r.topic.sent.Load() + 1
	}
}
