package client

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/coder/websocket"
)

func TestPositionsAreBounded(t *testing.T) {
	ps := newPositions(10)
	ps.acked(&Sub{Filter: "x"}, &ack{epoch: "e", head: 1})
	for i := range 100 {
		ps.saw(fmt.Sprint("t/", i), 1, 0, 1)
	}
	if len(ps.topics) != 10 || ps.topics["x"] == nil {
		t.Errorf("%d topics are remembered, want 10, the one subscribed to by name among them", len(ps.topics))
	}
	if _, news, before := ps.saw("t/new", 50, 49, 1); !news || before.to > 0 {
		t.Error("a topic that was forgotten counts afresh")
	}
}

func TestAPlaceNamesTheTopicsHeardOfLast(t *testing.T) {
	ps := newPositions(100)
	ps.acked(&Sub{Filter: "t/#"}, &ack{epoch: "e", ts: 1000})
	for i := range 10 {
		ps.saw(fmt.Sprintf("t/%d", i), 7, 6, int64(5000+(i*7)%10))
	}
	for _, row := range []struct {
		topicsMax, bytesMax int
		want                string
	}{
		{10, 1000, "ts 1000 map[t/0:7 t/1:7 t/2:7 t/3:7 t/4:7 t/5:7 t/6:7 t/7:7 t/8:7 t/9:7]"},
		{3, 1000, "ts 3009 map[t/1:7 t/4:7 t/7:7]"}, // 5009 less the margin
		{10, 23, "ts 3009 map[t/4:7 t/7:7]"},        // "t/4":7, are 8 bytes
		{0, 0, "ts 3009 map[]"},
	} {
		at, ok := ps.place("t/#", row.topicsMax, row.bytesMax)
		if got := fmt.Sprint("ts ", at.TS, " ", at.Seqs); !ok || got != row.want {
			t.Errorf("with room for %d topics and %d bytes: %s (%v), want %s", row.topicsMax, row.bytesMax, got, ok, row.want)
		}
	}
}

// A topic of its own subscription may be in another epoch already when a pattern that matches it is asked for again.
func TestAPlaceIsOfOneEpoch(t *testing.T) {
	ps := newPositions(100)
	ps.acked(&Sub{Filter: "a/x"}, &ack{epoch: "e", head: 6})
	ps.acked(&Sub{Filter: "a/#"}, &ack{epoch: "e", ts: 1000})
	ps.saw("a/x", 7, 6, 2000)
	ps.saw("a/y", 7, 6, 2000)
	ps.disconnected()
	ps.acked(&Sub{Filter: "a/x"}, &ack{epoch: "f", head: 3})
	at, ok := ps.place("a/#", 10, 1000)
	if got := fmt.Sprint(at.Epoch, " ", at.Seqs); !ok || got != "e map[a/y:7]" {
		t.Errorf("at %s (%v)", got, ok)
	}
}

// Unsubscribing forgets what no other filter matches.
func TestForget(t *testing.T) {
	ps := newPositions(100)
	for _, f := range []string{"a/x", "b", "a/+", "#"} {
		ps.acked(&Sub{Filter: f}, &ack{epoch: "e", head: 6, ts: 1})
	}
	for _, topic := range []string{"a/x", "a/y", "b", "c"} {
		ps.saw(topic, 7, 6, 1)
	}
	for _, row := range []struct{ filter, left string }{
		{"b", "a/x a/y b c"},
		{"#", "a/x a/y"},
		{"a/+", "a/x"},
		{"nothing", "a/x"},
		{"a/x", ""},
	} {
		ps.forget(row.filter)
		var left []string
		for _, topic := range []string{"a/x", "a/y", "b", "c"} {
			if ps.topics[topic] != nil {
				left = append(left, topic)
			}
		}
		if got := strings.Join(left, " "); got != row.left {
			t.Errorf("without %s there is %q, want %q", row.filter, got, row.left)
		}
	}
	if len(ps.scopes) != 0 {
		t.Errorf("patterns are left: %v", ps.scopes)
	}
}

