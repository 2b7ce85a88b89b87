package ws

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	gobwas "github.com/gobwas/ws"
)

// lengths are the places where a header changes its form, and their neighbours.
var lengths = []int{0, 1, 2, 7, 8, 9, 124, 125, 126, 127, 128, 65534, 65535, 65536, 65537}

func TestHeaderFaults(t *testing.T) {
	for _, c := range []struct {
		about string
		hex   string
		err   error
	}{
		{"an empty input is not a fault", "", nil},
		{"one byte is not enough to say", "83", nil},
		{"opcode 3 is reserved for data", "8300", gobwas.ErrProtocolOpCodeReserved},
		{"opcode 7 is reserved for data", "8700", gobwas.ErrProtocolOpCodeReserved},
		{"opcode B is reserved for control", "8b00", gobwas.ErrProtocolOpCodeReserved},
		{"opcode F is reserved for control", "8f00", gobwas.ErrProtocolOpCodeReserved},
		{"a ping without FIN", "0900", gobwas.ErrProtocolControlNotFinal},
		{"a close without FIN", "0800", gobwas.ErrProtocolControlNotFinal},
		{"a ping of 125 bytes is the longest", "897d", nil},
		{"a ping of 126 bytes, found before its length is there", "897e", gobwas.ErrProtocolControlPayloadOverflow},
		{"a pong with a 64-bit length", "8a7f", gobwas.ErrProtocolControlPayloadOverflow},
		{"125 in 16 bits", "827e007d", ErrLengthNotMinimal},
		{"126 in 16 bits", "827e007e", nil},
		{"65535 in 64 bits", "827f000000000000ffff", ErrLengthNotMinimal},
		{"65536 in 64 bits", "827f0000000000010000", nil},
		{"0 in 64 bits", "827f0000000000000000", ErrLengthNotMinimal},
		{"the largest length", "827f7fffffffffffffff", nil},
		{"the top bit set", "827f8000000000000000", gobwas.ErrHeaderLengthMSB},
	} {
		src, _ := hex.DecodeString(c.hex)
		if _, _, err := ParseHeader(src, ClientSide); !errors.Is(err, c.err) {
			t.Errorf("%s: error %v, want %v", c.about, err, c.err)
		}
	}
}

func TestHeaderRoundTrip(t *testing.T) {
	for _, length := range lengths {
		for _, op := range []Opcode{Continuation, Text, Binary, Close, Ping, Pong} {
			if op.IsControl() && length > ControlPayloadBytesMax {
				continue
			}
			mask := [4]byte{1, 2, 3, 4}
			plain := AppendHeader(nil, op, length)
			masked := append(appendHeader(nil, op, length, maskBit), mask[:]...)
			plainState, maskedState := ClientSide, ServerSide
			if op == Continuation {
				plainState, maskedState = ClientSide|Fragmented, ServerSide|Fragmented
			}
			for state, b := range map[State][]byte{plainState: plain, maskedState: masked} {
				for cut := range b {
					if _, n, err := ParseHeader(b[:cut], state); n != 0 || err != nil {
						t.Fatalf("%d of %d bytes of a header: n %d, error %v; want to be asked for more", cut, len(b), n, err)
					}
				}
			}
			h, n, err := ParseHeader(plain, plainState)
			if want := (Header{Fin: true, OpCode: op, Length: int64(length)}); err != nil || n != len(plain) || h != want {
				t.Errorf("header % x read as %+v, %d, %v", plain, h, n, err)
			}
			h, n, err = ParseHeader(masked, maskedState)
			want := Header{Fin: true, OpCode: op, Masked: true, Mask: mask, Length: int64(length)}
			if err != nil || n != len(masked) || h != want {
				t.Errorf("header % x read as %+v, %d, %v", masked, h, n, err)
			}
		}
	}
}

