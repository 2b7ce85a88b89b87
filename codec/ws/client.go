package ws

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/megawire/megawire/codec/http1"
)

// ErrResponse is wrapped by what ParseClientResponse returns.
var ErrResponse = errors.New("ws: upgrade refused")

// AppendClientRequest appends a client's upgrade request (RFC 6455 §4.1). target is path and query, percent-encoded. key
// is to be random, new for each connection.
func AppendClientRequest(dst []byte, host, target string, key [16]byte, subprotocols ...string) []byte {
	dst = append(append(dst, "GET "...), target...)
	dst = append(append(dst, " HTTP/1.1\r\nHost: "...), host...)
	dst = append(dst, "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "...)
	dst = base64.StdEncoding.AppendEncode(dst, key[:])
	if len(subprotocols) > 0 {
		dst = append(append(dst, "\r\nSec-WebSocket-Protocol: "...), strings.Join(subprotocols, ", ")...)
	}
	return append(dst, "\r\n\r\n"...)
}

// ParseClientResponse checks the server's answer to an upgrade request made with key (§4.1). n is the length of the
// answer's head in bytes; it is 0, without an error, while src does not hold all of it. An answer that is not an upgrade
// is an error with as much of it as is of use to a reader.
func ParseClientResponse(src []byte, key [16]byte) (n int, err error) {
	end := bytes.Index(src[:min(len(src), http1.HeadBytesMax)], []byte("\r\n\r\n"))
	if end < 0 && len(src) < http1.HeadBytesMax {
		return 0, nil
	}
	if end < 0 {
		return 0, fmt.Errorf("%w: head over %d bytes", ErrResponse, http1.HeadBytesMax)
	}
	n = end + len("\r\n\r\n")
	status, headers, _ := bytes.Cut(src[:end+2], []byte("\r\n"))
	if code, ok := bytes.CutPrefix(status, []byte("HTTP/1.1 101")); !ok || len(code) > 0 && code[0] != ' ' {
		const shown = 512 // bytes of the body: its JSON names the fault
		return 0, fmt.Errorf("%w: %q %q", ErrResponse, status, src[n:min(len(src), n+shown)])
	}
	if err := checkClientHeaders(headers, key); err != nil {
		return 0, err
	}
	return n, nil
}

// checkClientHeaders checks what must stand in a 101 response, once each (§4.1, 2 to 5).
func checkClientHeaders(headers []byte, key [16]byte) error {
	var text [keyTextBytes]byte
	base64.StdEncoding.Encode(text[:], key[:])
	var room [acceptBytesMax]byte
	accept := appendAccept(room[:0], text[:])

	var upgrade, connection, accepted bool
	for len(headers) > 0 {
		var line []byte
		line, headers, _ = bytes.Cut(headers, []byte("\r\n"))
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok {
			return fmt.Errorf("%w: malformed header", ErrResponse)
		}
		value = bytes.Trim(value, " \t")
		switch {
		case bytes.EqualFold(name, []byte("Upgrade")):
			upgrade = bytes.EqualFold(value, []byte("websocket"))
		case bytes.EqualFold(name, []byte("Connection")):
			connection = connection || bytes.EqualFold(value, []byte("upgrade"))
		case bytes.EqualFold(name, []byte("Sec-WebSocket-Accept")):
			accepted = bytes.Equal(value, accept)
		case bytes.EqualFold(name, []byte("Sec-WebSocket-Extensions")):
			return fmt.Errorf("%w: an extension that was not offered", ErrResponse)
		}
	}
	switch {
	case !upgrade || !connection:
		return fmt.Errorf("%w: no Upgrade: websocket, Connection: Upgrade in the answer", ErrResponse)
	case !accepted:
		return fmt.Errorf("%w: wrong Sec-WebSocket-Accept", ErrResponse)
	}
	return nil
}
