package loadgen

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestSketchHasTheHistogramsBuckets(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	s, want := newSketch(), newLatency()
	values := []int64{0, 1, 511, 512, 1<<20 - 1, 1 << 20, 1<<20 + 1, 1<<21 - 1, 1 << 21, latencyMax - 1, latencyMax}
	for range 100_000 {
		values = append(values, int64(math.Exp(random.Float64()*math.Log(latencyMax))))
	}
	for _, v := range values {
		s.record(v)
		if err := want.RecordValue(v); err != nil {
			t.Fatal(err)
		}
	}
	if s.total != int64(len(values)) {
		t.Errorf("%d of %d counted", s.total, len(values))
	}
	if got := histogramOf(s.take(nil)); !got.Equals(want) {
		t.Errorf("seed %d: the sketch and the histogram differ", seed)
	}
	if rest := s.take(nil); len(rest) != 0 || s.total != 0 || histogramOf(rest) != nil {
		t.Errorf("%d bins are left", len(rest))
	}
}

func BenchmarkSketch(b *testing.B) {
	s := newSketch()
	for i := range b.N {
		s.record(int64(i) & 0xffffff)
	}
}
