package loadgen

import "math"

// plotPointsMax bounds the points of a line; longer series are put together in groups.
const plotPointsMax = 400

// plots are the charts of one run.
func (r *Recording) plots() []*plot {
	ps := []*plot{r.percentilePlot(), r.ratePlot(), r.latencyPlot()}
	ps = append(ps, r.serverPlots()...)
	kept := ps[:0]
	for _, p := range ps {
		if len(p.lines) > 0 {
			kept = append(kept, p)
		}
	}
	return kept
}

// percentilePlot shows the whole distribution: each step to the right is ten times rarer.
func (r *Recording) percentilePlot() *plot {
	p := &plot{Title: "Latency by percentile", y: axis{label: "ms", log: true}, x: axis{label: "share of the messages that were faster", low: 0, high: 5}}
	for i, name := range []string{"0 %", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %"} {
		p.x.ticks = append(p.x.ticks, tick{float64(i), name})
	}
	for c, h := range r.totals {
		if h == nil || h.TotalCount() == 0 {
			continue
		}
		l := plotLine{name: class(c).String(), class: "c" + class(c).String()}
		rarest := min(5, math.Log10(float64(h.TotalCount())))
		for x := 0.0; x <= rarest+0.001; x += 0.05 {
			l.x = append(l.x, x)
			l.y = append(l.y, float64(h.ValueAtQuantile(100*(1-math.Pow(10, -x))))/1e6)
		}
		p.lines = append(p.lines, l)
	}
	return p
}

// ratePlot shows what came over time.
func (r *Recording) ratePlot() *plot {
	p := r.overTime("Throughput", axis{label: r.Result.unit() + " a second"})
	if r.Result.Plan.Workload == Connect {
		p.y.label = "handshakes a second"
	}
	for c := range r.Series {
		l := plotLine{name: class(c).String(), class: "c" + class(c).String()}
		some := false
		for _, g := range grouped(r.Series[c]) {
			var n, s float64
			for _, x := range g {
				n += float64(x.Deliveries)
				s += x.Seconds
			}
			some = some || n > 0
			l.add(g[len(g)-1].At, n/max(s, 1e-3))
		}
		if some {
			p.lines = append(p.lines, l)
		}
	}
	return p
}

// latencyPlot shows the healthy connections' latency over time.
func (r *Recording) latencyPlot() *plot {
	p := r.overTime("Latency over time", axis{label: "ms", log: true})
	lines := []plotLine{{name: "p50", class: "p50"}, {name: "p99", class: "p99"}, {name: "max", class: "pmax"}}
	for _, g := range grouped(r.Series[healthy]) {
		var worst [3]float64
		for _, x := range g {
			worst = [3]float64{max(worst[0], x.Latency.P50Ms), max(worst[1], x.Latency.P99Ms), max(worst[2], x.Latency.MaxMs)}
		}
		if worst[2] == 0 {
			continue
		}
		for i := range lines {
			lines[i].add(g[len(g)-1].At, worst[i])
		}
	}
	if len(lines[0].x) > 0 {
		p.lines = lines
	}
	return p
}

// serverPlots show the server's processor and memory, where --pid told of them, and how busy loadgen was.
func (r *Recording) serverPlots() []*plot {
	cpu := r.overTime("Processor", axis{label: "cores"})
	rss := r.overTime("The server's memory", axis{label: "MB resident"})
	server, own, memory := plotLine{name: "server", class: "p99"}, plotLine{name: "loadgen", class: "p50"}, plotLine{name: "RSS", class: "p99"}
	for i, s := range r.Samples {
		busy := 0.0
		for _, b := range s.Busy {
			busy += b
		}
		own.add(s.At, busy)
		if s.RSSBytes == 0 {
			continue
		}
		memory.add(s.At, float64(s.RSSBytes)/1e6)
		if i > 0 && r.Samples[i-1].RSSBytes > 0 && s.At > r.Samples[i-1].At {
			server.add(s.At, (s.CPU-r.Samples[i-1].CPU)/(s.At-r.Samples[i-1].At))
		}
	}
	if len(server.x) > 1 {
		cpu.lines = append(cpu.lines, server)
		rss.lines = []plotLine{memory}
	}
	if len(own.x) > 1 {
		cpu.lines = append(cpu.lines, own)
	}
	return []*plot{cpu, rss}
}

func (l *plotLine) add(x, y float64) { l.x, l.y = append(l.x, x), append(l.y, y) }

// overTime makes a plot over the run's time, with its phases marked.
func (r *Recording) overTime(title string, y axis) *plot {
	p := &plot{Title: title, y: y, x: axis{label: "seconds"}}
	for _, x := range r.Series[healthy] {
		p.x.high = max(p.x.high, x.At)
		if x.Phase == phaseMeasuring || x.Phase == "holding" {
			continue
		}
		if n := len(p.spans); n > 0 && p.spans[n-1].name == x.Phase {
			p.spans[n-1].to = x.At
			continue
		}
		p.spans = append(p.spans, plotSpan{max(0, x.At-x.Seconds), x.At, x.Phase})
	}
	return p
}

// grouped puts neighbours together, so that no line has more than plotPointsMax points.
func grouped(ps []Point) (groups [][]Point) {
	each := len(ps)/plotPointsMax + 1
	for len(ps) > 0 {
		n := min(each, len(ps))
		groups = append(groups, ps[:n])
		ps = ps[n:]
	}
	return groups
}

// plots show the steps of a search: what was asked for against what was measured.
func (s *Search) plots() []*plot {
	p := &plot{Title: s.Bound.Name + " by delivery rate", markEnds: true, x: axis{label: "deliveries a second, planned", log: true}, y: axis{label: "ms", log: true}}
	kept, missed := plotLine{name: "kept", class: "dots good"}, plotLine{name: "not kept", class: "dots wrong"}
	for _, step := range s.Steps {
		if step.Kept {
			kept.add(step.Planned, step.Measured)
		} else {
			missed.add(step.Planned, step.Measured)
		}
	}
	bound := plotLine{name: "bound", class: "bound"}
	for _, step := range s.Steps {
		bound.add(step.Planned, s.Bound.Bound)
	}
	p.lines = []plotLine{kept, missed, bound}
	return []*plot{p}
}
