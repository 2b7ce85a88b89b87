package client

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestWhatMayBePassedOverIsNoGap(t *testing.T) {
	latest := Sub{Filter: "a", Mode: ModeLatest}
	every := Sub{Filter: "s/#", Every: 250_500_000} // ns: 250.5 ms
	for _, row := range []struct {
		name   string
		subs   []Sub
		asked  []string
		frames []string
		again  []string
		then   []string
		want   string
	}{
		{"a topic", []Sub{latest}, []string{`{"topic":"a","mode":"latest"}`, `"epoch":"e","seq":6,"mode":"latest"`},
			[]string{told("a", 9), told("a", 12)},
			[]string{`{"topic":"a","since":{"epoch":"e","seq":12},"mode":"latest"}`, `"epoch":"e","seq":20,"mode":"latest","recovered":true`},
			[]string{told("a", 20), told("a", 22)}, "connected\na 9 9\na 12 12\n" + again + "a 20 20\na 22 22"},
		{"a topic, by its rule", []Sub{{Filter: "a"}}, []string{`"a"`, `"epoch":"e","seq":6,"mode":"latest"`},
			[]string{told("a", 9), told("a", 12)},
			[]string{`{"topic":"a","since":{"epoch":"e","seq":12}}`, `"epoch":"e","seq":20,"mode":"latest","recovered":true`},
			[]string{told("a", 20)}, "connected\na 9 9\na 12 12\n" + again + "a 20 20"},
		{"a pattern", []Sub{every}, []string{`{"topic":"s/#","every":251}`, `"epoch":"e","ts":5000,"mode":"latest","every":260`},
			[]string{told("s/a", 9), told("s/a", 12)},
			[]string{`{"topic":"s/#","since":{"epoch":"e","ts":5000,"seqs":{"s/a":12}},"every":251}`,
				`"epoch":"e","mode":"latest","every":260,"recovered":true`},
			[]string{told("s/a", 20)}, "connected\ns/a 9 9\ns/a 12 12\n" + again + "s/a 20 20"},
		{"but where a topic of it is subscribed to by itself", []Sub{every, {Filter: "s/a", Mode: ModeAll}},
			[]string{`{"topic":"s/#","every":251}`, `"epoch":"e","ts":5000,"mode":"latest","every":260`, `{"topic":"s/a","mode":"all"}`, `"epoch":"e","seq":8`},
			[]string{told("s/a", 9), told("s/a", 12), told("s/b", 1), told("s/b", 3)},
			[]string{`{"topic":"s/#","since":{"epoch":"e","ts":5000,"seqs":{"s/a":12,"s/b":3}},"every":251}`,
				`"epoch":"e","mode":"latest","every":260,"recovered":true`,
				`{"topic":"s/a","since":{"epoch":"e","seq":12},"mode":"all"}`, `"epoch":"e","seq":12,"recovered":true`},
			[]string{told("s/a", 14), told("s/b", 5)},
			"connected\ns/a 9 9\ngap s/a 10-11 lost\ns/a 12 12\ns/b 1 1\ns/b 3 3\n" + again + "gap s/a 13-13 reconnect\ns/a 14 14\ns/b 5 5"},
		{"the most complete of several patterns counts", []Sub{every, {Filter: "s/+"}},
			[]string{`{"topic":"s/#","every":251}`, `"epoch":"e","ts":5000,"mode":"latest","every":260`, `"s/+"`, `"epoch":"e","ts":5000`},
			[]string{told("s/a", 9), told("s/a", 12), told("s/a/b", 1), told("s/a/b", 3)},
			[]string{`{"topic":"s/#","since":{"epoch":"e","ts":5000,"seqs":{"s/a":12,"s/a/b":3}},"every":251}`, `"epoch":"e","mode":"latest"`,
				`{"topic":"s/+","since":{"epoch":"e","ts":5000,"seqs":{"s/a":12}}}`, `"epoch":"e"`},
			nil, "connected\ns/a 9 9\ngap s/a 10-11 lost\ns/a 12 12\ns/a/b 1 1\ns/a/b 3 3\n" + strings.TrimSpace(again)},
	} {
		t.Run(row.name, func(t *testing.T) {
			dialogue(t, row.subs, row.want,
				func(p *peer) { p.asked(row.asked...); p.send(row.frames...) },
				func(p *peer) { p.asked(row.again...); p.send(row.then...) })
		})
	}
}

