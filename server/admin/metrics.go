package admin

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// family is one metric, read from a snapshot. Names follow https://prometheus.io/docs/practices/naming/. Labels take few values, all
// of our own choosing: never a topic, a client or anything else that grows with use.
type family struct {
	name, help string
	kind       prometheus.ValueType
	read       func(*Stats) float64

	label   string // "" where read holds the only value
	byLabel func(*Stats) map[string]uint64
}

const (
	gauge   = prometheus.GaugeValue
	counter = prometheus.CounterValue
)

var families = []family{
	{name: "connections", kind: gauge, help: "Client connections open now.",
		read: func(s *Stats) float64 { return float64(s.Connections) }},
	{name: "connections_max", kind: gauge, help: "Client connections that the server takes at most.",
		read: func(s *Stats) float64 { return float64(s.ConnectionsMax) }},
	{name: "connections_lagging", kind: gauge, help: "Client connections that cannot take more at the moment.",
		read: func(s *Stats) float64 { return float64(s.Lagging) }},
	{name: "lagging_subscribers", kind: gauge, help: "Clients that have messages to get which are not on their way yet.",
		read: func(s *Stats) float64 { return float64(s.Lag.Subscribers) }},
	{name: "backlog_messages", kind: gauge, help: "Messages that lagging clients have yet to be sent, all together.",
		read: func(s *Stats) float64 { return float64(s.Lag.Messages) }},
	{name: "backlog_messages_max", kind: gauge, help: "Messages that the client furthest behind has yet to be sent.",
		read: func(s *Stats) float64 { return float64(s.Lag.MessagesMax) }},
	{name: "backlog_seconds_max", kind: gauge, help: "Age of the oldest message that a lagging client has yet to be sent.",
		read: func(s *Stats) float64 { return float64(s.Lag.MillisMax) / 1000 }},
	{name: "connections_opened_total", kind: counter, help: "Client connections accepted.",
		read: func(s *Stats) float64 { return float64(s.ConnectionsOpened) }},
	{name: "connections_closed_total", kind: counter, help: "Client connections closed, for whatever reason.",
		read: func(s *Stats) float64 { return float64(s.ConnectionsClosed) }},
	{name: "websocket_closes_total", kind: counter, help: "WebSocket connections closed, by close code.",
		label: "code", byLabel: func(s *Stats) map[string]uint64 { return closeLabels(s.ClosedByCode) }},
	{name: "connections_refused_total", kind: counter, help: "Connections and upgrades refused, by reason.",
		label: "reason", byLabel: func(s *Stats) map[string]uint64 { return s.Refused }},
	{name: "connections_shed_total", kind: counter, help: "Connections closed since memory was short and they held much of it.",
		read: func(s *Stats) float64 { return float64(s.Shed) }},

	{name: "subscriptions", kind: gauge, help: "Subscriptions held now, over all clients.",
		read: func(s *Stats) float64 { return float64(s.Subscriptions) }},
	{name: "filters", kind: gauge, help: "Patterns with wildcards that somebody subscribes to.",
		read: func(s *Stats) float64 { return float64(s.Filters) }},
	{name: "topics", kind: gauge, help: "Topics in existence now.",
		read: func(s *Stats) float64 { return float64(s.Topics) }},
	{name: "topics_evicted_total", kind: counter, help: "Topics without subscribers that were let go to make room for others.",
		read: func(s *Stats) float64 { return float64(s.TopicsEvicted) }},
	{name: "ring_bytes", kind: gauge, help: "Messages that the topics hold, in all their encodings, in bytes.",
		read: func(s *Stats) float64 { return float64(s.RingBytes) }},
	{name: "in_flight_bytes", kind: gauge, help: "Bytes published and not yet taken by every event loop.",
		read: func(s *Stats) float64 { return float64(s.InFlightBytes) }},
	{name: "loops", kind: gauge, help: "Event loops.",
		read: func(s *Stats) float64 { return float64(s.Loops) }},

	{name: "messages_in_total", kind: counter, help: "Messages published, by where they came from.",
		label: "source", byLabel: func(s *Stats) map[string]uint64 { return s.MessagesIn }},
	{name: "publish_refused_total", kind: counter, help: "Publications refused, by code.",
		label: "code", byLabel: func(s *Stats) map[string]uint64 { return s.PublishRefused }},
	{name: "requests_refused_total", kind: counter, help: "Errors that clients on /ws were told of, by code.",
		label: "code", byLabel: func(s *Stats) map[string]uint64 { return s.RequestsRefused }},
	{name: "throttled_total", kind: counter, help: "Times that a client was not read from for a while, since it sent too fast.",
		read: func(s *Stats) float64 { return float64(s.Throttled) }},
	{name: "received_bytes_total", kind: counter, help: "Bytes received from clients.",
		read: func(s *Stats) float64 { return float64(s.BytesIn) }},

	{name: "messages_out_total", kind: counter, help: "Deliveries: one message handed to one client.",
		read: func(s *Stats) float64 { return float64(s.Deliveries) }},
	{name: "sent_bytes_total", kind: counter, help: "Bytes sent to clients.",
		read: func(s *Stats) float64 { return float64(s.BytesOut) }},
	{name: "writes_total", kind: counter, help: "Writes to client sockets.",
		read: func(s *Stats) float64 { return float64(s.Writes) }},
	{name: "writes_partial_total", kind: counter, help: "Writes of which the kernel took only a part.",
		read: func(s *Stats) float64 { return float64(s.PartialWrites) }},
	{name: "batches_total", kind: counter, help: "Batches of messages encoded for delivery.",
		read: func(s *Stats) float64 { return float64(s.Batches) }},
	{name: "gaps_total", kind: counter, help: "Gaps that slow clients were told of; those of a resume, whose messages had expired, are not among them.",
		read: func(s *Stats) float64 { return float64(s.Gaps) }},
	{name: "gap_messages_total", kind: counter, help: "Messages that lay in the gaps that slow clients were told of.",
		read: func(s *Stats) float64 { return float64(s.GapMessages) }},
	{name: "conflated_messages_total", kind: counter, help: "Messages passed over for a newer one of their topic, as modes latest and every have it.",
		read: func(s *Stats) float64 { return float64(s.Conflated) }},
	{name: "pings_total", kind: counter, help: "WebSocket pings sent to quiet clients.",
		read: func(s *Stats) float64 { return float64(s.Pings) }},
	{name: "deflated_messages_total", kind: counter, help: "Messages compressed, each once for all its readers.",
		read: func(s *Stats) float64 { return float64(s.Deflated.Messages) }},
	{name: "deflated_bytes_in_total", kind: counter, help: "Bytes of the messages compressed, before it.",
		read: func(s *Stats) float64 { return float64(s.Deflated.BytesIn) }},
	{name: "deflated_bytes_out_total", kind: counter, help: "Bytes of the messages compressed, after it.",
		read: func(s *Stats) float64 { return float64(s.Deflated.BytesOut) }},
	{name: "accept_errors_total", kind: counter, help: "Connections that could not be accepted for want of descriptors or memory; they wait.",
		read: func(s *Stats) float64 { return float64(s.AcceptErrors) }},
	{name: "write_retries_total", kind: counter, help: "Writes that the kernel had no memory for; they are tried again.",
		read: func(s *Stats) float64 { return float64(s.WriteRetries) }},
	{name: "panics_total", kind: counter, help: "Panics recovered while serving a connection.",
		read: func(s *Stats) float64 { return float64(s.Panics) }},
	{name: "memory_trims_total", kind: counter, help: "Times that memory was given back to the system.",
		read: func(s *Stats) float64 { return float64(s.MemoryTrims) }},
	{name: "memory_bytes", kind: gauge, help: "Memory of the process (RSS), as of the last second.",
		read: func(s *Stats) float64 { return float64(s.MemoryBytes) }},
	{name: "memory_mark_bytes", kind: gauge, help: "Memory of the process above which new connections are refused.",
		read: func(s *Stats) float64 { return float64(s.MemoryMarkBytes) }},
}

