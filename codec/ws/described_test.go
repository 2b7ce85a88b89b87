package ws

import (
	"bytes"
	"compress/flate"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// described is what a line of a dialogue says of a message.
type described struct {
	op            Opcode
	fin, masked   bool
	rsv           byte
	fragmentBytes int // of each frame's payload but the last one's; 0 for one frame
	payload       []byte
}

// describedBytes makes what a line of a dialogue describes.
func describedBytes(t *testing.T, line string) []byte {
	t.Helper()
	kind, rest, _ := strings.Cut(line, " ")
	if times, ok := strings.CutPrefix(kind, "times="); ok {
		return bytes.Repeat(describedBytes(t, rest), count(t, times))
	}
	if kind == "hex" {
		b, err := hex.DecodeString(strings.ReplaceAll(rest, " ", ""))
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		return b
	}
	var compressed bool
	d := described{op: describedOp(t, kind), fin: true, masked: true}
	for rest != "" && rest[0] != '"' {
		var word string
		word, rest, _ = strings.Cut(rest, " ")
		name, value, _ := strings.Cut(word, "=")
		switch name {
		case "nofin":
			d.fin = false
		case "unmasked":
			d.masked = false
		case "rsv":
			d.rsv = byte(count(t, value))
		case "compressed":
			compressed = true
		case "fragments":
			d.fragmentBytes = count(t, value)
		default:
			t.Fatalf("%q: what is %q?", line, word)
		}
	}
	d.payload = describedPayload(t, rest)
	if compressed {
		d.payload, d.rsv = deflated(t, d.payload), d.rsv|4
	}
	return d.frames()
}

// describedOp knows opcodes by name, and reserved ones by number.
func describedOp(t *testing.T, kind string) Opcode {
	t.Helper()
	if number, ok := strings.CutPrefix(kind, "op="); ok {
		return Opcode(count(t, number))
	}
	ops := []Opcode{Continuation, Text, Binary, Close, Ping, Pong}
	i := slices.IndexFunc(ops, func(o Opcode) bool { return opName(o) == kind })
	if i < 0 {
		t.Fatalf("what is %q?", kind)
	}
	return ops[i]
}

// describedPayload joins what is quoted: "a" "b"*10.
func describedPayload(t *testing.T, rest string) (payload []byte) {
	t.Helper()
	for rest != "" {
		quoted, err := strconv.QuotedPrefix(rest)
		if err != nil {
			t.Fatalf("%q: %v", rest, err)
		}
		text, _ := strconv.Unquote(quoted)
		var times string
		times, rest, _ = strings.Cut(rest[len(quoted):], " ")
		n := 1
		if times != "" {
			n = count(t, strings.TrimPrefix(times, "*"))
		}
		payload = append(payload, strings.Repeat(text, n)...)
	}
	return payload
}

// deflated compresses with the largest window and as well as can be, by other code than the server's.
func deflated(t *testing.T, payload []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(payload); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte(flushTail))
}

func count(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// frames gives the message's frames. Reserved bits stand on the first one.
func (d *described) frames() (out []byte) {
	size := d.fragmentBytes
	if size == 0 {
		size = max(1, len(d.payload))
	}
	op, rsv, rest := d.op, d.rsv, d.payload
	for {
		n := min(size, len(rest))
		start := len(out)
		if d.masked {
			out = AppendMaskedFrame(out, op, [4]byte{0x37, 0xfa, 0x21, 0x3d}, rest[:n])
		} else {
			out = AppendFrame(out, op, rest[:n])
		}
		rest = rest[n:]
		out[start] = byte(op) | rsv<<4
		if len(rest) == 0 {
			if d.fin {
				out[start] |= finBit
			}
			return out
		}
		op, rsv = Continuation, 0
	}
}
