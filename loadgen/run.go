package loadgen

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"
)

// drainLongest bounds the wait for what is still under way, however steadily it comes.
const drainLongest = 30 * time.Second

// progressEvery is how often Run tells how far it is.
const progressEvery = 200 * time.Millisecond

// rssSampleAt is when an idle run reads the server's memory after the last connection was open.
var rssSampleAt = []time.Duration{5 * time.Second, 25 * time.Second, 150 * time.Second}

// Progress is how far a run is.
type Progress struct {
	Phase           string // opening, warming up, measuring, holding, draining, closing
	Open, Wanted    int
	Failed, Dropped int
	Delivered       uint64
	Rate            float64 // deliveries a second since the last progress
	P50Ms, P99Ms    float64 // of the last interval that had deliveries to measure
	Elapsed, Of     time.Duration
}

// runner is one run's coordinator.
type runner struct {
	*fleet
	recorder  *recorder
	watch     func(Progress)
	result    *Result
	phase     string
	since     time.Time
	length    time.Duration
	lastAt    time.Time
	delivered uint64
	ownCPU    time.Duration
	hostNet   hostNet // when the window began
	tcpOpen   int64   // hostNet's tcpBytes when all were open
}

// Run carries out a plan. watch, which may be nil, is told a few times a second how far it is, on Run's goroutine. The
// error is a *PlanError or *LimitError when the run cannot begin or go on as planned; what the run found wrong with the
// server is in the result. When ctx ends, what was measured so far is returned with Interrupted set.
func Run(ctx context.Context, plan Plan, watch func(Progress)) (*Result, error) {
	return Record(ctx, "", plan, watch, func(*Line) {})
}

// Record is Run for a named step, and hands on the lines of the raw stream as they come, one at a time. A line is sink's
// until sink returns. The result is made from the same lines.
func Record(ctx context.Context, name string, plan Plan, watch func(Progress), sink func(*Line)) (*Result, error) {
	return recordStep(ctx, &Begin{Name: name, Plan: plan}, watch, sink)
}

func recordStep(ctx context.Context, begin *Begin, watch func(Progress), sink func(*Line)) (*Result, error) {
	plan := begin.Plan
	if err := plan.Validate(); err != nil {
		return nil, err
	}
	var told Report
	var fault error
	both := func(l *Line) {
		if err := told.Add(l); err != nil && fault == nil {
			fault = err
		}
		sink(l)
	}
	result, err := carryOut(ctx, begin, watch, both)
	return result, errors.Join(err, fault)
}

// carryOut runs a valid plan. Result is made whole by whoever takes the lines.
func carryOut(ctx context.Context, begin *Begin, watch func(Progress), sink func(*Line)) (*Result, error) {
	begin.Schema, begin.Started = RawSchema, time.Now()
	plan := begin.Plan
	r := &runner{watch: watch, result: &Result{Schema: ResultSchema, Name: begin.Name, Started: begin.Started, Plan: plan}}
	var err error
	if r.fleet, err = newFleet(&plan); err != nil {
		return nil, err
	}
	r.recorder = newRecorder(r.fleet, sink)
	r.recorder.watched = watch != nil
	if plan.PID > 0 {
		if err := r.sample(func(s *Process, u usage) { s.RSSBeforeBytes = u.rss }); err != nil {
			r.closePollers()
			return nil, &PlanError{Flag: "pid", Message: err.Error()}
		}
	}
	sink(&Line{Begin: begin})
	r.start()
	r.recorder.start()
	err = r.work(ctx)
	r.enter("closing", 0)
	r.recorder.stop()
	r.close(plan.CloseTimeout)
	r.recorder.finish()
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		r.result.Interrupted, err = true, nil
	}
	r.collect()
	sink(&Line{End: r.result})
	return r.result, err
}

// work is the run between the first connect and the first close.
func (r *runner) work(ctx context.Context) error {
	if err := r.openAll(ctx); err != nil {
		return err
	}
	var err error
	switch r.plan.Workload {
	case Idle:
		err = r.hold(ctx)
	default:
		err = r.load(ctx)
	}
	if r.plan.PID > 0 {
		err = errors.Join(err, r.sample(func(s *Process, u usage) { s.RSSEndBytes, s.RSSPeakBytes = u.rss, u.peak }))
	}
	return err
}

