package ws

import (
	"encoding/binary"
	"errors"

	gobwas "github.com/gobwas/ws"
)

// Opcode says what a frame is (RFC 6455 §5.2, §11.8).
type Opcode = gobwas.OpCode

// The opcodes that RFC 6455 defines; all others are reserved.
const (
	Continuation = gobwas.OpContinuation
	Text         = gobwas.OpText
	Binary       = gobwas.OpBinary
	Close        = gobwas.OpClose
	Ping         = gobwas.OpPing
	Pong         = gobwas.OpPong
)

const (
	// HeaderBytesMax is the length of the longest frame header: 2 bytes, 8 of length, 4 of mask (§5.2).
	HeaderBytesMax = gobwas.MaxHeaderSize
	// ControlPayloadBytesMax bounds the payload of a control frame (§5.5).
	ControlPayloadBytesMax = gobwas.MaxControlFramePayloadSize

	beginBytes = 4 // what BeginFrame reserves: the header of a payload of 126 to 65535 bytes

	finBit   = 0x80
	rsvBits  = 0x70
	opBits   = 0x0F
	maskBit  = 0x80
	lenBits  = 0x7F
	len16    = 126
	len64    = 127
	len16Max = 1<<16 - 1
)

// Faults that ParseHeader finds; the others are gobwas's.
var (
	ErrLengthNotMinimal = errors.New("payload length not in its shortest form")                  // §5.2
	ErrReservedBits     = errors.New("reserved bits that permessage-deflate does not set there") // RFC 7692 §6
)

// Header is a frame's header (§5.2). Rsv has the three reserved bits as a number, Length is in bytes of payload.
type Header = gobwas.Header

// State is what a frame is judged by: who reads it, whether a fragmented message is under way, and whether messages may be
// compressed.
type State = gobwas.State

// The states; Fragmented and Extended are added to one of the others.
const (
	ServerSide = gobwas.StateServerSide
	ClientSide = gobwas.StateClientSide
	Fragmented = gobwas.StateFragmented
	Extended   = gobwas.StateExtended // permessage-deflate is agreed on
)

// ParseHeader reads the header that src begins with; n is its length, 0 when src does not hold all of it yet. An error
// fails the connection with ProtocolError. It is reported as soon as the bytes that prove it are there, so that it is the same
// however the input was cut up.
func ParseHeader(src []byte, s State) (h Header, n int, err error) {
	if len(src) < gobwas.MinHeaderSize {
		return h, 0, nil
	}
	short := src[1] & lenBits
	h.Fin = src[0]&finBit != 0
	h.Rsv = src[0] & rsvBits >> 4
	h.OpCode = Opcode(src[0] & opBits)
	h.Masked = src[1]&maskBit != 0
	h.Length = int64(short) // enough to tell that a control frame is too long
	if !ordinary(src[0], h.Masked, s) {
		if err := checkHeader(h, s); err != nil {
			return h, 0, err
		}
	}
	n = gobwas.MinHeaderSize
	switch short {
	case len16:
		if len(src) < n+2 {
			return h, 0, nil
		}
		h.Length = int64(binary.BigEndian.Uint16(src[n:]))
		n += 2
		if h.Length < len16 {
			return h, 0, ErrLengthNotMinimal
		}
	case len64:
		if len(src) < n+8 {
			return h, 0, nil
		}
		h.Length = int64(binary.BigEndian.Uint64(src[n:]))
		n += 8
		switch {
		case h.Length < 0:
			return h, 0, gobwas.ErrHeaderLengthMSB
		case h.Length <= len16Max:
			return h, 0, ErrLengthNotMinimal
		}
	}
	if h.Masked {
		if len(src) < n+len(h.Mask) {
			return h, 0, nil
		}
		h.Mask = [4]byte(src[n:])
		n += len(h.Mask)
	}
	return h, n, nil
}

// ordinary reports whether a header begins as most do, a whole message's at its place: CheckHeader, which takes as long as all
// the rest of ParseHeader, would find nothing wrong with it.
func ordinary(first byte, masked bool, s State) bool {
	return (first == finBit|byte(Text) || first == finBit|byte(Binary)) && masked == s.ServerSide() && !s.Fragmented()
}

// checkHeader is gobwas's check; with permessage-deflate, which gobwas leaves to others, a message's first frame may have
// RSV1 (RFC 7692 §6).
func checkHeader(h Header, s State) error {
	if err := gobwas.CheckHeader(h, s); err != nil || h.Rsv == 0 {
		return err
	}
	if h.Rsv != rsv1Bit>>4 || (h.OpCode != Text && h.OpCode != Binary) {
		return ErrReservedBits
	}
	return nil
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

// BeginFrame reserves room for a header, so that a payload whose length is not known yet can be appended after it.
// FinishFrame completes it.
func BeginFrame(dst []byte) []byte { return append(dst, 0, 0, 0, 0) }

// FinishFrame turns what follows BeginFrame's room at buf[start] into the payload of one whole, unmasked message that
// ends buf. A payload of 126 to 65535 bytes stays where it is; any other is moved by a few bytes.
func FinishFrame(buf []byte, start int, op Opcode) []byte {
	length := len(buf) - start - beginBytes
	if length < 0 {
		panic("ws: FinishFrame without BeginFrame at that place")
	}
	size := gobwas.HeaderSize(Header{Length: int64(length)})
	if size > beginBytes {
		buf = append(buf, make([]byte, size-beginBytes)...)
	}
	if size != beginBytes {
		copy(buf[start+size:], buf[start+beginBytes:][:length])
	}
	appendHeader(buf[start:start], op, length, 0)
	return buf[:start+size+length]
}
