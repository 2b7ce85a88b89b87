package pubsub

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func (w *world) pages(filter Filter, limit int, between func(page int)) (names []string) {
	w.t.Helper()
	after := ""
	for n := 0; ; n++ {
		page, more := w.hub.Topics(after, filter, limit)
		if len(page) > limit || more && len(page) != limit {
			w.t.Fatalf("a page of %d with %d topics, more: %v", limit, len(page), more)
		}
		for _, i := range page {
			names = append(names, i.Name)
		}
		if !more {
			return names
		}
		after = page[limit-1].Name
		if between != nil {
			between(n)
		}
	}
}

func TestTopicInfo(t *testing.T) {
	w := newWorld(t, nil)
	if _, ok := w.hub.Topic("a"); ok {
		t.Error("there is a topic that nobody made")
	}
	one, other := w.newShard(), w.newShard()
	for _, s := range []*fakeSink{one, other} {
		s.add(1, kindLine)
		s.subscribe(1, "a")
	}
	one.add(2, kindLine)
	one.subscribe(2, "a")
	if i, ok := w.hub.Topic("a"); !ok || i.Name != "a" || i.Subscribers != 3 || i.Last != nil || i.Messages != 0 || i.UsedMillis != w.wall {
		t.Errorf("before its first message: %+v, %v", i, ok)
	}
	w.wall += 500
	w.publish("a", "1", "2")
	i, ok := w.hub.Topic("a")
	if !ok || i.Epoch != "e" || i.Seq != 2 || i.Messages != 2 || i.Bytes != w.topic("a").ring.bytes || i.UsedMillis != w.wall {
		t.Errorf("after its second message: %+v, %v", i, ok)
	}
	want := Message{Topic: "a", Seq: 2, Prev: 1, TS: w.wall, Content: Text}
	if i.Last == nil || string(i.Last.Payload) != "2" {
		t.Fatalf("its newest message is %+v", i.Last)
	}
	if i.Last.Payload = nil; fmt.Sprint(*i.Last) != fmt.Sprint(want) {
		t.Errorf("its newest message is %+v, want %+v", *i.Last, want)
	}
	one.remove(1)
	other.remove(1)
	if i, _ := w.hub.Topic("a"); i.Subscribers != 1 {
		t.Errorf("%d subscribers, one is left", i.Subscribers)
	}
}

func TestTopicsByFilter(t *testing.T) {
	w := newWorld(t, nil)
	names := []string{"$presence/a/b", "$sys/heartbeat", "/", "a", "a/", "a/b", "a/b/c", "a/c", "a-b", "b", "b/c", "é"}
	for _, name := range names {
		w.publish(name, "x")
	}
	slices.Sort(names)
	for _, limit := range []int{1, 2, 3, 100} {
		for _, f := range []Filter{"", "#", "+", "+/#", "+/b", "+/+", "/+", "a", "a/#", "a/+", "a/b", "b/#", "x/#", "$sys/#", "$sys/+", "é"} {
			var want []string
			for _, name := range names {
				if f == "" || f == "#" || f.Match(name) {
					want = append(want, name)
				}
			}
			if got := w.pages(f, limit, nil); !slices.Equal(got, want) {
				t.Errorf("%q by pages of %d: got %q, want %q", f, limit, got, want)
			}
		}
	}
	if page, more := w.hub.Topics("a/c", "", 0); len(page) != 1 || page[0].Name != "b" || !more {
		t.Errorf("without a limit came %d topics", len(page))
	}
	if page, more := w.hub.Topics("é", "", 10); len(page) != 0 || more {
		t.Errorf("after the last one came %+v", page)
	}
}

// TestTopicsWhilePagesAreTurned: all that were there throughout come once and in order, whatever comes and goes.
func TestTopicsWhilePagesAreTurned(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	for _, filter := range []Filter{"", "t/#", "+/+"} {
		w := newWorld(t, nil)
		var stay []string
		fleeting := make(map[string]bool)
		for i := range 1000 {
			name := fmt.Sprintf("t/%d", r.IntN(1_000_000))
			w.publish(name, "x")
			if i%2 == 0 && !fleeting[name] {
				stay = append(stay, name)
			} else if !slices.Contains(stay, name) {
				fleeting[name] = true
			}
		}
		slices.Sort(stay)
		stay = slices.Compact(stay)
		got := w.pages(filter, 7, func(int) {
			for range 5 {
				w.publish(fmt.Sprintf("t/%d-new", r.IntN(1_000_000)), "x")
			}
			for name := range fleeting {
				w.hub.letGo(w.topic(name), func() bool { return true })
				if delete(fleeting, name); len(fleeting)%5 == 0 {
					break
				}
			}
		})
		if !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != len(got) {
			t.Fatalf("seed %d: %q: not in order, or twice: %q", seed, filter, got)
		}
		for _, name := range stay {
			if _, ok := slices.BinarySearch(got, name); !ok {
				t.Errorf("seed %d: %q: %s was there and did not come", seed, filter, name)
			}
		}
	}
}

