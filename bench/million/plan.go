package million

import (
	"encoding/json"
	"fmt"
	"time"
)

// Plan is what to prove.
type Plan struct {
	Connections int           `json:"connections"`
	Ping        time.Duration `json:"ping_ns"`    // the server's heartbeat.ping_interval; 0: its default
	Hold        time.Duration `json:"hold_ns"`    // idle, before the first broadcast; 0: until everybody was pinged
	Broadcasts  int           `json:"broadcasts"` // messages to all, one after the other
	Give        time.Duration `json:"give_ns"`    // how long all broadcasts may take together
	Payload     int           `json:"payload"`    // bytes of a message's data
	Connecting  int           `json:"connecting"` // connects in flight
	Open        time.Duration `json:"open_ns"`    // how long connecting may take
}

// Defaults is the proof.
func Defaults() Plan {
	return Plan{
		Connections: 1_000_000, Broadcasts: 3, Give: 15 * time.Minute, Payload: 128, Connecting: 512,
		Open: 40 * time.Minute,
	}
}

// Of the heartbeat.
const (
	pingDefault   = 25 * time.Second // the server's own
	guestPings    = 1500             // pings a second that a guest is good for beside connecting, its system calls being some ten times as dear
	holdAfterPing = 20 * time.Second
)

// complete fills in what depends on where the proof is run. A guest cannot ping a million connections every 25 s, so there
// they are pinged as fast as it can.
func (p *Plan) complete(guest bool) {
	interval := max(p.Ping, pingDefault)
	if p.Ping == 0 && guest {
		if interval = time.Duration(p.Connections/guestPings) * time.Second; interval > pingDefault {
			p.Ping = interval
		}
		interval = max(interval, pingDefault)
	}
	if p.Hold == 0 {
		p.Hold = interval + holdAfterPing
	}
}

// Programs are where the static binaries are.
type Programs struct{ Server, Loadgen string }

// Report is what was found. Sizes are bytes.
type Report struct {
	Schema  int       `json:"schema"`
	Started time.Time `json:"started"`
	Plan    Plan      `json:"plan"`
	Guest   bool      `json:"guest"` // in user-mode-linux
	Kernel  string    `json:"kernel"`
	Cores   int       `json:"cores"`
	Memory  int64     `json:"memory_bytes"`

	Sysctl   map[string]string `json:"sysctl"`
	Files    [2]uint64         `json:"open_files"`
	Binaries map[string]string `json:"binaries_sha256"`
	Commands []string          `json:"commands"`

	Up             int         `json:"up"`
	Lost           int         `json:"lost"`
	ConnectSeconds float64     `json:"connect_s"`
	Pings          int         `json:"pings_answered"`
	RSSBefore      int64       `json:"rss_before_bytes"`
	RSSIdle        int64       `json:"rss_idle_bytes"` // after the hold
	RSSAfter       int64       `json:"rss_after_bytes"`
	Slab           int64       `json:"slab_bytes"` // the kernel's, of both ends of all connections
	SocketMemory   int64       `json:"socket_memory_bytes"`
	Broadcasts     []Broadcast `json:"broadcasts"`
	Delivered      uint64      `json:"delivered"` // as loadgen counted
	Faults         []string    `json:"faults,omitempty"`

	Slabs    map[string]int64 `json:"slabs"` // growth of the largest, by name
	Timeline []Sample         `json:"timeline"`
	Loadgen  json.RawMessage  `json:"loadgen,omitempty"`
}

// Broadcast is one message to all.
type Broadcast struct {
	Seconds   float64 `json:"s"` // from the request to the admin API until the server had handed over the last delivery
	Delivered float64 `json:"delivered"`
}

// Sample is a look at the server and the kernel.
type Sample struct {
	At          float64 `json:"at_s"`
	Phase       string  `json:"phase"`
	Connections float64 `json:"connections"`
	Deliveries  float64 `json:"deliveries"`
	Pings       float64 `json:"pings"`
	RSS         int64   `json:"rss_bytes"`
	LoadRSS     int64   `json:"loadgen_rss_bytes"`
	CPU         float64 `json:"server_cpu_s"`
	Slab        int64   `json:"slab_bytes"`
	Available   int64   `json:"available_bytes"`
}

// OK says whether all came up, none was lost and every message reached everybody.
func (r *Report) OK() bool { return len(r.Faults) == 0 }

// each is n divided among the connections.
func (r *Report) each(n int64) float64 { return float64(n) / float64(max(r.Up, 1)) }

// Text is the report for people.
func (r *Report) Text() string {
	where := "on the host"
	if r.Guest {
		where = "in a user-mode-linux guest"
	}
	text := fmt.Sprintf(`%s, Linux %s, %d core(s), %.1f GB of memory
connections up      %d of %d, %d lost
time to connect     %.1f s (%.0f a second)
pings answered      %d in %v of idling
server RSS          %.3f GB idle: %.0f bytes a connection; %.3f GB after the broadcasts: %.0f
kernel memory       %.2f GB of slabs for both ends: %.0f bytes a connection at the server's end; %d bytes of socket buffers while idle
`, where, r.Kernel, r.Cores, float64(r.Memory)/1e9, r.Up, r.Plan.Connections, r.Lost, r.ConnectSeconds,
		float64(r.Up)/max(r.ConnectSeconds, 1e-9), r.Pings, r.Plan.Hold,
		float64(r.RSSIdle)/1e9, r.each(r.RSSIdle-r.RSSBefore), float64(r.RSSAfter)/1e9, r.each(r.RSSAfter-r.RSSBefore),
		float64(r.Slab)/1e9, r.each(r.Slab)/2, r.SocketMemory)
	for i, b := range r.Broadcasts {
		text += fmt.Sprintf("broadcast %d         %.0f delivered in %.2f s\n", i+1, b.Delivered, b.Seconds)
	}
	text += fmt.Sprintf("received            %d messages, of %d\n", r.Delivered, len(r.Broadcasts)*r.Up)
	if r.OK() {
		return text + "RESULT              ok: all up, none lost, everything delivered\n"
	}
	for _, f := range r.Faults {
		text += "FAULT               " + f + "\n"
	}
	return text
}
