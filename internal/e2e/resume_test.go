package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/megawire/megawire/client"
	"github.com/megawire/megawire/server/config"
)

// cutter is a proxy that cuts each connection after some bytes of the server's, wherever that is.
type cutter struct {
	t        *testing.T
	listener net.Listener
	target   atomic.Pointer[string]
	cutting  atomic.Bool
	cuts     atomic.Int64
	copying  sync.WaitGroup

	mu    sync.Mutex
	r     *rand.Rand
	conns map[net.Conn]struct{}
}

const cutAfterBytesMax = 6 << 10

func newCutter(t *testing.T, target string) *cutter {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed of the cuts %d", seed)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{t: t, listener: l, r: rand.New(rand.NewPCG(seed, 0)), conns: map[net.Conn]struct{}{}}
	c.target.Store(&target)
	c.copying.Go(c.accept)
	t.Cleanup(c.stop)
	return c
}

func (c *cutter) url() string { return "ws://" + c.listener.Addr().String() + "/ws" }

func (c *cutter) accept() {
	for {
		near, err := c.listener.Accept()
		if err != nil {
			return
		}
		c.copying.Go(func() { c.join(near) })
	}
}

func (c *cutter) join(near net.Conn) {
	defer near.Close()
	far, err := net.Dial("tcp", *c.target.Load())
	if err != nil {
		return // nobody is there just now
	}
	defer far.Close()
	if !c.keep(near, far) {
		return
	}
	var both sync.WaitGroup
	both.Go(func() {
		_, _ = io.Copy(far, near)
		_ = far.Close()
	})
	c.copyAndCut(near, far)
	_ = near.Close()
	both.Wait()
	c.mu.Lock()
	delete(c.conns, near)
	delete(c.conns, far)
	c.mu.Unlock()
}

// copyAndCut copies up to where the connection is to break. What comes while nothing is to break does not count.
func (c *cutter) copyAndCut(near, far net.Conn) {
	c.mu.Lock()
	left := int64(c.r.IntN(cutAfterBytesMax))
	c.mu.Unlock()
	buf := make([]byte, 4096)
	for {
		n, err := far.Read(buf)
		if c.cutting.Load() {
			if left -= int64(n); left < 0 {
				_, _ = near.Write(buf[:int64(n)+left])
				c.cuts.Add(1)
				return
			}
		}
		if _, failed := near.Write(buf[:n]); err != nil || failed != nil {
			return
		}
	}
}

// keep remembers the ends of a connection for stop, and says whether there is still need for it.
func (c *cutter) keep(ends ...net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conns == nil {
		return false
	}
	for _, end := range ends {
		c.conns[end] = struct{}{}
	}
	return true
}

func (c *cutter) breakAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for end := range c.conns {
		_ = end.Close()
	}
}

func (c *cutter) stop() {
	_ = c.listener.Close()
	c.breakAll()
	c.mu.Lock()
	c.conns = nil
	c.mu.Unlock()
	c.copying.Wait()
}

// resumer is an application on the Go client, and what it was told.
type resumer struct {
	t      *testing.T
	c      *client.Client
	passes string // what begins with it may be passed over
	leaves int    // it leaves after so many messages; 0 is never
	ended  chan struct{}

	mu    sync.Mutex
	next  map[string]uint64 // of each topic, the message that is to come; 0 before the first
	gaps  []string
	anew  int // gaps of which nobody knows how many they are
	long  int // connections closed because of a request that was too long
	count int
	fault string
}

var quick = client.Options{BackoffBase: time.Millisecond, BackoffCap: 20 * time.Millisecond}

// resume starts an application; next is where an earlier one stopped, nil for none, and leaves after how many messages it
// is to stop itself.
func resume(t *testing.T, url string, next map[string]uint64, leaves int, subs ...client.Sub) *resumer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := client.Dial(ctx, url, quick)
	if err != nil {
		t.Fatal(err)
	}
	a := &resumer{t: t, c: c, passes: "l/", leaves: leaves, ended: make(chan struct{}), next: next}
	if next == nil {
		a.next = map[string]uint64{}
	}
	go a.run()
	t.Cleanup(a.stop)
	results, err := c.SubscribeWith(ctx, subs...)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if r.Err != nil {
			t.Fatalf("%s: %v", r.Filter, r.Err)
		}
	}
	return a
}

func (a *resumer) stop() {
	_ = a.c.Close()
	<-a.ended
}

func (a *resumer) run() {
	defer close(a.ended)
	for {
		e, err := a.c.Next(context.Background())
		if err != nil {
			if !errors.Is(err, client.ErrClosed) {
				a.failed("the client has ended: %v", err)
			}
			return
		}
		if a.take(&e); a.leaves > 0 && a.count == a.leaves {
			return
		}
	}
}

func (a *resumer) take(e *client.Event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case e.Kind == client.Message:
		a.count++
		a.had(e.Topic, e.Seq, e.Seq)
		if n, err := strconv.ParseUint(string(e.Payload), 10, 64); err != nil || n != e.Seq {
			a.failed("%s: message %d is %s", e.Topic, e.Seq, e.Payload)
		}
	case e.Kind == client.Gap && e.To == 0:
		a.anew++
		for topic := range a.next {
			if topic == e.Topic || strings.HasPrefix(topic, strings.TrimSuffix(e.Topic, "#")) {
				a.next[topic] = 0
			}
		}
	case e.Kind == client.Gap:
		a.had(e.Topic, e.From, e.To)
		a.gaps = append(a.gaps, fmt.Sprintf("%s %d-%d %s", e.Topic, e.From, e.To, e.Reason))
	case e.State == client.Disconnected && websocket.CloseStatus(e.Err) == websocket.StatusMessageTooBig:
		a.long++
	case e.Kind == client.Unsubscribed, e.Kind == client.Fault:
		a.failed("%s: %v", e.Topic, e.Err)
	}
}

// had notes from..to of a topic, which must come once and in order.
func (a *resumer) had(topic string, from, to uint64) {
	next := a.next[topic]
	passed := strings.HasPrefix(topic, a.passes) && from > next
	if next != 0 && from != next && !passed {
		a.failed("%s: %d to %d came where %d is next", topic, from, to, next)
	}
	a.next[topic] = to + 1
}

func (a *resumer) failed(format string, args ...any) {
	if a.fault == "" {
		a.fault = fmt.Sprintf(format, args...)
	}
}

// awaits waits until the application has everything up to these numbers.
func (a *resumer) awaits(heads map[string]uint64) {
	a.t.Helper()
	missing := ""
	eventually(a.t, func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		missing = ""
		for topic, head := range heads {
			if next := a.next[topic]; next != head+1 {
				missing = fmt.Sprintf("%s stands at %d, not at %d; %d messages came, %d gaps", topic, next, head+1, a.count, len(a.gaps))
			}
		}
		return missing == "" || a.fault != ""
	}, func() string { return missing })
	if a.fault != "" {
		a.t.Fatal(a.fault)
	}
}

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
		heads := map[string]uint64{}
		for topic, head := range n.heads {
			heads[topic] = head
		}
		if published = append(published, heads); round == 0 {
			a.awaits(heads)
			c.cutting.Store(true)
			continue
		}
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
