package ws

import (
	"encoding/binary"
	"errors"
	"unicode/utf8"
)

// Opcode says what a frame is (RFC 6455 §5.2, §11.8).
type Opcode byte

// The opcodes that RFC 6455 defines; all others are reserved.
const (
	Continuation Opcode = 0x0
	Text         Opcode = 0x1
	Binary       Opcode = 0x2
	Close        Opcode = 0x8
	Ping         Opcode = 0x9
	Pong         Opcode = 0xA
)

// Control reports whether frames of this kind are control frames (§5.5).
func (o Opcode) Control() bool { return o&0x8 != 0 }

func (o Opcode) reserved() bool { return o > Pong || (o > Binary && o < Close) }

const (
	// HeaderBytesMax is the length of the longest frame header: 2 bytes, 8 of length, 4 of mask (§5.2).
	HeaderBytesMax = 14
	// ControlPayloadBytesMax bounds the payload of a control frame (§5.5).
	ControlPayloadBytesMax = 125

	beginBytes = 4 // what BeginFrame reserves: the header of a payload of 126 to 65535 bytes

	finBit    = 0x80
	rsvBits   = 0x70
	opBits    = 0x0F
	maskBit   = 0x80
	lenBits   = 0x7F
	len16     = 126
	len64     = 127
	len16Max  = 1<<16 - 1
	lenTopBit = 1 << 63
)

// What can be wrong with a header by itself. Each of them fails the connection with ProtocolError.
var (
	ErrReservedOpcode    = errors.New("ws: reserved opcode")
	ErrControlFragmented = errors.New("ws: fragmented control frame")
	ErrControlTooLong    = errors.New("ws: control frame with more than 125 bytes of payload")
	ErrLengthNotMinimal  = errors.New("ws: payload length not in its shortest form")
	ErrLengthTopBit      = errors.New("ws: payload length with the top bit set")
)

// Header is a frame's header (§5.2).
type Header struct {
	Fin    bool
	RSV    byte // the three reserved bits as a number from 0 to 7
	Op     Opcode
	Masked bool
	Mask   [4]byte
	Length uint64 // bytes of payload
}

// ParseHeader reads the header that src begins with; n is its length, 0 when src does not hold all of it yet. An error
// is reported as soon as the bytes that prove it are there, so that it is the same however the input was cut up.
func ParseHeader(src []byte) (h Header, n int, err error) {
	if len(src) < 2 {
		return h, 0, nil
	}
	h.Fin = src[0]&finBit != 0
	h.RSV = src[0] & rsvBits >> 4
	h.Op = Opcode(src[0] & opBits)
	h.Masked = src[1]&maskBit != 0
	short := src[1] & lenBits
	switch {
	case h.Op.reserved():
		return h, 0, ErrReservedOpcode // §5.2
	case h.Op.Control() && !h.Fin:
		return h, 0, ErrControlFragmented // §5.5
	case h.Op.Control() && short > ControlPayloadBytesMax:
		return h, 0, ErrControlTooLong // §5.5
	}
	n = 2
	switch short {
	case len16:
		if len(src) < 4 {
			return h, 0, nil
		}
		h.Length = uint64(binary.BigEndian.Uint16(src[2:]))
		n = 4
		if h.Length < len16 {
			return h, 0, ErrLengthNotMinimal // §5.2
		}
	case len64:
		if len(src) < 10 {
			return h, 0, nil
		}
		h.Length = binary.BigEndian.Uint64(src[2:])
		n = 10
		if h.Length&lenTopBit != 0 {
			return h, 0, ErrLengthTopBit // §5.2
		}
		if h.Length <= len16Max {
			return h, 0, ErrLengthNotMinimal // §5.2
		}
	default:
		h.Length = uint64(short)
	}
	if h.Masked {
		if len(src) < n+4 {
			return h, 0, nil
		}
		h.Mask = [4]byte(src[n:])
		n += 4
	}
	return h, n, nil
}

// AppendHeader appends the header of a whole, unmasked message: what a server sends. length is that of the payload
// in bytes.
func AppendHeader(dst []byte, op Opcode, length int) []byte {
	return appendHeader(dst, op, length, 0)
}

func appendHeader(dst []byte, op Opcode, length int, mask byte) []byte {
	dst = append(dst, finBit|byte(op))
	switch {
	case length < len16:
		return append(dst, mask|byte(length))
	case length <= len16Max:
		return binary.BigEndian.AppendUint16(append(dst, mask|len16), uint16(length))
	default:
		return binary.BigEndian.AppendUint64(append(dst, mask|len64), uint64(length))
	}
}

// AppendFrame appends a whole, unmasked message: what a server sends.
func AppendFrame(dst []byte, op Opcode, payload []byte) []byte {
	return append(AppendHeader(dst, op, len(payload)), payload...)
}

// AppendMaskedFrame appends a whole, masked message: what a client sends (§5.3). The payload given is left as it is.
func AppendMaskedFrame(dst []byte, op Opcode, mask [4]byte, payload []byte) []byte {
	dst = append(appendHeader(dst, op, len(payload), maskBit), mask[:]...)
	start := len(dst)
	dst = append(dst, payload...)
	Mask(dst[start:], mask, 0)
	return dst
}

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
	dst = binary.BigEndian.AppendUint16(dst, uint16(code))
	return append(dst, reason...)
}

// BeginFrame reserves room for a header, so that a payload whose length is not known yet can be appended after it.
// FinishFrame completes it.
func BeginFrame(dst []byte) []byte { return append(dst, 0, 0, 0, 0) }

// FinishFrame turns what follows BeginFrame's room at buf[start] into the payload of one whole, unmasked message that
// ends buf. A payload of 126 to 65535 bytes stays where it is; any other is moved by a few bytes.
func FinishFrame(buf []byte, start int, op Opcode) []byte {
	length := len(buf) - start - beginBytes
	switch {
	case length < 0:
		panic("ws: FinishFrame without BeginFrame at that place")
	case length < len16:
		copy(buf[start+2:], buf[start+beginBytes:])
		buf = buf[:len(buf)-2]
	case length > len16Max:
		buf = append(buf, 0, 0, 0, 0, 0, 0)
		copy(buf[start+10:], buf[start+beginBytes:len(buf)-6])
	}
	appendHeader(buf[start:start], op, length, 0)
	return buf
}
