package loadgen

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// samplesEvery is how many intervals there are to a sample.
const samplesEvery = 5

// recorder turns what the loops measure into the lines of a raw stream, on a goroutine of its own while the loops run.
type recorder struct {
	fleet   *fleet
	sink    func(*Line)
	started int64 // by the fleet's clock
	phase   atomic.Pointer[string]
	last    atomic.Pointer[Latency] // of the healthy, in the last interval that had any

	// its goroutine's
	sum    tape
	spares []tape
	marks  []mark
	busy   []float64 // share of each loop's time in the last interval
	since  int64
	count  int

	quit    chan struct{}
	stopped sync.WaitGroup
}

func newRecorder(f *fleet, sink func(*Line)) *recorder {
	r := &recorder{fleet: f, sink: sink, started: f.clock.now(), sum: newTape(f.plan), quit: make(chan struct{})}
	r.since = r.started
	r.marks, r.busy = make([]mark, len(f.loops)), make([]float64, len(f.loops))
	for range f.loops {
		r.spares = append(r.spares, newTape(f.plan))
	}
	r.enter("opening")
	return r
}

func (r *recorder) enter(phase string) { r.phase.Store(&phase) }

// start records until stop.
func (r *recorder) start() {
	r.stopped.Add(1)
	go func() {
		defer r.stopped.Done()
		tick := time.NewTicker(IntervalLength)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				if !r.exchange() {
					return
				}
			case <-r.quit:
				return
			}
		}
	}()
}

// stop ends the recording; the loops still run. What they measure from here on is taken by finish.
func (r *recorder) stop() {
	close(r.quit)
	r.stopped.Wait()
}

// finish records what the loops have left; they have ended.
func (r *recorder) finish() {
	for _, l := range r.fleet.loops {
		r.sum.add(&l.record.tape)
	}
	r.write()
}

// exchange gives every loop an empty tape for its full one; false: the run is over.
func (r *recorder) exchange() bool {
	for i, l := range r.fleet.loops {
		cut := make(chan mark, 1)
		l.post(func() {
			l.cut(&r.spares[i])
			cut <- l.mark()
		})
		select {
		case m := <-cut:
			r.busy[i] = r.marks[i].busyUntil(&m)
			r.marks[i] = m
		case <-r.quit: // a loop that ended by a fault does not answer
			return false
		}
		r.sum.add(&r.spares[i])
		r.spares[i].reset()
	}
	r.write()
	if r.count++; r.count%samplesEvery == 0 {
		r.sample()
	}
	return true
}

// write makes lines of the sum, and empties it.
func (r *recorder) write() {
	now := r.fleet.clock.now()
	for c := range r.sum {
		cell := &r.sum[c]
		if cell.measured == nil {
			continue
		}
		i := &Interval{
			At: seconds(now - r.started), Seconds: seconds(now - r.since), Phase: *r.phase.Load(), Class: class(c).String(),
			Deliveries: cell.measured.TotalCount() + cell.other.TotalCount(), Bytes: cell.bytes,
		}
		if cell.measured.TotalCount() > 0 {
			i.Measured = &Histogram{cell.measured}
		}
		if cell.other.TotalCount() > 0 {
			i.Other = &Histogram{cell.other}
		}
		if class(c) == healthy && i.Measured != nil {
			latency := newLatencyResult(cell.measured)
			r.last.Store(&latency)
		}
		r.sink(&Line{Interval: i})
	}
	r.sum.reset()
	r.since = now
}

func (r *recorder) sample() {
	t := r.fleet.totals()
	s := &Sample{At: seconds(r.fleet.clock.now() - r.started), Open: t.open, Failed: t.failed, Dropped: t.dropped, Busy: slices.Clone(r.busy)}
	if pid := r.fleet.plan.PID; pid > 0 {
		if u, err := readUsage(pid); err == nil { // if it has ended, the run says so at its next boundary
			s.CPU, s.RSSBytes = u.cpu.Seconds(), u.rss
		}
	}
	r.sink(&Line{Sample: s})
}

func seconds(ns int64) float64 { return time.Duration(ns).Round(time.Microsecond).Seconds() }
