package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/megawire/megawire/internal/model"
	"github.com/megawire/megawire/server/config"
)

// TestModel holds a running server against the account of internal/model, under random operations of clients and
// publishers at once. What each client asked for and was sent is written down (story_test.go) and judged in the
// end, when all publications are known.
func TestModel(t *testing.T) {
	for seed := range uint64(size(8, 2)) {
		t.Run(fmt.Sprint("seed ", seed+1), func(t *testing.T) { playModel(t, seed+1) })
	}
}

const (
	modelSteps   = 600
	modelClients = 12
)

// The topics and filters overlap, so that most messages are matched more than once.
var (
	modelTopics  = []string{"t", "t/1", "t/2", "late/1", "only/1", "a/b/c"}
	modelFilters = []string{"t", "t/1", "t/2", "late/1", "only/1", "a/b/c", "t/+", "t/#", "#", "+", "+/1", "a/#", "late/+"}
)

// playing is one run of the test.
type playing struct {
	*rig
	*crowd
	rnd     *rand.Rand
	log     *model.Log
	kept    *model.Kept // nil where little is kept
	stories []*story    // of every connection there was
	live    []*story

	mu        sync.Mutex // the publishers' goroutines and the test's
	tick      int64
	published []*model.Message
}

func playModel(t *testing.T, seed uint64) {
	p := &playing{rnd: rand.New(rand.NewPCG(seed, 4)), log: model.NewLog(""), kept: &model.Kept{All: true}}
	keeps := 4096
	if seed%2 == 0 {
		keeps, p.kept = 3, nil
		p.log.Gone = func(m *model.Message) bool { return m.Seq+uint64(keeps) <= p.log.Newest(m.Topic) }
	}
	p.log.RuleOf = func(topic string) model.Rule {
		return model.Rule{Latest: strings.HasPrefix(topic, "late/"), NoAll: strings.HasPrefix(topic, "only/")}
	}
	no := false
	p.rig = serve(t, func(c *config.Config) {
		allowPublish(c)
		c.Ring.RetainMessages, c.Socket.SendBufferBytes = keeps, 4*config.KiB
		c.Rules = config.Rules{
			{Filter: "late/#", Mode: "latest", RetainMessages: keeps}, {Filter: "only/#", All: &no, RetainMessages: keeps},
		}
	})
	p.crowd = newCrowd(t, &p.site)
	stop := make(chan struct{})
	background := make(chan error, 1)
	go func() { background <- p.publishBeside(seed, stop) }()
	for range modelSteps {
		p.step()
	}
	close(stop)
	p.until("the publisher beside has ended", func() bool {
		select {
		case err := <-background:
			if err != nil {
				p.fail(err)
			}
			return true
		default:
			return false
		}
	})
	p.finish()
}

// ticks is the account's clock.
func (p *playing) ticks() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tick++
	return p.tick
}

func (p *playing) step() {
	switch n := p.rnd.IntN(100); {
	case n < 8 || len(p.live) == 0:
		if len(p.live) < modelClients {
			p.arrive(nil)
		}
	case n < 35:
		p.publish(p.rnd.IntN(3))
	case n < 45:
		p.any().publish()
	case n < 62:
		p.any().subscribe(p.ask())
	case n < 70:
		p.any().unsubscribe(modelFilters[p.rnd.IntN(len(modelFilters))])
	case n < 74:
		p.any().m.listen(false)
	case n < 80:
		p.any().m.listen(true)
	case n < 83:
		if s := p.any(); s.publishing == 0 { // else nobody would know what became of it
			p.cut(s)
			p.arrive(s)
		}
	}
	p.round(p.rnd.IntN(3))
	if p.failed != nil {
		p.t.Fatal(p.failed)
	}
}

func (p *playing) any() *story { return p.live[p.rnd.IntN(len(p.live))] }

// cut ends a connection.
func (p *playing) cut(s *story) {
	s.m.cut()
	p.live = slices.DeleteFunc(p.live, func(other *story) bool { return other == s })
}

// arrive connects a client; one that was cut off goes on where it was.
func (p *playing) arrive(old *story) {
	s := newStory(p)
	if old == nil {
		return
	}
	for _, filter := range slices.Sorted(maps.Keys(old.has)) {
		a := old.has[filter]
		a.Kept, a.Last = p.kept, 0
		a.Since = &model.Since{Epoch: old.epoch, Seq: old.have[filter], TS: old.ts, Seqs: map[string]uint64{}, Reached: true}
		for topic, seq := range old.have {
			if model.Match(filter, topic) {
				a.Since.Seqs[topic] = seq
			}
		}
		if !model.Wild(filter) {
			a.Since.Seqs = nil
		}
		s.subscribe(a)
	}
}

