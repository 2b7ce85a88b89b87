package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/megawire/megawire/client"
	"github.com/megawire/megawire/server/config"
)

// numbers publishes numbered messages.
type numbers struct {
	*site

	heads map[string]uint64
	lines strings.Builder
	count int
}

func (n *numbers) add(topic string) {
	n.heads[topic]++
	fmt.Fprintf(&n.lines, "{\"topic\":%q,\"data\":%d}\n", topic, n.heads[topic])
	n.count++
}

func (n *numbers) publish() {
	n.t.Helper()
	if err := n.stream(strings.NewReader(n.lines.String()), n.count); err != nil {
		n.t.Fatal(err)
	}
	n.lines.Reset()
	n.count = 0
}

// cutSubs overlap: p/0 is matched by two of them.
var cutSubs = []client.Sub{
	{Filter: "r/0", Last: 5}, {Filter: "r/1"}, {Filter: "p/#"}, {Filter: "p/0"}, {Filter: "p/+", Last: 1},
	{Filter: "l/0", Mode: client.ModeLatest},
}

// publishWhileCut publishes in rounds, with new topics coming up, while the application's connection breaks. Where it is
// to keep pace, it is at most so many rounds behind.
func publishWhileCut(a *resumer, c *cutter, n *numbers, behindMax int) {
	c.cutting.Store(true)
	const rounds, perTopic = 100, 8
	var published []map[string]uint64
	for round := range rounds {
		for range perTopic {
			for _, topic := range []string{"r/0", "r/1", "p/0", "p/1/x", "p/2", "l/0"} {
				n.add(topic)
			}
			n.add(fmt.Sprintf("p/new/%d", round))
		}
		n.publish()
		published = append(published, maps.Clone(n.heads))
		if behindMax > 0 && round >= behindMax {
			a.reached(published[round-behindMax])
		}
	}
}

// reached waits until the application is not behind these numbers.
func (a *resumer) reached(heads map[string]uint64) {
	a.t.Helper()
	eventually(a.t, func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		for topic, head := range heads {
			if a.next[topic] <= head && a.fault == "" {
				return false
			}
		}
		return true
	}, func() string { return "the application does not follow" })
}

// While all that is published is kept, a client whose connection breaks again and again gets every message once, in
// order, and is told of no gap.
func TestResume(t *testing.T) {
	s := serve(t, func(c *config.Config) {
		c.Ring.RetainBytes, c.Ring.RetainAge = 16*config.MiB, time.Hour
	})
	c := newCutter(t, s.addr)
	a := resume(t, c.url(), nil, 0, cutSubs...)
	n := &numbers{site: &s.site, heads: map[string]uint64{}}
	publishWhileCut(a, c, n, 4)
	a.awaits(n.heads)
	if len(a.gaps) > 0 || a.anew > 0 {
		t.Errorf("%d gaps were told, the first of them %s, and %d times of a new beginning", len(a.gaps), append(a.gaps, "")[0], a.anew)
	}
	if c.cuts.Load() < 20 {
		t.Errorf("the connection broke %d times: nothing is tested", c.cuts.Load())
	}
	t.Logf("%d messages came over %d broken connections", a.count, c.cuts.Load())
}

// Where less is kept than is missed, every message comes once, in order, or a gap covers it.
func TestResumeWithLittleKept(t *testing.T) {
	s := serve(t, func(c *config.Config) { c.Ring.RetainMessages = 4 })
	c := newCutter(t, s.addr)
	a := resume(t, c.url(), nil, 0, cutSubs...)
	n := &numbers{site: &s.site, heads: map[string]uint64{}}
	publishWhileCut(a, c, n, 0)
	a.awaits(n.heads)
	if a.anew > 0 {
		t.Errorf("%d times a new beginning was told", a.anew)
	}
	t.Logf("%d messages came over %d broken connections, and %d gaps", a.count, c.cuts.Load(), len(a.gaps))
}

