package bench

import (
	"fmt"
	"strings"
)

// goal is what Megawire set itself: a bound for a metric, or for its ratio to that of another subject.
type goal struct {
	what   string
	server string
	load   string // workload
	metric string
	of     subject // the zero value: the metric itself counts
	least  bool    // bound is the least there may be; else the most
	bound  float64
	each   bool // it is for every round to keep, not for their median
}

const us = "megawire"

var goals = []goal{
	{what: "idle connection, bytes", server: us, load: "idle", metric: "bytes25", bound: 600},
	{what: "idle connection after a forced collection, bytes", server: us, load: "idle-long", metric: "bytes150", bound: 600},
	{what: "broadcast: CPU a delivery, of the floor's", server: us, load: "broadcast-5000", metric: "cpu", of: subject{Floor, "broadcast-5000"}, bound: 1.05},
	{what: "ticker at 100k/s: CPU a delivery, of the floor's", server: us, load: "ticker-100k", metric: "cpu", of: subject{Floor, "ticker-100k"}, bound: 1.05},
	{what: "ticker at 100k/s: p99, of the floor's", server: us, load: "ticker-100k", metric: "p99", of: subject{Floor, "ticker-100k"}, bound: 1.5},
	{what: "ticker, most deliveries/s on one core", server: us, load: "ticker-most", metric: "most", least: true, bound: 3e6},
	{what: "handshake, CPU-µs", server: us, load: "handshake", metric: "cpu", bound: 22},
	{what: "slow readers: p99 of the others, of that without slow ones", server: us, load: "slow", metric: "p99", of: subject{us, "ticker-100k"}, bound: 1.2},
	{what: "readers far behind: messages lost without a word", server: us, load: "slow-behind", metric: "lost", bound: 0, each: true},
	{what: "readers far behind: messages told of as left out", server: us, load: "slow-behind", metric: "told", least: true, bound: 1},
	{what: "readers far behind: clients neither up to date nor told", server: us, load: "slow-behind", metric: "behind", bound: 0, each: true},
	// 10 topics, each with what ring.retain_bytes and ring.inflight_bytes allow by default.
	{what: "readers far behind: memory grown, MB", server: us, load: "slow-behind", metric: "grown", bound: 10 * 5 << 20 / 1e6},
	{what: "two loops: CPU a delivery, of one loop's", server: "megawire-2", load: "broadcast-5000", metric: "cpu", of: subject{us, "broadcast-5000"}, bound: 1.15},
	{what: "echo: CPU a message, of the floor's", server: us, load: "echo", metric: "cpu", of: subject{Floor, "echo"}, bound: 1.05},
}

// reached is a goal and what came of it.
type reached struct {
	goal
	found  summary
	failed int // rounds without a figure
}

func (g *reached) met() bool {
	if g.each && g.failed > 0 {
		return false
	}
	low, high := g.found.Median, g.found.Median
	if g.each {
		low, high = g.found.Low, g.found.High
	}
	if g.least {
		return low >= g.bound
	}
	return high <= g.bound
}

func (g *reached) text(v float64) string {
	m := Metric{Digits: 2}
	if v >= 100 {
		m.Digits = 0
	}
	text := m.format(v)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
}

// judge holds the results against the goals; those that nothing was measured for have found nothing.
func (r *Results) judge() []reached {
	var all []reached
	for _, g := range goals {
		m, err := findMetric(g.load, g.metric)
		if err != nil {
			panic(err) // the table above names what does not exist
		}
		s := subject{g.server, g.load}
		found := r.summary(s, m)
		if g.of != (subject{}) {
			found = r.ratio(s, g.of, m)
		}
		all = append(all, reached{g, found, r.standing(s).failed})
	}
	return all
}

func findMetric(workload, name string) (*Metric, error) {
	for _, w := range Workloads() {
		if w.Name != workload {
			continue
		}
		for i := range w.Metrics {
			if w.Metrics[i].Name == name {
				return &w.Metrics[i], nil
			}
		}
	}
	return nil, fmt.Errorf("bench: workload %q has no metric %q", workload, name)
}
