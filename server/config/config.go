package config

import "time"

// Config is every setting of one server. [Default] gives a valid one; [Load]
// returns only valid ones. Zero never means unlimited, in any field.
//
// Tags: koanf is the last part of the key, usage its meaning, min and max its
// inclusive bounds, oneof its permitted values, syntax a rule of check.go.
type Config struct {
	Listen string `koanf:"listen" syntax:"address" usage:"address of the public listener, host:port; an empty host is every IPv4 and IPv6 address"`
	Loops  Auto   `koanf:"loops" max:"256" usage:"event loops; auto is GOMAXPROCS, by default the number of cores"`
	Demo   bool   `koanf:"demo" usage:"publish a built-in feed of tickers and sensors; anonymous.publish then defaults to every topic"`

	Admin      Admin      `koanf:"admin"`
	Limits     Limits     `koanf:"limits"`
	Deflate    Deflate    `koanf:"deflate"`
	Origins    []string   `koanf:"origins" syntax:"origin" usage:"web origins whose pages may connect, as https://app.example.com; * is every one. Clients that are no browsers send none and are not asked"`
	Anonymous  Anonymous  `koanf:"anonymous"`
	Ring       Ring       `koanf:"ring"`
	Topics     Topics     `koanf:"topics"`
	Rules      Rules      `koanf:"rules" usage:"what holds of topics by their names: a list in JSON, as in [{\"filter\":\"ticker/#\",\"mode\":\"latest\"}]; the first rule whose filter matches a topic holds. megawire.yaml has the keys of a rule"`
	Publishing Publishing `koanf:"publish"`
	Heartbeat  Heartbeat  `koanf:"heartbeat"`
	Drain      Drain      `koanf:"drain"`
	Echo       Echo       `koanf:"echo"`
	Socket     Socket     `koanf:"socket"`
	Log        Log        `koanf:"log"`
}

// Admin is the HTTP listener for publishing, metrics and the dashboard.
type Admin struct {
	Listen string   `koanf:"listen" syntax:"address" usage:"address of the admin listener, host:port; it asks for no password, so keep it on loopback or a private network"`
	Hosts  []string `koanf:"hosts" syntax:"host" usage:"names, beside localhost, addresses and the host of admin.listen, by which requests may call the admin listener; a Prometheus that scrapes by name needs its name here"`
}

// Limits bound what clients can make the server hold.
type Limits struct {
	MessageBytes               Bytes         `koanf:"message_bytes" min:"1KiB" max:"64MiB" usage:"largest WebSocket message or published line; a larger one is closed with 1009 or refused as too_large"`
	Connections                Auto          `koanf:"connections" max:"100000000" usage:"open connections, those past it get 503; auto is what the limit on open files leaves"`
	SubscriptionsPerConnection int           `koanf:"subscriptions_per_connection" min:"1" max:"65536" usage:"filters one connection may subscribe to; those past it are too_many"`
	Topics                     int           `koanf:"topics" min:"1" max:"100000000" usage:"topics held at once; a publish that would make one more is too_many"`
	ConnectsPerSecond          int           `koanf:"connects_per_second" min:"1" max:"10000000" usage:"upgrade requests a second, with bursts of as many; those past it get 503"`
	MemoryBytes                AutoBytes     `koanf:"memory_bytes" max:"1024TiB" usage:"memory of the process (RSS) past which new connections get 503, and past which the laggiest are then closed; auto is 85 % of what the machine or the cgroup has"`
	MessagesPerSecond          int           `koanf:"messages_per_second" min:"1" max:"10000000" usage:"messages and control frames a second of one client, with bursts of as many; a request past it is rate_limited, and the client is read from more slowly"`
	BytesPerSecond             Bytes         `koanf:"bytes_per_second" min:"1KiB" max:"64GiB" usage:"bytes a second of one client, with bursts of as many; past it the client is read from more slowly"`
	LagTopics                  int           `koanf:"lag_topics" min:"1" max:"16777216" usage:"topics in which one slow subscriber of patterns may be behind; who is behind in more is closed with 4002"`
	HandshakeTimeout           time.Duration `koanf:"handshake_timeout" min:"100ms" max:"5m" usage:"time from accept to the end of the HTTP request head"`
	HeadBytes                  Bytes         `koanf:"head_bytes" min:"1KiB" max:"60KiB" usage:"largest HTTP request head; a larger one gets 431 or 414"`
	MessageTimeout             time.Duration `koanf:"message_timeout" min:"1s" max:"1h" usage:"time from the first byte of a WebSocket message to its last; past it the connection is closed with 1008"`
	RepliesBytes               Bytes         `koanf:"replies_bytes" min:"16KiB" max:"64MiB" usage:"replies and control frames waiting for one connection that does not read; past it the connection is not read from until they are gone"`
	UnfinishedBytes            Bytes         `koanf:"unfinished_bytes" min:"1MiB" max:"1TiB" usage:"what is kept of messages that have not come to their end, of all connections; near it those are closed with 1013 that hold the most"`
	Fragments                  int           `koanf:"fragments" min:"1" max:"1000000" usage:"frames that one WebSocket message may be cut into"`
}

// Deflate is permessage-deflate (RFC 7692), with clients that offer it.
type Deflate struct {
	Enabled  bool  `koanf:"enabled" usage:"agree on permessage-deflate with clients that offer it"`
	MinBytes Bytes `koanf:"min_bytes" min:"1" max:"64MiB" usage:"frames with less payload are sent as they are"`
	RatioMax int   `koanf:"ratio_max" min:"2" max:"1100" usage:"a message past 1MiB may inflate to so many times its size; one that exceeds it is closed with 1009"`
}

