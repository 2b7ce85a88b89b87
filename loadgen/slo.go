package loadgen

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Objective is a bound that a run was to keep, and what it measured. Latencies are milliseconds, shares lie between 0 and 1.
type Objective struct {
	Name     string  `json:"name"`
	Bound    float64 `json:"bound"`
	Measured float64 `json:"measured"`
	Met      bool    `json:"met"`
}

// Names of objectives that something else refers to.
const (
	objectiveLoss    = "loss"
	objectiveDropped = "dropped"
	objectiveFailed  = "failed"
	objectiveRate    = "rate"
	objectiveRSS     = "rss_per_conn"
	objectiveCPU     = "cpu_us"
	objectiveP99     = "p99"
)

// objectiveKind is one name that ParseObjectives knows.
type objectiveKind struct {
	name    string
	what    string // for the help text
	parse   func(string) (float64, error)
	least   bool // the bound is the least, not the most
	measure func(*Result) float64
}

var objectiveKinds = []objectiveKind{
	{"p50", "latency that half of the messages keep, as 5ms", parseMs, false, func(r *Result) float64 { return r.Latency.P50Ms }},
	{"p90", "of 90 %", parseMs, false, func(r *Result) float64 { return r.Latency.P90Ms }},
	{objectiveP99, "of 99 %", parseMs, false, func(r *Result) float64 { return r.Latency.P99Ms }},
	{"p999", "of 99.9 %", parseMs, false, func(r *Result) float64 { return r.Latency.P999Ms }},
	{"max", "the longest latency", parseMs, false, func(r *Result) float64 { return r.Latency.MaxMs }},
	{objectiveLoss, "share of the expected messages lost without a word, as 0 or 0.1%", parseShare, false, func(r *Result) float64 {
		return share(r.Verdict.Lost, r.Expected)
	}},
	{"told", "share of the expected messages that the server said it left out", parseShare, false, func(r *Result) float64 {
		return share(r.Verdict.Told, r.Expected)
	}},
	{objectiveDropped, "connections that ended before they should", parseCount, false, func(r *Result) float64 { return float64(r.Connections.Dropped) }},
	{objectiveFailed, "connections that could not be opened", parseCount, false, func(r *Result) float64 { return float64(r.Connections.Failed) }},
	{objectiveRate, "deliveries (echoes, handshakes) a second, at least", parseCount, true, func(r *Result) float64 { return r.Window.DeliveryRate }},
	{objectiveRSS, "bytes of the server's memory a connection; needs --pid", parseCount, false, func(r *Result) float64 {
		return r.process().RSSPerConnection
	}},
	{objectiveCPU, "µs of the server's CPU time a delivery; needs --pid", parseCount, false, func(r *Result) float64 {
		return r.process().CPUPerDelivery
	}},
}

func (r *Result) process() Process {
	if r.Server == nil {
		return Process{RSSPerConnection: math.MaxFloat64, CPUPerDelivery: math.MaxFloat64}
	}
	return *r.Server
}

func share(n, of uint64) float64 {
	if of == 0 {
		return 0
	}
	return float64(n) / float64(of)
}

// ObjectivesHelp names the objectives for a help text, a line each.
func ObjectivesHelp() string {
	var b strings.Builder
	for _, k := range objectiveKinds {
		fmt.Fprintf(&b, "  %-13s %s\n", k.name, k.what)
	}
	return b.String()
}

// ParseObjectives reads objectives as in "p99=50ms,loss=0,rate=100000,rss_per_conn=600"; ObjectivesHelp has the names. Of an
// unknown name or a value that makes no sense the error is a *PlanError.
func ParseObjectives(text string) ([]Objective, error) {
	var os []Objective
	for _, part := range strings.Split(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		k := objectiveNamed(name)
		if k == nil {
			return nil, planError("slo", "%q is not an objective; they are %s", name, objectiveNames())
		}
		bound, err := k.parse(value)
		if err != nil || !(bound >= 0) {
			return nil, planError("slo", "%s: %q makes no sense for %s", name, value, k.what)
		}
		os = append(os, Objective{Name: name, Bound: bound})
	}
	return os, nil
}

func objectiveNamed(name string) *objectiveKind {
	for i := range objectiveKinds {
		if objectiveKinds[i].name == name {
			return &objectiveKinds[i]
		}
	}
	return nil
}

func objectiveNames() string {
	names := make([]string, len(objectiveKinds))
	for i, k := range objectiveKinds {
		names[i] = k.name
	}
	return strings.Join(names, ", ")
}

// measure fills in what the run measured.
func (o *Objective) measure(r *Result) {
	k := objectiveNamed(o.Name)
	o.Measured = k.measure(r)
	nothing := r.Latency.Count == 0 && k.isLatency()
	if k.least {
		o.Met = o.Measured >= o.Bound
	} else {
		o.Met = o.Measured <= o.Bound && !nothing
	}
}

// isLatency: nothing measured then keeps no bound.
func (k *objectiveKind) isLatency() bool { return strings.HasPrefix(k.name, "p") || k.name == "max" }

// text is the objective as it was asked for, with what was measured.
func (o *Objective) text() string {
	sign := "≤"
	if objectiveNamed(o.Name).least {
		sign = "≥"
	}
	unit := ""
	if objectiveNamed(o.Name).isLatency() {
		unit = " ms"
	}
	return fmt.Sprintf("%s %s %s%s: %s", o.Name, sign, number(o.Bound), unit, number(o.Measured))
}

func number(v float64) string {
	if v >= 1000 && v < 1e15 {
		return thousands(uint64(math.Round(v)))
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

func (p *Plan) objectives() ([]Objective, error) {
	os, err := ParseObjectives(p.SLO)
	if err != nil {
		return nil, err
	}
	for _, o := range os {
		if (o.Name == objectiveRSS || o.Name == objectiveCPU) && p.PID == 0 {
			return nil, planError("slo", "%s needs --pid", o.Name)
		}
	}
	return os, nil
}

func parseMs(s string) (float64, error) {
	d, err := time.ParseDuration(s)
	return float64(d) / 1e6, err
}

func parseShare(s string) (float64, error) { return ParseShare(s) }

// ParseShare reads a share: 0.05 or 5%.
func ParseShare(s string) (float64, error) {
	number, percent := strings.CutSuffix(s, "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if percent {
		v /= 100
	}
	if err == nil && !(v >= 0 && v <= 1) {
		err = fmt.Errorf("%q is not a share between 0 and 1, or 0%% and 100%%", s)
	}
	return v, err
}

func parseCount(s string) (float64, error) { return strconv.ParseFloat(s, 64) }
