package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/megawire/megawire/internal/model"
)

// storm is a crowd whose members are held against the account of internal/model: what is published is known
// beforehand, what each of them is sent is judged as it comes.
type storm struct {
	*crowd
	log    *model.Log
	names  map[string]string // topics, so that a message makes no string of its own
	trails []*trail
	open   int        // trails that have not seen the last message of all their topics
	asking int        // trails that wait for an answer
	gaps   int        // notices that came
	now    model.Span // what requests of this time may have met
	kept   *model.Kept
}

// trail is one client's way, over one connection or several.
type trail struct {
	storm   *storm
	m       *member
	account *model.Client
	asked   []model.Ask     // for which no answer has come
	asks    []model.Ask     // its subscriptions
	ends    map[string]bool // topics whose last message has yet to come
	taken   int             // messages
	after   func()          // looked at with each message, if not nil
}

// The account's clock: subscriptions before anything was published, and later ones, of which it is not known
// what they met.
var (
	beforeAll = model.At(0)
	meanwhile = model.Span{Began: 2, Done: 9}
	published = model.Span{Began: 1, Done: 9}
)

func newStorm(t *testing.T, s *site) *storm {
	return &storm{
		crowd: newCrowd(t, s), log: model.NewLog(""), names: make(map[string]string), now: beforeAll, kept: &model.Kept{All: true},
	}
}

// expects tells the account what will be published to a topic, from where it stands.
func (s *storm) expects(topic string, during model.Span, payloads ...[]byte) {
	s.t.Helper()
	s.names[topic] = topic
	for _, p := range payloads {
		prev := s.log.Newest(topic)
		err := s.log.Add(&model.Message{Topic: topic, Seq: prev + 1, Prev: prev, Payload: string(p), Span: during})
		if err != nil {
			s.t.Fatal(err)
		}
	}
}

// keeps says that the server is told to keep so many messages of a topic: older ones may be told as missing.
func (s *storm) keeps(messages uint64) {
	s.kept = nil
	s.log.Gone = func(m *model.Message) bool { return m.Seq+messages <= s.log.Newest(m.Topic) }
}

// sets out a client with these subscriptions.
func (s *storm) sets(narrow bool, asks ...model.Ask) *trail {
	t := &trail{storm: s, asks: asks, ends: make(map[string]bool)}
	s.trails = append(s.trails, t)
	s.open++
	for _, topic := range s.log.Topics() {
		for _, a := range asks {
			if model.Match(a.Filter, topic) {
				t.ends[topic] = true
			}
		}
	}
	t.connect(narrow, asks)
	return t
}

func (t *trail) connect(narrow bool, asks []model.Ask) {
	t.account = t.storm.log.NewClient(uint64(len(t.storm.trails)))
	if t.asked == nil {
		t.storm.asking++
	}
	t.asked = asks
	t.m = t.storm.join(narrow, t.on, subscription(asks))
}

// resume goes on where the last connection was cut, over a new one.
func (t *trail) resume() {
	held := t.account.Held()
	asks := make([]model.Ask, len(t.asks))
	for i, a := range t.asks {
		a.Kept = t.storm.kept
		a.Since = &model.Since{Epoch: t.storm.log.Epoch, Seq: held[a.Filter], Reached: true}
		if model.Wild(a.Filter) {
			a.Since.Seqs = make(map[string]uint64)
			for topic, seq := range held {
				if model.Match(a.Filter, topic) {
					a.Since.Seqs[topic] = seq
				}
			}
		}
		asks[i] = a
	}
	t.connect(false, asks)
}

// subscription is the request for all of them.
func subscription(asks []model.Ask) string {
	var topics []string
	for _, a := range asks {
		entry := map[string]any{"topic": a.Filter}
		switch a.Mode {
		case model.All:
			entry["mode"] = "all"
		case model.Latest:
			entry["mode"] = "latest"
		}
		if a.Every > 0 {
			entry["every"] = a.Every
		}
		if a.Last > 0 {
			entry["last"] = a.Last
		}
		if s := a.Since; s != nil {
			since := map[string]any{"epoch": s.Epoch}
			if model.Wild(a.Filter) {
				since["ts"], since["seqs"] = s.TS, s.Seqs
			} else {
				since["seq"] = s.Seq
			}
			entry["since"] = since
		}
		text, _ := json.Marshal(entry)
		topics = append(topics, string(text))
	}
	return `{"op":"subscribe","topics":[` + strings.Join(topics, ",") + `]}`
}