// A server that takes short requests alone gets them short: of more topics than they can name, those are named that were
// heard of last.
func TestResumeAtAServerThatTakesShortRequests(t *testing.T) {
	const topics = 3000
	s := serve(t, func(c *config.Config) { c.Limits.MessageBytes = 8 * config.KiB })
	c := newCutter(t, s.addr)
	a := resume(t, c.url(), nil, 0, client.Sub{Filter: "p/#"})
	n := &numbers{site: &s.site, heads: map[string]uint64{}}
	for range 4 {
		for i := range topics {
			n.add(fmt.Sprintf("p/%d", i))
		}
		n.publish()
		a.awaits(n.heads)
		c.breakAll()
	}
	n.add("p/0")
	n.publish()
	a.awaits(n.heads)
	if len(a.gaps) > 0 || a.anew > 0 {
		t.Errorf("%d gaps were told, and %d times of a new beginning", len(a.gaps), a.anew)
	}
	if a.long == 0 {
		t.Error("no request was too long: nothing is tested")
	}
	t.Logf("%d requests were too long", a.long)
}

// A server that begins anew has another epoch: one gap for each filter, and what it has from the newest on.
func TestResumeAtAServerThatBeganAnew(t *testing.T) {
	quickly := func(c *config.Config) { c.Drain.Spread = 0 }
	first := serve(t, quickly)
	c := newCutter(t, first.addr)
	a := resume(t, c.url(), nil, 0, client.Sub{Filter: "r/0"}, client.Sub{Filter: "p/#"})
	n := &numbers{site: &first.site, heads: map[string]uint64{}}
	n.add("r/0")
	n.add("p/0")
	n.publish()
	a.awaits(n.heads)

	second := serve(t, quickly)
	n = &numbers{site: &second.site, heads: map[string]uint64{}}
	for range 3 {
		n.add("r/0")
		n.add("p/0")
		n.add("p/1")
	}
	n.publish()
	c.target.Store(&second.addr)
	first.stop()
	eventually(t, func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.anew == 2
	}, func() string { return fmt.Sprintf("%d gaps, of two filters", a.anew) })
	a.awaits(n.heads)
	n.add("r/0")
	n.add("p/1")
	n.add("p/2")
	n.publish()
	a.awaits(n.heads)
	if a.count != 2+3+3 || len(a.gaps) > 0 {
		t.Errorf("%d messages, want two of the first server, the newest of three topics, and three new ones; gaps %v", a.count, a.gaps)
	}
}

// An application that stores its place goes on from there in another process, with what it had left unread.
func TestResumeFromAStoredPlace(t *testing.T) {
	s := serve(t, func(c *config.Config) { c.Ring.RetainAge = time.Hour })
	filters := []string{"r/0", "p/#"}
	n := &numbers{site: &s.site, heads: map[string]uint64{}}
	add := func() {
		for i := range 50 {
			n.add("r/0")
			n.add("p/0")
			n.add(fmt.Sprintf("p/1/%d", i))
		}
		n.publish()
	}
	stored := map[string][]byte{}
	next := map[string]uint64{}
	for range 5 {
		subs := make([]client.Sub, len(filters))
		for i, f := range filters {
			if subs[i].Filter = f; stored[f] != nil {
				subs[i].Since = new(client.Position)
				if err := json.Unmarshal(stored[f], subs[i].Since); err != nil {
					t.Fatal(err)
				}
			}
		}
		add()
		a := resume(t, "ws://"+s.addr+"/ws", next, 100, subs...)
		add()
		<-a.ended
		for _, f := range filters {
			at, ok := a.c.Position(f)
			if !ok {
				t.Fatalf("no place in %s", f)
			}
			b, err := json.Marshal(at)
			if err != nil {
				t.Fatal(err)
			}
			stored[f] = b
		}
		if len(a.gaps) > 0 || a.anew > 0 || a.fault != "" {
			t.Fatalf("gaps %v, %d new beginnings, %s", a.gaps, a.anew, a.fault)
		}
		next = a.next
		a.stop()
	}
}
