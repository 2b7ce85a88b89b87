package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/coder/websocket"
)

// ErrClosed is returned by everything after Close.
var ErrClosed = errors.New("client: closed")

// ErrConnectionLost is returned by Publish when the connection broke after the
// request was handed over and before its answer came: it may have been published.
var ErrConnectionLost = errors.New("client: the connection was lost before the answer came")

// ErrProtocol is wrapped by errors about a server that breaks the protocol.
var ErrProtocol = errors.New("client: the server broke the protocol")

// ErrNotMegawire is returned by Dial, and ends a client that reconnects, where a
// WebSocket answers that does not confirm the subprotocol megawire.v1. Nothing was sent.
var ErrNotMegawire = errors.New("client: what answers does not speak megawire.v1")

// errNoPong ends a connection whose peer gives no sign of life.
var errNoPong = errors.New("client: no sign of life from the server")

// ServerError is a request, or one topic of it, that the server refused.
type ServerError struct {
	Code       string // bad_request, forbidden, bad_topic, too_many, too_large, rate_limited, unavailable, …
	Message    string
	RetryAfter time.Duration // with rate_limited, or unavailable: when to ask again; 0 where the server names none
}

// Error implements error.
func (e *ServerError) Error() string {
	if e.Message == "" {
		return e.Code
	}
	return e.Code + ": " + e.Message
}

// RefusedError is an upgrade that the server answered with an HTTP error.
type RefusedError struct {
	Status     int
	Code       string // from the JSON body, "" where there is none
	Message    string
	RetryAfter time.Duration
}

// Error implements error.
func (e *RefusedError) Error() string {
	s := fmt.Sprintf("client: the server refused the connection: %d %s", e.Status, http.StatusText(e.Status))
	if e.Message != "" {
		s += ": " + e.Message
	}
	return s
}

// refused reads the HTTP answer to an upgrade that failed.
func refused(resp *http.Response, now time.Time) *RefusedError {
	e := &RefusedError{Status: resp.StatusCode, RetryAfter: retryAfter(resp.Header.Get("Retry-After"), now)}
	if resp.Body == nil {
		return e
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1024))
	if err != nil {
		return e
	}
	var body struct {
		Error struct{ Code, Message string }
	}
	if json.Unmarshal(b, &body) == nil {
		e.Code, e.Message = body.Error.Code, body.Error.Message
	}
	return e
}

// retryAfter reads a Retry-After header: seconds or a date (RFC 9110 §10.2.3).
func retryAfter(v string, now time.Time) time.Duration {
	if s, err := strconv.Atoi(v); err == nil {
		return max(0, time.Duration(min(s, 1<<20))*time.Second)
	}
	if t, err := http.ParseTime(v); err == nil {
		return max(0, t.Sub(now))
	}
	return 0
}

// final reports whether err is one after which a client does not come back by
// itself: close codes 1008 (policy) and 4003 (kicked), another protocol, and every HTTP
// refusal that says the request was wrong.
func final(err error) bool {
	if errors.Is(err, ErrNotMegawire) {
		return true
	}
	var r *RefusedError
	if errors.As(err, &r) {
		switch r.Status {
		case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
			return false
		}
		return r.Status >= 400 && r.Status < 500
	}
	switch websocket.CloseStatus(err) {
	case websocket.StatusPolicyViolation, statusKicked:
		return true
	}
	return false
}

const statusKicked websocket.StatusCode = 4003
