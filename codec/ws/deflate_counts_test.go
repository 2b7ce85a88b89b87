package ws

import (
	"bytes"
	"testing"
)

// TestDeflaterCounts: what was compressed counts, what was sent as it is does not.
func TestDeflaterCounts(t *testing.T) {
	d := &Deflater{MinBytes: 100}
	long := bytes.Repeat([]byte("abc"), 100)
	frame := d.AppendFrame(nil, Text, long)
	d.FinishFrame(append(BeginFrame(nil), long...), 0, Text)
	d.AppendFrame(nil, Text, long[:99])
	d.AppendFrame(nil, Binary, append([]byte(nil), "\x00\x51\xa7\x3f\x99\x12\xc4"...))
	messages, before, after := d.Counts()
	if messages != 2 || before != 600 || after != 2*uint64(len(frame)-2) {
		t.Errorf("%d messages of %d bytes, %d after", messages, before, after)
	}
}
