package bench

import (
	"slices"
	"time"
)

// Set is a group of workloads that are run together.
type Set string

// The sets.
const (
	Compare Set = "compare" // all servers side by side
	Growth  Set = "growth"  // one server, something growing
	Deflate Set = "deflate" // one server, with and without compression
)

// Workload is one thing that servers are made to do.
type Workload struct {
	Name  string
	Title string // of its table and plot
	About string // what is done, in a sentence or two
	Set   Set

	Needs string        // which of a server's URLs it drives: topics or echo
	Args  []string      // loadgen's command and flags
	Long  []string      // further flags of a full run
	Quick []string      // and of a quick one; nil: it is left out there
	Limit time.Duration // when a run is given up

	Servers []string // those that go through it; nil: all that can, but for variants
	Rounds  int      // how often at most; 0: as often as the others

	Metrics []Metric // what its table shows; the first one is drawn

	Series string  // what grows; of Deflate, what is sent
	X      float64 // how large it is here; of Deflate, who gets it
	Base   string  // the server that ratios refer to; "": the floor
}

// Metric is one figure of loadgen's result.
type Metric struct {
	Name   string
	Title  string  // with the unit
	Path   string  // where it stands in the result, as in server.rss_samples.0.bytes
	Plus   string  // of what is added to it; "": nothing
	Scale  float64 // what to multiply it by; 0: nothing
	Digits int     // behind the point
	More   bool    // more is better
	Ratio  bool    // the table shows the ratio to the floor beside it
}

// URLs of servers that workloads need.
const (
	needTopics = "topics"
	needEcho   = "echo"
)

var (
	rate      = Metric{Name: "rate", Title: "deliveries/s", Path: "window.deliveries_per_s", More: true}
	cpu       = Metric{Name: "cpu", Title: "CPU-µs a delivery", Path: "server.cpu_us_per_delivery", Digits: 2, Ratio: true}
	p50       = Metric{Name: "p50", Title: "p50 ms", Path: "latency.p50_ms", Digits: 2}
	p99       = Metric{Name: "p99", Title: "p99 ms", Path: "latency.p99_ms", Digits: 2, Ratio: true}
	busy      = Metric{Name: "load", Title: "load client busy %", Path: "generator.busy_share.0", Scale: 100}
	moreRSS   = Metric{Name: "grown", Title: "server's memory grown, MB", Path: "server.rss_grown_bytes", Scale: 1e-6, Digits: 1}
	backlog   = Metric{Name: "backlog", Title: "memory grown, server and kernel, MB", Path: moreRSS.Path, Plus: kernel.Path, Scale: 1e-6, Digits: 1}
	kernel    = Metric{Name: "kernel", Title: "the kernel's, for TCP, MB", Path: "generator.host_tcp_grown_bytes", Scale: 1e-6, Digits: 1}
	told      = Metric{Name: "told", Title: "messages told of as left out", Path: "verdict.told"}
	lost      = Metric{Name: "lost", Title: "lost without a word", Path: "verdict.lost"}
	behind    = Metric{Name: "behind", Title: "clients neither up to date nor told", Path: "left_behind"}
	dropped   = Metric{Name: "dropped", Title: "clients cut off", Path: "connections.dropped"}
	rss       = Metric{Name: "rss", Title: "RSS at the end, MB", Path: "server.rss_end_bytes", Scale: 1e-6, Digits: 1}
	openBytes = Metric{Name: "bytes", Title: "RSS a connection, bytes", Path: "server.rss_bytes_per_connection", Ratio: true}
)

// rssAfter is the memory a connection at the n-th of loadgen's samples.
func rssAfter(n, seconds string) Metric {
	return Metric{
		Name: "bytes" + seconds, Title: "bytes a connection after " + seconds + " s",
		Path: "server.rss_samples." + n + ".bytes_per_connection", Ratio: true,
	}
}

