package ws

import "github.com/megawire/megawire/codec/http1"

// UpgradeOptions says what an endpoint agrees to.
type UpgradeOptions struct {
	// Subprotocols that the endpoint speaks (RFC 6455 §1.9). A client may leave out to offer any; one that offers
	// others alone is refused.
	Subprotocols []string
}

// AppendUpgrade appends the 101 response to an upgrade request, or says what is wrong with it; dst is then returned as
// it was.
func AppendUpgrade(dst []byte, r *http1.Request, o UpgradeOptions) ([]byte, *http1.Error) {
	return dst, nil
}

// AppendClientRequest appends a client's upgrade request.
func AppendClientRequest(dst []byte, host, target string, key [16]byte, subprotocols ...string) []byte {
	return dst
}

// ParseClientResponse checks the server's answer to an upgrade request made with key.
func ParseClientResponse(src []byte, key [16]byte) (n int, err error) { return 0, nil }
