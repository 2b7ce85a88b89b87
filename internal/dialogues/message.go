package dialogues

import (
	"bytes"
	"compress/flate"
	"strconv"
	"strings"
	"testing"
)

// Opcodes of frames by their names in dialogues (RFC 6455 §11.8). A reserved one stands there as op=3.
var Opcodes = map[string]byte{"continuation": 0x0, "text": 0x1, "binary": 0x2, "close": 0x8, "ping": 0x9, "pong": 0xA}

const (
	finBit         = 0x80
	compressedBits = 4 // RSV1, which permessage-deflate uses (RFC 7692 §6)
)

// Framer makes a frame that begins with the byte head.
type Framer func(head byte, masked bool, payload []byte) []byte

// message is what a line says of a WebSocket message.
type message struct {
	op, rsv       byte
	fin, masked   bool
	compressed    bool
	fragmentBytes int // of each frame's payload but the last one's; 0 for one frame
	times         int
	payload       []byte
}

// Message makes the frames of what a line says of a WebSocket message:
//
//	text nofin rsv=4 unmasked "abc"*100  a frame
//	op=3 ""                              one with a reserved opcode
//	text fragments=2 "abcde"             a message, two bytes a frame
//	text compressed "abcde"              its payload compressed, with RSV1 on the first frame
//	ping times=10 ""                     ten of them
func Message(t *testing.T, line string, frame Framer) []byte {
	t.Helper()
	m := parseMessage(t, line)
	return bytes.Repeat(m.frames(frame), m.times)
}

func parseMessage(t *testing.T, line string) *message {
	t.Helper()
	kind, rest, _ := strings.Cut(line, " ")
	m := &message{op: opcode(t, kind), fin: true, masked: true, times: 1}
	for rest != "" && rest[0] != '"' {
		var word string
		word, rest, _ = strings.Cut(rest, " ")
		name, value, _ := strings.Cut(word, "=")
		switch name {
		case "nofin":
			m.fin = false
		case "unmasked":
			m.masked = false
		case "rsv":
			m.rsv = byte(Number(t, value))
		case "compressed":
			m.compressed = true
		case "fragments":
			m.fragmentBytes = Number(t, value)
		case "times":
			m.times = Number(t, value)
		default:
			t.Fatalf("%q: what is %q?", line, word)
		}
	}
	m.payload = Payload(t, rest)
	if m.compressed {
		m.payload, m.rsv = deflated(t, m.payload), m.rsv|compressedBits
	}
	return m
}

func opcode(t *testing.T, kind string) byte {
	t.Helper()
	if reserved, ok := strings.CutPrefix(kind, "op="); ok {
		return byte(Number(t, reserved))
	}
	op, ok := Opcodes[kind]
	if !ok {
		t.Fatalf("what is %q?", kind)
	}
	return op
}

// frames makes the message's frames. Reserved bits stand on the first one.
func (m *message) frames(frame Framer) (out []byte) {
	size := m.fragmentBytes
	if size == 0 {
		size = max(1, len(m.payload))
	}
	head, rest := m.op|m.rsv<<4, m.payload
	for len(rest) > size {
		out = append(out, frame(head, m.masked, rest[:size])...)
		head, rest = Opcodes["continuation"], rest[size:]
	}
	if m.fin {
		head |= finBit
	}
	return append(out, frame(head, m.masked, rest)...)
}

// Payload joins what is quoted: "a" "b"*10.
func Payload(t *testing.T, text string) (payload []byte) {
	t.Helper()
	for text != "" {
		quoted, err := strconv.QuotedPrefix(text)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		part, _ := strconv.Unquote(quoted)
		var times string
		times, text, _ = strings.Cut(text[len(quoted):], " ")
		n := 1
		if times != "" {
			n = Number(t, strings.TrimPrefix(times, "*"))
		}
		payload = append(payload, strings.Repeat(part, n)...)
	}
	return payload
}

// deflated compresses a message's payload (RFC 7692 §7.2.1) with the largest window and as well as can be, by other code than
// the server's.
func deflated(t *testing.T, payload []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, flate.BestCompression)
	if err == nil {
		_, err = w.Write(payload)
	}
	if err == nil {
		err = w.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\x00\x00\xff\xff"))
}

// Number reads a number of a line.
func Number(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
