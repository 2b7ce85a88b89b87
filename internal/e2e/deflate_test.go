package e2e

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/megawire/megawire/server/config"
)

// A long compressed message is inflated in pieces; it is taken whole, and what follows it in order, while others are
// served.
func TestLongCompressedMessage(t *testing.T) {
	r := serve(t, nil)
	random := rand.New(rand.NewPCG(1, 2))
	var text []byte
	for len(text) < 900_000 {
		text = fmt.Appendf(text, `{"price":%d,"size":%d},`, random.IntN(100_000), random.IntN(1000))
	}
	p, other := r.dialDeflate("/echo"), r.dial("/echo")
	go func() {
		_, _ = p.nc.Write(append(frame(final(opText)|rsv1, compress(text)), frame(final(opText), []byte("then this"))...))
	}()
	for range 50 {
		other.send("meanwhile")
		other.expect("meanwhile")
	}
	if got := p.inflated(); !bytes.Equal(got, text) {
		t.Errorf("%d bytes became %d", len(text), len(got))
	}
	if got := p.inflated(); string(got) != "then this" {
		t.Errorf("then %.50q", got)
	}
	r.awaitMetricIs("megawire_deflated_messages_total", 1)
}

// All readers that have agreed on compression get one and the same frame, others the plain one.
func TestCompressedOnceForAll(t *testing.T) {
	r := serve(t, nil)
	plain := r.dial("/ws?topics=t")
	readers := []*peer{r.dialDeflate("/ws?topics=t"), r.dialDeflate("/ws?topics=%23"), r.dialDeflate("/raw/t")}
	data := `"` + strings.Repeat("some text, ", 100) + `"`
	for range 10 {
		r.publish(`{"topic":"t","data":` + data + `}`)
		want := plain.text()
		for i, p := range readers {
			if i == 2 {
				want = data
			}
			if got := p.inflated(); string(got) != want {
				t.Fatalf("reader %d: %.80q, want %.80q", i, got, want)
			}
		}
	}
	r.awaitMetricIs("megawire_deflated_messages_total", 20) // one of each message on /ws, and one on /raw
	m := r.metrics()
	if before, after := m["megawire_deflated_bytes_in_total"], m["megawire_deflated_bytes_out_total"]; before < 20_000 || after > before/5 {
		t.Errorf("%v bytes became %v", before, after)
	}
}

// Compressing takes longer than publishing, and little may be kept of a topic: who reads what is compressed gets all of a
// burst nevertheless, as others do.
func TestCompressedReadersGetAllOfABurst(t *testing.T) {
	r := serve(t, func(c *config.Config) { c.Ring.RetainMessages = 1 })
	readers := []*peer{r.dial("/ws?topics=t"), r.dialDeflate("/ws?topics=t"), r.dialDeflate("/ws?topics=%23"), r.dialDeflate("/raw/t")}
	const count = 500
	var lines bytes.Buffer
	for i := range count {
		fmt.Fprintf(&lines, `{"topic":"t","data":"%s%d"}`+"\n", strings.Repeat("text ", 50), i)
	}
	if err := r.stream(&lines, count); err != nil {
		t.Fatal(err)
	}
	for i, p := range readers {
		for n := range count {
			if got := string(p.inflated()); !strings.Contains(got, fmt.Sprintf(` %d"`, n)) {
				t.Fatalf("reader %d, message %d: %.150q", i, n, got)
			}
		}
	}
	if m := r.metrics(); m["megawire_gaps_total"] != 0 {
		t.Errorf("%v gaps", m["megawire_gaps_total"])
	}
}

// compress compresses a message's payload.
func compress(payload []byte) []byte {
	var out bytes.Buffer
	w, _ := flate.NewWriter(&out, flate.BestSpeed) // fails for levels that do not exist
	_, _ = w.Write(payload)
	_ = w.Flush()
	return out.Bytes()[:out.Len()-4]
}

// dialDeflate opens a connection that agrees on permessage-deflate.
func (s *site) dialDeflate(target string) *peer {
	s.t.Helper()
	p := s.connect()
	p.write([]byte(strings.Replace(upgradeRequest(target), "\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n", 1)))
	a, err := p.response()
	if err != nil || a.status != 101 || !strings.HasPrefix(a.header["sec-websocket-extensions"], "permessage-deflate") {
		s.t.Fatalf("%+v, %v", a, err)
	}
	return p
}

// inflated reads the next message, compressed or not, without help of what the server is made of.
func (p *peer) inflated() []byte {
	p.t.Helper()
	var head [10]byte
	_, err := io.ReadFull(p.r, head[:2])
	length := uint64(head[1])
	switch {
	case err == nil && length == 126:
		_, err = io.ReadFull(p.r, head[2:4])
		length = uint64(binary.BigEndian.Uint16(head[2:]))
	case err == nil && length == 127:
		_, err = io.ReadFull(p.r, head[2:10])
		length = binary.BigEndian.Uint64(head[2:])
	}
	if err != nil || length > 64<<20 {
		p.t.Fatalf("a frame of %d bytes, %v", length, err)
	}
	payload := make([]byte, length)
	if _, err := io.ReadFull(p.r, payload); err != nil {
		p.t.Fatal(err)
	}
	if head[0]&rsv1 == 0 {
		return payload
	}
	const end = "\x00\x00\xff\xff\x01\x00\x00\xff\xff" // of the flush, which is left out, and of all
	payload, err = io.ReadAll(flate.NewReader(io.MultiReader(bytes.NewReader(payload), strings.NewReader(end))))
	if err != nil {
		p.t.Fatal(err)
	}
	return payload
}
