package loadgen

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// samplesEvery is how many intervals there are to a sample.
	samplesEvery = 5
	// pendingMax bounds what is kept while a run measures: two minutes. Writing a line costs a millisecond, which is better
	// spent when nothing is measured.
	pendingMax = 1440
	// phaseMeasuring is the phase in which latencies count.
	phaseMeasuring = "measuring"
)

// recorder turns what the loops measure into the lines of a raw stream, on a goroutine of its own while the loops run.
type recorder struct {
	fleet   *fleet
	sink    func(*Line)
	started int64 // by the fleet's clock
	phase   atomic.Pointer[string]
	last    atomic.Pointer[Latency] // of the healthy, in the last interval that had any
	watched bool                    // somebody looks at last
	classes [classes]int

	// its goroutine's
	spares  []tape
	marks   []mark
	busy    []float64 // share of each loop's time in the last interval
	since   int64
	count   int
	pending []any // strips and samples that are not lines yet

	quit    chan struct{}
	stopped sync.WaitGroup
}

func newRecorder(f *fleet, sink func(*Line)) *recorder {
	r := &recorder{fleet: f, sink: sink, started: f.clock.now(), classes: f.plan.inClasses(), quit: make(chan struct{})}
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
	last := r.strip()
	for _, l := range r.fleet.loops {
		last.take(&l.record.tape)
	}
	r.add(last)
	r.write(len(r.pending))
}

// exchange gives every loop an empty tape for its full one; false: the run is over.
func (r *recorder) exchange() bool {
	s := r.strip()
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
		s.take(&r.spares[i])
	}
	r.add(s)
	if r.count++; r.count%samplesEvery == 0 {
		r.pending = append(r.pending, r.sample())
	}
	switch {
	case s.phase != phaseMeasuring:
		r.write(len(r.pending))
	case len(r.pending) > pendingMax:
		r.write(2)
	}
	return true
}

func (r *recorder) strip() *strip { return &strip{since: r.since, phase: *r.phase.Load()} }

// add ends an interval.
func (r *recorder) add(s *strip) {
	s.at = r.fleet.clock.now()
	r.since = s.at
	r.pending = append(r.pending, s)
	if h := histogramOf(s.cells[healthy].measured); h != nil && r.watched {
		latency := newLatencyResult(h)
		r.last.Store(&latency)
	}
}

// write makes lines of the first n that are pending.
func (r *recorder) write(n int) {
	for _, p := range r.pending[:min(n, len(r.pending))] {
		switch p := p.(type) {
		case *Sample:
			r.sink(&Line{Sample: p})
		case *strip:
			r.intervals(p)
		}
	}
	r.pending = r.pending[:copy(r.pending, r.pending[min(n, len(r.pending)):])]
}

func (r *recorder) intervals(s *strip) {
	for c, n := range r.classes {
		if n == 0 && class(c) != healthy {
			continue
		}
		cell := &s.cells[c]
		i := &Interval{
			At: seconds(s.at - r.started), Seconds: seconds(s.at - s.since), Phase: s.phase, Class: class(c).String(),
			Deliveries: cell.deliveries, Bytes: cell.bytes,
		}
		if h := histogramOf(cell.measured); h != nil {
			i.Measured = &Histogram{h}
		}
		if h := histogramOf(cell.other); h != nil {
			i.Other = &Histogram{h}
		}
		r.sink(&Line{Interval: i})
	}
}

func (r *recorder) sample() *Sample {
	t := r.fleet.totals()
	s := &Sample{At: seconds(r.fleet.clock.now() - r.started), Open: t.open, Failed: t.failed, Dropped: t.dropped, Busy: slices.Clone(r.busy)}
	if pid := r.fleet.plan.PID; pid > 0 {
		if u, err := readUsage(pid); err == nil { // if it has ended, the run says so at its next boundary
			s.CPU, s.RSSBytes = u.cpu.Seconds(), u.rss
		}
	}
	return s
}

func seconds(ns int64) float64 { return time.Duration(ns).Round(time.Microsecond).Seconds() }
