package main

import (
	"github.com/spf13/pflag"

	"github.com/megawire/megawire/loadgen"
)

// workload is one command, and one kind of step in a scenario.
type workload struct {
	kind               loadgen.Workload
	short, long, usage string
	flags              func(*pflag.FlagSet, *step)
}

var workloads = []workload{idle, fanout, ticker, slow, echo, connect}

var idle = workload{
	kind:  loadgen.Idle,
	short: "Opens subscribed connections and holds them",
	long: "Opens connections, each subscribed to one of --topics topics, holds them for --hold, answers pings and counts who is lost.\n" +
		"With --pid it reports the server's memory a connection.",
	usage: "  loadgen idle --connections 15000 --topics 1000 --hold 30s --pid $(pgrep -x megawire)",
	flags: func(f *pflag.FlagSet, s *step) {
		topicFlags(f, &s.plan)
		f.DurationVar(&s.plan.Duration, "hold", s.plan.Duration, "how long to hold the connections")
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
	flags: func(f *pflag.FlagSet, s *step) {
		publishFlags(f, &s.plan)
		f.DurationVar(&s.plan.ReplyTimeout, "reply-timeout", s.plan.ReplyTimeout, "closed loop: how long one message may take to reach everybody")
	},
}

var ticker = workload{
	kind:  loadgen.Ticker,
	short: "Publishes to clients that each have some of many topics, at a fixed rate",
	long: "Subscribes every client to --subscriptions of --topics topics, drawn at random, and publishes at planned instants.\n" +
		"With --find it searches for the highest delivery rate at which latency keeps a bound and 99.9 % arrive: it doubles --delivery-rate\n" +
		"until the bound breaks, and then closes in. Each step has fresh connections, settles for --warmup and measures for --duration.",
	usage: "  loadgen ticker --delivery-rate 100000 --pid $(pgrep -x megawire)\n" +
		"  loadgen ticker --find p99=50ms --raw search.ndjson --html search.html",
	flags: func(f *pflag.FlagSet, s *step) {
		publishFlags(f, &s.plan)
		f.StringVar(&s.find, "find", "", "search for the highest delivery rate that keeps a bound, as p99=50ms")
	},
}

var slow = workload{
	kind:  loadgen.Slow,
	short: "The ticker, while some clients do not read and others read slowly",
	long: "Runs the ticker while a share of the clients does not read at all and another reads a tenth of what it should.\n" +
		"The latency of the healthy ones is reported apart. At the end all read again, and every message must have come or been told as left out.",
	usage: "  loadgen slow --stalled 5% --slow 5% --delivery-rate 100000",
	flags: func(f *pflag.FlagSet, s *step) {
		publishFlags(f, &s.plan)
		f.Var((*shareValue)(&s.plan.Stalled), "stalled", "share of the clients that do not read while load is on")
		f.Var((*shareValue)(&s.plan.SlowShare), "slow", "share that reads a tenth of what it should")
		f.IntVar(&s.plan.ReceiveBuffer, "receive-buffer", s.plan.ReceiveBuffer, "bytes of these clients' socket buffers, so that the backlog is the server's; 0: the kernel's choice")
	},
}

var echo = workload{
	kind:  loadgen.Echo,
	short: "Sends one message at a time on each connection and has it sent back",
	long:  "Keeps one message in flight on each connection to an endpoint that sends every message back, and compares what comes byte for byte.",
	usage: "  loadgen echo --connections 1000 --duration 10s",
	flags: func(f *pflag.FlagSet, s *step) {
		measureFlags(f, &s.plan)
		f.IntVar(&s.plan.Payload, "payload", s.plan.Payload, "bytes of a message")
	},
}

var connect = workload{
	kind:  loadgen.Connect,
	short: "Opens and closes connections",
	long: "Connects, upgrades and closes, with --connections handshakes in flight. Latency counts to the end of the upgrade.\n" +
		"Without --rate the loop is closed: the next handshake begins when one is done. With --rate it is open.",
	usage: "  loadgen connect --connections 64 --pid $(pgrep -x megawire)\n" +
		"  loadgen connect --rate 5000",
	flags: func(f *pflag.FlagSet, s *step) {
		measureFlags(f, &s.plan)
		f.Float64Var(&s.plan.Rate, "rate", s.plan.Rate, "handshakes a second; 0: closed loop")
	},
}

func topicFlags(f *pflag.FlagSet, p *loadgen.Plan) {
	f.IntVar(&p.Topics, "topics", p.Topics, "how many topics there are")
	f.IntVar(&p.Subscriptions, "subscriptions", p.Subscriptions, "topics a connection subscribes to; more than one are drawn at random")
	f.StringVar(&p.TopicPrefix, "topic-prefix", p.TopicPrefix, "what topics begin with; empty: a random name")
}

func publishFlags(f *pflag.FlagSet, p *loadgen.Plan) {
	topicFlags(f, p)
	measureFlags(f, p)
	f.IntVar(&p.Payload, "payload", p.Payload, "bytes of a message's data")
	f.BoolVar(&p.Random, "random", p.Random, "make up that size of random letters and digits, which do not compress well, instead of one letter")
	f.StringVar(&p.PayloadFile, "payload-file", p.PayloadFile, "an NDJSON capture; each message carries the data of a line of it, as {\"t\":<instant>,\"d\":<data>}")
	f.Float64Var(&p.Rate, "rate", p.Rate, "messages published a second; 0: closed loop")
	f.Float64Var(&p.DeliveryRate, "delivery-rate", p.DeliveryRate, "the same, told as deliveries a second")
	f.StringVar((*string)(&p.Via), "via", string(p.Via), "how to publish: ws, a connection like the others; http, one NDJSON request to the admin API")
	f.StringVar(&p.Admin, "admin", p.Admin, "host:port of the admin API, with --via http")
}

func measureFlags(f *pflag.FlagSet, p *loadgen.Plan) {
	f.DurationVarP(&p.Duration, "duration", "d", p.Duration, "how long to measure")
	f.DurationVar(&p.Warmup, "warmup", p.Warmup, "load before that, which is not measured")
	f.DurationVar(&p.DrainTimeout, "drain-timeout", p.DrainTimeout, "how long nothing may come before what is missing counts as lost")
}

// commonFlags are those of every workload.
func commonFlags(f *pflag.FlagSet, p *loadgen.Plan) {
	f.StringVar(&p.SLO, "slo", p.SLO, "objectives that the run must keep, as p99=50ms,loss=0; see \"loadgen --help\" for their names")
	f.IntVar(&p.PID, "pid", p.PID, "a server process on this host whose CPU and memory to report")
	f.BoolVar(&p.Deflate, "deflate", p.Deflate, "clients agree on permessage-deflate without context takeover, and read what comes compressed; they send nothing compressed")
	f.StringVar(&p.Driver, "driver", p.Driver, "what the server speaks; see \"loadgen --help\"")
	f.StringVar(&p.SubscribeTemplate, "subscribe-template", p.SubscribeTemplate, "driver template: a text with {topic} (sent for each) or {topics} (a quoted list)")
	f.StringVar(&p.PublishTemplate, "publish-template", p.PublishTemplate, "driver template: a text with {topic} and {data}")
	f.StringVar(&p.SubscribedMarker, "subscribed-marker", p.SubscribedMarker, "driver template: what an answer to a subscription contains; empty: there is none")
	f.IntVar(&p.Loops, "loops", p.Loops, "event loops, each a core's worth of load")
	f.IntVar(&p.Connecting, "connecting", p.Connecting, "connects in flight at a time")
	f.IntVar(&p.Sources, "sources", p.Sources, "source addresses; 0: as many as the ports need, for a server in 127/8")
	f.StringVar(&p.SourceFirst, "source-first", p.SourceFirst, "the first source address")
	f.DurationVar(&p.ConnectTimeout, "connect-timeout", p.ConnectTimeout, "from connect to the subscription's answer")
	f.DurationVar(&p.CloseTimeout, "close-timeout", p.CloseTimeout, "how long the server may take to answer the closes")
	f.Uint64Var(&p.Seed, "seed", p.Seed, "decides who subscribes to what")
}
