package main

import (
	"fmt"
	"io"
	"sort"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/megawire/megawire/loadgen"
)

// workload is one command.
type workload struct {
	kind               loadgen.Workload
	short, long, usage string
	flags              func(*pflag.FlagSet, *loadgen.Plan)
}

var idle = workload{
	kind:  loadgen.Idle,
	short: "Opens subscribed connections and holds them",
	long: "Opens connections, each subscribed to one of --topics topics, holds them for --hold, answers pings and counts who is lost.\n" +
		"With --pid it reports the server's memory a connection.",
	usage: "  loadgen idle --connections 15000 --topics 1000 --hold 30s --pid $(pgrep -x megawire)",
	flags: func(f *pflag.FlagSet, p *loadgen.Plan) {
		topicFlags(f, p)
		f.DurationVar(&p.Duration, "hold", p.Duration, "how long to hold the connections")
	},
}

var fanout = workload{
	kind:  loadgen.Fanout,
	short: "Publishes to many subscribers",
	long: "Subscribes every connection to --subscriptions of --topics topics and publishes to them.\n" +
		"Without a rate the loop is closed: the next message goes out when everybody got the last one.\n" +
		"With --rate or --delivery-rate it is open: messages go out at planned instants whatever the server does, and latency counts from those.",
	usage: "  loadgen fanout --connections 5000\n" +
		"  loadgen fanout --connections 5000 --topics 1000 --subscriptions 20 --delivery-rate 100000",
	flags: func(f *pflag.FlagSet, p *loadgen.Plan) {
		topicFlags(f, p)
		measureFlags(f, p)
		f.IntVar(&p.Payload, "payload", p.Payload, "bytes of a message's data")
		f.Float64Var(&p.Rate, "rate", p.Rate, "messages published a second; 0: closed loop")
		f.Float64Var(&p.DeliveryRate, "delivery-rate", p.DeliveryRate, "the same, told as deliveries a second")
		f.StringVar((*string)(&p.Via), "via", string(p.Via), "how to publish: ws, a connection like the others; http, one NDJSON request to the admin API")
		f.StringVar(&p.Admin, "admin", p.Admin, "host:port of the admin API, with --via http")
		f.DurationVar(&p.ReplyTimeout, "reply-timeout", p.ReplyTimeout, "closed loop: how long one message may take to reach everybody")
	},
}

var echo = workload{
	kind:  loadgen.Echo,
	short: "Sends one message at a time on each connection and has it sent back",
	long:  "Keeps one message in flight on each connection to an endpoint that sends every message back, and compares what comes byte for byte.",
	usage: "  loadgen echo --connections 1000 --duration 10s",
	flags: func(f *pflag.FlagSet, p *loadgen.Plan) {
		measureFlags(f, p)
		f.IntVar(&p.Payload, "payload", p.Payload, "bytes of a message")
	},
}

func newCommand(w workload, stdout, stderr io.Writer, started *bool) *cobra.Command {
	plan := loadgen.Defaults(w.kind)
	var asJSON bool
	c := &cobra.Command{
		Use: string(w.kind), Short: w.short, Long: w.long, Example: w.usage, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			*started = true
			return execute(c.Context(), plan, asJSON, stdout, stderr)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&plan.URL, "url", plan.URL, "WebSocket endpoint")
	f.IntVarP(&plan.Connections, "connections", "n", plan.Connections, "how many")
	w.flags(f, &plan)
	f.IntVar(&plan.PID, "pid", plan.PID, "a server process on this host whose CPU and memory to report")
	f.BoolVar(&asJSON, "json", false, "write the result as JSON")
	f.IntVar(&plan.Loops, "loops", plan.Loops, "event loops, each a core's worth of load")
	f.IntVar(&plan.Connecting, "connecting", plan.Connecting, "connects in flight at a time")
	f.IntVar(&plan.Sources, "sources", plan.Sources, "source addresses; 0: as many as the ports need, for a server in 127/8")
	f.StringVar(&plan.SourceFirst, "source-first", plan.SourceFirst, "the first source address")
	f.DurationVar(&plan.ConnectTimeout, "connect-timeout", plan.ConnectTimeout, "from connect to the subscription's answer")
	f.DurationVar(&plan.CloseTimeout, "close-timeout", plan.CloseTimeout, "how long the server may take to answer the closes")
	f.Uint64Var(&plan.Seed, "seed", plan.Seed, "decides who subscribes to what")
	return c
}

func topicFlags(f *pflag.FlagSet, p *loadgen.Plan) {
	f.IntVar(&p.Topics, "topics", p.Topics, "how many topics there are")
	f.IntVar(&p.Subscriptions, "subscriptions", p.Subscriptions, "topics a connection subscribes to; more than one are drawn at random")
	f.StringVar(&p.TopicPrefix, "topic-prefix", p.TopicPrefix, "what topics begin with; empty: a random name")
}

func measureFlags(f *pflag.FlagSet, p *loadgen.Plan) {
	f.DurationVarP(&p.Duration, "duration", "d", p.Duration, "how long to measure")
	f.DurationVar(&p.Warmup, "warmup", p.Warmup, "load before that, which is not measured")
	f.DurationVar(&p.DrainTimeout, "drain-timeout", p.DrainTimeout, "how long nothing may come before what is missing counts as lost")
}

// withReasons adds to an error why connections failed, which is often what explains it.
func withReasons(err error, r *loadgen.Result) error {
	if r == nil || len(r.Connections.Failures) == 0 {
		return err
	}
	var whys []string
	for why, n := range r.Connections.Failures {
		whys = append(whys, fmt.Sprintf("%d × %s", n, why))
	}
	sort.Strings(whys)
	return fmt.Errorf("%w (%s)", err, strings.Join(whys, "; "))
}

// trimPrefix drops the package's name from an error, which the command's name already says.
func trimPrefix(err error) string { return strings.TrimPrefix(err.Error(), "loadgen: ") }
