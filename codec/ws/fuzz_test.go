package ws

import (
	"bytes"
	"testing"

	"github.com/megawire/megawire/codec/http1"
)

// FuzzEndpoint holds the endpoint against the slow decoder, with the input cut up in every way.
func FuzzEndpoint(f *testing.F) {
	f.Fuzz(func(t *testing.T, input, chunks []byte, messageBytes uint16, fragments uint8) {
		l := &Limits{MessageBytesMax: int(messageBytes), FragmentsMax: max(1, int(fragments))}
		before := bytes.Clone(input)
		checkAgainstSlow(t, input, chunks, l)
		if !bytes.Equal(input, before) {
			t.Error("the input of a caller that copies it was changed")
		}
	})
}

// FuzzUpgrade gives any request head to the handshake: it answers with 101 or with an error that can be written.
func FuzzUpgrade(f *testing.F) {
	f.Fuzz(func(t *testing.T, head []byte) {
		var r http1.Request
		n, fault := http1.Parse(head, &r)
		if n == 0 && fault == nil {
			return
		}
		dst := []byte("before")
		if fault == nil {
			if dst, _, fault = AppendUpgrade(dst, &r, UpgradeOptions{Subprotocols: []string{"megawire.v1"}}); fault == nil {
				if !bytes.HasPrefix(dst, []byte("beforeHTTP/1.1 101 ")) || !bytes.HasSuffix(dst, []byte("\r\n\r\n")) {
					t.Errorf("answer %q", dst)
				}
				if bytes.Count(dst, []byte("\r\n\r\n")) != 1 {
					t.Errorf("a peer put an empty line into the answer %q", dst)
				}
				return
			}
		}
		if string(dst) != "before" {
			t.Errorf("refused, but appended %q", dst)
		}
		if fault.Status < 400 || fault.Message == "" || fault.Code == "" {
			t.Errorf("fault %+v", fault)
		}
		http1.AppendError(nil, fault)
	})
}

// FuzzClientResponse gives any answer to a client.
func FuzzClientResponse(f *testing.F) {
	f.Fuzz(func(t *testing.T, answer []byte) {
		n, err := ParseClientResponse(answer, sampleKey)
		if n < 0 || n > len(answer) || (err != nil && n != 0) {
			t.Errorf("n %d of %d, error %v", n, len(answer), err)
		}
	})
}
