package client

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const (
	busy  = `"error":"unavailable","message":"subscribe again in a second"`
	later = `"error":"rate_limited","message":"later","retry_after":20000`

	placed = `{"topic":"s/+","since":{"epoch":"e","ts":5000,"seqs":{"s/a":7}}}`
	ready  = `{"topic":"a","since":{"epoch":"e","seq":7}}`
)

// firstVisit is a connection on which s/+ and a are subscribed to, and lost.
func firstVisit(p *peer) {
	p.asked(`"s/+"`, `"epoch":"e","ts":5000`, `"a"`, `"epoch":"e","seq":6`)
	p.send(told("s/a", 7), told("a", 7))
}

const before = "connected\ns/a 7 7\na 7 7\n" + again

// TestARenewalThatIsPostponed: the server refuses one subscription for the moment. It is asked for again from its
// place, and the others go on.
func TestARenewalThatIsPostponed(t *testing.T) {
	for _, row := range []struct {
		name    string
		refusal string
		least   time.Duration
	}{
		{"after pauses that grow", busy, 500 * time.Millisecond},
		{"not before the server says", later, 20 * time.Second},
	} {
		t.Run(row.name, func(t *testing.T) {
			dialogue(t, []Sub{{Filter: "s/+"}, {Filter: "a"}}, before+"a 8 8\na 9 9\na 10 10\ns/a 8 8\ns/b 1 1", firstVisit,
				func(p *peer) {
					p.asked(placed, row.refusal, ready, `"epoch":"e","seq":8,"recovered":true`)
					for tries := range 3 {
						p.send(told("a", 8+tries))
						began, id := time.Now(), p.wants(placed)
						most := row.least + 500*time.Millisecond<<tries
						if waited := time.Since(began); waited < row.least || waited > most { // by the bubble's clock
							t.Errorf("asked again after %v, want %v to %v", waited, row.least, most)
						}
						result := row.refusal
						if tries == 2 {
							result = `"epoch":"e","ts":9000,"recovered":true`
						}
						p.send(`{"op":"ok","id":` + id + `,"client":"c1","topics":[{"topic":"s/+",` + result + `}]}`)
					}
					p.send(told("s/a", 8), told("s/b", 1))
				})
		})
	}
}

func TestAPostponedRenewalThatIsRefusedForGood(t *testing.T) {
	dialogue(t, []Sub{{Filter: "s/+"}, {Filter: "a"}}, before+"unsubscribed s/+\n"+strings.TrimSpace(again), firstVisit,
		func(p *peer) {
			p.asked(placed, busy, ready, `"epoch":"e","seq":7,"recovered":true`)
			p.asked(placed, `"error":"forbidden","message":"no more"`)
		},
		func(p *peer) { p.asked(ready, `"epoch":"e","seq":7,"recovered":true`) })
}

func TestAPostponedPatternThatGoesOnWithoutItsPlace(t *testing.T) {
	dialogue(t, []Sub{{Filter: "s/+"}, {Filter: "a"}}, before+"gap s/+ 0-0 reconnect", firstVisit,
		func(p *peer) {
			p.asked(placed, busy, ready, `"epoch":"e","seq":7,"recovered":true`)
			p.asked(placed, `"error":"too_many","message":"since brings too much"`)
			p.asked(`"s/+"`, busy)
			p.asked(`"s/+"`, `"epoch":"e","ts":9000`)
		})
}

// TestAPostponedPlaceOutlivesALoss: what came by others meanwhile says nothing of it.
func TestAPostponedPlaceOutlivesALoss(t *testing.T) {
	const place = `{"topic":"s/+","since":{"epoch":"e","ts":8007}}`
	dialogue(t, []Sub{{Filter: "s/+"}, {Filter: "a"}}, "connected\na 7 7\n"+again+"a 50000 50000\n"+strings.TrimSpace(again),
		func(p *peer) {
			p.asked(`"s/+"`, `"epoch":"e"`, `"a"`, `"epoch":"e","seq":6`)
			p.send(told("a", 7))
		},
		func(p *peer) {
			p.asked(place, busy, ready, `"epoch":"e","seq":50000,"recovered":true`)
			p.send(`{"topic":"a","seq":50000,"prev":7,"ts":60000,"data":50000}`)
		},
		func(p *peer) {
			p.asked(place, `"epoch":"e","recovered":true`,
				`{"topic":"a","since":{"epoch":"e","seq":50000}}`, `"epoch":"e","seq":50000,"recovered":true`)
		})
}

