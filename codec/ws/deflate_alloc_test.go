//go:build !race

// Under the race detector pools allocate on purpose; "make test" runs these without it.

package ws

import (
	"bytes"
	"testing"

	"github.com/megawire/megawire/codec/http1"
)

// TestDeflateNoAllocations: compressing and inflating take no memory, once there is what they work with.
func TestDeflateNoAllocations(t *testing.T) {
	var r http1.Request
	if _, err := http1.Parse([]byte(upgradeHead("+Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits")), &r); err != nil {
		t.Fatal(err)
	}
	scratch := make([]byte, 0, 4096)
	text := bytes.Repeat([]byte("0123456789 abcdefghij"), 20)
	d := &Deflater{}
	compressed := compressedFrames(Text, compressedOf(text), 5)
	l := &Limits{MessageBytesMax: 1 << 20, FragmentsMax: 100, Inflater: NewInflater(100)}
	for _, c := range []struct {
		about string
		do    func()
	}{
		{"AppendUpgrade", func() {
			if _, deflate, err := AppendUpgrade(scratch[:0], &r, UpgradeOptions{Deflate: true}); err != nil || !deflate {
				t.Fatal(deflate, err)
			}
		}},
		{"AppendFrame", func() { d.AppendFrame(scratch[:0], Text, text) }},
		{"FinishFrame", func() { d.FinishFrame(append(BeginFrame(scratch[:0]), text...), 0, Text) }},
		{"an endpoint's message in two frames", func() {
			var e Endpoint
			if n := drain(&e, append(scratch[:0], compressed...), l); n != 1 {
				t.Fatalf("%d events, want 1", n)
			}
		}},
	} {
		if n := testing.AllocsPerRun(200, c.do); n != 0 {
			t.Errorf("%s: %v allocations", c.about, n)
		}
	}
}
