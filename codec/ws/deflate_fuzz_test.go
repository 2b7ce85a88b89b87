package ws

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/megawire/megawire/codec/http1"
)

// FuzzInflate holds the Inflater against the standard library's.
func FuzzInflate(f *testing.F) {
	f.Fuzz(func(t *testing.T, payload []byte, bytesMax uint32, ratioMax uint8) {
		checkInflate(t, payload, int(bytesMax%(1<<22)), int(ratioMax))
	})
}

func checkInflate(t *testing.T, payload []byte, bytesMax, ratioMax int) {
	t.Helper()
	before := bytes.Clone(payload)
	f := NewInflater(ratioMax)
	got, err := f.Inflate(payload, bytesMax)
	want, wantErr, sure := slowInflate(payload, bytesMax, ratioMax)
	switch {
	case sure && !errors.Is(err, wantErr), !sure && err == nil && wantErr != nil:
		t.Errorf("% x: %v, want %v", payload, err, wantErr)
	case !sure && err != nil:
		want = nil
	case !bytes.Equal(got, want):
		t.Errorf("% x: inflated to %d bytes, % x; want %d, % x", payload, len(got), got, len(want), want)
	case !bytes.Equal(payload, before):
		t.Errorf("% x became % x", before, payload)
	}
	if held := cap(f.out); held > max(bytesMax+1, inflatedBytesLeast) || held > max(RatioFreeBytes, ratioMax*len(payload))+1 {
		t.Errorf("% x, inflated to %d bytes of at most %d: a buffer of %d", payload, len(got), bytesMax, held)
	}
	again, err2 := f.Inflate(payload, bytesMax)
	if !bytes.Equal(again, want) || !errors.Is(err2, err) {
		t.Errorf("% x: %v the second time, %v the first", payload, err2, err)
	}
}

// FuzzDeflateRoundTrip compresses anything: it comes back the same, with no more than 4 KiB to look back on.
func FuzzDeflateRoundTrip(f *testing.F) {
	f.Fuzz(func(t *testing.T, payload []byte, minBytes uint8, times uint16) {
		const longestBytes = 1 << 18
		if n := min(int(times), longestBytes/max(1, len(payload))); n > 1 {
			payload = bytes.Repeat(payload, n)
		}
		d := &Deflater{MinBytes: int(minBytes)}
		checkDeflated(t, d, payload)
		frame := d.AppendFrame(nil, Binary, payload)
		if frame[0]&rsv1Bit == 0 {
			return
		}
		got, err := NewInflater(1<<20).Inflate(frame[len(frame)-payloadBytes(frame):], len(payload))
		if err != nil || !bytes.Equal(got, payload) {
			t.Errorf("%d bytes came back as %d, %v", len(payload), len(got), err)
		}
	})
}

// FuzzExtensions gives any offers to the handshake, in two headers, and holds the answer against one that is plainly right.
func FuzzExtensions(f *testing.F) {
	f.Fuzz(func(t *testing.T, one, two string) {
		var r http1.Request
		head := upgradeHead("+Sec-WebSocket-Extensions: "+one, "+Sec-WebSocket-Extensions: "+two)
		if n, err := http1.Parse([]byte(head), &r); err != nil || n != len(head) {
			return
		}
		if strings.ContainsAny(one+two, "\r\n") {
			return // other headers
		}
		out, deflate, err := AppendUpgrade(nil, &r, UpgradeOptions{Deflate: true})
		got := extensionLine(string(out))
		if err != nil {
			got = "400"
		}
		if want := slowExtension(one, two); got != want || deflate != strings.HasPrefix(got, "Sec") {
			t.Errorf("%q, %q: %q, %v, %v; want %q", one, two, got, deflate, err, want)
		}
	})
}

// FuzzEndpointDeflate is FuzzEndpoint for connections that have agreed on permessage-deflate.
func FuzzEndpointDeflate(f *testing.F) {
	f.Fuzz(func(t *testing.T, input, chunks []byte, messageBytes uint32, fragments, ratioMax uint8) {
		checkAgainstSlow(t, input, chunks, &Limits{
			MessageBytesMax: int(messageBytes % (1 << 20)), FragmentsMax: max(1, int(fragments)), Inflater: NewInflater(int(ratioMax)),
		})
	})
}
