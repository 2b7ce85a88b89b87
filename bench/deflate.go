package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// The servers of the Deflate set: one binary, to whose clients the load client offers compression or does not, and which leaves
// frames plain below so many bytes.
const (
	deflating      = "megawire-deflate" // as it is shipped
	deflatingFrom  = deflating + "-from-"
	captureFolder  = "{captures}/" // in arguments
	deflateTitle   = "Megawire, permessage-deflate"
	deflateTicker  = "ticker" // in place of a number of subscribers
	deflateOffered = "--deflate"
)

// deflateFrom are the bounds that are tried, the first deflateFromAll of them with every load.
var deflateFrom = []int{128, 256, 512, 1024}

const deflateFromAll = 2

func deflateVariants() []Server {
	variant := func(name, title string, more ...string) Server {
		return Server{
			Name: name, Title: title, How: "clients agree on it", Command: append(megawire("1"), more...),
			Version: []string{"{bin}/megawire", "version"}, URLs: plain, Driver: []string{deflateOffered}, Always: true, Variant: true,
		}
	}
	all := []Server{variant(deflating, deflateTitle)}
	for _, n := range deflateFrom {
		all = append(all, variant(from(n), fmt.Sprintf("%s from %d bytes on", deflateTitle, n), "--deflate.min_bytes", fmt.Sprint(n)))
	}
	return all
}

// from is the name of the server with a bound.
func from(n int) string { return fmt.Sprint(deflatingFrom, n) }

// stock is what messages carry in the Deflate set.
type stock struct {
	name, title, about string
	args               []string
	fanouts            []fanout
}

// fanout is how many get a message, and how many messages a second there are. Rates are the same for all servers, so that the same
// messages are compared, and such that none is at its end.
type fanout struct{ subscribers, rate int }

var fanouts = []fanout{{1, 8000}, {10, 2000}, {100, 500}, {1000, 100}}

// variantsAt is the number of subscribers at which all bounds are tried.
const variantsAt = 100

var stocks = []stock{
	{
		"coinbase", "An exchange's feed", "Half a minute of the public feed of an exchange: order books of ten products and what changes in them, snapshots up to 40 kB.",
		[]string{"--payload-file", captureFolder + "coinbase.ndjson"}, fanouts,
	},
	{
		"sensors", "Readings of sensors", "Humidity and temperature from four motes, in some 60 bytes of JSON each.",
		[]string{"--payload-file", captureFolder + "sensors.ndjson"}, fanouts,
	},
	{
		"random", "Random letters", "128 bytes of data of which 95 are letters and digits by chance: what compression can do least for.",
		[]string{"--random", "--payload", "128"}, []fanout{{1, 8000}, {variantsAt, 500}},
	},
}

var (
	wire       = Metric{Name: "wire", Title: "bytes a delivery", Path: "window.bytes_per_delivery", Ratio: true}
	compressed = Metric{Name: "compressed", Title: "compressed %", Path: "window.deflate.compressed_share", Scale: 100}
	cpuMessage = Metric{Name: "message", Title: "CPU-µs a message", Path: "server.cpu_us_per_message", Digits: 1}
	peakRSS    = Metric{Name: "peak", Title: "RSS at most, MB", Path: "server.rss_peak_bytes", Scale: 1e-6, Digits: 1}

	deflateMetrics = []Metric{wire, compressed, cpu, cpuMessage, p99, peakRSS}
)

// deflated are the workloads of the Deflate set.
func deflated() []Workload {
	servers := []string{us}
	for _, n := range deflateFrom {
		servers = append(servers, from(n))
	}
	all := []Workload{{
		Name: "deflate-idle", Title: "Memory of an idle connection", Set: Deflate, Needs: needTopics, Base: us, Servers: []string{us, deflating},
		About: "15,000 connections, each subscribed to one of 1,000 topics, that agreed on compression or did not.",
		Args:  []string{"idle", "-n", "15000", "--topics", "1000", "--hold", "8s"}, Limit: time.Minute, Metrics: []Metric{rssAfter("0", "5"), peakRSS},
	}}
	for _, s := range stocks {
		one := func(name string, x float64, servers []string, args ...string) {
			all = append(all, Workload{
				Name: "deflate-" + s.name + "-" + name, Title: s.title, About: s.about, Set: Deflate, Needs: needTopics, Base: us, Series: s.name, X: x,
				Args: append(append(args, s.args...), "--warmup", "500ms", "-d", "4s"), Limit: time.Minute, Servers: servers, Metrics: deflateMetrics,
			})
		}
		for _, f := range s.fanouts {
			tried := servers[:1+deflateFromAll]
			if f.subscribers == variantsAt {
				tried = servers
			}
			one(fmt.Sprint(f.subscribers), float64(f.subscribers), tried, "fanout", "-n", fmt.Sprint(f.subscribers), "--rate", fmt.Sprint(f.rate))
		}
		if s.name != "random" {
			one(deflateTicker, 0, servers[:1+deflateFromAll], "ticker", "-n", "5000", "--topics", "1000", "--subscriptions", "20", "--delivery-rate", "50000")
		}
	}
	return all
}

