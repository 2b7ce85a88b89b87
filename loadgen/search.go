package loadgen

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// Search finds the highest delivery rate at which a server keeps a bound.
type Search struct {
	Bound     Objective `json:"bound"`
	Delivered float64   `json:"delivered_min"` // share of the expected messages that must come
	Steps     []Step    `json:"steps"`
	Best      float64   `json:"best_deliveries_per_s"` // planned rate of the best step that kept the bound; 0: none did
	BestStep  int       `json:"best_step"`             // index into Steps, -1: none
	// Limited: the next higher rate failed while loadgen was itself the limit, so the server may be able to do more.
	Limited     bool `json:"generator_limited"`
	Interrupted bool `json:"interrupted,omitempty"`
}

// Step is one run of a search.
type Step struct {
	Planned   float64 `json:"planned_deliveries_per_s"`
	Delivered float64 `json:"deliveries_per_s"`
	Share     float64 `json:"delivered_share"`
	Measured  float64 `json:"measured"` // what the bound is about
	Kept      bool    `json:"kept"`
	Why       string  `json:"why,omitempty"` // it was not kept
	Limited   bool    `json:"generator_limited,omitempty"`
	CPUShare  float64 `json:"server_cpu_share,omitempty"`
	CPUus     float64 `json:"server_cpu_us_per_delivery,omitempty"`
}

// Bounds of a search.
const (
	SearchStepsMax = 24
	// searchRatio ends a search: the rates next to the border differ by less.
	searchRatio = 1.05
	// searchDeliveredMin is the share of messages that must come for a step to count.
	searchDeliveredMin = 0.999
	// SearchStep and SearchSettle are how long a step measures, and how long its load runs before that.
	SearchStep   = 3 * time.Second
	SearchSettle = time.Second
)

// ParseBound reads the bound of a search, as in "p99=50ms": one objective about latency.
func ParseBound(text string) (Objective, error) {
	os, err := ParseObjectives(text)
	if err != nil || len(os) != 1 || !objectiveNamed(os[0].Name).isLatency() {
		return Objective{}, planError("find", "%q is not a bound like p99=50ms", text)
	}
	return os[0], nil
}

// Find searches from the plan's delivery rate on: twice as much while the bound is kept, then between the highest rate that
// kept it and the lowest that did not. Each step is a run of its own with fresh connections, so that none suffers from the
// one before; a rate counts as too high when it failed twice. done, which may be nil, is told of each step.
func Find(ctx context.Context, plan Plan, bound Objective, watch func(Progress), sink func(*Line), done func(Step)) (*Search, error) {
	plan.SLO = ""
	switch {
	case plan.Workload != Ticker:
		return nil, planError("find", "only the ticker's rate can be searched for")
	case plan.DeliveryRate == 0:
		return nil, planError("delivery-rate", "is where a search begins")
	}
	f := &finder{plan: plan, watch: watch, sink: sink, done: done, search: Search{Bound: bound, Delivered: searchDeliveredMin, BestStep: -1}}
	err := f.find(ctx)
	sink(&Line{Search: &f.search})
	return &f.search, err
}

type finder struct {
	plan   Plan
	watch  func(Progress)
	sink   func(*Line)
	done   func(Step)
	search Search
	run    func(ctx context.Context, name string, p Plan) (*Result, error) // nil: for real
}

func (f *finder) find(ctx context.Context) error {
	rates := searchRates{next: f.plan.DeliveryRate}
	for len(f.search.Steps) < SearchStepsMax && !rates.over() {
		rate := rates.next
		step, err := f.step(ctx, rate)
		if err == nil && !step.Kept && !f.search.Interrupted && len(f.search.Steps) < SearchStepsMax {
			step, err = f.step(ctx, rate)
		}
		if err != nil || f.search.Interrupted {
			return err
		}
		if !step.Kept {
			f.search.Limited = step.Limited
		}
		rates.judge(step.Kept)
	}
	return nil
}

