package server

import (
	"testing"

	"github.com/megawire/megawire/pubsub"
)

// TestSnapshots: a loop's counts are copied in place, and what it counts afterwards does not show.
func TestSnapshots(t *testing.T) {
	var s workerSnapshot
	counts := workerCounts{messages: 1, closes: map[int]uint64{1000: 2}, upgrades: map[string]uint64{"full": 3}}
	s.take(counts, pubsub.Counts{Deliveries: 4})
	counts.closes[1000]++
	counts.messages++
	if s.messages != 1 || s.closes[1000] != 2 || s.upgrades["full"] != 3 || s.shard.Deliveries != 4 {
		t.Errorf("the snapshot: %+v, %+v", s.workerCounts, s.shard)
	}
	counts.closes[1001] = 5
	s.take(counts, pubsub.Counts{})
	if s.messages != 2 || s.closes[1000] != 3 || s.closes[1001] != 5 || s.shard.Deliveries != 0 {
		t.Errorf("the next one: %+v, %+v", s.workerCounts, s.shard)
	}
	if n := testing.AllocsPerRun(100, func() { s.take(counts, pubsub.Counts{}) }); n != 0 {
		t.Errorf("%v allocations a tick", n)
	}
}
