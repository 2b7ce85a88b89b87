package loadgen

import (
	"encoding/json"
	"fmt"
	"io"
	"sort"
	"strconv"
	"strings"
	"text/tabwriter"
)

// WriteJSON writes the result for programs.
func (r *Result) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// WriteText writes the result for people.
func (r *Result) WriteText(w io.Writer) error {
	t := &table{w: tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
	r.textConnections(t)
	if r.Published != nil {
		r.textPublished(t)
	}
	r.textDeliveries(t)
	if r.Server != nil {
		r.textServer(t)
	}
	r.textGenerator(t)
	for i := range r.Objectives {
		o := &r.Objectives[i]
		verdict := "kept"
		if !o.Met {
			verdict = "MISSED"
		}
		t.row("objective", "%s: %s", o.text(), verdict)
	}
	switch {
	case r.Failed():
		t.row("RESULT", "FAILED: %s", strings.Join(r.Faults, "; "))
	case r.Missed():
		t.row("RESULT", "an objective was MISSED")
	case r.Generator.Limited:
		t.row("RESULT", "ok, but loadgen was the limit: %s", strings.Join(r.Generator.Why, "; "))
	default:
		t.row("RESULT", "ok")
	}
	return t.w.Flush()
}

// table writes lines of a name and what is to be said of it.
type table struct{ w *tabwriter.Writer }

func (t *table) row(name, format string, args ...any) {
	fmt.Fprintf(t.w, "%s\t%s\n", name, fmt.Sprintf(format, args...))
}

func (t *table) reasons(name string, rs reasons) {
	whys := make([]string, 0, len(rs))
	for why := range rs {
		whys = append(whys, why)
	}
	sort.Slice(whys, func(i, j int) bool {
		if rs[whys[i]] != rs[whys[j]] {
			return rs[whys[i]] > rs[whys[j]]
		}
		return whys[i] < whys[j]
	})
	for _, why := range whys {
		t.row(name, "%s × %s", thousands(rs[why]), why)
	}
}

func (r *Result) textConnections(t *table) {
	p, c := &r.Plan, &r.Connections
	what := string(p.Workload)
	if p.Deflate {
		what += " with permessage-deflate"
	}
	if r.Name != "" {
		what = r.Name + ": " + what
	}
	if !p.native() {
		what += " by " + p.Driver
	}
	if r.Loop != "" {
		what += ", " + r.Loop + " loop"
	}
	t.row("workload", "%s to %s", what, p.URL)
	if p.Workload.subscribes() {
		t.row("subscriptions", "%d of %s topics on each connection", p.Subscriptions, thousands(uint64(p.Topics)))
	}
	if p.Workload == Connect {
		t.row("handshakes", "%s, %d at a time; %d failed", thousands(uint64(c.Opened)), c.Wanted, c.Failed)
	} else {
		t.row("connections", "%s of %s open in %.2f s; %d failed, %d dropped, %d pings answered",
			thousands(uint64(c.Opened)), thousands(uint64(c.Wanted)), c.OpenSeconds, c.Failed, c.Dropped, c.Pings)
	}
	if c.Unanswered > 0 {
		t.row("", "%d did not answer the close in time", c.Unanswered)
	}
	t.reasons("  failed", c.Failures)
	t.reasons("  dropped", c.Drops)
	t.reasons("  noticed", c.Notices)
}

// publishedOver says how messages were published.
func (p *Plan) publishedOver() string {
	scheme, _, _ := strings.Cut(p.URL, "://")
	if p.native() || scheme == "ws" {
		return string(p.Via)
	}
	return scheme
}

func (r *Result) textPublished(t *table) {
	p := r.Published
	line := thousands(p.Sent) + " messages of " + r.Plan.payloadText()
	if r.Plan.PayloadFile != "" {
		line += fmt.Sprintf(", %.0f bytes on average,", p.MeanBytes)
	}
	line += " over " + r.Plan.publishedOver()
	if p.PlannedRate > 0 {
		line += fmt.Sprintf(", planned at %s/s", thousands(uint64(p.PlannedRate)))
	}
	if p.Refused > 0 {
		line += "; " + thousands(p.Refused) + " refused"
	}
	if p.Unsent > 0 {
		line += "; " + thousands(p.Unsent) + " more were planned, and given up"
	}
	if p.TimedOut > 0 {
		line += "; " + thousands(p.TimedOut) + " did not reach everybody in time"
	}
	t.row("published", "%s", line)
	t.reasons("  refused", p.Refusals)
	if p.RateLimited > 0 {
		t.row("", "%s of them exceeded what the server takes from one client (limits.messages_per_second): raise that, or publish with --via http", thousands(p.RateLimited))
	}
}

func (r *Result) textDeliveries(t *table) {
	v, w := &r.Verdict, &r.Window
	if r.Plan.Workload == Idle && v.Delivered == 0 {
		return
	}
	rate := fmt.Sprintf("%s/s over %.1f s (%s; %.1f MB/s", thousands(uint64(w.DeliveryRate)), w.Seconds, thousands(w.Deliveries), w.BytesPerS/1e6)
	if r.Plan.Workload != Connect {
		rate += fmt.Sprintf("; %.1f a read; %.0f bytes each", w.MessagesPerRead, w.BytesPerDelivery)
	}
	t.row(r.unit(), "%s)", rate)
	if d := w.Deflate; d != nil && r.Plan.Workload != Connect {
		t.row("deflate", "%.0f %% came compressed, to %.0f %% of their size; %.0f bytes a delivery inflated", d.Share*100, d.Ratio*100, d.BytesPerDelivery)
	}
	t.row("latency", "%s", r.Latency.text())
	if r.Round != nil {
		t.row("to the last", "%s", r.Round.text())
	}
	if r.Expected > 0 && r.Plan.Workload != Connect {
		t.row("verified", "%s of %s delivered; %s lost, %s twice, %s out of order",
			thousands(v.Delivered), thousands(r.Expected), thousands(v.Lost), thousands(v.Duplicates), thousands(v.Reordered))
	}
	if r.LostAtEnd > 0 {
		t.row("", "%s of the lost had not come %v after the last that did: lost, or very late", thousands(r.LostAtEnd), r.Plan.DrainTimeout)
	}
	if v.Gaps > 0 {
		t.row("told", "%s messages left out, in %s gap notices", thousands(v.Told), thousands(v.Gaps))
	}
	for i := range r.Classes {
		r.Classes[i].text(t)
	}
}

// unit is what a delivery is called in a workload.
func (r *Result) unit() string {
	switch r.Plan.Workload {
	case Connect:
		return "rate"
	case Echo:
		return "echoes"
	}
	return "deliveries"
}

// one is a delivery in a workload's words.
func (r *Result) one() string {
	switch r.Plan.Workload {
	case Connect:
		return "handshake"
	case Echo:
		return "message"
	}
	return "delivery"
}

func (c *Class) text(t *table) {
	t.row("  "+c.Class, "%s clients, %s dropped, %s up to date at the end; %s delivered, %s told as left out, %s lost; p99 %s ms",
		thousands(uint64(c.Connections)), thousands(uint64(c.Dropped)), thousands(uint64(c.UpToDate)),
		thousands(c.Verdict.Delivered), thousands(c.Verdict.Told), thousands(c.Verdict.Lost), short(c.Latency.P99Ms))
}

func (l *Latency) text() string {
	if l.Count == 0 {
		return "nothing measured"
	}
	return fmt.Sprintf("p50 %s  p90 %s  p99 %s  p99.9 %s  max %s ms", short(l.P50Ms), short(l.P90Ms), short(l.P99Ms), short(l.P999Ms), short(l.MaxMs))
}

func (r *Result) textServer(t *table) {
	s := r.Server
	cpu := fmt.Sprintf("%.2f s CPU, %.0f %% of a core", s.CPUSeconds, s.CPUShare*100)
	if s.CPUPerDelivery > 0 {
		cpu += fmt.Sprintf(", %.2f µs a %s", s.CPUPerDelivery, r.one())
	}
	t.row("server", "%s", cpu)
	memory := fmt.Sprintf("RSS %.1f MB before, %.1f open, %.1f under load, %.1f at the end, %.1f at most",
		float64(s.RSSBeforeBytes)/1e6, float64(s.RSSOpenBytes)/1e6, float64(s.RSSLoadBytes)/1e6, float64(s.RSSEndBytes)/1e6, float64(s.RSSPeakBytes)/1e6)
	if r.Plan.Workload != Connect {
		memory += ": " + signed(s.RSSPerConnection) + " bytes a connection"
	}
	t.row("", "%s", memory)
	for _, x := range s.Samples {
		t.row("", "after %.0f s: %s bytes a connection", x.AfterSeconds, signed(x.PerConnection))
	}
}

func (r *Result) textGenerator(t *table) {
	g := &r.Generator
	busy := make([]string, len(g.BusyShare))
	for i, b := range g.BusyShare {
		busy[i] = fmt.Sprintf("%.0f %%", b*100)
	}
	line := "busy " + strings.Join(busy, ", ")
	if r.Loop == "open" && r.Published != nil {
		line += fmt.Sprintf("; sent within %s ms of the plan at p99", short(g.SlipP99Ms))
		if g.Held > 0 {
			line += fmt.Sprintf("; %s held up by the server", thousands(g.Held))
		}
	}
	t.row("loadgen", "%s", line)
	if r.Plan.Workload == Slow {
		t.row("host", "TCP's sockets held %.1f MB more under load than when all were open", float64(g.HostTCPGrownBytes)/1e6)
	}
	if g.HostDrops+g.HostRetransmits > 0 {
		t.row("host", "%s packets dropped for want of room in a core's queue (net.core.netdev_max_backlog), %s TCP segments sent again",
			thousands(g.HostDrops), thousands(g.HostRetransmits))
	}
	for _, why := range g.Why {
		t.row("  LIMITED", "%s", why)
	}
}

func short(ms float64) string { return strconv.FormatFloat(ms, 'g', 3, 64) }

func signed(n float64) string {
	if n < 0 {
		return "-" + thousands(uint64(-n))
	}
	return thousands(uint64(n))
}

// thousands groups digits by threes.
func thousands(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// WriteText writes the results of all runs, and what a search found, for people.
func (r *Report) WriteText(w io.Writer) error {
	var parts []interface{ WriteText(io.Writer) error }
	for _, run := range r.Runs {
		if !run.Begin.Search { // a search tells of its steps itself
			parts = append(parts, run.Result)
		}
	}
	for _, s := range r.Searches {
		parts = append(parts, s)
	}
	for i, part := range parts {
		if i > 0 {
			fmt.Fprintln(w)
		}
		if err := part.WriteText(w); err != nil {
			return err
		}
	}
	return nil
}

// WriteJSON writes them for programs: of one run its result, of several {"runs":[…],"searches":[…]}.
func (r *Report) WriteJSON(w io.Writer) error {
	if len(r.Runs) == 1 && r.Searches == nil {
		return r.Runs[0].Result.WriteJSON(w)
	}
	all := struct {
		Runs     []*Result `json:"runs"`
		Searches []*Search `json:"searches,omitempty"`
	}{Searches: r.Searches}
	for _, run := range r.Runs {
		all.Runs = append(all.Runs, run.Result)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(all)
}

// Outcome says whether any run failed or missed an objective.
func (r *Report) Outcome() (failed, missed bool) {
	for _, run := range r.Runs {
		if run.Result == nil || run.Begin.Search { // a search's steps are meant to find the border
			continue
		}
		failed = failed || run.Result.Failed()
		missed = missed || run.Result.Missed()
	}
	for _, s := range r.Searches {
		failed = failed || s.Interrupted
		missed = missed || s.BestStep < 0
	}
	return failed, missed
}