// A server that takes short messages alone closes with 1009, and gets shorter requests.
func TestARequestThatIsTooLongIsMadeShorter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const topics = 1500
		long := strings.Repeat("x", 200)
		var lengths []int
		tooLong := func(p *peer) {
			raw, _, _ := p.request()
			lengths = append(lengths, len(raw))
			_ = p.ws.Close(websocket.StatusMessageTooBig, "")
		}
		s := newFakeServer(t,
			visit{talk: func(p *peer) {
				p.asked(`"t/#"`, `"epoch":"e","ts":5000`)
				for i := range topics {
					p.send(told(fmt.Sprintf("t/%s/%d", long, i), 1))
				}
			}},
			visit{talk: tooLong}, visit{talk: tooLong},
			visit{talk: func(p *peer) {
				raw, id, names := p.request()
				lengths = append(lengths, len(raw))
				p.ackID(id, "e", "0", names)
				p.untilGone()
			}})
		defer s.stop()
		c := s.client(Options{QueueEventsMax: 2 * topics})
		defer c.Close()
		subscribe(t, c, "t/#")
		for range topics + 1 {
			_, _ = c.Next(t.Context())
		}
		want(t, read(t, c, 9), strings.Repeat(again, 3))
		synctest.Wait()
		if fmt.Sprint(len(lengths)) != "3" || lengths[0] < 300<<10 || lengths[1] > lengths[0]/2+100 ||
			lengths[2] > lengths[1]/2+100 || lengths[2] < lengths[0]/5 {
			t.Errorf("requests of %v bytes", lengths)
		}
	})
}

// A publication that is too long is not the fault of the lists of filters beside it.
func TestAPublicationThatIsTooLongMakesNoListShorter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeServer(t,
			visit{talk: func(p *peer) {
				p.request()
				p.request()
				_ = p.ws.Close(websocket.StatusMessageTooBig, "")
			}},
			visit{talk: func(p *peer) {
				p.ack("e", "1")
				p.untilGone()
			}})
		defer s.stop()
		c := s.client(Options{})
		defer c.Close()
		var publishing sync.WaitGroup
		publishing.Go(func() {
			if _, err := c.Publish(t.Context(), "b", Words(strings.Repeat("x", 100<<10))); !errors.Is(err, ErrConnectionLost) {
				t.Errorf("publish: %v", err)
			}
		})
		subscribe(t, c, "a")
		publishing.Wait()
		if n := c.requestBytes.Load(); n != RequestBytesMax {
			t.Errorf("lists are bounded at %d bytes", n)
		}
	})
}

// Who has taken the gap of a pattern that goes on without its place is beyond all that was before.
func TestAPlaceThatWasGivenUpIsNoPosition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeServer(t,
			visit{talk: func(p *peer) {
				p.asked(`"t/#"`, `"epoch":"e","ts":5000`)
				p.send(told("t/a", 7), told("t/b", 3))
			}},
			visit{talk: func(p *peer) {
				p.asked(`{"topic":"t/#","since":{"epoch":"e","ts":5000,"seqs":{"t/a":7,"t/b":3}}}`, `"error":"too_many","message":""`)
				p.asked(`"t/#"`, `"epoch":"e","ts":20000`)
				p.send(told("t/a", 20))
				p.untilGone()
			}})
		defer s.stop()
		c := s.client(Options{})
		defer c.Close()
		subscribe(t, c, "t/#")
		want(t, read(t, c, 7), "connected\nt/a 7 7\nt/b 3 3\n"+again+"gap t/# 0-0 reconnect")
		if at, ok := c.Position("t/#"); !ok || at.TS != 20000 || len(at.Seqs) > 0 {
			t.Errorf("after the gap at %+v, %v", at, ok)
		}
		want(t, read(t, c, 1), "t/a 20 20")
		if at, ok := c.Position("t/#"); !ok || at.TS != 20000 || len(at.Seqs) != 1 || at.Seqs["t/a"] != 20 {
			t.Errorf("behind it at %+v, %v", at, ok)
		}
	})
}

// More was published than the server brings at once: the subscription stands, and what is missing is told.
func TestAPlaceThatIsTooMuchIsGivenUp(t *testing.T) {
	dialogue(t, []Sub{{Filter: "t/#"}, {Filter: "a"}},
		"connected\nt/a 7 7\n"+again+"unsubscribed a\ngap t/# 0-0 reconnect\nt/a 20 20\n"+again+"t/a 21 21",
		func(p *peer) {
			p.asked(`"t/#"`, `"epoch":"e","ts":5000`, `"a"`, `"epoch":"e","seq":1`)
			p.send(told("t/a", 7))
		},
		func(p *peer) {
			const refusal = `"error":"too_many","message":"last brings too much"`
			p.asked(`{"topic":"t/#","since":{"epoch":"e","ts":5000,"seqs":{"t/a":7}}}`, refusal,
				`{"topic":"a","since":{"epoch":"e","seq":1}}`, refusal)
			p.asked(`"t/#"`, `"epoch":"e","ts":6000`)
			p.send(told("t/a", 20))
		},
		func(p *peer) {
			p.asked(`{"topic":"t/#","since":{"epoch":"e","ts":6000,"seqs":{"t/a":20}}}`, `"epoch":"e","recovered":true`)
			p.send(told("t/a", 21))
		})
}
