package ws

import (
	"errors"
	"unicode/utf8"

	gobwas "github.com/gobwas/ws"
)

// CloseCode says why a connection ends (RFC 6455 §7.4). 4000 to 4999 are private to an application (§7.4.2).
type CloseCode = gobwas.StatusCode

// The close codes that Megawire sends, or tells its caller of.
const (
	NormalClosure   = gobwas.StatusNormalClosure
	GoingAway       = gobwas.StatusGoingAway // the server is draining
	ProtocolError   = gobwas.StatusProtocolError
	UnsupportedData = gobwas.StatusUnsupportedData         // a binary frame on /ws
	NoStatus        = gobwas.StatusNoStatusRcvd            // a close frame without a body; never sent
	AbnormalClosure = gobwas.StatusAbnormalClosure         // the connection ended without a close frame; never sent
	InvalidPayload  = gobwas.StatusInvalidFramePayloadData // text that is not UTF-8, or compressed data that cannot be inflated
	PolicyViolation = gobwas.StatusPolicyViolation
	MessageTooBig   = gobwas.StatusMessageTooBig
	InternalError   = gobwas.StatusInternalServerError
	TryAgainLater   = CloseCode(1013) // a publication that finds no room, where there is no reply to say so
	TokenExpired    = CloseCode(4001) // token expired or missing
	SlowReader      = CloseCode(4002)
	Kicked          = CloseCode(4003) // by an operator
	NoPong          = CloseCode(4004)

	serviceRestart = CloseCode(1012)
	badGateway     = CloseCode(1014)
)

// AppendClose appends a close frame (§5.5.1). A reason too long for a control frame is cut at the last whole character
// that fits. NoStatus gives a frame without a body, as it must not be sent (§7.4.1).
func AppendClose(dst []byte, code CloseCode, reason string) []byte {
	if code == NoStatus {
		return AppendHeader(dst, Close, 0)
	}
	const reasonBytesMax = ControlPayloadBytesMax - 2
	if len(reason) > reasonBytesMax {
		cut := reasonBytesMax
		for cut > 0 && !utf8.RuneStart(reason[cut]) {
			cut--
		}
		reason = reason[:cut]
	}
	dst = AppendHeader(dst, Close, 2+len(reason))
	start := len(dst)
	dst = append(dst, make([]byte, 2+len(reason))...)
	gobwas.PutCloseFrameBody(dst[start:], code, reason)
	return dst
}

// closeEvent reads the body of a close frame (§5.5.1).
func closeEvent(body []byte) Event {
	if len(body) == 0 {
		return Event{Kind: CloseEvent, Op: Close, Code: NoStatus}
	}
	code, reason := gobwas.ParseCloseFrameData(body) // code 0, which is none, if there is but one byte
	switch err := checkClose(code, reason); {
	case err == nil:
		return Event{Kind: CloseEvent, Op: Close, Code: code, Payload: body[2:], Reason: reason}
	case errors.Is(err, gobwas.ErrProtocolInvalidUTF8):
		return fail(InvalidPayload, err)
	default:
		return fail(ProtocolError, err)
	}
}

// checkClose judges what a peer says in a close frame (§7.4.1, §7.4.2, §8.1). gobwas lets codes above all ranges pass, and
// takes the three that the IANA registry added for undefined.
func checkClose(code CloseCode, reason string) error {
	switch {
	case code > gobwas.StatusRangePrivate.Max:
		return gobwas.ErrProtocolStatusCodeUnknown
	case code >= serviceRestart && code <= badGateway:
		code = NormalClosure
	}
	return gobwas.CheckCloseFrameData(code, reason)
}

// HasClose reports whether a close frame stands in p, which begins at a frame of a client's, and is all there. It is for a
// connection that is closing: payloads are not looked into, and after a frame that breaks a rule there is none. deflate tells
// whether messages may be compressed.
func HasClose(p []byte, deflate bool) bool {
	for len(p) > 0 {
		s := ServerSide
		if Opcode(p[0]&opBits) == Continuation { // of a message whose beginning nobody remembers
			s |= Fragmented
		}
		if deflate {
			s |= Extended
		}
		h, n, err := ParseHeader(p, s)
		if err != nil || n == 0 || int64(len(p)-n) < h.Length {
			return false
		}
		if h.OpCode == Close {
			return true
		}
		p = p[n+int(h.Length):]
	}
	return false
}
