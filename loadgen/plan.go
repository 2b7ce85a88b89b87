package loadgen

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Workload is what the connections of a run do.
type Workload string

// The workloads.
const (
	Idle   Workload = "idle"   // subscribe, hold, count who is lost
	Fanout Workload = "fanout" // subscribers and one publisher
	Ticker Workload = "ticker" // fanout in an open loop, each client with some of many topics
	Slow   Workload = "slow"   // ticker, while some clients do not read and others read slowly
	Echo   Workload = "echo"   // one message in flight on each connection, sent back by the server
	// Connect opens and closes: connect, upgrade, close, over and over.
	Connect Workload = "connect"
)

// workloads are all of them, as they are told to a user.
var workloads = []Workload{Idle, Fanout, Ticker, Slow, Echo, Connect}

func (w Workload) known() bool { return slices.Contains(workloads, w) }

// publishes reports whether loadgen sends messages to topics.
func (w Workload) publishes() bool { return w == Fanout || w == Ticker || w == Slow }

// subscribes reports whether connections subscribe to topics.
func (w Workload) subscribes() bool { return w == Idle || w.publishes() }

// Via is how a publisher reaches the server.
type Via string

// The ways to publish.
const (
	ViaWebSocket Via = "ws"   // publish requests on a connection of its own
	ViaHTTP      Via = "http" // one streamed NDJSON request to the admin API
)

// Bounds of a plan.
const (
	ConnectionsMax   = 16_000_000
	TopicsMax        = 10_000_000
	SubscriptionsMax = 1024 // a connection, the server's default bound too
	LoopsMax         = 64
	// PayloadBytesMin is the length of a payload with no filler: {"t":<19 digits>,"p":""}.
	PayloadBytesMin = len(`{"t":0000000000000000000,"p":""}`)
	PayloadBytesMax = 1 << 20
	RateMax         = 100e6 // messages a second
)

// slowReceiveBuffer leaves the backlog of those who do not read to the server, and room for a whole segment: with a window
// below it the server's kernel waits for its persist timer before each, and they would never catch up.
const slowReceiveBuffer = 16 << 10

// Plan is what to run. The zero value of a field takes the default that Defaults gives for it, where there is one.
type Plan struct {
	Workload Workload `json:"workload"`
	URL      string   `json:"url"` // ws://host:port/path

	Connections   int `json:"connections"`             // subscribers or echo clients; handshakes in flight
	Topics        int `json:"topics,omitempty"`        // how many topics there are
	Subscriptions int `json:"subscriptions,omitempty"` // topics a connection subscribes to; more than one are drawn at random
	Payload       int `json:"payload_bytes"`           // bytes of a message's data

	PayloadFile string `json:"payload_file,omitempty"` // NDJSON whose lines' data the messages carry instead of Payload bytes
	Random      bool   `json:"random,omitempty"`       // of the filler that makes up a payload's size

	Rate         float64 `json:"rate,omitempty"`          // messages published a second in all; 0 with DeliveryRate 0 is a closed loop
	DeliveryRate float64 `json:"delivery_rate,omitempty"` // the same, told as deliveries a second
	Via          Via     `json:"via,omitempty"`
	Admin        string  `json:"admin,omitempty"` // host:port of the admin API, with ViaHTTP

	// Of the connections of Slow
	Stalled       float64 `json:"stalled,omitempty"`              // the share that does not read while load is on
	SlowShare     float64 `json:"slow,omitempty"`                 // the share that reads at a tenth of its rate
	ReceiveBuffer int     `json:"receive_buffer_bytes,omitempty"` // of those connections; 0 leaves it to the kernel

	// What speaks to the server
	Driver            string `json:"driver,omitempty"`             // one of Drivers; empty is native
	SubscribeTemplate string `json:"subscribe_template,omitempty"` // driver template: see Templates
	PublishTemplate   string `json:"publish_template,omitempty"`
	SubscribedMarker  string `json:"subscribed_marker,omitempty"`

	// Deflate has each subscriber and echo client agree on permessage-deflate without context takeover (RFC 7692) and read what comes
	// compressed. What loadgen sends is not.
	Deflate bool `json:"deflate,omitempty"`

	SLO string `json:"slo,omitempty"` // objectives, see ParseObjectives

	Warmup   time.Duration `json:"-"` // load that is not measured
	Duration time.Duration `json:"-"` // measured load, or how long idle holds

	ReplyTimeout   time.Duration `json:"-"` // closed loop: how long one message may take to reach everybody
	ConnectTimeout time.Duration `json:"-"` // from connect to the subscription's acknowledgement
	DrainTimeout   time.Duration `json:"-"` // how long nothing may arrive before what is missing counts as missing
	CloseTimeout   time.Duration `json:"-"` // how long the server may take to answer the closes

	Connecting  int    `json:"connecting"`             // connects in flight at a time, over all loops
	Sources     int    `json:"sources"`                // source addresses to connect from; 0: as many as the ports need
	SourceFirst string `json:"source_first,omitempty"` // the first of them
	Loops       int    `json:"loops"`
	PID         int    `json:"pid,omitempty"` // a server on this host whose CPU and memory to report; 0: none
	Seed        uint64 `json:"seed"`

	TopicPrefix string `json:"topic_prefix,omitempty"` // topics are the prefix and a number; a random one keeps runs apart

	data *payload // what PayloadFile holds, or filler, once the run began
}