// compared are the workloads that all servers go through.
var compared = []Workload{
	{
		Name: "idle", Title: "Memory of an idle connection", Set: Compare, Needs: needTopics,
		About: "15,000 connections, each subscribed to one of 1,000 topics: growth of the server's resident memory a connection.",
		Args:  []string{"idle", "-n", "15000", "--topics", "1000"},
		Long:  []string{"--hold", "28s"}, Quick: []string{"--hold", "6s"}, Limit: 2 * time.Minute,
		Metrics: []Metric{rssAfter("0", "5"), rssAfter("1", "25")},
	},
	{
		Name: "idle-long", Title: "Memory of an idle connection, in the long run", Set: Compare, Needs: needTopics,
		About: "The same for two and a half minutes, after which Go has collected garbage whether there was any or not. One round.",
		Args:  []string{"idle", "-n", "15000", "--topics", "1000"},
		Long:  []string{"--hold", "153s"}, Limit: 5 * time.Minute,
		Servers: []string{us, Floor, "bun"}, Rounds: 1,
		Metrics: []Metric{rssAfter("2", "150"), rssAfter("1", "25"), rssAfter("0", "5")},
	},
	{
		Name: "broadcast-5000", Title: "Broadcast to 5,000", Set: Compare, Needs: needTopics,
		About: "5,000 subscribers of one topic, 128 bytes; the next message goes out when everybody has the last one.",
		Args:  []string{"fanout", "-n", "5000"},
		Long:  []string{"--warmup", "1s", "-d", "5s"}, Quick: []string{"--warmup", "500ms", "-d", "2s"}, Limit: time.Minute,
		Metrics: []Metric{rate, cpu, p99, busy},
	},
	{
		Name: "broadcast-1000", Title: "Broadcast to 1,000", Set: Compare, Needs: needTopics,
		About: "The same with 1,000 subscribers.",
		Args:  []string{"fanout", "-n", "1000"},
		Long:  []string{"--warmup", "1s", "-d", "5s"}, Quick: []string{"--warmup", "500ms", "-d", "2s"}, Limit: time.Minute,
		Metrics: []Metric{rate, cpu, p99, busy},
	},
	{
		Name: "ticker-100k", Title: "Ticker at 100,000 deliveries/s", Set: Compare, Needs: needTopics,
		About: "5,000 clients, each subscribed to 20 of 1,000 topics at random; messages at planned instants, latency counted from those.",
		Args:  []string{"ticker", "-n", "5000", "--topics", "1000", "--subscriptions", "20", "--delivery-rate", "100000"},
		Long:  []string{"--warmup", "1s", "-d", "6s"}, Quick: []string{"--warmup", "1s", "-d", "3s"}, Limit: time.Minute,
		Metrics: []Metric{p99, p50, cpu, rate, busy},
	},
	{
		Name: "ticker-most", Title: "Ticker, the most with p99 below 50 ms", Set: Compare, Needs: needTopics,
		About: "The same clients; the highest planned rate of deliveries at which 99 % come within 50 ms and 99.9 % come at all.",
		Args:  []string{"ticker", "-n", "5000", "--topics", "1000", "--subscriptions", "20", "--delivery-rate", "100000", "--find", "p99=50ms"},
		Long:  []string{"--warmup", "1s", "-d", "3s"}, Limit: 8 * time.Minute,
		Metrics: []Metric{
			{Name: "most", Title: "deliveries/s", Path: "searches.0.best_deliveries_per_s", More: true, Ratio: true},
			{Name: "cpu", Title: "CPU-µs a delivery there", Path: "searches.0.steps.<best_step>.server_cpu_us_per_delivery", Digits: 2, Ratio: true},
			{Name: "p99", Title: "p99 ms there", Path: "searches.0.steps.<best_step>.measured", Digits: 1},
		},
	},
	{
		Name: "slow", Title: "Ticker with slow readers", Set: Compare, Needs: needTopics,
		About: "The ticker at 100,000 deliveries/s, while 5 % of the clients do not read and 5 % read a tenth of what they should: what the other 90 % see, and what becomes of the slow.",
		Args:  []string{"slow", "-n", "5000", "--topics", "1000", "--subscriptions", "20", "--delivery-rate", "100000"},
		Long:  []string{"--warmup", "1s", "-d", "10s"}, Limit: 2 * time.Minute,
		Metrics: []Metric{p99, cpu, moreRSS, kernel, told, lost, behind, dropped},
	},
	{
		Name: "slow-behind", Title: "Slow readers that fall behind what is kept", Set: Compare, Needs: needTopics,
		About: "500 clients with one of 10 topics each, 200 messages a second to every one of them, 100,000 deliveries/s in all. 10 % do not " +
			"read and 10 % read a tenth, for 30 s: 6,000 messages, more than a server's default bounds may hold for them. Then they read again.",
		Args:    behindArgs(30 * time.Second),
		Limit:   2 * time.Minute,
		Metrics: []Metric{backlog, moreRSS, kernel, p99, cpu, told, lost, behind, dropped},
	},
	{
		Name: "handshake", Title: "Handshakes", Set: Compare, Needs: needTopics,
		About: "Connect, upgrade and close, 64 at a time.",
		Args:  []string{"connect", "-n", "64"},
		Long:  []string{"--warmup", "1s", "-d", "5s"}, Quick: []string{"--warmup", "500ms", "-d", "2s"}, Limit: time.Minute,
		Metrics: []Metric{
			{Name: "cpu", Title: "CPU-µs a handshake", Path: "server.cpu_us_per_delivery", Digits: 1, Ratio: true},
			{Name: "rate", Title: "handshakes/s", Path: "window.deliveries_per_s", More: true}, p99, busy,
		},
	},
	{
		Name: "echo", Title: "Echo", Set: Compare, Needs: needEcho,
		About: "1,000 connections, one message of 128 bytes in flight on each, sent back by the server.",
		Args:  []string{"echo", "-n", "1000"},
		Long:  []string{"--warmup", "1s", "-d", "5s"}, Quick: []string{"--warmup", "500ms", "-d", "2s"}, Limit: time.Minute,
		Metrics: []Metric{
			{Name: "rate", Title: "messages/s", Path: "window.deliveries_per_s", More: true},
			{Name: "cpu", Title: "CPU-µs a message", Path: "server.cpu_us_per_delivery", Digits: 2, Ratio: true}, p99, busy,
		},
	},
}

// behindArgs are loadgen's for readers that are slow for some time. They keep 20 % of 500 clients 200 messages a second from reading.
func behindArgs(d time.Duration) []string {
	return []string{
		"slow", "-n", "500", "--topics", "10", "--subscriptions", "1", "--delivery-rate", "100000", "--stalled", "10%", "--slow", "10%",
		"--warmup", "1s", "-d", d.String(),
	}
}

// Workloads are all there are.
func Workloads() []Workload { return slices.Concat(compared, grown(), deflated()) }

// flags are the arguments for loadgen, without the URL.
func (w *Workload) flags(quick bool) []string {
	if quick {
		return slices.Concat(w.Args, w.Quick)
	}
	return slices.Concat(w.Args, w.Long)
}
