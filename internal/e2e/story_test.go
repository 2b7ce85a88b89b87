package e2e

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/megawire/megawire/internal/model"
)

// story is one connection of TestModel: its requests, answers and frames in the order of its stream.
type story struct {
	p       *playing
	m       *member
	account *model.Client
	events  []func() error // to be told to the account, in order
	frames  []*model.Frame // all messages that came

	waiting    []func(text []byte) error // take the answers to come
	publishing int                       // publications that are not answered yet

	client, epoch string               // once an answer told them
	has           map[string]model.Ask // its subscriptions that were granted
	have          map[string]uint64    // what it holds of each topic
	ts            int64                // of the newest message
}

func newStory(p *playing) *story {
	s := &story{p: p, has: make(map[string]model.Ask), have: make(map[string]uint64)}
	p.stories, p.live = append(p.stories, s), append(p.live, s)
	s.account = p.log.NewClient(uint64(len(p.stories)))
	s.m = p.join(true, s.on)
	return s
}

// request sends one; answered takes its answer and the span in which it was dealt with.
func (s *story) request(text string, answered func(text []byte, during model.Span) error) {
	sent := s.p.ticks()
	s.waiting = append(s.waiting, func(text []byte) error { return answered(text, model.Span{Began: sent, Done: s.p.ticks()}) })
	s.m.send(text)
}

func (s *story) subscribe(a model.Ask) {
	s.request(subscription([]model.Ask{a}), func(text []byte, during model.Span) error {
		var x struct {
			Op, Client string
			Topics     []granted
		}
		if err := json.Unmarshal(text, &x); err != nil || x.Op != "ok" || len(x.Topics) != 1 || x.Topics[0].Error != "" {
			return fmt.Errorf("subscribe %+v: got %s, %w", a, text, err)
		}
		g := x.Topics[0]
		s.client, s.epoch, s.has[a.Filter] = x.Client, g.Epoch, a
		if _, known := s.have[a.Filter]; !known && g.Seq != nil {
			s.have[a.Filter] = *g.Seq
		}
		s.p.log.Epoch = g.Epoch
		s.events = append(s.events, func() error { return s.account.Subscribed(a, g.answer(), during) })
		return nil
	})
}

func (s *story) unsubscribe(filter string) {
	s.request(fmt.Sprintf(`{"op":"unsubscribe","topics":[%q]}`, filter), func(text []byte, during model.Span) error {
		if want := fmt.Sprintf(`{"op":"ok","topics":[{"topic":%q}]}`, filter); string(text) != want {
			return fmt.Errorf("unsubscribe: got %s, want %s", text, want)
		}
		delete(s.has, filter)
		s.events = append(s.events, func() error { s.account.Unsubscribed(filter, during); return nil })
		return nil
	})
}

// publish publishes as this client, which does not want its message back.
func (s *story) publish() {
	m := s.p.message(modelTopics[s.p.rnd.IntN(len(modelTopics))], s.p.rnd)
	m.Excluded = []uint64{s.account.ID}
	s.publishing++
	text := fmt.Sprintf(`{"op":"publish","id":1,"topic":%q,"data":%s,"echo":false}`, m.Topic, m.Payload)
	s.request(text, func(text []byte, _ model.Span) error {
		var x struct {
			Op  string
			Seq uint64
		}
		if err := json.Unmarshal(text, &x); err != nil || x.Op != "ok" || x.Seq == 0 {
			return fmt.Errorf("publish: got %s, %w", text, err)
		}
		s.p.numbered(m, x.Seq)
		s.publishing--
		return nil
	})
}

// on takes a frame.
func (s *story) on(text []byte) error {
	if m, ok := cutMessage(text); ok {
		f := &model.Frame{Topic: string(m.topic), Seq: m.seq, Prev: m.seq - 1, TS: stamp(text), Payload: string(m.data)}
		s.frames = append(s.frames, f)
		s.have[f.Topic], s.ts = f.Seq, max(s.ts, f.TS)
		s.events = append(s.events, func() error { return s.account.Message(f) })
		return nil
	}
	if strings.HasPrefix(string(text), `{"op":"gap"`) {
		var g gap
		if err := json.Unmarshal(text, &g); err != nil {
			return err
		}
		s.have[g.Topic] = max(s.have[g.Topic], g.To)
		s.events = append(s.events, func() error { return s.account.Gap(g.Topic, g.From, g.To, g.Reason) })
		return nil
	}
	if len(s.waiting) == 0 {
		return fmt.Errorf("nobody asked for %s", text)
	}
	answer := s.waiting[0]
	s.waiting = s.waiting[1:]
	return answer(text)
}

// lacks says that the last message of one of its topics has not come yet.
func (s *story) lacks(last map[string]uint64) bool {
	for topic, seq := range last {
		for filter := range s.has {
			if model.Match(filter, topic) && s.have[topic] < seq {
				return true
			}
		}
	}
	return false
}

func (s *story) judge() error {
	for _, event := range s.events {
		if err := event(); err != nil {
			return fmt.Errorf("with %v: %w", s.has, err)
		}
	}
	return nil
}