// Defaults is the plan that the command line starts from.
func Defaults(w Workload) Plan {
	p := Plan{
		Workload: w, URL: "ws://127.0.0.1:8080/ws", Connections: 1000, Topics: 1, Subscriptions: 1, Payload: 128,
		Via: ViaWebSocket, Admin: "127.0.0.1:9080", Warmup: time.Second, Duration: 10 * time.Second,
		ReplyTimeout: 5 * time.Second, ConnectTimeout: 30 * time.Second, DrainTimeout: 5 * time.Second,
		CloseTimeout: 3 * time.Second, Connecting: 256, SourceFirst: "127.0.0.2", Loops: 1, Seed: 1,
	}
	switch w {
	case Idle:
		p.Connections, p.Topics, p.Duration, p.Warmup = 15000, 1000, 30*time.Second, 0
	case Ticker, Slow:
		p.Connections, p.Topics, p.Subscriptions, p.DeliveryRate = 5000, 1000, 20, 100_000
		if w == Slow {
			p.Stalled, p.SlowShare, p.ReceiveBuffer = 0.05, 0.05, slowReceiveBuffer
		}
	case Echo:
		p.URL, p.Topics, p.Subscriptions = "ws://127.0.0.1:8080/echo", 0, 0
	case Connect:
		p.Connections, p.Topics, p.Subscriptions, p.Sources = 64, 0, 0, 64
	}
	return p
}

// PlanError is a plan that cannot be run as it stands; it names the flag to change.
type PlanError struct{ Flag, Message string }

func (e *PlanError) Error() string { return "--" + e.Flag + ": " + e.Message }

func planError(flag, format string, args ...any) error {
	return &PlanError{Flag: flag, Message: fmt.Sprintf(format, args...)}
}

// Validate says what is wrong with the plan, as a *PlanError.
func (p *Plan) Validate() error {
	if !p.Workload.known() {
		return planError("workload", "%q is not one of %v", p.Workload, workloads)
	}
	if _, _, err := p.target(); err != nil {
		return err
	}
	for _, c := range []struct {
		flag         string
		v, low, high int
	}{
		{"connections", p.Connections, 1, ConnectionsMax},
		{"payload", p.Payload, PayloadBytesMin, PayloadBytesMax},
		{"connecting", p.Connecting, 1, 65536},
		{"loops", p.Loops, 1, LoopsMax},
		{"sources", p.Sources, 0, SourcesMax},
		{"pid", p.PID, 0, 1 << 22},
	} {
		if c.v < c.low || c.v > c.high {
			return planError(c.flag, "%d is not between %d and %d", c.v, c.low, c.high)
		}
	}
	if p.Workload.subscribes() {
		if err := p.validateTopics(); err != nil {
			return err
		}
	}
	if p.Workload.publishes() || p.Workload == Connect {
		if err := p.validatePublishing(); err != nil {
			return err
		}
	}
	if err := p.validateSlow(); err != nil {
		return err
	}
	if err := p.validateDriver(); err != nil {
		return err
	}
	if _, err := p.objectives(); err != nil {
		return err
	}
	return p.validateTimes()
}

