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
	latency  *hdrhistogram.Histogram

	bytesIn, reads                             uint64
	waited                                     int64 // ns spent asleep
	opened, failed, dropped, unanswered, pings int
	failures, drops, faults                    reasons

	begin, end mark // of the measured window
}

// mark is a loop's counters at one instant.
type mark struct {
	at, waited                int64
	delivered, bytesIn, reads uint64
}

func newRecord() record {
	return record{from: math.MaxInt64, to: math.MaxInt64, latency: newLatency()}
}

func newLatency() *hdrhistogram.Histogram {
	return hdrhistogram.New(latencyMin, latencyMax, latencyDigits)
}

// took records the latency of a message that arrived now.
func (r *record) took(planned, now int64) {
	if planned < r.from || planned >= r.to {
		return
	}
	_ = r.latency.RecordValue(min(now-planned, latencyMax)) // in range, so it cannot fail
}

func (l *loop) mark() mark {
	return mark{at: l.clock.now(), waited: l.record.waited, delivered: l.ledger.Delivered, bytesIn: l.record.bytesIn, reads: l.record.reads}
}