// on takes a frame of the client.
func (t *trail) on(text []byte) error {
	m, ok := cutMessage(text)
	if !ok {
		return t.other(text)
	}
	topic, known := t.storm.names[string(m.topic)]
	if !known {
		return fmt.Errorf("a message of a topic that nobody publishes to: %.200s", text)
	}
	f := model.Frame{Topic: topic, Seq: m.seq, Prev: m.seq - 1, TS: stamp(text), Payload: string(m.data)}
	if err := t.account.Message(&f); err != nil {
		return fmt.Errorf("%v: %w", t.asks, err)
	}
	t.taken++
	if m.seq == t.storm.log.Newest(topic) && t.ends[topic] {
		if delete(t.ends, topic); len(t.ends) == 0 {
			t.storm.open--
		}
	}
	if t.after != nil {
		t.after()
	}
	return nil
}

// stamp is the ts of a message.
func stamp(text []byte) (ts int64) {
	_, rest, _ := bytes.Cut(text, []byte(`,"ts":`))
	for _, digit := range rest {
		if digit < '0' || digit > '9' {
			break
		}
		ts = 10*ts + int64(digit-'0')
	}
	return ts
}

// other takes what is no message.
func (t *trail) other(text []byte) error {
	var x struct {
		gap
		Topics []granted
	}
	if err := json.Unmarshal(text, &x); err != nil {
		return err
	}
	switch {
	case x.Op == "gap":
		t.storm.gaps++
		if err := t.account.Gap(x.Topic, x.From, x.To, x.Reason); err != nil {
			return fmt.Errorf("%v: %w", t.asks, err)
		}
	case x.Op == "ok" && len(x.Topics) == len(t.asked):
		for i := range x.Topics {
			if err := t.granted(t.asked[i], &x.Topics[i]); err != nil {
				return err
			}
		}
		t.asked = nil
		t.storm.asking--
	default:
		return fmt.Errorf("got %.300s", text)
	}
	return nil
}

func (t *trail) granted(a model.Ask, g *granted) error {
	if g.Error != "" || g.Topic != a.Filter {
		return fmt.Errorf("asked for %+v, got %+v", a, *g)
	}
	if t.storm.log.Epoch == "" {
		t.storm.log.Epoch = g.Epoch
	}
	return t.account.Subscribed(a, g.answer(), t.storm.now)
}

// answer is what an ack said, as the account takes it.
func (g *granted) answer() model.Answer {
	o := model.Answer{Epoch: g.Epoch, Latest: g.Mode == "latest", Every: g.Every, Recovered: -1, Snapshot: -1}
	if g.Seq != nil {
		o.Seq = *g.Seq
	}
	if g.Recovered != nil {
		o.Recovered = 0
		if *g.Recovered {
			o.Recovered = 1
		}
	}
	return o
}

// complete serves the crowd until all have seen the last message of all their topics, and judges them.
func (s *storm) complete(publishing <-chan error) {
	s.t.Helper()
	s.until("all have seen everything", func() bool {
		select {
		case err := <-publishing:
			if err != nil {
				s.fail(err)
			}
			publishing = nil
		default:
		}
		return s.open == 0
	})
	for _, t := range s.trails {
		if err := t.account.Settled(0); err != nil {
			s.fail(fmt.Errorf("%v: %w", t.asks, err))
		}
	}
	if s.failed != nil {
		s.t.Fatal(s.failed)
	}
}

// answered serves the crowd until everybody has the ack of what it asked for.
func (s *storm) answered() {
	s.t.Helper()
	s.until("all are subscribed", func() bool { return s.asking == 0 })
}
