package admin

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Defaults and bounds of what the listener holds at once.
const (
	defaultListen          = "127.0.0.1:9080"
	defaultPublicPort      = 8080
	defaultPublishWait     = 10 * time.Second
	defaultMessageBytesMax = 1 << 20
	defaultConnectionsMax  = 256

	bodyBytesMin    = 8 << 20  // a body that is not a stream may always be this long
	bodySmallBytes  = 64 << 10 // a body declared no longer than this waits for no slot
	bodiesMax       = 16       // longer bodies held in memory at once
	entriesMax      = 10_000   // entries of one array
	excludeMax      = 1024     // ids in one "exclude"
	lineOverhead    = 4 << 10  // bytes of a line beside its payload: keys, topic, exclude
	readBufferBytes = 64 << 10 // of one stream
	looksMax        = 2        // lists of topics or clients made at once

	headerBytesMax    = 16 << 10
	readHeaderTimeout = 10 * time.Second
	idleTimeout       = 2 * time.Minute
	bodyTimeout       = 30 * time.Second // for a body that is not a stream to come in whole
	answerTimeout     = 30 * time.Second // for an answer to be taken
	lookWait          = 2 * time.Second  // for a list to be its turn
	lingerTimeout     = time.Second      // for a sender to notice that its stream was ended, before it is cut off
)

// Options say what an admin Server serves. The zero value of a field means its default.
type Options struct {
	Listen  string   // host:port; 127.0.0.1:9080 by default, port 0 lets the system choose
	Hosts   []string // names that a request's Host may carry beside localhost, IP literals and Listen's own host
	Backend Backend  // required
	Logger  *slog.Logger

	// Registry gets the collectors; nil makes one. Go's and the process's collectors are added where they are missing.
	Registry *prometheus.Registry

	PublishWait     time.Duration // how long a publication waits for room; 10 s
	MessageBytesMax int           // bytes of a payload, as the Backend bounds it; 1 MiB. The bounds of bodies and lines follow from it
	ConnectionsMax  int           // HTTP connections at once, 256; those past it get 503. Streams take at most three quarters

	PublicPort int      // port of the WebSocket listener, for the page; 8080
	Topics     []string // the topics that the page shows (the demo's)
}

// withDefaults fills in and checks the options.
func (o Options) withDefaults() (Options, error) {
	if o.Backend == nil {
		return o, errors.New("admin: Options.Backend is required")
	}
	if o.Listen == "" {
		o.Listen = defaultListen
	}
	if _, _, err := net.SplitHostPort(o.Listen); err != nil {
		return o, fmt.Errorf("admin: listen address %q must be host:port: %w", o.Listen, err)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Registry == nil {
		o.Registry = prometheus.NewRegistry()
	}
	if o.PublishWait == 0 {
		o.PublishWait = defaultPublishWait
	}
	if o.MessageBytesMax == 0 {
		o.MessageBytesMax = defaultMessageBytesMax
	}
	if o.ConnectionsMax == 0 {
		o.ConnectionsMax = defaultConnectionsMax
	}
	if o.PublicPort == 0 {
		o.PublicPort = defaultPublicPort
	}
	if o.PublishWait < 0 || o.MessageBytesMax < 0 || o.ConnectionsMax < 0 {
		return o, errors.New("admin: PublishWait, MessageBytesMax and ConnectionsMax must be positive")
	}
	if o.PublicPort < 0 || o.PublicPort > 65535 {
		return o, fmt.Errorf("admin: PublicPort %d is not a port", o.PublicPort)
	}
	return o, nil
}

// streamsMax bounds the streams open at once: what is left of ConnectionsMax is for probes, scrapes and short publications.
func (o *Options) streamsMax() int {
	return max(1, o.ConnectionsMax*3/4)
}

// lineBytesMax bounds a line of a stream: the longest message, in base64 as the widest of the three forms, and its keys.
func (o *Options) lineBytesMax() int {
	return (o.MessageBytesMax+2)/3*4 + lineOverhead
}

// bodyBytesMax bounds a body that is not a stream.
func (o *Options) bodyBytesMax() int {
	return max(bodyBytesMin, o.lineBytesMax())
}
