package loadgen

import (
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// ResultSchema rises when a field of Result changes its meaning or goes away; fields may be added without.
const ResultSchema = 1

// Result is what a run found. Its JSON is stable: lower-case names with the unit at the end.
type Result struct {
	Schema      int       `json:"schema"`
	Name        string    `json:"name,omitempty"` // the step of a scenario or a search
	Started     time.Time `json:"started"`
	Plan        Plan      `json:"plan"`
	Loop        string    `json:"loop,omitempty"` // closed or open
	Interrupted bool      `json:"interrupted,omitempty"`

	Connections Connections `json:"connections"`
	Published   *Published  `json:"published,omitempty"`
	Verdict     Verdict     `json:"verdict"`
	Expected    uint64      `json:"expected"`    // deliveries that had to come, if none was refused
	LostAtEnd   uint64      `json:"lost_at_end"` // of the lost ones, those that had not come when the run ended: lost, or only late
	Window      Window      `json:"window"`
	Latency     Latency     `json:"latency"`
	Round       *Latency    `json:"round,omitempty"`       // closed loop: until the last subscriber had it
	Classes     []Class     `json:"classes,omitempty"`     // of Slow; what is above counts all of them, but Latency only the healthy
	LeftBehind  *int        `json:"left_behind,omitempty"` // of Slow: neither up to date at the end nor dropped
	Server      *Process    `json:"server,omitempty"`
	Generator   Generator   `json:"generator"`
	Objectives  []Objective `json:"objectives,omitempty"`
	Faults      []string    `json:"faults,omitempty"` // why Failed is true, in words
}

// Class is what became of the connections that behave alike.
type Class struct {
	Class       string  `json:"class"`
	Connections int     `json:"connections"`
	Dropped     int     `json:"dropped"`
	UpToDate    int     `json:"up_to_date"` // saw the newest message of each of their topics, or were told that they missed it
	Verdict     Verdict `json:"verdict"`
	Latency     Latency `json:"latency"`
}

// Connections says what became of them.
type Connections struct {
	Wanted      int     `json:"wanted"`
	Opened      int     `json:"opened"`
	Failed      int     `json:"failed"`
	Dropped     int     `json:"dropped"`    // were open and ended before we closed them
	Unanswered  int     `json:"unanswered"` // did not answer our close in time
	OpenSeconds float64 `json:"open_s"`     // until the last was open
	Pings       int     `json:"pings"`      // answered
	Failures    reasons `json:"failures,omitempty"`
	Drops       reasons `json:"drops,omitempty"`
	Notices     reasons `json:"notices,omitempty"` // what else the server complained of, or what of it could not be parsed
}

// Published says what was sent.
type Published struct {
	Sent        uint64  `json:"sent"`
	MeanBytes   float64 `json:"payload_bytes_mean,omitempty"` // of their data, where loadgen's own protocol or a file makes it
	Unsent      uint64  `json:"unsent,omitempty"`             // planned, and given up since the server did not read what was sent before
	Refused     uint64  `json:"refused"`                      // by the server, which said so
	RateLimited uint64  `json:"rate_limited,omitempty"`       // of those, for being too many from one client
	Refusals    reasons `json:"refusals,omitempty"`
	TimedOut    uint64  `json:"timed_out"`              // closed loop: did not reach everybody in time
	PlannedRate float64 `json:"planned_rate,omitempty"` // open loop, messages a second
	Unanswered  bool    `json:"unanswered,omitempty"`   // the server did not say that it took them all
}

// Window is the measured part of the run.
type Window struct {
	Seconds         float64 `json:"s"`
	Deliveries      uint64  `json:"deliveries"`
	DeliveryRate    float64 `json:"deliveries_per_s"`
	BytesPerS       float64 `json:"bytes_per_s"`
	MessagesPerRead float64 `json:"messages_per_read"`

	// Of what was read from the sockets in the window, frames and payloads.
	BytesPerDelivery float64  `json:"bytes_per_delivery"`
	Deflate          *Deflate `json:"deflate,omitempty"`
}

// Deflate says what permessage-deflate did in the window.
type Deflate struct {
	Share            float64 `json:"compressed_share"`            // of the deliveries that came compressed
	BytesPerDelivery float64 `json:"inflated_bytes_per_delivery"` // as bytes_per_delivery, had nothing been compressed
	Ratio            float64 `json:"ratio"`                       // bytes of the compressed payloads by those of what they hold; 0: there were none
}

// Latency is from the planned instant to the read that brought the message.
type Latency struct {
	Count  int64   `json:"count"`
	MinMs  float64 `json:"min_ms"`
	MeanMs float64 `json:"mean_ms"`
	P50Ms  float64 `json:"p50_ms"`
	P90Ms  float64 `json:"p90_ms"`
	P99Ms  float64 `json:"p99_ms"`
	P999Ms float64 `json:"p999_ms"`
	MaxMs  float64 `json:"max_ms"`
}

func newLatencyResult(h *hdrhistogram.Histogram) Latency {
	ms := func(ns int64) float64 { return float64(ns) / 1e6 }
	if h.TotalCount() == 0 {
		return Latency{}
	}
	return Latency{
		Count: h.TotalCount(), MinMs: ms(h.Min()), MeanMs: h.Mean() / 1e6, P50Ms: ms(h.ValueAtQuantile(50)), P90Ms: ms(h.ValueAtQuantile(90)),
		P99Ms: ms(h.ValueAtQuantile(99)), P999Ms: ms(h.ValueAtQuantile(99.9)), MaxMs: ms(h.Max()),
	}
}

// Process is what the server used, by --pid.
type Process struct {
	CPUSeconds       float64     `json:"cpu_s"`                        // in the window
	CPUShare         float64     `json:"cpu_share"`                    // of one core
	CPUPerDelivery   float64     `json:"cpu_us_per_delivery"`          // 0: nothing was delivered
	CPUPerMessage    float64     `json:"cpu_us_per_message,omitempty"` // published, to however many
	RSSBeforeBytes   int64       `json:"rss_before_bytes"`             // before the first connection
	RSSOpenBytes     int64       `json:"rss_open_bytes"`               // when all were open
	RSSLoadBytes     int64       `json:"rss_load_bytes"`               // when the last message was planned
	RSSGrownBytes    int64       `json:"rss_grown_bytes"`              // from when all were open until then
	RSSEndBytes      int64       `json:"rss_end_bytes"`                // before the first was closed
	RSSPeakBytes     int64       `json:"rss_peak_bytes"`               // the most since the process began, then
	RSSPerConnection float64     `json:"rss_bytes_per_connection"`
	Samples          []RSSSample `json:"rss_samples,omitempty"`
}

// RSSSample is the server's memory some time after the last connection was open.
type RSSSample struct {
	AfterSeconds  float64 `json:"after_s"`
	Bytes         int64   `json:"bytes"`
	PerConnection float64 `json:"bytes_per_connection"`
}

// Generator says how loadgen itself fared.
type Generator struct {
	Limited    bool      `json:"generator_limited"`
	Why        []string  `json:"why,omitempty"`
	BusyShare  []float64 `json:"busy_share"` // of each loop's time in the window
	CPUSeconds float64   `json:"cpu_s"`
	SlipP99Ms  float64   `json:"slip_p99_ms"` // open loop: sent so much after the plan, the server not being the reason
	SlipMaxMs  float64   `json:"slip_max_ms"`
	Held       uint64    `json:"held"` // sent late because the server did not read

	// Of the whole host, while the window was open: packets that a core's queue had no room for, and TCP segments sent
	// again. They delay messages, and are neither the server's fault nor ours.
	HostDrops       uint64 `json:"host_dropped_packets"`
	HostRetransmits uint64 `json:"host_retransmits"`

	// What all TCP sockets of the host hold in the kernel, more when the last message was planned than when all were open: the
	// backlog of those who do not read, as far as the server leaves it there.
	HostTCPGrownBytes int64 `json:"host_tcp_grown_bytes"`
}

// What makes a generator the limit.
const (
	busyShareMax = 0.90
	slipMax      = 5 * time.Millisecond // at the 99th percentile
)

// judge fills in Limited, Faults and Objectives.
func (r *Result) judge() error {
	r.judgeGenerator()
	objectives, err := r.Plan.objectives()
	if err != nil {
		return err
	}
	bounded := map[string]bool{}
	for i := range objectives {
		o := &objectives[i]
		o.measure(r)
		bounded[o.Name] = true
	}
	r.Objectives = objectives
	r.judgeServer(bounded)
	return nil
}

func (r *Result) judgeGenerator() {
	g := &r.Generator
	for i, share := range g.BusyShare {
		if share > busyShareMax {
			g.Why = append(g.Why, fmt.Sprintf("loop %d was busy %.0f %% of the time", i, share*100))
		}
	}
	if g.SlipP99Ms > float64(slipMax)/1e6 {
		why := fmt.Sprintf("1 %% of the messages were sent %.1f ms or more after their planned instant", g.SlipP99Ms)
		if len(g.Why) == 0 {
			why += ", though no loop was busy: something else had its core"
		}
		g.Why = append(g.Why, why)
	}
	if p := r.Published; p != nil && p.RateLimited > 0 {
		g.Why = append(g.Why, thousands(p.RateLimited)+" messages were more than the server takes from one client")
	}
	if r.Plan.Workload == Connect && r.Plan.Rate > 0 && r.Window.Seconds > 0 && r.Window.DeliveryRate < 0.95*r.Plan.Rate {
		g.Why = append(g.Why, fmt.Sprintf("%.0f handshakes a second were planned; --connections %d may be too few in flight", r.Plan.Rate, r.Plan.Connections))
	}
	g.Limited = len(g.Why) > 0
}

// judgeServer fills in Faults. What an objective bounds is left to it.
func (r *Result) judgeServer(bounded map[string]bool) {
	c, v := &r.Connections, &r.Verdict
	dropped := c.Dropped
	for i := range r.Classes {
		if r.Classes[i].Class != healthy.String() {
			dropped -= r.Classes[i].Dropped // who does not read may be dropped: that is told, and no fault
		}
	}
	unsent := uint64(0)
	if r.Published != nil {
		unsent = r.Published.Unsent
	}
	for _, f := range []struct {
		n         uint64
		text      string
		objective string
	}{
		{uint64(c.Failed), "connections could not be opened", objectiveFailed},
		{uint64(max(0, dropped)), "connections were dropped", objectiveDropped},
		{v.Lost, "messages were lost without a word", objectiveLoss},
		{v.Duplicates, "messages came more than once", ""},
		{v.Reordered, "messages came out of order", ""},
		{v.Unexpected, "messages came that were not asked for", ""},
		{v.Damaged, "messages were not as published", ""},
		{v.Unread, "texts of the server could not be parsed", ""},
		{unsent, "planned messages were not sent: the server did not read those before", ""},
	} {
		if f.n > 0 && !bounded[f.objective] {
			r.Faults = append(r.Faults, fmt.Sprintf("%d %s", f.n, f.text))
		}
	}
	if r.Published != nil && r.Published.Unanswered {
		r.Faults = append(r.Faults, fmt.Sprintf("the publishing connection was not answered within %v of the last message", drainLongest))
	}
	if r.Interrupted {
		r.Faults = append(r.Faults, "the run was interrupted")
	}
}

// Failed reports whether something went wrong that must not be overlooked. Messages that the server said it left out, or
// refused to take, are not among them.
func (r *Result) Failed() bool { return len(r.Faults) > 0 }

// Missed reports whether an objective of the plan was not met.
func (r *Result) Missed() bool {
	for i := range r.Objectives {
		if !r.Objectives[i].Met {
			return true
		}
	}
	return false
}