// TestFramesAgainstGobwas holds what we write against another implementation.
func TestFramesAgainstGobwas(t *testing.T) {
	for _, length := range lengths {
		payload := bytes.Repeat([]byte{'x'}, length)
		got := AppendFrame([]byte("before"), Text, payload)
		want := append([]byte("before"), gobwas.MustCompileFrame(gobwas.NewTextFrame(payload))...)
		if !bytes.Equal(got, want) {
			t.Errorf("frame of %d bytes differs", length)
		}
		mask := [4]byte{0xA, 0xB, 0xC, 0xD}
		got = AppendMaskedFrame(nil, Binary, mask, payload)
		want = gobwas.MustCompileFrame(gobwas.MaskFrameWith(gobwas.NewBinaryFrame(payload), mask))
		if !bytes.Equal(got, want) {
			t.Errorf("masked frame of %d bytes differs", length)
		}
		if len(bytes.Trim(payload, "x")) > 0 {
			t.Errorf("the payload of %d bytes was changed by masking a frame of it", length)
		}
	}
}

func TestFinishFrame(t *testing.T) {
	for _, length := range lengths {
		payload := bytes.Repeat([]byte{'x'}, length)
		for _, before := range []string{"", "a frame before it"} {
			buf := BeginFrame([]byte(before))
			buf = append(buf, payload...)
			buf = FinishFrame(buf, len(before), Binary)
			if want := AppendFrame([]byte(before), Binary, payload); !bytes.Equal(buf, want) {
				t.Errorf("frame of %d bytes begun at %d differs from one appended whole", length, len(before))
			}
		}
	}
}

func TestFinishFrameWithoutBegin(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	FinishFrame([]byte("abc"), 0, Text)
}

func TestAppendClose(t *testing.T) {
	for _, c := range []struct {
		about  string
		code   CloseCode
		reason string
		want   string
	}{
		{"no code, no body", NoStatus, "ignored", ""},
		{"a code alone", GoingAway, "", "\x03\xe9"},
		{"a code and a reason", SlowReader, "slow reader", "\x0f\xa2slow reader"},
		{"a reason of 123 bytes just fits", 1000, strings.Repeat("a", 123), "\x03\xe8" + strings.Repeat("a", 123)},
		{"a reason of 124 bytes is cut", 1000, strings.Repeat("a", 124), "\x03\xe8" + strings.Repeat("a", 123)},
		{"a character of 3 bytes is not cut in two", 1000, strings.Repeat("a", 121) + "€", "\x03\xe8" + strings.Repeat("a", 121)},
		{"a character that ends at byte 123 stays", 1000, strings.Repeat("a", 120) + "€b", "\x03\xe8" + strings.Repeat("a", 120) + "€"},
	} {
		got := AppendClose(nil, c.code, c.reason)
		if want := AppendFrame(nil, Close, []byte(c.want)); !bytes.Equal(got, want) {
			t.Errorf("%s: % x, want % x", c.about, got, want)
		}
		if body := got[2:]; len(body) > 2 && !utf8.Valid(body[2:]) {
			t.Errorf("%s: the reason is not UTF-8", c.about)
		}
	}
}

// TestMask holds Mask against the rule as the RFC writes it: octet i is exclusive-ored with octet i mod 4 of the mask.
func TestMask(t *testing.T) {
	random := newRandom(t)
	for range 2000 {
		p := make([]byte, random.IntN(100))
		for i := range p {
			p[i] = byte(random.Uint32())
		}
		var mask [4]byte
		for i := range mask {
			mask[i] = byte(random.Uint32())
		}
		pos := random.IntN(1000)
		want := bytes.Clone(p)
		for i := range want {
			want[i] ^= mask[(pos+i)%4]
		}
		Mask(p, mask, pos)
		if !bytes.Equal(p, want) {
			t.Fatalf("%d bytes at %d masked wrongly", len(p), pos)
		}
	}
}

// newRandom gives random numbers whose seed a failing test shows.
func newRandom(t *testing.T) *rand.Rand {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}