func (r *runner) openAll(ctx context.Context) error {
	r.enter("opening", 0)
	started := time.Now()
	opened := make(chan error, 1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { opened <- r.opened(ctx) }()
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for {
		select {
		case err := <-opened:
			r.result.Connections.OpenSeconds = time.Since(started).Seconds()
			r.tcpOpen = readHostNet().tcpBytes
			t := r.totals()
			if err == nil && t.open == 0 && r.plan.Workload != Connect {
				err = fmt.Errorf("loadgen: no connection to %s could be opened", r.plan.URL)
			}
			if err == nil && r.plan.PID > 0 {
				err = r.sample(func(s *Process, u usage) { s.RSSOpenBytes = u.rss })
			}
			return err
		case <-tick.C:
			r.tell()
		}
	}
}

// hold keeps idle connections for the plan's duration and reads the server's memory now and then.
func (r *runner) hold(ctx context.Context) error {
	r.enter("holding", r.plan.Duration)
	now := r.clock.now()
	r.window(now, now+int64(r.plan.Duration))
	if err := r.boundary(true); err != nil {
		return err
	}
	passed := time.Duration(0)
	for _, at := range rssSampleAt {
		if at >= r.plan.Duration || r.plan.PID == 0 {
			break
		}
		if err := r.pause(ctx, at-passed); err != nil {
			return err
		}
		passed = at
		err := r.sample(func(s *Process, u usage) {
			s.Samples = append(s.Samples, RSSSample{AfterSeconds: at.Seconds(), Bytes: u.rss})
		})
		if err != nil {
			return err
		}
	}
	err := r.pause(ctx, r.plan.Duration-passed)
	return errors.Join(err, r.boundary(false))
}

// load warms up, measures, and waits for what is still under way.
func (r *runner) load(ctx context.Context) error {
	start := r.clock.now() + int64(10*time.Millisecond)
	from := start + int64(r.plan.Warmup)
	to := from + int64(r.plan.Duration)
	r.window(from, to)
	switch r.plan.Workload {
	case Echo:
		r.each(func(l *loop) { l.startEcho(to) })
	case Connect:
		r.each(func(l *loop) { l.shaking.begin(start, to) })
	default:
		r.each(func(l *loop) { l.slow.until = min(l.slow.until, to) })
		r.loops[0].post(func() { r.publisher.begin(start, to) })
	}
	err := r.measure(ctx, from, to)
	if ctx.Err() != nil { // what is under way is still waited for, so that it does not count as lost
		r.each((*loop).halt)
		return errors.Join(err, r.drain(context.WithoutCancel(ctx)))
	}
	if err != nil {
		return err
	}
	return r.drain(ctx)
}

func (r *runner) measure(ctx context.Context, from, to int64) error {
	r.enter("warming up", r.plan.Warmup)
	if err := r.pause(ctx, time.Duration(from-r.clock.now())); err != nil {
		return err
	}
	if err := r.boundary(true); err != nil {
		return err
	}
	r.enter(phaseMeasuring, r.plan.Duration)
	err := r.pause(ctx, time.Duration(to-r.clock.now()))
	return errors.Join(err, r.boundary(false))
}

// window tells the loops which planned instants count.
func (r *runner) window(from, to int64) {
	r.each(func(l *loop) { l.record.from, l.record.to = from, to })
}

// boundary has the loops note their counters at the begin or end of the window, and notes the server's.
func (r *runner) boundary(begin bool) error {
	r.each(func(l *loop) {
		if begin {
			l.record.begin = l.mark()
		} else {
			l.record.end = l.mark()
		}
	})
	if begin {
		r.ownCPU, r.hostNet = ownCPU(), readHostNet()
	} else {
		g, now := &r.result.Generator, readHostNet()
		g.CPUSeconds = (ownCPU() - r.ownCPU).Seconds()
		g.HostDrops, g.HostRetransmits = now.drops-r.hostNet.drops, now.retransmits-r.hostNet.retransmits
		g.HostTCPGrownBytes = now.tcpBytes - r.tcpOpen
	}
	if r.plan.PID == 0 {
		return nil
	}
	return r.sample(func(s *Process, u usage) {
		if begin {
			s.CPUSeconds = -u.cpu.Seconds()
		} else {
			s.CPUSeconds += u.cpu.Seconds()
			s.RSSLoadBytes = u.rss
		}
	})
}

// drain waits until all that was sent is accounted for, or nothing more comes.
func (r *runner) drain(ctx context.Context) error {
	r.enter("draining", 0)
	began, quiet, last := time.Now(), time.Now(), uint64(0)
	published := r.board.published
	if r.publisher == nil {
		published = nil
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-r.board.fatal:
			return err
		case <-published:
			published = nil
		case <-tick.C:
		}
		t := r.totals()
		if t.accounted != last {
			quiet, last = time.Now(), t.accounted
		}
		over := time.Since(began) > drainLongest || time.Since(quiet) > r.plan.DrainTimeout
		if r.publisher != nil && published != nil {
			over = false // the publisher has deadlines of its own
		} else if t.accounted >= t.expected {
			return nil
		}
		if over {
			return nil
		}
		r.tellNowAndThen()
	}
}

// pause waits, telling how far the run is.
func (r *runner) pause(ctx context.Context, d time.Duration) error {
	end := time.NewTimer(d)
	defer end.Stop()
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for {
		select {
		case <-end.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case err := <-r.board.fatal:
			return err
		case <-tick.C:
			r.tell()
		}
	}
}

func (r *runner) enter(phase string, length time.Duration) {
	r.phase, r.since, r.length = phase, time.Now(), length
	r.recorder.enter(phase)
	r.tell()
}

func (r *runner) tellNowAndThen() {
	if time.Since(r.lastAt) >= progressEvery {
		r.tell()
	}
}

func (r *runner) tell() {
	if r.watch == nil {
		return
	}
	t, now := r.totals(), time.Now()
	p := Progress{
		Phase: r.phase, Open: t.open, Wanted: r.plan.Connections, Failed: t.failed, Dropped: t.dropped,
		Delivered: t.delivered, Elapsed: now.Sub(r.since), Of: r.length,
	}
	if d := now.Sub(r.lastAt); !r.lastAt.IsZero() && d > 0 {
		p.Rate = float64(t.delivered-r.delivered) / d.Seconds()
	}
	if last := r.recorder.last.Load(); last != nil {
		p.P50Ms, p.P99Ms = last.P50Ms, last.P99Ms
	}
	r.lastAt, r.delivered = now, t.delivered
	r.watch(p)
}

// sample reads what the server uses.
func (r *runner) sample(note func(*Process, usage)) error {
	u, err := readUsage(r.result.Plan.PID)
	if err != nil {
		return err
	}
	if r.result.Server == nil {
		r.result.Server = &Process{}
	}
	note(r.result.Server, u)
	return nil
}

func ownCPU() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
