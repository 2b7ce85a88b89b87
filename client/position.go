package client

import (
	"slices"
	"strconv"
	"sync"

	"github.com/megawire/megawire/codec/native"
)

// resumeMarginMillis is how much older a message may be than another one that came before it, on another topic: loops
// batch by topic.
const resumeMarginMillis = 2000

// position is how far somebody has come in one topic.
type position struct {
	epoch string // "" while unknown
	seq   uint64 // the newest one had or told missing; before the first, the one after which it begins
	ts    int64  // of a message, Unix ms at the server: about when the topic was last heard of

	exact  bool // it is subscribed to by its name,
	latest bool // on terms by which messages are passed over

	// What only the side that counts needs.
	seen bool   // something was had: seq counts
	owed uint64 // until then, what is missing up to here was never promised,
	lax  bool   // nor what is missing before the next one: other terms held
	link uint64 // the connection on which it was last heard of
}

// scope is a pattern that is subscribed to, and where those of its topics begin that nothing came of yet.
type scope struct {
	epoch  string
	from   int64 // what was published since is to come: Unix ms at the server; 0 is all that is kept
	dated  bool  // from is known
	latest bool  // its terms let messages be passed over
	link   uint64

	// From a lost connection to the renewal. Others may be renewed earlier, and what comes by them says nothing of the
	// place of this one.
	away    bool
	left    int64 // positions.newest before the loss
	blurred bool  // a topic came by them that nobody knew: what this one is owed of it before comes too late
}

// positions says how far somebody has come in all that is subscribed to. A client has two: one of what came from the
// server, by which it counts and resumes (count.go), and one of what the application has taken (taken.go).
type positions struct {
	topicsMax int

	mu     sync.Mutex
	topics map[string]*position
	scopes map[string]*scope
	link   uint64 // counts connections
	newest int64  // the newest timestamp in this epoch, Unix ms at the server
}

func newPositions(topicsMax int) *positions {
	return &positions{topicsMax: topicsMax, topics: make(map[string]*position), scopes: make(map[string]*scope), link: 1}
}

// disconnected makes all that is known knowledge from an earlier connection.
func (ps *positions) disconnected() {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	ps.link++
	for _, s := range ps.scopes {
		if !s.away {
			s.away, s.left = true, ps.newest
		}
	}
}

// newestOf is the newest timestamp that says how far a pattern has come.
func (ps *positions) newestOf(s *scope) int64 {
	if s.away {
		return s.left
	}
	return ps.newest
}

// place is where to go on with a filter; ok is false where nobody knows. Of a pattern at most so many topics are named,
// in so many bytes of JSON: where there are more, those that were heard of last. Of the others the server is asked for
// what came since the newest message, which brings some of it twice.
func (ps *positions) place(filter string, topicsMax, bytesMax int) (at Position, ok bool) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if !isPattern(filter) {
		p := ps.topics[filter]
		if p == nil || !p.exact || p.epoch == "" {
			return Position{}, false
		}
		return Position{Epoch: p.epoch, Seq: p.seq}, true
	}
	s := ps.scopes[filter]
	if s == nil || s.epoch == "" || !s.dated && ps.newestOf(s) == 0 {
		return Position{}, false
	}
	recent := max(0, ps.newestOf(s)-resumeMarginMillis)
	at = Position{Epoch: s.epoch, TS: s.from}
	if !s.dated {
		at.TS = recent
	}
	names, all := ps.names(filter, s.epoch, topicsMax, bytesMax)
	if !all {
		at.TS = max(at.TS, recent)
	}
	at.Seqs = make(map[string]uint64, len(names))
	for _, topic := range names {
		at.Seqs[topic] = ps.topics[topic].seq
	}
	return at, true
}

// names are the topics of a pattern, or those of them that fit and were heard of last.
func (ps *positions) names(filter, epoch string, topicsMax, bytesMax int) (names []string, all bool) {
	for topic, p := range ps.topics {
		if p.epoch == epoch && matches(filter, topic) {
			names = append(names, topic)
		}
	}
	var member []byte
	fit := func() int {
		size := 0
		for i, topic := range names {
			member = append(native.AppendString(member[:0], topic), ':')
			member = strconv.AppendUint(member, ps.topics[topic].seq, 10)
			size += len(member) + len(",")
			if i == topicsMax || size > bytesMax {
				return i
			}
		}
		return len(names)
	}
	if fit() == len(names) {
		return names, true
	}
	slices.SortFunc(names, func(a, b string) int { return int(ps.topics[b].ts - ps.topics[a].ts) })
	return names[:fit()], false
}

// start is where a subscription begins.
type start struct {
	Position
	dated bool // of a pattern: TS is known
}

// begin notes that filter is subscribed to, from a place on. What is known already stays. The caller holds mu.
func (ps *positions) begin(filter string, at *start) {
	if !isPattern(filter) {
		if ps.topics[filter] == nil {
			ps.add(filter, &position{epoch: at.Epoch, seq: at.Seq, link: ps.link - 1})
		}
		ps.topics[filter].exact = true
		return
	}
	s := ps.scopes[filter]
	switch {
	case s == nil:
		ps.scopes[filter] = &scope{epoch: at.Epoch, from: at.TS, dated: at.dated, link: ps.link - 1}
	case s.dated && at.dated && s.epoch == at.Epoch:
		s.from = min(s.from, at.TS)
	}
	for topic, seq := range at.Seqs {
		if ps.topics[topic] == nil && matches(filter, topic) {
			ps.add(topic, &position{epoch: at.Epoch, seq: seq, link: ps.link - 1})
		}
	}
}

// forget ends a filter. What no other one matches is forgotten.
func (ps *positions) forget(filter string) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if !isPattern(filter) {
		if p := ps.topics[filter]; p != nil {
			p.exact = false
			if !ps.covered(filter) {
				delete(ps.topics, filter)
			}
		}
		return
	}
	delete(ps.scopes, filter)
	for topic, p := range ps.topics {
		if !p.exact && matches(filter, topic) && !ps.covered(topic) {
			delete(ps.topics, topic)
		}
	}
}

// covered says whether some pattern matches topic.
func (ps *positions) covered(topic string) bool {
	for f := range ps.scopes {
		if matches(f, topic) {
			return true
		}
	}
	return false
}

// add makes room where there is none: some topic that a pattern brought is forgotten.
func (ps *positions) add(topic string, p *position) {
	if len(ps.topics) >= ps.topicsMax {
		for other, q := range ps.topics {
			if !q.exact {
				delete(ps.topics, other)
				break
			}
		}
	}
	ps.topics[topic] = p
}

// date says from when on topics are to come that nothing came of yet, where an ack did not: the first message tells
// the server's time.
func (ps *positions) date(topic string, ts int64) {
	for f, s := range ps.scopes {
		if !s.dated && !s.away && matches(f, topic) {
			s.from, s.dated = max(0, ts-resumeMarginMillis), true
		}
	}
}