// TestTopicsGoWhileAPageIsMade: a page is full all the same, so that there is a name to go on from.
func TestTopicsGoWhileAPageIsMade(t *testing.T) {
	w := newWorld(t, nil)
	for i := range 100 {
		w.publish(fmt.Sprintf("t/%02d", i), "x")
	}
	w.hub.o.Wall = func() int64 { // the clock is read when a page's first topic is looked at
		w.hub.o.Wall = func() int64 { return w.wall }
		for i := range 50 {
			w.hub.letGo(w.topic(fmt.Sprintf("t/%02d", i)), func() bool { return true })
		}
		return w.wall
	}
	page, more := w.hub.Topics("", "t/#", 10)
	if len(page) != 10 || !more || page[0].Name != "t/50" || page[9].Name != "t/59" {
		t.Errorf("%d topics, more: %v: %+v", len(page), more, page)
	}
}

func TestRate(t *testing.T) {
	for _, c := range []struct {
		why             string
		kept            int // messages that the ring keeps
		messages        int
		gap, quiet, set int64 // ms between messages, after the last, and that the clock is set back
		want            float64
	}{
		{"nothing was published", 4096, 0, 0, 1000, 0, 0},
		{"one message", 4096, 1, 0, 0, 0, 0.1},
		{"one in the last ten seconds", 4096, 1, 0, 9_999, 0, 0.1},
		{"and just not", 4096, 1, 0, 10_000, 0, 0},
		{"ten a second, all kept", 4096, 300, 100, 0, 0, 10},
		{"half of them lately", 4096, 300, 100, 5_000, 0, 5},
		{"none of them lately", 4096, 300, 100, 50_000, 0, 0},
		{"ten a second, ten kept", 10, 300, 100, 0, 0, 10},
		{"ten a second, one kept", 1, 300, 100, 0, 0, 10},
		{"ten in the last second, then none for four", 10, 300, 100, 4_000, 0, 2},
		{"ten kept, all of long ago", 10, 300, 100, 50_000, 0, 0},
		{"one a minute, one kept", 1, 10, 60_000, 0, 0, 0.1},
		{"more than the clock can tell", 10, 300, 0, 0, 0, 10_000},
		{"the clock was set back", 4096, 300, 100, 0, 5_000, 10},
		{"and few are kept", 10, 300, 100, 0, 50_000, 10},
	} {
		w := newWorld(t, func(o *Options) { o.RetainMessagesMax = c.kept; o.RetainMillisMax = 1 << 40 })
		if tp, err := w.hub.hold("a", false); err == nil {
			tp.mu.Unlock()
		}
		for range c.messages {
			w.publish("a", "x")
			w.wall += c.gap
		}
		w.wall += c.quiet - c.set
		if c.messages > 0 {
			w.wall -= c.gap
		}
		i, _ := w.hub.Topic("a")
		if i.RatePerSecond != c.want {
			t.Errorf("%s: %v messages a second, want %v", c.why, i.RatePerSecond, c.want)
		}
	}
}

// TestTopicsOfAWideFilter: a page is found among many names, wherever the filter leads.
func TestTopicsOfAWideFilter(t *testing.T) {
	const topics = 20_000
	w := newWorld(t, func(o *Options) { o.TopicsMax = topics + 1 })
	w.publish("$t/00000", "x")
	for i := range topics {
		w.publish(fmt.Sprintf("t/%05d", i), "x")
	}
	for _, f := range []Filter{"", "#", "t/#", "t/+", "+/+"} {
		page, more := w.hub.Topics("t/00041", f, 2)
		if len(page) != 2 || page[0].Name != "t/00042" || page[1].Name != "t/00043" || !more {
			t.Errorf("%q: %d topics, more: %v: %+v", f, len(page), more, page)
		}
	}
	if page, more := w.hub.Topics("", "t/+/x", 2); len(page) != 0 || more {
		t.Errorf("a filter that nothing matches has %d topics", len(page))
	}
}

func TestLowest(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	for range 500 {
		n, max := r.IntN(100), 1+r.IntN(20)
		names := make([]string, n)
		for i := range names {
			names[i] = fmt.Sprintf("%06d", i)
		}
		after := fmt.Sprintf("%06d", r.IntN(50))
		l := lowest{after: after, max: max}
		for _, i := range r.Perm(n) {
			l.add(names[i])
			if len(l.names) >= 2*max {
				t.Fatalf("seed %d: it keeps %d names for %d", seed, len(l.names), max)
			}
		}
		from, found := slices.BinarySearch(names, after)
		if found {
			from++
		}
		if got, want := l.sorted(), names[from:min(n, from+max)]; strings.Join(got, " ") != strings.Join(want, " ") {
			t.Fatalf("seed %d: the lowest %d of %d after %s are %q", seed, max, n, after, got)
		}
	}
}

// BenchmarkTopics turns one page; its time is spent on a goroutine of its own, but for the locks.
func BenchmarkTopics(b *testing.B) {
	const topics = 100_000
	w := newWorld(b, func(o *Options) { o.TopicsMax = topics; o.RetainTotalBytesMax = 1 << 30 })
	for i := range topics {
		w.publish(fmt.Sprintf("device/%d/%d", i/10, i%10), "x")
	}
	for _, f := range []Filter{"", "device/#", "device/77/+", "+/77/+"} {
		b.Run(string(f), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				w.hub.Topics("device/5", f, 100)
			}
		})
	}
}
