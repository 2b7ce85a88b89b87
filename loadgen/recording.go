package loadgen

import (
	"errors"
	"fmt"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Report is what a raw stream tells: the runs in it, and what searches found. Results for people and programs, and the
// HTML page, are made from it alone, so that they can be made again.
type Report struct {
	Runs     []*Recording
	Searches []*Search
}

// Recording is one run as its lines told it.
type Recording struct {
	Begin   Begin
	Series  [classes][]Point
	Samples []Sample
	Result  *Result // nil until its End

	totals [classes]*hdrhistogram.Histogram
}

// Point is one interval of a class.
type Point struct {
	At, Seconds   float64
	Phase         string
	Deliveries    int64
	Bytes         uint64
	Latency       Latency // of all that arrived, measured or not
	HasLatencies  bool
	MeasuredCount int64
}

// Add takes the next line. It keeps nothing of it that the caller may change, but a Begin's plan and an End's result.
func (r *Report) Add(l *Line) error {
	switch {
	case l.Begin != nil:
		if l.Begin.Schema > RawSchema {
			return fmt.Errorf("schema %d is newer than this program, which knows %d", l.Begin.Schema, RawSchema)
		}
		r.Runs = append(r.Runs, &Recording{Begin: *l.Begin})
		return nil
	case l.Search != nil:
		r.Searches = append(r.Searches, l.Search)
		return nil
	case len(r.Runs) == 0:
		return errors.New("a stream begins with a run's begin")
	}
	return r.Runs[len(r.Runs)-1].add(l)
}

func (r *Recording) add(l *Line) error {
	switch {
	case l.Interval != nil:
		return r.addInterval(l.Interval)
	case l.Sample != nil:
		r.Samples = append(r.Samples, *l.Sample)
	case l.End != nil:
		r.Result = l.End
		return r.finish()
	}
	return nil // a kind of line that a later version added
}

func (r *Recording) addInterval(i *Interval) error {
	c, ok := classNamed(i.Class)
	if !ok {
		return fmt.Errorf("%q is not a class of connections", i.Class)
	}
	p := Point{At: i.At, Seconds: i.Seconds, Phase: i.Phase, Deliveries: i.Deliveries, Bytes: i.Bytes}
	all := newLatency()
	if i.Measured != nil {
		if r.totals[c] == nil {
			r.totals[c] = newLatency()
		}
		r.totals[c].Merge(i.Measured.Histogram)
		all.Merge(i.Measured.Histogram)
		p.MeasuredCount = i.Measured.TotalCount()
	}
	if i.Other != nil {
		all.Merge(i.Other.Histogram)
	}
	if p.HasLatencies = all.TotalCount() > 0; p.HasLatencies {
		p.Latency = newLatencyResult(all)
	}
	r.Series[c] = append(r.Series[c], p)
	return nil
}

// finish completes the result with what only the lines before it tell, and judges it.
func (r *Recording) finish() error {
	res := r.Result
	res.Faults, res.Objectives, res.Generator.Why = nil, nil, nil
	res.Latency = r.latency(healthy)
	for i := range res.Classes {
		c, ok := classNamed(res.Classes[i].Class)
		if !ok {
			return fmt.Errorf("%q is not a class of connections", res.Classes[i].Class)
		}
		res.Classes[i].Latency = r.latency(c)
	}
	return res.judge()
}

func (r *Recording) latency(c class) Latency {
	if r.totals[c] == nil {
		return Latency{}
	}
	return newLatencyResult(r.totals[c])
}

// finish ends runs that were cut short.
func (r *Report) finish() {
	for _, run := range r.Runs {
		if run.Result == nil {
			run.Result = &Result{Schema: ResultSchema, Name: run.Begin.Name, Started: run.Begin.Started, Plan: run.Begin.Plan, Interrupted: true}
			_ = run.finish() // it has no classes, and its plan was valid when it ran
		}
	}
}
