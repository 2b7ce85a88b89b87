package loadgen

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"
)

var selfPID = os.Getpid()

func TestConstantPacer(t *testing.T) {
	for _, c := range []struct {
		name    string
		rate    float64
		elapsed time.Duration
		due     uint64
	}{
		{"nothing before the start", 10, -1, 0},
		{"the first message at once", 10, 0, 1},
		{"the second not a nanosecond early", 10, 100*time.Millisecond - 1, 1},
		{"the second on time", 10, 100 * time.Millisecond, 2},
		{"a second holds the rate, and the first of the next", 10, time.Second, 11},
		{"less than one a second", 0.25, 4 * time.Second, 2},
		{"a rate that does not divide a second", 3, time.Second - 1, 3},
		{"a million a second for an hour", 1e6, time.Hour, 3_600_000_001},
		{"a rate too small to plan counts as a thousandth", 1e-9, 999 * time.Second, 1},
	} {
		if got := newConstant(c.rate).due(c.elapsed); got != c.due {
			t.Errorf("%s: due(%v) at %v/s is %d, want %d", c.name, c.elapsed, c.rate, got, c.due)
		}
	}
}

func TestPacerInstantsAgreeWithWhatIsDue(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 10000 {
		p := newConstant(math.Exp(random.Float64() * math.Log(RateMax)))
		n := p.due(time.Duration(random.Int64N(int64(10*365*24*time.Hour)))) - 1
		at := p.at(n)
		if p.due(at) != n+1 || p.due(at-1) != n {
			t.Fatalf("%+v: at(%d) is %d; due there %d, just before %d", p, n, at, p.due(at), p.due(at-1))
		}
	}
}

func TestSourceAddresses(t *testing.T) {
	for _, c := range []struct {
		name, first string
		n           int
		want        string
	}{
		{"the first is itself", "127.0.0.2", 0, "127.0.0.2"},
		{"the last of a network", "127.0.0.2", 252, "127.0.0.254"},
		{"255 and 0 are passed over", "127.0.0.2", 253, "127.0.1.1"},
		{"a whole network further", "127.0.0.2", 254, "127.0.1.2"},
		{"into the next 16 bits", "127.0.0.1", 254 * 256, "127.1.0.1"},
		{"a first address that ends in 0", "10.0.0.0", 0, "10.0.0.1"},
	} {
		s := sources{first: netip.MustParseAddr(c.first), count: 1}
		if got := s.at(c.n).String(); got != c.want {
			t.Errorf("%s: address %d from %s is %s, want %s", c.name, c.n, c.first, got, c.want)
		}
	}
	if (sources{first: netip.MustParseAddr("255.255.255.254")}).at(1).IsValid() {
		t.Error("an address past the last one")
	}
}

func TestSourcesOfAPlan(t *testing.T) {
	loopback, far := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("10.1.2.3")
	for _, c := range []struct {
		name        string
		target      netip.Addr
		connections int
		sources     int
		first       string
		count       int
		err         string
	}{
		{"few connections over loopback: one address", loopback, 100, 0, "127.0.0.2", 1, ""},
		{"ports are used by half", loopback, 1_000_000, 0, "127.0.0.2", 1 + 2_000_000/28232, ""},
		{"as many as were asked for", loopback, 10, 7, "127.0.0.9", 7, ""},
		{"a far server: the kernel chooses", far, 1000, 0, "127.0.0.2", 0, ""},
		{"a far server and too few ports", far, 28233, 0, "127.0.0.2", 0, "ip_local_port_range"},
		{"loopback cannot reach a far server", far, 10, 2, "127.0.0.2", 0, "cannot reach"},
		{"past the end of 127/8", loopback, 10, 1000, "127.255.255.1", 0, "leave the network"},
		{"not an address", loopback, 10, 1, "localhost", 0, "not an IPv4 address"},
	} {
		s, err := newSources(&Plan{Connections: c.connections, Sources: c.sources, SourceFirst: c.first}, c.target, 28232)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: error %v, want one with %q", c.name, err, c.err)
			}
			continue
		}
		if err != nil || s.count != c.count {
			t.Errorf("%s: %d addresses, %v; want %d", c.name, s.count, err, c.count)
		}
	}
}

