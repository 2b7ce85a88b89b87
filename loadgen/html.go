package loadgen

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"strings"
)

//go:embed report.html
var reportPage string

var reportTemplate = template.Must(template.New("report").Parse(reportPage))

// tile is one figure of a run that stands out.
type tile struct {
	Name, Value, Unit string
	Bad               bool
}

// section is one run in the page.
type section struct {
	Title, Plan, Started, Verdict, Text string
	Bad, Warn                           bool
	Tiles                               []tile
	Plots                               []*plot
}

// WriteHTML writes a page that needs nothing but itself.
func (r *Report) WriteHTML(w io.Writer) error {
	page := struct {
		Title                   string
		Searches, Runs, Details []section
	}{Title: "loadgen"}
	for _, run := range r.Runs {
		s, err := run.section()
		if err != nil {
			return err
		}
		if run.Begin.Search {
			page.Details = append(page.Details, s)
		} else {
			page.Runs = append(page.Runs, s)
		}
		page.Title = "loadgen: " + string(run.Begin.Plan.Workload) + " to " + run.Begin.Plan.URL
	}
	for _, search := range r.Searches {
		s, err := search.section()
		if err != nil {
			return err
		}
		page.Searches = append(page.Searches, s)
	}
	if err := reportTemplate.Execute(w, page); err != nil {
		return fmt.Errorf("loadgen: HTML report: %w", err)
	}
	return nil
}

func (r *Recording) section() (section, error) {
	res := r.Result
	var text strings.Builder
	if err := res.WriteText(&text); err != nil {
		return section{}, err
	}
	p := &res.Plan
	s := section{
		Title: string(p.Workload), Started: res.Started.Format("2 January 2006, 15:04:05 MST"), Text: text.String(), Bad: res.Failed() || res.Missed(),
		Tiles: r.tiles(), Plots: r.plots(),
	}
	if r.Begin.Name != "" {
		s.Title += ": " + r.Begin.Name
	}
	s.Plan = p.sentence()
	switch {
	case res.Failed():
		s.Verdict = "Failed: " + strings.Join(res.Faults, "; ")
	case res.Missed():
		s.Verdict = "An objective was missed"
	case res.Generator.Limited:
		s.Warn = true
		s.Verdict = "Ok, but loadgen was the limit: " + strings.Join(res.Generator.Why, "; ")
	default:
		s.Verdict = "Ok"
	}
	return s, nil
}

// sentence says in words what was run.
func (p *Plan) sentence() string {
	s := fmt.Sprintf("%s clients", thousands(uint64(p.Connections)))
	switch {
	case p.Workload == Connect:
		s = fmt.Sprintf("%d handshakes at a time", p.Connections)
	case p.Workload.subscribes():
		s += fmt.Sprintf(", each with %d of %s topics", p.Subscriptions, thousands(uint64(p.Topics)))
	}
	if p.Workload == Slow {
		s += fmt.Sprintf("; %s %% do not read, %s %% read slowly", number(p.Stalled*100), number(p.SlowShare*100))
	}
	if p.Workload != Idle && p.Workload != Connect {
		s += "; messages of " + p.payloadText()
	}
	switch {
	case p.DeliveryRate > 0:
		s += fmt.Sprintf("; %s deliveries a second planned", number(p.DeliveryRate))
	case p.Rate > 0:
		s += fmt.Sprintf("; %s a second planned", number(p.Rate))
	}
	if p.Deflate {
		s += "; permessage-deflate"
	}
	return s + " to " + p.URL
}

func (r *Recording) tiles() []tile {
	res := r.Result
	w, v, l := &res.Window, &res.Verdict, &res.Latency
	var ts []tile
	if w.Deliveries > 0 {
		ts = append(ts, tile{Name: map[Workload]string{Connect: "handshakes", Echo: "echoes"}[res.Plan.Workload], Value: number(w.DeliveryRate), Unit: "a second"})
		if ts[0].Name == "" {
			ts[0].Name = "deliveries"
		}
	}
	if w.Deflate != nil && w.Deliveries > 0 {
		ts = append(ts, tile{Name: "on the wire", Value: number(math.Round(w.BytesPerDelivery)), Unit: fmt.Sprintf("bytes a delivery, %.0f inflated", w.Deflate.BytesPerDelivery)})
	}
	if l.Count > 0 {
		ts = append(ts, tile{Name: "p50", Value: short(l.P50Ms), Unit: "ms"}, tile{Name: "p99", Value: short(l.P99Ms), Unit: "ms"}, tile{Name: "p99.9", Value: short(l.P999Ms), Unit: "ms"})
	}
	if res.Plan.Workload.subscribes() && res.Expected > 0 {
		ts = append(ts, tile{Name: "lost", Value: thousands(v.Lost), Unit: "of " + thousands(res.Expected), Bad: v.Lost > 0})
	}
	if res.Plan.Workload != Connect {
		ts = append(ts, tile{Name: "connections", Value: thousands(uint64(res.Connections.Opened)), Unit: "open", Bad: res.Connections.Failed > 0})
	}
	if s := res.Server; s != nil {
		if s.CPUPerDelivery > 0 {
			ts = append(ts, tile{Name: "server CPU", Value: number(s.CPUPerDelivery), Unit: "µs a " + res.one()})
		}
		if res.Plan.Workload != Connect {
			ts = append(ts, tile{Name: "server memory", Value: signed(s.RSSPerConnection), Unit: "bytes a connection"})
		}
	}
	for _, c := range res.Classes {
		if c.Class != healthy.String() && c.Connections > 0 {
			ts = append(ts, tile{Name: c.Class + " clients", Value: thousands(uint64(c.UpToDate)), Unit: fmt.Sprintf("of %s up to date at the end", thousands(uint64(c.Connections)))})
		}
	}
	for _, o := range res.Objectives {
		verdict := "kept"
		if !o.Met {
			verdict = "missed"
		}
		ts = append(ts, tile{Name: "objective", Value: verdict, Unit: o.text(), Bad: !o.Met})
	}
	return ts
}

func (s *Search) section() (section, error) {
	var text strings.Builder
	if err := s.WriteText(&text); err != nil {
		return section{}, err
	}
	out := section{Title: "Search for the highest delivery rate", Text: text.String(), Plots: s.plots(), Bad: s.BestStep < 0}
	out.Tiles = []tile{{Name: "highest rate", Value: number(s.Best), Unit: fmt.Sprintf("deliveries a second with %s ≤ %s ms", s.Bound.Name, number(s.Bound.Bound)), Bad: s.BestStep < 0}}
	out.Verdict = fmt.Sprintf("%d steps, each with fresh connections", len(s.Steps))
	if out.Warn = s.Limited; s.Limited {
		out.Verdict += "; loadgen was the limit at the next higher rate"
	}
	return out, nil
}
