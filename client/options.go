package client

import (
	"fmt"
	"net/http"
	"time"
)

// Options configures a Client. The zero value is ready to use.
type Options struct {
	// HTTPClient makes the upgrade request. Default: a client of its own, with
	// the proxy settings of the environment.
	HTTPClient *http.Client
	// Header is sent with every upgrade request, such as Authorization.
	Header http.Header

	// Compression offers permessage-deflate (RFC 7692) to the server, without context takeover. What is large then
	// comes in fewer bytes, for a little time of both sides; worth it where bytes are dear. Default: off.
	Compression bool

	// QueueEventsMax and QueueBytesMax bound what waits to be read by Next; one
	// event always fits. Default: 1,024 events, 4 MiB.
	QueueEventsMax int
	QueueBytesMax  int
	// MessageBytesMax is the longest frame accepted from the server, inflated. Default: 4 MiB,
	// room for a payload of 1 MiB in any encoding.
	MessageBytesMax int

	// DialTimeout bounds one attempt to connect, upgrade included. Default: 10 s.
	DialTimeout time.Duration
	// WriteTimeout bounds the writing of one frame. Default: 30 s.
	WriteTimeout time.Duration
	// PingInterval is how long the connection may be silent before the server is
	// asked for a sign of life, PongTimeout how long that may take. Default: 25 s, 10 s.
	PingInterval time.Duration
	PongTimeout  time.Duration

	// NoReconnect makes the first lost connection the end of the client.
	NoReconnect bool
	// BackoffBase and BackoffCap bound the wait before an attempt to reconnect: a
	// random time between 0 and BackoffBase, doubled after each attempt that fails,
	// up to BackoffCap. Default: 500 ms, 30 s.
	BackoffBase time.Duration
	BackoffCap  time.Duration
}

// TopicsTrackedMax bounds the topics whose sequence numbers a client remembers. Past
// it, a topic that a pattern brought is forgotten for each new one, and counts afresh at
// its next message.
const TopicsTrackedMax = 1 << 20

// RequestsInFlightMax bounds the requests that wait for an answer; further ones wait
// for a place.
const RequestsInFlightMax = 1024

// FiltersPerRequestMax and SubscribeBytesMax bound one subscribe request; longer lists
// are sent as several. One pattern alone may take more: to go on where it was, it
// names its topics, up to SinceTopicsMax of them in up to RequestBytesMax. To a server that
// finds that too long the client says less.
const (
	FiltersPerRequestMax = 1024
	SubscribeBytesMax    = 64 << 10
	SinceTopicsMax       = 65536
	RequestBytesMax      = 512 << 10
)

// requestBytesMin is what every server takes, and requestSpareBytes what a filter and
// the rest of a request need beside the topics.
const (
	requestBytesMin   = 1 << 10
	requestSpareBytes = 2 << 10
)

// withDefaults returns o with every unset field filled in.
func (o Options) withDefaults() (Options, error) {
	for _, f := range []struct {
		name  string
		value *int
		def   int
	}{
		{"QueueEventsMax", &o.QueueEventsMax, 1024},
		{"QueueBytesMax", &o.QueueBytesMax, 4 << 20},
		{"MessageBytesMax", &o.MessageBytesMax, 4 << 20},
	} {
		if *f.value < 0 {
			return o, fmt.Errorf("client: %s is negative", f.name)
		}
		if *f.value == 0 {
			*f.value = f.def
		}
	}
	for _, f := range []struct {
		name  string
		value *time.Duration
		def   time.Duration
	}{
		{"DialTimeout", &o.DialTimeout, 10 * time.Second},
		{"WriteTimeout", &o.WriteTimeout, 30 * time.Second},
		{"PingInterval", &o.PingInterval, 25 * time.Second},
		{"PongTimeout", &o.PongTimeout, 10 * time.Second},
		{"BackoffBase", &o.BackoffBase, 500 * time.Millisecond},
		{"BackoffCap", &o.BackoffCap, 30 * time.Second},
	} {
		if *f.value < 0 {
			return o, fmt.Errorf("client: %s is negative", f.name)
		}
		if *f.value == 0 {
			*f.value = f.def
		}
	}
	if o.HTTPClient == nil {
		o.HTTPClient = ownHTTPClient()
	}
	return o, nil
}

// ownHTTPClient keeps no idle connections: an upgrade that is refused must leave
// nothing behind.
func ownHTTPClient() *http.Client {
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultClient
	}
	t = t.Clone()
	t.DisableKeepAlives = true
	return &http.Client{Transport: t}
}