// step runs the plan at one rate. A run that could not be carried to its end, since the server stopped answering, is a
// step that failed.
func (f *finder) step(ctx context.Context, rate float64) (Step, error) {
	p := f.plan
	p.DeliveryRate = rate
	run := f.run
	if run == nil {
		run = func(ctx context.Context, name string, p Plan) (*Result, error) {
			return recordStep(ctx, &Begin{Name: name, Search: true, Plan: p}, f.watch, f.sink)
		}
	}
	r, err := run(ctx, fmt.Sprintf("%s/s", number(rate)), p)
	var bad *PlanError
	var limit *LimitError
	if errors.As(err, &bad) || errors.As(err, &limit) || r == nil {
		return Step{}, err
	}
	s := f.judge(rate, r)
	if err != nil {
		s.Kept, s.Why = false, err.Error()
	}
	f.search.Interrupted = r.Interrupted
	if s.Kept && rate > f.search.Best {
		f.search.Best, f.search.BestStep = rate, len(f.search.Steps)
	}
	f.search.Steps = append(f.search.Steps, s)
	if f.done != nil {
		f.done(s)
	}
	return s, nil
}

func (f *finder) judge(rate float64, r *Result) Step {
	o := f.search.Bound
	o.measure(r)
	s := Step{Planned: rate, Delivered: r.Window.DeliveryRate, Share: share(r.Verdict.Delivered, r.Expected), Measured: o.Measured, Limited: r.Generator.Limited}
	if r.Server != nil {
		s.CPUShare, s.CPUus = r.Server.CPUShare, r.Server.CPUPerDelivery
	}
	switch {
	case r.Published != nil && r.Published.Unsent > 0:
		s.Why = fmt.Sprintf("%s messages could not be sent in time", thousands(r.Published.Unsent))
	case r.Published != nil && r.Published.Refused > 0:
		s.Why = fmt.Sprintf("%s messages were refused, %s of them for a limit on one client", thousands(r.Published.Refused), thousands(r.Published.RateLimited))
	case r.Connections.Dropped > 0:
		s.Why = fmt.Sprintf("%d connections were dropped", r.Connections.Dropped)
	case s.Share < searchDeliveredMin:
		s.Why = fmt.Sprintf("%.3f %% delivered", s.Share*100)
	case !o.Met:
		s.Why = o.text()
	}
	s.Kept = s.Why == ""
	return s
}

// searchRates decides which rate comes next. It is pure: rates in, verdicts in, rates out.
type searchRates struct {
	next      float64
	low, high float64 // the highest that kept the bound, the lowest that did not; 0: none yet
}

// searchRateMin ends a search that finds nothing.
const searchRateMin = 10

func (s *searchRates) judge(kept bool) {
	if kept {
		s.low = s.next
	} else {
		s.high = s.next
	}
	switch {
	case s.high == 0:
		s.next = s.low * 2
	case s.low == 0:
		s.next = s.high / 2
	default:
		s.next = (s.low + s.high) / 2
	}
}

func (s *searchRates) over() bool {
	return s.low > 0 && s.high > 0 && s.high <= s.low*searchRatio || s.next < searchRateMin || s.next > RateMax
}

// WriteText writes what was found for people.
func (s *Search) WriteText(w io.Writer) error {
	t := &table{w: tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
	t.row("planned/s", "delivered/s\tshare\t%s ms\tserver CPU\t", s.Bound.Name)
	for i := range s.Steps {
		s.Steps[i].text(t)
	}
	bound := s.Bound
	switch {
	case s.BestStep < 0:
		t.row("RESULT", "no rate kept %s ≤ %s ms with %.1f %% delivered", bound.Name, number(bound.Bound), s.Delivered*100)
	default:
		t.row("RESULT", "%s deliveries/s with %s ≤ %s ms and %.1f %% delivered", number(s.Best), bound.Name, number(bound.Bound), s.Delivered*100)
	}
	if s.Limited {
		t.row("  LIMITED", "loadgen was itself the limit at the next higher rate: the server may be able to do more")
	}
	if s.Interrupted {
		t.row("", "the search was interrupted")
	}
	return t.w.Flush()
}

// String is the step in one line.
func (s *Step) String() string {
	return fmt.Sprintf("%s/s planned, %s/s delivered: %s", number(s.Planned), number(s.Delivered), s.verdict())
}

func (s *Step) verdict() string {
	verdict := "kept"
	if !s.Kept {
		verdict = s.Why
	}
	if s.Limited {
		verdict += " (loadgen was the limit)"
	}
	return verdict
}

func (s *Step) text(t *table) {
	cpu := "–"
	if s.CPUus > 0 {
		cpu = fmt.Sprintf("%.0f %%, %.2f µs", s.CPUShare*100, s.CPUus)
	}
	t.row(number(s.Planned), "%s\t%.2f %%\t%s\t%s\t%s", number(s.Delivered), s.Share*100, short(s.Measured), cpu, s.verdict())
}
