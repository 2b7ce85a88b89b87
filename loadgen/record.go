package loadgen

import (
	"math"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Range and precision of a latency, in ns: 1 µs to 10 minutes at three digits.
const (
	latencyMin    = 1_000
	latencyMax    = 600_000_000_000
	latencyDigits = 3
)

// reasonsMax bounds how many different reasons are told apart.
const reasonsMax = 32

// reasons counts why something happened.
type reasons map[string]uint64

func (r *reasons) count(why string) { r.counts(why, 1) }

func (r *reasons) counts(why string, n uint64) {
	if *r == nil {
		*r = reasons{}
	}
	if _, known := (*r)[why]; !known && len(*r) >= reasonsMax {
		why = "other"
	}
	(*r)[why] += n
}

func (r *reasons) add(o reasons) {
	for why, n := range o {
		r.counts(why, n)
	}
}

// record is what a loop measured. It belongs to the loop; the coordinator takes it when the loop has ended.
type record struct {
	// messages planned in [from, to) are measured
	from, to int64
	tape     tape  // what came since it was last cut
	class    class // of the connection that is being read

	bytesIn, reads                             uint64
	waited                                     int64 // ns spent asleep
	opened, failed, dropped, unanswered, pings int
	droppedOf                                  [classes]int
	failures, drops, faults                    reasons

	begin, end mark // of the measured window
}

// mark is a loop's counters at one instant.
type mark struct {
	at, waited                int64
	delivered, bytesIn, reads uint64
	inflated                  inflatedCounts
}

// busyUntil is the share of the time between two marks that the loop was not asleep.
func (m *mark) busyUntil(end *mark) float64 {
	if m.at == 0 || end.at <= m.at {
		return 0
	}
	return max(0, 1-float64(end.waited-m.waited)/float64(end.at-m.at))
}

func newRecord(p *Plan) record {
	return record{from: math.MaxInt64, to: math.MaxInt64, tape: newTape(p)}
}

func newLatency() *hdrhistogram.Histogram {
	return hdrhistogram.New(latencyMin, latencyMax, latencyDigits)
}

// took records the latency of a message that arrived now.
func (r *record) took(planned, now int64) {
	h := r.tape[r.class].measured
	if planned < r.from || planned >= r.to {
		h = r.tape[r.class].other
	}
	h.record(max(0, min(now-planned, latencyMax)))
}

// read counts a read.
func (r *record) read(bytes int) {
	r.bytesIn += uint64(bytes)
	r.reads++
	r.tape[r.class].bytes += uint64(bytes)
}

func (l *loop) mark() mark {
	m := mark{at: l.clock.now(), waited: l.record.waited, delivered: l.ledger.Delivered, bytesIn: l.record.bytesIn, reads: l.record.reads}
	if l.inflation != nil {
		m.inflated = l.inflation.inflatedCounts
	}
	return m
}
