package ws

import (
	"crypto/sha1"
	"encoding/base64"
	"slices"

	"github.com/megawire/megawire/codec/codes"
	"github.com/megawire/megawire/codec/http1"
)

const (
	acceptGUID     = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" // RFC 6455 §1.3
	keyBytes       = 16                                     // of the nonce (§4.1)
	keyTextBytes   = 24                                     // of the nonce in base64
	nonceBytesMax  = keyTextBytes / 4 * 3                   // what that many characters decode to at most
	acceptBytesMax = 28                                     // of a SHA-1 in base64
)

// The handshake is made from the http1.Request that routed the connection, not by gobwas's Upgrader: that would parse the head
// once more and take memory for it (BenchmarkUpgrade), and lets doubled headers and keys that are not base64 pass, so that
// every check below would stay. Its computation of the accept key is not exported.

// UpgradeOptions says what an endpoint agrees to.
type UpgradeOptions struct {
	// Subprotocols that the endpoint speaks (§1.9). A client may leave out to offer any; one that offers others alone is
	// refused, as a browser would drop the connection anyway, without saying why. An endpoint that speaks none passes over
	// what is offered and chooses none (§4.2.2, 4).
	Subprotocols []string

	// Deflate agrees on permessage-deflate where a client offers it in a way that can be served (RFC 7692 §7.1).
	Deflate bool
}

// AppendUpgrade appends the 101 response to an upgrade request (§4.2.2), or says what is wrong with it; dst is then
// returned as it was. Extensions are declined by not naming them (§9.1); deflate tells that permessage-deflate is agreed on.
func AppendUpgrade(dst []byte, r *http1.Request, o UpgradeOptions) (out []byte, deflate bool, err *http1.Error) {
	if err := checkUpgrade(r); err != nil {
		return dst, false, err
	}
	key, err := upgradeKey(r)
	if err != nil {
		return dst, false, err
	}
	subprotocol, err := choose(r, o.Subprotocols)
	if err != nil {
		return dst, false, err
	}
	offer, err := deflateOffered(r)
	if err != nil {
		return dst, false, err
	}
	dst = append(dst, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"...)
	dst = appendAccept(append(dst, "Sec-WebSocket-Accept: "...), key)
	if subprotocol != "" {
		dst = append(append(dst, "\r\nSec-WebSocket-Protocol: "...), subprotocol...)
	}
	if deflate = o.Deflate && offer.agreed; deflate {
		dst = offer.appendTo(dst)
	}
	return append(dst, "\r\n\r\n"...), deflate, nil
}

// checkUpgrade tells whether the request asks for a WebSocket at all, and in our version (§4.2.1, 1 to 4 and 6).
func checkUpgrade(r *http1.Request) *http1.Error {
	if r.Minor == 0 { // a proxy that speaks 1.0 to us most often
		return badRequest("a WebSocket is opened with HTTP/1.1, not HTTP/1.0") // §4.2.1, 1
	}
	if string(r.Method) != "GET" {
		return &http1.Error{
			Status: 405, Code: codes.MethodNotAllowed, Message: "a WebSocket is opened with GET",
			Header: []string{"Allow: GET"},
		}
	}
	if !r.HeaderToken("Upgrade", "websocket") || !r.HeaderToken("Connection", "upgrade") {
		return upgradeRequired("this is a WebSocket endpoint: Upgrade: websocket and Connection: Upgrade are required")
	}
	version, n := r.Header("Sec-WebSocket-Version")
	switch {
	case n > 1:
		return badRequest("more than one Sec-WebSocket-Version") // §11.3.5
	case string(version) != "13":
		return upgradeRequired("Sec-WebSocket-Version must be 13") // §4.4
	}
	return nil
}

// upgradeKey gives the client's nonce as it came (§4.2.1, 5).
func upgradeKey(r *http1.Request) ([]byte, *http1.Error) {
	key, n := r.Header("Sec-WebSocket-Key")
	switch {
	case n == 0:
		return nil, badRequest("Sec-WebSocket-Key missing")
	case n > 1:
		return nil, badRequest("more than one Sec-WebSocket-Key") // §11.3.1
	case len(key) != keyTextBytes:
		return nil, badRequest("Sec-WebSocket-Key must be 16 bytes in base64")
	}
	var nonce [nonceBytesMax]byte
	if n, err := base64.StdEncoding.Decode(nonce[:], key); err != nil || n != keyBytes {
		return nil, badRequest("Sec-WebSocket-Key must be 16 bytes in base64")
	}
	return key, nil
}

// choose takes the first subprotocol offered that is spoken here (§4.2.2, 5): the client's order says what it prefers
// (§4.1, 10).
func choose(r *http1.Request, spoken []string) (chosen string, err *http1.Error) {
	if len(spoken) == 0 {
		return "", nil
	}
	offered := false
	r.Each("Sec-WebSocket-Protocol", func(name []byte) bool {
		offered = true
		i := slices.IndexFunc(spoken, func(s string) bool { return s == string(name) })
		if i >= 0 {
			chosen = spoken[i]
		}
		return i < 0
	})
	if !offered || chosen != "" {
		return chosen, nil
	}
	message := "none of the offered subprotocols is spoken here, only"
	for _, s := range spoken {
		message += " " + s
	}
	return "", badRequest(message)
}

// appendAccept appends the proof that the key was understood (§4.2.2, 5.4).
func appendAccept(dst, key []byte) []byte {
	var text [keyTextBytes + len(acceptGUID)]byte
	copy(text[:], key)
	copy(text[keyTextBytes:], acceptGUID)
	sum := sha1.Sum(text[:])
	return base64.StdEncoding.AppendEncode(dst, sum[:])
}

// upgradeRequired says what to ask for instead (RFC 9110 §15.5.22, RFC 6455 §4.4).
func upgradeRequired(message string) *http1.Error {
	return &http1.Error{
		Status: 426, Code: codes.UpgradeRequired, Message: message,
		Header: []string{"Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"},
	}
}

func badRequest(message string) *http1.Error {
	return &http1.Error{Status: 400, Code: codes.BadRequest, Message: message}
}