// Anonymous is what clients without a token may do.
type Anonymous struct {
	Subscribe []string `koanf:"subscribe" syntax:"filter" usage:"filters that clients without a token may subscribe to"`
	Publish   []string `koanf:"publish" syntax:"filter" usage:"filters that clients without a token may publish to"`
}

// Ring bounds each topic's ring: what loops have still to take (in flight) and
// what is kept after that for catching up (retained).
type Ring struct {
	InflightMessages   int   `koanf:"inflight_messages" min:"16" max:"1048576" usage:"messages of a topic that a loop has not taken yet; publishers wait past it"`
	InflightBytes      Bytes `koanf:"inflight_bytes" min:"64KiB" max:"1GiB" usage:"bytes of a topic that a loop has not taken yet; publishers wait past it"`
	InflightTotalBytes Bytes `koanf:"inflight_total_bytes" min:"1MiB" max:"1TiB" usage:"bytes of all topics that loops have not taken yet"`

	RetainMessages   int           `koanf:"retain_messages" min:"1" max:"1048576" usage:"messages of a topic kept for last, since and slow readers; the last one is always kept"`
	RetainBytes      Bytes         `koanf:"retain_bytes" min:"1KiB" max:"1GiB" usage:"bytes of a topic kept; the last message is always kept"`
	RetainAge        time.Duration `koanf:"retain_age" min:"1s" max:"720h" usage:"age to which messages are kept; the last one is always kept"`
	RetainTotalBytes Bytes         `koanf:"retain_total_bytes" min:"1MiB" max:"1TiB" usage:"bytes of all topics kept; past it topics keep their last message alone, and past it and inflight_total_bytes together topics without subscribers go"`
}

// Topics is the life of a topic.
type Topics struct {
	Idle time.Duration `koanf:"idle" min:"1s" max:"8760h" usage:"a topic without subscribers and messages goes away after this time"`
}

// Publishing is what publishers meet when a topic's ring is full.
type Publishing struct {
	Wait time.Duration `koanf:"wait" min:"10ms" max:"10m" usage:"longest wait of an HTTP publisher for room; then 503"`
}

// Heartbeat finds dead peers.
type Heartbeat struct {
	PingInterval time.Duration `koanf:"ping_interval" min:"1s" max:"1h" usage:"a connection that was silent this long is sent a ping"`
	PongTimeout  time.Duration `koanf:"pong_timeout" min:"1s" max:"1h" usage:"a pinged connection that stays silent this long is closed with 4004"`
}

// Drain is how a stopping server lets its clients go.
type Drain struct {
	Timeout time.Duration `koanf:"timeout" min:"100ms" max:"1h" usage:"longest time from SIGTERM to exit"`
	Spread  time.Duration `koanf:"spread" min:"0s" max:"1h" usage:"closes are spread over this time, 0s closes at once; never longer than drain.timeout"`
}

// Echo is the /echo endpoint.
type Echo struct {
	Enabled bool `koanf:"enabled" usage:"serve /echo, which sends every frame back"`
}

// Socket is what the kernel is asked for on each connection.
type Socket struct {
	SendBufferBytes Bytes `koanf:"send_buffer_bytes" min:"4KiB" max:"64MiB" usage:"kernel send buffer of a connection (SO_SNDBUF; the kernel doubles it)"`
}

// Log is the server's log on standard error.
type Log struct {
	Level  string `koanf:"level" oneof:"debug info warn error" usage:"least level that is logged"`
	Format string `koanf:"format" oneof:"text json" usage:"form of a log line"`
}

// Default returns the settings of a server that was told nothing.
func Default() Config {
	return Config{
		Listen: ":8080",
		Admin:  Admin{Listen: "127.0.0.1:9080", Hosts: []string{}},
		Limits: Limits{
			MessageBytes:               1 * MiB,
			SubscriptionsPerConnection: 1024,
			Topics:                     1_000_000,
			ConnectsPerSecond:          50_000,
			MessagesPerSecond:          10_000,
			BytesPerSecond:             16 * MiB,
			LagTopics:                  65_536,
			HandshakeTimeout:           10 * time.Second,
			HeadBytes:                  8 * KiB,
			MessageTimeout:             time.Minute,
			RepliesBytes:               256 * KiB,
			UnfinishedBytes:            256 * MiB,
			Fragments:                  4096,
		},
		Deflate:   Deflate{Enabled: true, MinBytes: 128, RatioMax: 100},
		Origins:   []string{"*"},
		Anonymous: Anonymous{Subscribe: []string{"#"}, Publish: []string{}},
		Ring: Ring{
			InflightMessages:   4096,
			InflightBytes:      4 * MiB,
			InflightTotalBytes: 256 * MiB,
			RetainMessages:     4096,
			RetainBytes:        1 * MiB,
			RetainAge:          60 * time.Second,
			RetainTotalBytes:   256 * MiB,
		},
		Topics:     Topics{Idle: 24 * time.Hour},
		Rules:      Rules{},
		Publishing: Publishing{Wait: 10 * time.Second},
		Heartbeat:  Heartbeat{PingInterval: 25 * time.Second, PongTimeout: 25 * time.Second},
		Drain:      Drain{Timeout: 10 * time.Second, Spread: 5 * time.Second},
		Echo:       Echo{Enabled: true},
		Socket:     Socket{SendBufferBytes: 64 * KiB},
		Log:        Log{Level: "info", Format: "text"},
	}
}
