package loadgen

import "github.com/HdrHistogram/hdrhistogram-go"

// tape is what one loop measured in one interval, by class. A loop fills it; the recorder swaps it for an empty one.
type tape [classes]cell

// cell is one class of a tape. The histograms are nil for a class that the plan does not have.
type cell struct {
	measured *hdrhistogram.Histogram // messages planned within the measured window
	other    *hdrhistogram.Histogram // all others: warm-up, and what idle connections hear
	bytes    uint64
}

func newTape(p *Plan) (t tape) {
	for c, n := range p.inClasses() {
		if n > 0 || class(c) == healthy {
			t[c] = cell{measured: newLatency(), other: newLatency()}
		}
	}
	return t
}

func (t *tape) reset() {
	for i := range t {
		if c := &t[i]; c.measured != nil {
			c.measured.Reset()
			c.other.Reset()
			c.bytes = 0
		}
	}
}

// add adds what another tape holds.
func (t *tape) add(o *tape) {
	for i := range t {
		a, b := &t[i], &o[i]
		if a.measured == nil || b.measured == nil {
			continue
		}
		if b.measured.TotalCount() > 0 {
			a.measured.Merge(b.measured)
		}
		if b.other.TotalCount() > 0 {
			a.other.Merge(b.other)
		}
		a.bytes += b.bytes
	}
}

// cut hands over the loop's tape for an empty one; posted by the recorder.
func (l *loop) cut(empty *tape) {
	l.record.tape, *empty = *empty, l.record.tape
}