// knownCloseCodes are RFC 6455's and PROTOCOL.md's own. A client may close with any of 3000 to 4999: those are counted together.
var knownCloseCodes = map[int]bool{
	1000: true, 1001: true, 1002: true, 1003: true, 1005: true, 1006: true, 1007: true, 1008: true, 1009: true, 1010: true, 1011: true, 1013: true,
	4001: true, 4002: true, 4003: true, 4004: true,
}

func closeLabels(byCode map[int]uint64) map[string]uint64 {
	labels := make(map[string]uint64, len(byCode))
	for code, n := range byCode {
		label := "other"
		if knownCloseCodes[code] {
			label = strconv.Itoa(code)
		}
		labels[label] += n
	}
	return labels
}

// collector makes the families' metrics of one snapshot a scrape.
type collector struct {
	backend Backend
	descs   []*prometheus.Desc // families' descriptions, in their order
}

func newCollector(b Backend) *collector {
	c := &collector{backend: b}
	for _, f := range families {
		var labels []string
		if f.label != "" {
			labels = []string{f.label}
		}
		c.descs = append(c.descs, prometheus.NewDesc("megawire_"+f.name, f.help, labels, nil))
	}
	return c
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	stats := c.backend.Stats()
	stats.Lag = c.backend.Lag()
	for i, f := range families {
		if f.label == "" {
			ch <- prometheus.MustNewConstMetric(c.descs[i], f.kind, f.read(&stats))
			continue
		}
		for value, n := range f.byLabel(&stats) {
			ch <- prometheus.MustNewConstMetric(c.descs[i], f.kind, float64(n), value)
		}
	}
}

// register adds our collector, and Go's and the process's where the registry has none.
func register(reg *prometheus.Registry, b Backend) error {
	for _, c := range []prometheus.Collector{
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	} {
		if err := reg.Register(c); err != nil {
			if _, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); !ok {
				return fmt.Errorf("admin: %w", err)
			}
		}
	}
	if err := reg.Register(newCollector(b)); err != nil {
		return fmt.Errorf("admin: %w", err)
	}
	return nil
}
