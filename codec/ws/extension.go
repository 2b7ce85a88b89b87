package ws

import (
	"bytes"

	"github.com/megawire/megawire/codec/http1"
)

// windowBitsLeast is the smallest window that may be asked for (RFC 7692 §7.1.2).
const windowBitsLeast = 8

// deflateOffer is what a client's offer of permessage-deflate comes to (RFC 7692 §7.1).
type deflateOffer struct {
	agreed  bool
	bounded bool // asks for a bound of the window that messages to it are compressed with
}

// appendTo appends the response to an offer that is agreed on. Neither side keeps a window between messages: the server
// shares its frames, and would hold 32 KiB for each client. client_max_window_bits is left out, as any window will do
// (§7.1.2.2).
func (o deflateOffer) appendTo(dst []byte) []byte {
	dst = append(dst, "\r\nSec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover"...)
	if o.bounded {
		dst = append(dst, "; server_max_window_bits=12"...)
	}
	return dst
}

// deflateOffered takes the first offer of permessage-deflate that can be agreed on: the client's order says what it prefers
// (RFC 7692 §5.1). Other extensions are passed over. A header that is no list of extensions fails the handshake (RFC 6455 §9.1).
func deflateOffered(r *http1.Request) (taken deflateOffer, err *http1.Error) {
	r.Each("Sec-WebSocket-Extensions", func(element []byte) bool {
		offer, ok := parseOffer(element)
		if !ok {
			err = badRequest("Sec-WebSocket-Extensions is not a list of extensions")
			return false
		}
		if !taken.agreed {
			taken = offer
		}
		return true
	})
	if err != nil {
		return deflateOffer{}, err
	}
	return taken, nil
}

// parseOffer reads an extension with its parameters (RFC 6455 §9.1). Commas have parted the header already, those in
// quotes too: a value may have none, quoted or not, as it has to be a token.
func parseOffer(s []byte) (o deflateOffer, ok bool) {
	name, s := cutToken(s)
	if len(name) == 0 {
		return o, false
	}
	var seen deflateParams
	good := string(name) == "permessage-deflate"
	for s = trimBlanks(s); len(s) > 0; s = trimBlanks(s) {
		if s[0] != ';' {
			return o, false
		}
		var value []byte
		var valued bool
		if name, value, valued, s, ok = cutParam(trimBlanks(s[1:])); !ok {
			return o, false
		}
		good = good && seen.take(string(name), string(value), valued)
	}
	return deflateOffer{agreed: good, bounded: good && seen.serverBits}, true
}

// deflateParams says which parameters an offer has had: each may stand once (RFC 7692 §7.1).
type deflateParams struct {
	serverBits, clientBits, serverTakeover, clientTakeover bool
}

// take judges a parameter; one that it does not take declines the offer (§7.1).
func (p *deflateParams) take(name, value string, valued bool) bool {
	var seen *bool
	good := !valued
	switch name {
	case "server_no_context_takeover":
		seen = &p.serverTakeover
	case "client_no_context_takeover":
		seen = &p.clientTakeover
	case "server_max_window_bits": // a smaller window than ours cannot be served (§7.1.2.1)
		seen = &p.serverBits
		good = windowBitsOf(value) >= windowBits
	case "client_max_window_bits": // without a value, it says that the client would heed a bound (§7.1.2.2)
		seen = &p.clientBits
		good = !valued || windowBitsOf(value) >= windowBitsLeast
	default:
		return false
	}
	good = good && !*seen
	*seen = true
	return good
}

// windowBitsOf reads 8 to 15, without leading zeros (§7.1.2); all else is 0.
func windowBitsOf(value string) int {
	switch {
	case len(value) == 1 && value[0] >= '8' && value[0] <= '9':
		return int(value[0] - '0')
	case len(value) == 2 && value[0] == '1' && value[1] >= '0' && value[1] <= '5':
		return 10 + int(value[1]-'0')
	default:
		return 0
	}
}

// cutParam reads a parameter that s begins with. A value is valued though it be empty.
func cutParam(s []byte) (name, value []byte, valued bool, rest []byte, ok bool) {
	name, s = cutToken(s)
	if len(name) == 0 {
		return nil, nil, false, nil, false
	}
	rest = trimBlanks(s)
	if len(rest) == 0 || rest[0] != '=' {
		return name, nil, false, rest, true
	}
	if rest = trimBlanks(rest[1:]); len(rest) > 0 && rest[0] == '"' {
		value, rest, ok = cutQuoted(rest[1:])
		return name, value, true, rest, ok
	}
	value, rest = cutToken(rest)
	return name, value, true, rest, true
}

// cutQuoted reads up to the quote that ends a string. What is escaped in it is left so: no value of ours needs it.
func cutQuoted(s []byte) (value, rest []byte, ok bool) {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			return s[:i], s[i+1:], true
		case '\\':
			i++
		}
	}
	return nil, nil, false
}

func cutToken(s []byte) (token, rest []byte) {
	n := 0
	for n < len(s) && tokenChar(s[n]) {
		n++
	}
	return s[:n], s[n:]
}

// tokenChar reports whether a token may hold b (RFC 9110 §5.6.2).
func tokenChar(b byte) bool {
	return b > ' ' && b < 0x7F && bytes.IndexByte([]byte(`"(),/:;<=>?@[\]{}`), b) < 0
}

func trimBlanks(s []byte) []byte { return bytes.TrimLeft(s, " \t") }