// planCase is a change to a plan, and the flag that is then at fault.
type planCase struct {
	name   string
	change func(*Plan)
	flag   string // "" is valid
}

// checkPlans holds Validate against changes to the defaults of a workload.
func checkPlans(t *testing.T, w Workload, cases []planCase) {
	t.Helper()
	for _, c := range cases {
		p := Defaults(w)
		c.change(&p)
		err := p.Validate()
		var e *PlanError
		switch ok := errors.As(err, &e); {
		case c.flag == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.flag != "" && (!ok || e.Flag != c.flag):
			t.Errorf("%s: %v, want a fault of --%s", c.name, err, c.flag)
		}
	}
}

func TestValidate(t *testing.T) {
	checkPlans(t, Fanout, []planCase{
		{"the defaults", func(*Plan) {}, ""},
		{"an unknown workload", func(p *Plan) { p.Workload = "x" }, "workload"},
		{"TLS", func(p *Plan) { p.URL = "wss://127.0.0.1/ws" }, "url"},
		{"an address that is no URL", func(p *Plan) { p.URL = "127.0.0.1:8080" }, "url"},
		{"a URL without a port", func(p *Plan) { p.URL = "ws://127.0.0.1/ws" }, ""},
		{"no connections", func(p *Plan) { p.Connections = 0 }, "connections"},
		{"a payload with no room for the instant", func(p *Plan) { p.Payload = PayloadBytesMin - 1 }, "payload"},
		{"a capture and random filler", func(p *Plan) { p.PayloadFile, p.Random = "x.ndjson", true }, "payload-file"},
		{"a capture where nothing is published", func(p *Plan) { *p = Defaults(Idle); p.PayloadFile = "x.ndjson" }, "payload-file"},
		{"the smallest payload", func(p *Plan) { p.Payload = PayloadBytesMin }, ""},
		{"more subscriptions than topics", func(p *Plan) { p.Subscriptions = 2 }, "subscriptions"},
		{"more subscriptions than a server takes", func(p *Plan) { p.Topics, p.Subscriptions = 2000, 1025 }, "subscriptions"},
		{"a wildcard in the topics", func(p *Plan) { p.TopicPrefix = "a/+/" }, "topic-prefix"},
		{"two rates", func(p *Plan) { p.Rate, p.DeliveryRate = 1, 1 }, "delivery-rate"},
		{"a negative rate", func(p *Plan) { p.Rate = -1 }, "rate"},
		{"an unknown way to publish", func(p *Plan) { p.Via = "nats" }, "via"},
		{"HTTP without an address", func(p *Plan) { p.Via, p.Admin = ViaHTTP, "9080" }, "admin"},
		{"no time to measure", func(p *Plan) { p.Duration = 0 }, "duration"},
		{"no warm-up", func(p *Plan) { p.Warmup = 0 }, ""},
		{"no loop", func(p *Plan) { p.Loops = 0 }, "loops"},
		{"an echo needs no topics", func(p *Plan) { *p = Defaults(Echo) }, ""},
		{"idle", func(p *Plan) { *p = Defaults(Idle) }, ""},
	})
}

func TestRateOfDeliveries(t *testing.T) {
	p := Plan{Connections: 5000, Topics: 1000, Subscriptions: 20, DeliveryRate: 100_000}
	if got := p.rate(); got != 1000 {
		t.Errorf("100,000 deliveries/s, each message to 100 of 5,000: %v messages/s", got)
	}
}

func TestDrawnSubscriptions(t *testing.T) {
	const connections, count = 500, 50
	for _, subscriptions := range []int{1, 2, 20, 49, 50} {
		r := newRows(connections, subscriptions)
		seen := make([]int, count)
		for n := range connections {
			topics := r.draw(nil, n, n, subscriptions, count, 7)
			own := map[int]bool{}
			for _, topic := range topics {
				own[topic] = true
				seen[topic]++
				if r.places[r.find(n, topic)].topic != uint32(topic)+1 {
					t.Fatalf("connection %d: topic %d is not where it should be", n, topic)
				}
			}
			if len(own) != subscriptions {
				t.Fatalf("connection %d has %d different topics, want %d", n, len(own), subscriptions)
			}
		}
		for topic, n := range seen {
			if n < connections*subscriptions/count/3 {
				t.Errorf("%d of %d: topic %d has only %d subscribers", subscriptions, count, topic, n)
			}
		}
	}
}