// TestWhatAnotherPatternBringsEarlier: messages before the first of a topic that nobody knew would come behind it.
func TestWhatAnotherPatternBringsEarlier(t *testing.T) {
	for _, row := range []struct {
		mode Mode
		name string
		want string
	}{
		{ModeLatest, "latest", "s/new 3 3\ngap s/+ 0-0 reconnect\ns/new 4 4"},
		{ModeAll, "all", "s/new 3 3\ns/new 4 4"},
	} {
		t.Run(row.name, func(t *testing.T) {
			mode := fmt.Sprintf(`"mode":%q`, row.name)
			dialogue(t, []Sub{{Filter: "s/#", Mode: row.mode}, {Filter: "s/+"}}, "connected\n"+again+row.want,
				func(p *peer) {
					p.asked(`{"topic":"s/#",`+mode+`}`, `"epoch":"e","ts":4000,`+mode, `"s/+"`, `"epoch":"e","ts":5000`)
				},
				func(p *peer) {
					p.asked(`{"topic":"s/#","since":{"epoch":"e","ts":4000},`+mode+`}`, `"epoch":"e","recovered":true,`+mode,
						`{"topic":"s/+","since":{"epoch":"e","ts":5000}}`, busy)
					p.send(told("s/new", 3))
					p.asked(`{"topic":"s/+","since":{"epoch":"e","ts":5000,"seqs":{"s/new":3}}}`, `"epoch":"e","recovered":true`)
					p.send(told("s/new", 4))
				})
		})
	}
}

// TestRequestsWhileARenewalIsPostponed: they go on, but for those that meet with it.
func TestRequestsWhileARenewalIsPostponed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		postponed, asked := make(chan struct{}), make(chan struct{})
		s := newFakeServer(t, visit{talk: firstVisit}, visit{talk: func(p *peer) {
			p.asked(placed, later, ready, `"epoch":"e","seq":7,"recovered":true`)
			close(postponed)
			_, id, _ := p.request() // the publication
			p.send(`{"op":"ok","id":` + id + `,"topic":"s/a","epoch":"e","seq":8}`)
			p.asked(`"b"`, `"epoch":"e","seq":1`)
			id = p.wants(placed)
			close(asked)
			synctest.Wait() // for the unsubscribe, which waits
			p.send(`{"op":"ok","id":` + id + `,"client":"c1","topics":[{"topic":"s/+","epoch":"e","ts":9000,"recovered":true}]}`)
			raw, id, topics := p.request()
			if !strings.HasPrefix(raw, `{"op":"unsubscribe"`) {
				t.Errorf("the client asked %s", raw)
			}
			p.ackID(id, "e", "0", topics)
			p.asked(`"s/x"`, `"epoch":"e","seq":1`)
			p.untilGone()
		}})
		defer s.stop()
		c := s.client(Options{})
		defer c.Close()
		subscribe(t, c, "s/+", "a")
		want(t, read(t, c, 6), before)
		<-postponed
		if r, err := c.Publish(t.Context(), "s/a", Data([]byte("1"))); err != nil || r.Seq != 8 {
			t.Errorf("publish: %+v, %v", r, err)
		}
		subscribe(t, c, "b")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Subscribe(ctx, "s/x"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a subscribe to a topic of a pattern that is postponed: %v", err)
		}
		<-asked
		if _, err := c.Unsubscribe(t.Context(), "s/+"); err != nil {
			t.Error(err)
		}
		subscribe(t, c, "s/x")
	})
}

// TestWhatIsUnsubscribedFromIsNotAskedForAgain, while it is postponed.
func TestWhatIsUnsubscribedFromIsNotAskedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		postponed := make(chan struct{})
		s := newFakeServer(t, visit{talk: firstVisit}, visit{talk: func(p *peer) {
			p.asked(placed, later, ready, `"epoch":"e","seq":7,"recovered":true`)
			close(postponed)
			if topics := p.ack("e", "0"); len(topics) != 1 || topics[0] != "s/+" {
				t.Errorf("unsubscribed from %q", topics)
			}
			if _, b, err := p.ws.Read(context.Background()); err == nil {
				t.Errorf("and then asked %s", b)
			}
		}})
		defer s.stop()
		c := s.client(Options{})
		defer c.Close()
		subscribe(t, c, "s/+", "a")
		want(t, read(t, c, 6), before)
		<-postponed
		if _, err := c.Unsubscribe(t.Context(), "s/+"); err != nil {
			t.Error(err)
		}
		<-time.After(time.Minute) // by the bubble's clock
		c.mu.Lock()
		defer c.mu.Unlock()
		if len(c.postponed) > 0 {
			t.Errorf("postponed are %v", c.postponed)
		}
	})
}
