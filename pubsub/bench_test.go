package pubsub

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// crowdOf is a shard whose sink takes all, with so many subscribers of the line kind, each with
// subscriptions to so many of the topics, spread evenly.
func crowdOf(tb testing.TB, subscribers, topics, each int) (*world, *Shard, []string) {
	w := newWorld(tb, func(o *Options) { o.SliceNanos = 1 << 60 })
	s := w.hub.NewShard(discardSink{}, func() {})
	names := make([]string, topics)
	for i := range names {
		names[i] = fmt.Sprintf("ticker/%04d", i)
	}
	for i := range subscribers {
		id := s.NewSubscriber(uint32(i), kindLine)
		for k := range each {
			if _, err := s.Subscribe(id, &Request{Filter: names[(i*7+k*(topics/each))%topics]}); err != nil {
				tb.Fatal(err)
			}
		}
	}
	return w, s, names
}

func (w *world) publishTo(p *Publication, names []string) {
	for _, name := range names {
		p.Topic = name
		if _, err := w.hub.Publish(p, nil); err != nil {
			w.t.Fatal(err)
		}
	}
}

// BenchmarkDelivery publishes a round of messages and takes the turns that deliver them; the sink only
// counts. ns/delivery is the hub's and the shard's share of a delivery.
func BenchmarkDelivery(b *testing.B) {
	for _, c := range []struct {
		name                      string
		subscribers, topics, each int
	}{
		{"1 topic x 5000 subscribers", 5000, 1, 1},
		{"1000 topics, 5000 subscribers x 20", 5000, 1000, 20},
	} {
		b.Run(c.name, func(b *testing.B) {
			w, s, names := crowdOf(b, c.subscribers, c.topics, c.each)
			p := &Publication{Payload: []byte(strings.Repeat("x", 128))}
			b.ReportAllocs()
			before := s.Counts().Deliveries
			for b.Loop() {
				w.publishTo(p, names)
				for s.Turn() {
				}
			}
			delivered := s.Counts().Deliveries - before
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(delivered), "ns/delivery")
			b.ReportMetric(float64(delivered)/float64(b.N), "deliveries/op")
		})
	}
}

func BenchmarkPublish(b *testing.B) {
	w := newWorld(b, nil)
	p := &Publication{Topic: "a", Payload: []byte(strings.Repeat("x", 128))}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.hub.Publish(p, nil); err != nil {
			b.Fatal(err)
		}
	}
}

// TestBytesOfASubscriber bounds what an idle subscriber with one subscription costs.
func TestBytesOfASubscriber(t *testing.T) {
	const subscribers, bytesMax = 100_000, 90
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	w, s, _ := crowdOf(t, subscribers, 100, 1)
	runtime.GC()
	runtime.ReadMemStats(&after)
	each := float64(after.HeapAlloc-before.HeapAlloc) / subscribers
	t.Logf("%.1f bytes a subscriber with one subscription", each)
	if each > bytesMax {
		t.Errorf("%.1f bytes, at most %d are meant", each, bytesMax)
	}
	runtime.KeepAlive(w)
	runtime.KeepAlive(s)
}
