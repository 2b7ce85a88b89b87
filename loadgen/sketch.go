package loadgen

import (
	"math/bits"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// sketch counts latencies in the same buckets as the histograms of newLatency. Taking what it holds costs microseconds, where
// encoding a histogram costs a millisecond, in which a generator on one core would measure itself.
type sketch struct {
	counts []uint32
	total  int64
}

// bin is a bucket of a sketch that holds something.
type bin struct{ index, count uint32 }

// A sketch's geometry is that of an HDR histogram from 1 µs on with three digits: units of 512 ns, and 1,024 buckets for
// each doubling above 1 ms.
const (
	sketchUnitBits    = 9
	sketchHalfBits    = 10
	sketchHalf        = 1 << sketchHalfBits
	sketchBucketsMost = (40 - sketchUnitBits - sketchHalfBits + 1) * sketchHalf // 600 s in ns has 40 bits
)

func newSketch() *sketch { return &sketch{counts: make([]uint32, sketchBucketsMost)} }

// record counts a latency of 0 to latencyMax ns.
func (s *sketch) record(ns int64) {
	u := uint64(ns) >> sketchUnitBits
	s.total++
	if u < 2*sketchHalf {
		s.counts[u]++
		return
	}
	e := bits.Len64(u) - sketchHalfBits - 1
	s.counts[uint64(e)<<sketchHalfBits+u>>e]++
}

// value is the least latency of a bucket.
func (b bin) value() int64 {
	if b.index < 2*sketchHalf {
		return int64(b.index) << sketchUnitBits
	}
	e := b.index>>sketchHalfBits - 1
	return int64(b.index-e<<sketchHalfBits) << e << sketchUnitBits
}

// take appends what the sketch holds to dst, and empties it.
func (s *sketch) take(dst []bin) []bin {
	for i, n := range s.counts {
		if n > 0 {
			dst = append(dst, bin{uint32(i), n})
			s.counts[i] = 0
		}
	}
	s.total = 0
	return dst
}

// histogramOf makes a histogram of bins; nil if there are none.
func histogramOf(bins []bin) *hdrhistogram.Histogram {
	if len(bins) == 0 {
		return nil
	}
	h := newLatency()
	for _, b := range bins {
		_ = h.RecordValues(b.value(), int64(b.count)) // in range, as what was recorded was
	}
	return h
}
