package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"
)

// soak is a server under the load of a crowd of many kinds for long, and what there should be in the end.
type soak struct {
	*crowd
	process *process
	rnd     *rand.Rand

	exchange  *capture
	sensors   *capture
	topics    map[string]*soakTopic
	names     []string // of the topics
	rawTopics []*soakTopic
	feeds     []*feed
	stop      chan struct{} // nil: nothing is fed
	fed       chan fedResult

	places  []*place
	epoch   string
	began   time.Time
	samples []sample

	// What the clients count.
	asking           int // clients without an answer
	leaving          int // clients that have said farewell
	publishing       int // publications without an answer
	left             int // clients that have left, ever
	unanswered       int // close frames without an answer
	received         uint64
	told             map[string]uint64 // messages missing, by reason
	publishedByAdmin int
}

// soakPlan is how long and how much.
type soakPlan struct {
	lasts      time.Duration
	sampled    time.Duration // from sample to sample
	places     int
	exchange   int  // messages of the capture a second
	bulk       int  // long messages a second of each of their topics
	wantsFlat  bool // the run is long enough for memory to settle
	wantsStale bool // and for messages to expire while somebody is away
}

// plan is for MEGAWIRE_SOAK, which says how long; else for a short run of all there is.
func plan(t *testing.T) soakPlan {
	value := os.Getenv("MEGAWIRE_SOAK")
	if value == "" {
		return soakPlan{lasts: time.Duration(size(15, 5)) * time.Second, sampled: time.Second, places: size(1000, 300), exchange: 600, bulk: 40}
	}
	lasts, err := time.ParseDuration(value)
	if err != nil || lasts < 10*time.Second {
		t.Fatalf("MEGAWIRE_SOAK=%s: it is a duration of 10s at least", value)
	}
	// Of the places some hundred are empty at any time, of those who come back in a second or two.
	// Rings are full once their messages are a minute old, and half of the run comes before what is judged.
	return soakPlan{
		lasts: lasts, sampled: min(max(lasts/60, time.Second), time.Minute), places: 10_600, exchange: 200, bulk: 20,
		wantsFlat: lasts >= 3*time.Minute, wantsStale: lasts >= 4*time.Minute,
	}
}

// TestSoak has a server serve thousands of clients of all kinds for minutes (MEGAWIRE_SOAK=10m), while captures are
// published in a loop. Every message is accounted for, and nothing is left of those who have gone.
func TestSoak(t *testing.T) {
	plan := plan(t)
	s := newSoak(t, &plan)
	idle := s.rests()
	s.startFeeds()
	s.fill(plan.places, s.cohorts(plan.places, newChoice(s.exchange), s.sensors))
	early, late := s.runs(&plan)

	s.settle()
	s.checkBooks()
	s.checkDeliveries()
	full := s.comesToRest("with everybody there", &idle, len(s.places))
	s.checkKinds(&plan)
	for _, p := range s.places {
		p.leave(func() {})
	}
	s.until("all have left", func() bool { return s.leaving == 0 })
	empty := s.comesToRest("after everybody has left", &idle, 0)
	s.judge(&plan, &idle, &early, &late, &full, &empty)
}

func newSoak(t *testing.T, plan *soakPlan) *soak {
	p := launch(t, 0, "--anonymous.publish="+chatPrefix+"#,"+rawPrefix+"#")
	s := &soak{
		crowd: newCrowd(t, &p.site), process: p, rnd: rand.New(rand.NewPCG(1, 6)),
		topics: map[string]*soakTopic{}, told: map[string]uint64{}, exchange: exchangeCapture(t), sensors: sensorsCapture(t),
	}
	s.addFeed(s.exchange, plan.exchange)
	s.addFeed(s.sensors, 50)
	s.addFeed(bulkCapture(t), plan.bulk*bulkTopics)
	for n := range share(plan.places, publishersPerMille) {
		s.addTopic(fmt.Sprint(chatPrefix, n), nil)
	}
	for n := range share(plan.places, rawPublishersPerMille) {
		s.addTopic(fmt.Sprint(rawPrefix, n), nil)
	}
	for _, name := range s.exchange.topics {
		if f := s.topics[name]; len(f.data) >= 2 && len(f.data) <= 100 && f.distinct() {
			s.rawTopics = append(s.rawTopics, f)
		}
	}
	return s
}

// rests is how the server is that has served one client and one request of each kind.
func (s *soak) rests() rest {
	s.process.publish(`{"topic":"first","data":1}`)
	s.publishedByAdmin++
	m := s.join(false, func([]byte) error { return nil }, `{"op":"subscribe","topics":["first"]}`)
	s.process.awaitMetricIs("megawire_subscriptions", 1)
	m.cut()
	x := s.sample()
	for same := time.Now(); x.connections > 0 || time.Since(same) < time.Second; s.round(100) { // requests take a while to be gone
		if y := s.sample(); y.goroutines != x.goroutines || y.files != x.files {
			x, same = y, time.Now()
		}
	}
	return s.rest()
}

// runs serves the crowd, and takes samples. It returns what lived after a third of the time, and at the end: the collections
// that tell lower all that is measured, for a while that is over before the second half.
func (s *soak) runs(plan *soakPlan) (early, late rest) {
	s.began = time.Now()
	last := s.sample()
	fmt.Fprint(s.t.Output(), sampleHead)
	for next, turns := plan.sampled, s.began; time.Since(s.began) < plan.lasts; {
		s.round(10)
		if now := time.Now(); now.Sub(turns) > 50*time.Millisecond {
			turns = now
			s.takeTurns()
		}
		if time.Since(s.began) > next {
			next += plan.sampled
			x := s.sample()
			fmt.Fprint(s.t.Output(), x.row(&last))
			s.samples = append(s.samples, x)
			last = x
		}
		if early.heap == 0 && time.Since(s.began) > plan.lasts/3 {
			early = s.rest()
		}
		s.failNow()
	}
	return early, s.rest()
}

// failNow ends the test where a client has found fault, with what the server says of it.
func (s *soak) failNow() {
	s.t.Helper()
	if s.failed == nil {
		return
	}
	s.t.Fatal(s.failed, s.faults())
}

// settle ends what goes on, and waits until everybody has everything.
func (s *soak) settle() {
	s.stopFeeds()
	s.until("nobody is leaving", func() bool { return s.leaving == 0 })
	for _, p := range s.places {
		switch p.next = (time.Time{}); {
		case p.m == nil:
			p.resumed = true
			p.enter()
		case p.m.deaf:
			p.m.listen(true)
		}
	}
	s.complete()
}

// complete waits until everybody has everything.
func (s *soak) complete() {
	have := 0
	end := time.Now().Add(2 * patience)
	for ; have < len(s.places) || s.publishing > 0; s.round(10) {
		for have < len(s.places) && s.places[have].has() {
			have++
		}
		switch late := time.Now().After(end); {
		case late && have < len(s.places):
			s.fail(fmt.Errorf("%v: %w", s.places[have], s.places[have].short()))
		case late:
			s.fail(fmt.Errorf("%d publications are unanswered", s.publishing))
		}
		s.failNow()
	}
}