func (p *Plan) validateSlow() error {
	if p.Workload != Slow {
		return nil
	}
	switch {
	case !(p.Stalled >= 0 && p.Stalled <= 1):
		return planError("stalled", "%v is not a share between 0 and 1", p.Stalled)
	case !(p.SlowShare >= 0 && p.Stalled+p.SlowShare <= 1):
		return planError("slow", "%v beside %v stalled is not a share between 0 and 1", p.SlowShare, p.Stalled)
	case p.ReceiveBuffer < 0:
		return planError("receive-buffer", "%d is negative", p.ReceiveBuffer)
	case p.closed():
		return planError("delivery-rate", "a closed loop would wait for those who do not read")
	}
	return nil
}

func (p *Plan) validateTopics() error {
	switch {
	case p.Topics < 1 || p.Topics > TopicsMax:
		return planError("topics", "%d is not between 1 and %d", p.Topics, TopicsMax)
	case p.Subscriptions < 1 || p.Subscriptions > SubscriptionsMax:
		return planError("subscriptions", "%d is not between 1 and %d", p.Subscriptions, SubscriptionsMax)
	case p.Subscriptions > p.Topics:
		return planError("subscriptions", "%d of only %d topics", p.Subscriptions, p.Topics)
	case len(p.TopicPrefix) > 200:
		return planError("topic-prefix", "longer than 200 bytes")
	case strings.ContainsAny(p.TopicPrefix, "+#\x00\"\\"):
		return planError("topic-prefix", "must be free of + # NUL quotes and backslashes")
	}
	return nil
}

func (p *Plan) validatePublishing() error {
	switch {
	case p.Rate < 0 || p.Rate > RateMax:
		return planError("rate", "%v is not between 0 and %v messages a second", p.Rate, RateMax)
	case p.DeliveryRate < 0:
		return planError("delivery-rate", "%v is negative", p.DeliveryRate)
	case p.Rate > 0 && p.DeliveryRate > 0:
		return planError("delivery-rate", "give it or --rate, not both")
	case p.Workload == Ticker && p.closed():
		return planError("delivery-rate", "a ticker needs a rate")
	case p.Via != ViaWebSocket && p.Via != ViaHTTP:
		return planError("via", "%q is neither ws nor http", p.Via)
	}
	if p.Via == ViaHTTP {
		if _, err := resolve(p.Admin); err != nil {
			return planError("admin", "%v", err)
		}
	}
	return nil
}

func (p *Plan) validateTimes() error {
	for _, c := range []struct {
		flag string
		v    time.Duration
		zero bool
	}{
		{"duration", p.Duration, false}, {"warmup", p.Warmup, true}, {"reply-timeout", p.ReplyTimeout, false},
		{"connect-timeout", p.ConnectTimeout, false}, {"drain-timeout", p.DrainTimeout, false},
		{"close-timeout", p.CloseTimeout, false},
	} {
		if c.v < 0 || (c.v == 0 && !c.zero) {
			return planError(c.flag, "%v is too short", c.v)
		}
	}
	return nil
}

// target gives the address and the URL's path and query. Loops take an address, not a name, so that a run goes to one host.
func (p *Plan) target() (netip.AddrPort, *url.URL, error) {
	u, err := url.Parse(p.URL)
	if err != nil {
		return netip.AddrPort{}, nil, planError("url", "%v", err)
	}
	port, known := defaultPorts[u.Scheme]
	switch {
	case u.Scheme == "wss":
		return netip.AddrPort{}, nil, planError("url", "wss is not supported yet; use ws://")
	case !known:
		return netip.AddrPort{}, nil, planError("url", "%q does not begin with ws:// (or nats:// or mqtt://, with their drivers)", p.URL)
	}
	host := u.Host
	if u.Port() == "" {
		host += ":" + port
	}
	a, err := resolve(host)
	if err != nil {
		return netip.AddrPort{}, nil, planError("url", "%v", err)
	}
	return a, u, nil
}

// closed reports whether the next message waits until the one before it reached everybody.
func (p *Plan) closed() bool { return p.Rate == 0 && p.DeliveryRate == 0 }

// rate is the planned number of messages a second.
func (p *Plan) rate() float64 {
	if p.Rate > 0 {
		return p.Rate
	}
	return p.DeliveryRate * float64(p.Topics) / (float64(p.Connections) * float64(p.Subscriptions))
}
