package ws

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/megawire/megawire/internal/dialogues"
)

// describedBytes makes what a line of a dialogue describes.
func describedBytes(t *testing.T, line string) []byte {
	t.Helper()
	kind, rest, _ := strings.Cut(line, " ")
	if times, ok := strings.CutPrefix(kind, "times="); ok {
		return bytes.Repeat(describedBytes(t, rest), dialogues.Number(t, times))
	}
	if kind == "hex" {
		b, err := hex.DecodeString(strings.ReplaceAll(rest, " ", ""))
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		return b
	}
	return dialogues.Message(t, line, func(head byte, masked bool, payload []byte) (f []byte) {
		op := Opcode(head & 0x0F)
		if masked {
			f = AppendMaskedFrame(nil, op, [4]byte{0x37, 0xfa, 0x21, 0x3d}, payload)
		} else {
			f = AppendFrame(nil, op, payload)
		}
		f[0] = head
		return f
	})
}