// withCaptures leaves out what plays a capture that is not there, and says so.
func (o *Options) withCaptures() []Workload {
	var there []Workload
	for _, w := range o.Workloads {
		i := slices.IndexFunc(w.Args, func(a string) bool { return strings.HasPrefix(a, captureFolder) })
		if i >= 0 {
			file := filepath.Join(o.Captures, strings.TrimPrefix(w.Args[i], captureFolder))
			if _, err := os.Stat(file); err != nil {
				fmt.Fprintf(o.Progress, "without %s: there is no %s (--captures)\n", w.Name, file)
				continue
			}
		}
		there = append(there, w)
	}
	return there
}

// compressionTables are those of the Deflate set: one for idle connections, and one for each stock, a row for each number of
// subscribers and server.
func (r *Results) compressionTables() string {
	var b strings.Builder
	groups := [][]Workload{nil}
	for _, w := range deflated() {
		switch last := groups[len(groups)-1]; {
		case len(r.rows(&w)) == 0:
		case len(last) > 0 && last[0].Series != w.Series:
			groups = append(groups, []Workload{w})
		default:
			groups[len(groups)-1] = append(last, w)
		}
	}
	for _, g := range groups {
		if len(g) > 0 {
			b.WriteString(r.compressionTable(g))
		}
	}
	if b.Len() > 0 {
		fmt.Fprintf(&b, "\n%s\n", r.deflateHost())
	}
	return b.String()
}

func (r *Results) compressionTable(group []Workload) string {
	var b, remarks strings.Builder
	fmt.Fprintf(&b, "\n### %s\n\n%s\n\n| load | server |", group[0].Title, group[0].About)
	rule := "\n|---|---|"
	for _, m := range group[0].Metrics {
		fmt.Fprintf(&b, " %s |", m.Title)
		rule += "---:|"
		if m.Ratio {
			b.WriteString(" × plain |")
			rule += "---:|"
		}
	}
	b.WriteString(" rounds |" + rule + "---:|\n")
	for _, w := range group {
		for _, row := range r.rows(&w) {
			mark := ""
			if row.failed+row.faulty > 0 {
				mark = " †"
				remarks.WriteString(row.remark(w.Name + ", " + row.server.Title))
			}
			fmt.Fprintf(&b, "| %s | %s%s |", w.load(), deflateRow(&row.server), mark)
			for _, m := range w.Metrics {
				b.WriteString(r.cells(subject{row.server.Name, w.Name}, w.Base, &m))
			}
			fmt.Fprintf(&b, " %d |\n", row.runs-row.failed)
		}
	}
	return b.String() + remarks.String()
}

// load is a workload of the Deflate set in a word.
func (w *Workload) load() string {
	switch {
	case w.Series == "":
		return "idle"
	case w.X == 0:
		return "20 of 1,000 topics"
	case w.X == 1:
		return "1 subscriber"
	}
	return (&Metric{}).format(w.X) + " subscribers"
}

// deflateRow is what distinguishes a server in the tables of the Deflate set.
func deflateRow(s *Server) string {
	switch bound, low := strings.CutPrefix(s.Name, deflatingFrom); {
	case low:
		return "from " + bound + " bytes on"
	case s.Name == deflating:
		return "compressed"
	}
	return "plain"
}

// deflateHost says where the figures come from; the host itself has a table of its own.
func (r *Results) deflateHost() string {
	p := r.Host.Parts[0]
	return fmt.Sprintf("Measured %s on %s, %d cores, Linux %s; %s, commit %s; load average %s; raw results: [%s](../%s).",
		p.Time.Format("2006-01-02 15:04 MST"), r.Host.CPU, r.Host.Cores, r.Host.Kernel, p.Go, p.Commit, p.Load, r.Dir, r.Dir)
}
