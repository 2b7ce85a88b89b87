package main

import (
	"strconv"

	"github.com/spf13/pflag"

	"github.com/megawire/megawire/loadgen"
)

// step is one run, or one search, as flags or a scenario ask for it.
type step struct {
	name string
	plan loadgen.Plan
	find string // the bound of a search; empty: a run
}

// newStep gives a workload's defaults, and the flags that change them.
func newStep(w workload) (*step, *pflag.FlagSet) {
	s := &step{plan: loadgen.Defaults(w.kind)}
	f := pflag.NewFlagSet(string(w.kind), pflag.ContinueOnError)
	f.SortFlags = false
	f.StringVar(&s.plan.URL, "url", s.plan.URL, "where the server is")
	f.IntVarP(&s.plan.Connections, "connections", "n", s.plan.Connections, "how many")
	w.flags(f, s)
	commonFlags(f, &s.plan)
	return s, f
}

// settle applies what depends on several flags. changed tells which were given.
func (s *step) settle(changed func(flag string) bool) {
	if changed("rate") && !changed("delivery-rate") {
		s.plan.DeliveryRate = 0
	}
	if s.find == "" {
		return
	}
	if !changed("duration") {
		s.plan.Duration = loadgen.SearchStep
	}
	if !changed("warmup") {
		s.plan.Warmup = loadgen.SearchSettle
	}
	if !changed("drain-timeout") {
		s.plan.DrainTimeout = loadgen.SearchStep
	}
}

// shareValue is a flag like 5% or 0.05.
type shareValue float64

func (v *shareValue) String() string { return strconv.FormatFloat(float64(*v)*100, 'g', -1, 64) + "%" }

func (v *shareValue) Type() string { return "share" }

func (v *shareValue) Set(text string) error {
	share, err := loadgen.ParseShare(text)
	if err == nil {
		*v = shareValue(share)
	}
	return err
}