func TestTopicNames(t *testing.T) {
	names := newTopics(&Plan{Topics: 1001, TopicPrefix: "p/"})
	for _, n := range []int{0, 7, 999, 1000} {
		name := names.append(nil, n)
		if got, ok := names.number(name); !ok || got != n || len(name) != 6 {
			t.Errorf("%d is named %s, which is read as %d, %v", n, name, got, ok)
		}
	}
	for _, name := range []string{"", "p/", "p/1001", "p/00000", "q/0000", "p/00a0"} {
		if n, ok := names.number([]byte(name)); ok {
			t.Errorf("%q is read as %d", name, n)
		}
	}
	if a, b := newTopics(&Plan{Topics: 1}), newTopics(&Plan{Topics: 1}); a.prefix == b.prefix {
		t.Errorf("two runs have the prefix %s", a.prefix)
	}
}

func TestPayloadHasExactlyItsSize(t *testing.T) {
	for _, size := range []int{PayloadBytesMin, 33, 128, 5000} {
		if got := appendData(nil, time.Now().UnixNano(), size); len(got) != size {
			t.Errorf("%d bytes instead of %d: %s", len(got), size, got)
		}
	}
}

func TestProc(t *testing.T) {
	cpu, err := parseStat([]byte("42 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 150 25 0 0"))
	if err != nil || cpu != 1750*time.Millisecond {
		t.Errorf("%v, %v", cpu, err)
	}
	for name, want := range map[string]int64{"VmRSS": 1 << 20, "VmHWM": 9 << 10} {
		if got, err := parseStatus([]byte("Name:\tx\nVmHWM:\t 9 kB\nVmRSS:\t    1024 kB\n"), name); err != nil || got != want {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if n := parseSNMP("Ip: A B\nIp: 1 2\nTcp: X RetransSegs Y\nTcp: 5 42 7\n"); n != 42 {
		t.Errorf("%d segments sent again, want 42", n)
	}
	if n := parseSockstat("sockets: used 9\nTCP: inuse 1 orphan 0 tw 2 alloc 3 mem 4\nUDP: inuse 0 mem 7\n"); n != 4*int64(os.Getpagesize()) {
		t.Errorf("%d bytes held by TCP", n)
	}
	if n := parseSoftnet("0001 0000000a 3\n0002 00000010 4\n"); n != 26 {
		t.Errorf("%d packets dropped, want 26", n)
	}
	for _, bad := range []string{"", "1 (a)", "1 (a) S 1 2 3 4 5 6 7 8 9 10 x y"} {
		if _, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("%q passed", bad)
		}
	}
}

func TestReport(t *testing.T) {
	r := &Result{
		Plan: Defaults(Fanout), Loop: "open", Connections: Connections{Wanted: 5000, Opened: 4999, Failed: 1, Failures: reasons{"connect: connection refused": 1}},
		Published: &Published{Sent: 1_000_000, Refused: 2, Refusals: reasons{"unavailable: busy": 2}, PlannedRate: 1000},
		Verdict:   Verdict{Delivered: 1234567, Lost: 3, Told: 17, Gaps: 1}, Expected: 1234587, Latency: Latency{Count: 1, P99Ms: 1.234},
		Server: &Process{CPUSeconds: 1, RSSBeforeBytes: 1e6, RSSPerConnection: -12}, Generator: Generator{BusyShare: []float64{0.5, 0.95}, SlipP99Ms: 6},
	}
	r.judge()
	var text, js bytes.Buffer
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if err := r.WriteJSON(&js); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"fanout, open loop", "4,999 of 5,000", "1 × connect: connection refused", "2 refused", "1,234,567 of 1,234,587",
		"3 lost", "p99 1.23", "-12 bytes a connection", "loop 1 was busy 95 %", "sent 6.0 ms or more", "FAILED: 1 connections could not be opened; 3 messages were lost"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the text lacks %q:\n%s", want, text.String())
		}
	}
	for _, want := range []string{`"generator_limited": true`, `"schema":`, `"lost": 3`, `"p99_ms": 1.234`} {
		if !strings.Contains(js.String(), want) {
			t.Errorf("the JSON lacks %s:\n%s", want, js.String())
		}
	}
}