// Positions are those of the application, not of what waits for it, and outlive the client.
func TestAPositionIsCarriedToAnotherClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeServer(t,
			visit{talk: func(p *peer) {
				p.asked(`"a"`, `"epoch":"e","seq":6`, `"s/+"`, `"epoch":"e","ts":5000`)
				p.send(told("a", 7), told("s/a", 1), told("s/b", 1), told("a", 8), told("s/a", 2))
				p.untilGone()
			}},
			visit{talk: func(p *peer) {
				p.asked(`{"topic":"a","since":{"epoch":"e","seq":7}}`, `"epoch":"e","seq":8,"recovered":true`,
					`{"topic":"s/+","since":{"epoch":"e","ts":5000,"seqs":{"s/a":1}}}`, `"epoch":"f","ts":7000,"recovered":false`)
				p.send(told("a", 8), told("s/b", 1))
				p.untilGone()
			}})
		defer s.stop()
		stored := map[string][]byte{}
		at := func(c *Client, filter, want string) {
			t.Helper()
			position, ok := c.Position(filter)
			got, err := json.Marshal(position)
			if !ok || err != nil || string(got) != want {
				t.Errorf("%s stands at %s (%v, %v), want %s", filter, got, ok, err, want)
			}
			stored[filter] = got
		}
		c := s.client(Options{})
		if _, ok := c.Position("a"); ok {
			t.Error("a position in what is not subscribed to")
		}
		subscribe(t, c, "a", "s/+")
		at(c, "a", `{"epoch":"e","seq":6}`)
		at(c, "s/+", `{"epoch":"e","ts":5000}`)
		want(t, read(t, c, 3), "connected\na 7 7\ns/a 1 1")
		at(c, "a", `{"epoch":"e","seq":7}`)
		at(c, "s/+", `{"epoch":"e","ts":5000,"seqs":{"s/a":1}}`)
		_ = c.Close()

		c = s.client(Options{})
		defer c.Close()
		subs := []Sub{{Filter: "a"}, {Filter: "s/+"}}
		for i := range subs {
			subs[i].Since = new(Position)
			if err := json.Unmarshal(stored[subs[i].Filter], subs[i].Since); err != nil {
				t.Fatal(err)
			}
		}
		rs, err := c.SubscribeWith(t.Context(), subs...)
		if err != nil || !rs[0].Recovered || rs[1].Recovered {
			t.Errorf("%+v, %v", rs, err)
		}
		at(c, "a", `{"epoch":"e","seq":7}`)
		at(c, "s/+", `{"epoch":"e","ts":5000,"seqs":{"s/a":1}}`)
		want(t, read(t, c, 2), "connected\ngap s/+ 0-0 reconnect")
		at(c, "s/+", `{"epoch":"f"}`)
		want(t, read(t, c, 2), "a 8 8\ns/b 1 1")
		at(c, "a", `{"epoch":"e","seq":8}`)
		at(c, "s/+", `{"epoch":"f","seqs":{"s/b":1}}`)
	})
}

