package admin

import "context"

// Kinds of content of a Publication.
const (
	ContentJSON   byte = 0
	ContentText   byte = 1
	ContentBinary byte = 2
)

// Publication is one message to publish. Payload (and nothing else) may alias a buffer that is used again once the Backend's
// method has returned.
type Publication struct {
	Topic   string
	Content byte     // ContentJSON, ContentText or ContentBinary
	Payload []byte   // JSON byte for byte as it came, the text, or the decoded bytes
	Exclude []string // ids of clients that are not to get it
}

// Receipt says where a publication stands in its topic.
type Receipt struct {
	Epoch string
	Seq   uint64
}

// Backend is what the admin listener needs of the server. All methods are called from many goroutines at once.
type Backend interface {
	Views

	// Publish publishes one message, waiting for room until ctx ends. It copies the payload and does not keep ctx.
	// A message that is at fault, or a server that cannot take it, is told by a Fault; the end of the wait by ctx's error.
	Publish(ctx context.Context, p *Publication) (Receipt, error)

	// Check tells by a Fault whether Publish would refuse the message for what it is (topic, size, UTF-8). It publishes nothing.
	Check(p *Publication) error

	// Refused counts a publication that was refused, by the code it was answered with.
	Refused(code string)

	// Ready tells whether new clients are welcome, and if not, why.
	Ready() (ready bool, why string)

	// Stats is a snapshot for the metrics.
	Stats() Stats

	// Info is what /v1/info answers: version, limits, configuration without secrets. It marshals to JSON.
	Info() any
}

// Fault is a refusal that the caller is told about: one of PROTOCOL.md's codes and a sentence.
type Fault struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (f Fault) Error() string { return f.Code + ": " + f.Message }

// Deflated counts what was compressed, once for all its readers.
type Deflated struct {
	Messages          uint64
	BytesIn, BytesOut uint64 // before and after
}

// Stats is a snapshot of the server's counters. Fields marked as gauges hold what is true now, the others totals since the start.
type Stats struct {
	// Gauges.
	Connections    int64
	ConnectionsMax int64
	Subscriptions  int64
	Topics         int64
	Lagging        int64 // connections that the kernel takes no more bytes for
	Filters        int64 // patterns that somebody subscribes to
	RingBytes      int64
	TopicsEvicted  uint64 // total: topics let go to make room for others
	InFlightBytes  int64  // published, and not yet taken by every event loop
	Loops          int

	MemoryBytes     uint64 // of the process
	MemoryMarkBytes uint64 // above which newcomers are refused

	// Connections.
	ConnectionsOpened uint64
	ConnectionsClosed uint64
	ClosedByCode      map[int]uint64    // by WebSocket close code
	Refused           map[string]uint64 // connections and upgrades, by reason: full, draining, bad_request, not_found, timeout, …
	Shed              uint64            // closed since memory was short

	// Messages in.
	MessagesIn     map[string]uint64 // by source: native, raw, admin, server
	PublishRefused map[string]uint64 // by code
	BytesIn        uint64

	// What clients on /ws did wrong, or too fast.
	RequestsRefused map[string]uint64 // errors told to clients, for a topic of a request too, by code
	Throttled       uint64            // times that a client was not read from, since it sent too fast

	// What the system had no room for.
	AcceptErrors uint64 // accepts that failed; the clients wait
	WriteRetries uint64 // writes that are tried again, for want of memory of the kernel's

	Deflated Deflated

	// Messages out.
	Deliveries    uint64 // one message to one client
	BytesOut      uint64
	Writes        uint64
	PartialWrites uint64
	Batches       uint64
	Gaps          uint64 // gaps told to clients
	GapMessages   uint64 // messages in them
	Conflated     uint64 // messages passed over for a newer one of their topic, as the subscriber wants it
	Pings         uint64

	Panics uint64 // recovered while serving a connection

	MemoryTrims uint64 // times that memory was given back to the system

	Lag Lag // filled in by the metrics, of Views.Lag
}
