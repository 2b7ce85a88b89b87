package ws

import "strconv"

// CloseCode says why a connection ends (RFC 6455 §7.4).
type CloseCode uint16

// The close codes that Megawire sends, or tells its caller of. 4000 to 4999 are private to an application (§7.4.2).
const (
	NormalClosure   CloseCode = 1000
	GoingAway       CloseCode = 1001 // the server is draining
	ProtocolError   CloseCode = 1002
	UnsupportedData CloseCode = 1003 // a binary frame on /ws
	NoStatus        CloseCode = 1005 // a close frame without a body; never sent
	AbnormalClosure CloseCode = 1006 // the connection ended without a close frame; never sent
	InvalidPayload  CloseCode = 1007 // text that is not UTF-8
	PolicyViolation CloseCode = 1008
	MessageTooBig   CloseCode = 1009
	InternalError   CloseCode = 1011
	TryAgainLater   CloseCode = 1013 // IANA registry: a publication that finds no room, where there is no reply to say so
	TokenExpired    CloseCode = 4001 // token expired or missing
	SlowReader      CloseCode = 4002
	Kicked          CloseCode = 4003 // by an operator
	NoPong          CloseCode = 4004
)

// String gives the code in decimal, as tools and logs show it.
func (c CloseCode) String() string { return strconv.Itoa(int(c)) }

// receivable reports whether a peer may send the code in a close frame (§7.4.1, §7.4.2 and the IANA registry, which
// added 1012 to 1014).
func (c CloseCode) receivable() bool {
	switch {
	case c >= 1000 && c <= 1003, c >= 1007 && c <= 1014, c >= 3000 && c <= 4999:
		return true
	default:
		return false
	}
}