func TestAGapMovesThePosition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeServer(t,
			visit{talk: func(p *peer) {
				p.asked(`"a"`, `"epoch":"e","seq":6`)
				p.send(told("a", 7), `{"op":"gap","topic":"a","from":8,"to":11,"reason":"slow"}`)
			}},
			visit{talk: func(p *peer) {
				p.asked(`{"topic":"a","since":{"epoch":"e","seq":11}}`, `"epoch":"f","seq":5,"recovered":false`)
				p.untilGone()
			}})
		defer s.stop()
		c := s.client(Options{})
		defer c.Close()
		subscribe(t, c, "a")
		for _, row := range []struct{ event, at string }{
			{"connected", "e 6"}, {"a 7 7", "e 7"}, {"gap a 8-11 slow", "e 11"},
			{"disconnected", "e 11"}, {"reconnecting", "e 11"}, {"connected", "e 11"}, {"gap a 0-0 reconnect", "f 4"},
		} {
			want(t, read(t, c, 1), row.event)
			if at, ok := c.Position("a"); !ok || fmt.Sprint(at.Epoch, " ", at.Seq) != row.at {
				t.Errorf("after %s at %+v, want %s", row.event, at, row.at)
			}
		}
		if _, ok := c.Position("b"); ok {
			t.Error("a position in what is not subscribed to")
		}
	})
}

// What waits in the queue of a subscription that was ended is no place in the one that followed.
func TestAnOldEventDoesNotMoveThePosition(t *testing.T) {
	ps := newPositions(10)
	ps.follow("a", &start{Position: Position{Epoch: "e", Seq: 9}})
	for _, row := range []struct{ seq, want uint64 }{{7, 9}, {9, 9}, {10, 10}} {
		ps.took(&Event{Kind: Message, Topic: "a", Epoch: "e", Seq: row.seq})
		ps.took(&Event{Kind: Message, Topic: "b", Epoch: "e", Seq: row.seq})
		if at, ok := ps.place("a", 1, 100); !ok || at.Seq != row.want || len(ps.topics) != 1 {
			t.Errorf("after %d at %+v, want %d", row.seq, at, row.want)
		}
	}
}

// An unsubscribe whose answer nobody waited for leaves no place behind.
func TestASubscriptionAfterAnUnansweredUnsubscribeBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeServer(t, visit{talk: func(p *peer) {
			p.asked(`"a"`, `"epoch":"e","seq":6`, `"s/+"`, `"epoch":"e","ts":5000`)
			p.send(told("a", 7), told("s/a", 7))
			p.request() // the unsubscribe, never answered
		}}, visit{talk: func(p *peer) {
			p.asked(`"a"`, `"epoch":"e","seq":20`, `"s/+"`, `"epoch":"e","ts":6000`)
			p.send(told("a", 21), told("s/a", 30))
			p.untilGone()
		}})
		defer s.stop()
		c := s.client(Options{})
		defer c.Close()
		subscribe(t, c, "a", "s/+")
		want(t, read(t, c, 3), "connected\na 7 7\ns/a 7 7")
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			synctest.Wait()
			cancel()
		}()
		if _, err := c.Unsubscribe(ctx, "a", "s/+"); err == nil {
			t.Error("it was answered")
		}
		subscribe(t, c, "a", "s/+")
		want(t, read(t, c, 5), again+"a 21 21\ns/a 30 30")
	})
}

func TestTermsAreChangedAndKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeServer(t,
			visit{talk: func(p *peer) {
				p.asked(`{"topic":"a","last":2}`, `"epoch":"e","seq":7`)
				p.send(told("a", 6), told("a", 7))
				p.asked(`{"topic":"a","last":3,"mode":"latest"}`, `"epoch":"e","seq":7,"mode":"latest"`)
				p.send(told("a", 5), told("a", 6), told("a", 7), told("a", 9))
				p.ack("e", "9") // the unsubscribe
				p.asked(`{"topic":"a","last":1}`, `"epoch":"e","seq":9`)
				p.send(told("a", 9))
			}},
			visit{talk: func(p *peer) {
				p.asked(`{"topic":"a","since":{"epoch":"e","seq":9}}`, `"epoch":"e","seq":9,"recovered":true`)
				p.untilGone()
			}})
		defer s.stop()
		c := s.client(Options{})
		defer c.Close()
		ask := func(sub Sub) Result {
			t.Helper()
			rs, err := c.SubscribeWith(t.Context(), sub)
			if err != nil {
				t.Fatal(err)
			}
			return rs[0]
		}
		if r := ask(Sub{Filter: "a", Last: 2}); r.Latest {
			t.Errorf("%+v", r)
		}
		if r := ask(Sub{Filter: "a", Last: 3, Mode: ModeLatest}); !r.Latest {
			t.Errorf("%+v", r)
		}
		want(t, read(t, c, 4), "connected\na 6 6\na 7 7\na 9 9")
		if _, err := c.Unsubscribe(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		ask(Sub{Filter: "a", Last: 1})
		want(t, read(t, c, 4), "a 9 9\n"+strings.TrimSpace(again))
	})
}

func TestSubsAreChecked(t *testing.T) {
	many := &Position{Epoch: "e", Seqs: map[string]uint64{}}
	for i := range SinceTopicsMax + 1 {
		many.Seqs[fmt.Sprint("t/", i)] = 1
	}
	for _, row := range []struct {
		sub  Sub
		want string
	}{
		{Sub{Filter: "a", Last: -1}, "client: Last of a is negative"},
		{Sub{Filter: "a", Every: -1}, "client: Every of a is negative"},
		{Sub{Filter: "a", Mode: 7}, "client: the Mode of a is none that there is"},
		{Sub{Filter: "a", Last: 1, Since: &Position{Epoch: "e"}}, "client: Last and Since of a exclude each other"},
		{Sub{Filter: "#", Since: many}, "client: Since of # names more than 65536 topics"},
		{Sub{Filter: "a", Last: 1, Since: &Position{}}, ""},
	} {
		got := ""
		if err := row.sub.check(); err != nil {
			got = err.Error()
		}
		if got != row.want {
			t.Errorf("%+v: %q, want %q", row.sub, got, row.want)
		}
	}
}

// What was passed over by the terms that held before is not missing by those that hold now.
func TestTermsThatBringMoreBeginAtTheirAck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeServer(t, visit{talk: func(p *peer) {
			p.asked(`{"topic":"s/#","every":1000}`, `"epoch":"e","ts":5000,"mode":"latest","every":1000`)
			p.send(told("s/a", 7), told("s/b", 7), told("s/c/d", 7))
			p.asked(`"s/a"`, `"epoch":"e","seq":20`)
			p.send(told("s/a", 21), told("s/a", 23))
			p.asked(`"s/+"`, `"epoch":"e","ts":6000`)
			p.send(told("s/b", 21), told("s/b", 23), told("s/a", 25), told("s/c/d", 20))
			p.asked(`"s/#"`, `"epoch":"e","ts":7000`)
			p.send(told("s/c/d", 30), told("s/c/d", 32))
			p.untilGone()
		}})
		defer s.stop()
		c := s.client(Options{})
		defer c.Close()
		if _, err := c.SubscribeWith(t.Context(), Sub{Filter: "s/#", Every: time.Second}); err != nil {
			t.Fatal(err)
		}
		want(t, read(t, c, 4), "connected\ns/a 7 7\ns/b 7 7\ns/c/d 7 7")
		subscribe(t, c, "s/a")
		want(t, read(t, c, 3), "s/a 21 21\ngap s/a 22-22 lost\ns/a 23 23")
		subscribe(t, c, "s/+")
		want(t, read(t, c, 6), "s/b 21 21\ngap s/b 22-22 lost\ns/b 23 23\ngap s/a 24-24 lost\ns/a 25 25\ns/c/d 20 20")
		subscribe(t, c, "s/#")
		want(t, read(t, c, 3), "s/c/d 30 30\ngap s/c/d 31-31 lost\ns/c/d 32 32")
	})
}