// ask is a random request.
func (p *playing) ask() model.Ask {
	a := model.Ask{Filter: modelFilters[p.rnd.IntN(len(modelFilters))], Kept: p.kept}
	switch p.rnd.IntN(5) {
	case 0:
		a.Mode = model.All
	case 1:
		a.Mode = model.Latest
	case 2:
		a.Every = 10 + p.rnd.IntN(90)
	}
	if p.rnd.IntN(3) == 0 {
		a.Last = 1 + p.rnd.IntN(4)
	}
	return a
}

// publish publishes some messages by HTTP, and waits for the answer.
func (p *playing) publish(n int) {
	var entries []string
	var messages []*model.Message
	for range 1 + n {
		x := p.message(modelTopics[p.rnd.IntN(len(modelTopics))], p.rnd)
		entry := fmt.Sprintf(`{"topic":%q,"data":%s`, x.Topic, x.Payload)
		if len(p.live) > 0 && p.rnd.IntN(4) == 0 {
			if s := p.any(); s.client != "" {
				x.Excluded = []uint64{s.account.ID}
				entry += fmt.Sprintf(`,"exclude":[%q]`, s.client)
			}
		}
		messages, entries = append(messages, x), append(entries, entry+"}")
	}
	if err := p.post("["+strings.Join(entries, ",")+"]", messages); err != nil {
		p.fail(err)
	}
}

// message is one to be published, the only one with this payload.
func (p *playing) message(topic string, rnd *rand.Rand) *model.Message {
	long := rnd.IntN(100)
	if rnd.IntN(4) == 0 {
		long = rnd.IntN(8000)
	}
	tick := p.ticks()
	return &model.Message{
		Topic: topic, Payload: fmt.Sprintf(`{"n":%d,"pad":%q}`, tick, strings.Repeat("x", long)), Span: model.Span{Began: tick},
	}
}

// post publishes messages and writes down their numbers. Any goroutine.
func (p *playing) post(body string, messages []*model.Message) error {
	status, answer, err := p.site.post(typeJSON, strings.NewReader(body))
	var seqs []struct{ Seq uint64 }
	if err = errors.Join(err, json.Unmarshal(answer, &seqs)); err != nil || status != 200 || len(seqs) != len(messages) {
		return fmt.Errorf("publish: status %d, %.300s, %w", status, answer, err)
	}
	for i, m := range messages {
		p.numbered(m, seqs[i].Seq)
	}
	return nil
}

// numbered writes down a publication that was answered. Any goroutine.
func (p *playing) numbered(m *model.Message, seq uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tick++
	m.Seq, m.Prev, m.Done = seq, seq-1, p.tick
	p.published = append(p.published, m)
}

// publishBeside publishes from a goroutine of its own, until stop.
func (p *playing) publishBeside(seed uint64, stop <-chan struct{}) error {
	rnd := rand.New(rand.NewPCG(seed, 5))
	for {
		select {
		case <-stop:
			return nil
		default:
		}
		m := p.message(modelTopics[rnd.IntN(3)], rnd)
		if err := p.post(fmt.Sprintf(`[{"topic":%q,"data":%s}]`, m.Topic, m.Payload), []*model.Message{m}); err != nil {
			return err
		}
	}
}

// finish lets everything out and judges all stories.
func (p *playing) finish() {
	for _, s := range p.live {
		s.m.listen(true)
	}
	p.until("all is answered", func() bool { return !slices.ContainsFunc(p.live, func(s *story) bool { return len(s.waiting) > 0 }) })
	for _, topic := range modelTopics {
		m := p.message(topic, p.rnd)
		if err := p.post(fmt.Sprintf(`[{"topic":%q,"data":%s}]`, topic, m.Payload), []*model.Message{m}); err != nil {
			p.fail(err)
		}
	}
	last := make(map[string]uint64)
	for _, m := range p.published {
		last[m.Topic] = max(last[m.Topic], m.Seq)
	}
	p.until("all have the last message of each of their topics", func() bool {
		return !slices.ContainsFunc(p.live, func(s *story) bool { return s.lacks(last) })
	})
	p.assemble()
	for _, s := range p.stories {
		err := s.judge()
		if err == nil && slices.Contains(p.live, s) {
			err = s.account.Settled(0)
		}
		if err != nil {
			p.t.Errorf("client %d: %v", s.account.ID, err)
		}
	}
	p.t.Logf("%d connections, %d messages published, %d read", len(p.stories), len(p.published), p.readTotal())
}

func (p *playing) readTotal() (n int) {
	for _, s := range p.stories {
		n += len(s.frames)
	}
	return n
}

// assemble gives the account everything that was published, with the times that clients saw.
func (p *playing) assemble() {
	slices.SortFunc(p.published, func(a, b *model.Message) int { return int(a.Seq) - int(b.Seq) })
	type name struct {
		topic string
		seq   uint64
	}
	seen := make(map[name]int64)
	for _, s := range p.stories {
		for _, f := range s.frames {
			seen[name{f.Topic, f.Seq}] = f.TS
		}
	}
	for _, m := range p.published {
		m.TS = seen[name{m.Topic, m.Seq}]
		if err := p.log.Add(m); err != nil {
			p.t.Fatal(err)
		}
	}
}
