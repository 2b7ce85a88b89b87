package ws

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	gobwas "github.com/gobwas/ws"
	"github.com/megawire/megawire/codec/http1"
)

// endpointInput is what a client sends often, in one read: three messages and a ping.
func endpointInput(payloadBytes int) (input []byte, events int) {
	mask := [4]byte{1, 2, 3, 4}
	payload := bytes.Repeat([]byte("a"), payloadBytes)
	for range 3 {
		input = AppendMaskedFrame(input, Text, mask, payload)
	}
	return AppendMaskedFrame(input, Ping, mask, nil), 4
}

func drain(e *Endpoint, input []byte, l *Limits) (events int) {
	for {
		ev, n := e.Next(input, l)
		if ev.Kind == NeedMore || ev.Kind == Fail {
			return events
		}
		input = input[n:]
		events++
	}
}

// TestNoAllocations: what happens for every message and every connection takes no memory.
func TestNoAllocations(t *testing.T) {
	input, events := endpointInput(128)
	scratch := make([]byte, 0, 4096)
	payload := bytes.Repeat([]byte("a"), 200)
	l := &Limits{MessageBytesMax: 1 << 20, FragmentsMax: 100}
	request := AppendClientRequest(nil, "example.org", "/ws", sampleKey, "megawire.v1")
	var r http1.Request
	if _, err := http1.Parse(request, &r); err != nil {
		t.Fatal(err)
	}
	o := UpgradeOptions{Subprotocols: []string{"megawire.v1"}}

	for _, c := range []struct {
		about string
		do    func()
	}{
		{"an endpoint's events", func() {
			var e Endpoint
			if n := drain(&e, append(scratch[:0], input...), l); n != events {
				t.Fatalf("%d events, want %d", n, events)
			}
		}},
		{"ParseHeader", func() { _, _, _ = ParseHeader(input, ServerSide) }},
		{"AppendFrame", func() { AppendFrame(scratch[:0], Text, payload) }},
		{"AppendMaskedFrame", func() { AppendMaskedFrame(scratch[:0], Text, [4]byte{1, 2, 3, 4}, payload) }},
		{"AppendClose", func() { AppendClose(scratch[:0], SlowReader, "slow reader") }},
		{"BeginFrame and FinishFrame", func() { FinishFrame(append(BeginFrame(scratch[:0]), payload...), 0, Text) }},
		{"AppendUpgrade", func() {
			if _, _, err := AppendUpgrade(scratch[:0], &r, o); err != nil {
				t.Fatal(err)
			}
		}},
		{"AppendClientRequest", func() { AppendClientRequest(scratch[:0], "example.org", "/ws", sampleKey) }},
	} {
		if n := testing.AllocsPerRun(200, c.do); n != 0 {
			t.Errorf("%s: %v allocations", c.about, n)
		}
	}
}

func BenchmarkEndpoint(b *testing.B) {
	for _, size := range []int{16, 128, 4096} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			input, events := endpointInput(size)
			scratch := make([]byte, 0, len(input))
			l := &Limits{MessageBytesMax: 1 << 20, FragmentsMax: 100}
			b.SetBytes(int64(len(input)))
			b.ReportAllocs()
			for b.Loop() {
				var e Endpoint
				if n := drain(&e, append(scratch[:0], input...), l); n != events {
					b.Fatal(n)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*events), "ns/event")
		})
	}
}

// BenchmarkEndpointFragments reads a message in two frames; its buffer comes from a pool.
func BenchmarkEndpointFragments(b *testing.B) {
	payload := bytes.Repeat([]byte("a"), 200)
	input := AppendMaskedFrame(nil, Text, [4]byte{1, 2, 3, 4}, payload)
	input[0] &^= finBit
	input = AppendMaskedFrame(input, Continuation, [4]byte{1, 2, 3, 4}, payload)
	scratch := make([]byte, 0, len(input))
	l := &Limits{MessageBytesMax: 1 << 20, FragmentsMax: 100}
	b.ReportAllocs()
	for b.Loop() {
		var e Endpoint
		if n := drain(&e, append(scratch[:0], input...), l); n != 1 {
			b.Fatal(n)
		}
	}
}

// BenchmarkEndpointBytes gives a message a byte at a time: the cost of a byte must not grow with the message.
func BenchmarkEndpointBytes(b *testing.B) {
	for _, size := range []int{1 << 10, 1 << 14, 1 << 18} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			input := AppendMaskedFrame(nil, Binary, [4]byte{1, 2, 3, 4}, make([]byte, size))
			l := &Limits{MessageBytesMax: 1 << 20, FragmentsMax: 100}
			for b.Loop() {
				var e Endpoint
				for i := range input {
					if ev, _ := e.Next(input[:i+1], l); (ev.Kind == Message) != (i == len(input)-1) {
						b.Fatal(ev)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(input)), "ns/byte")
		})
	}
}

func BenchmarkParseHeader(b *testing.B) {
	header := append(appendHeader(nil, Text, 200, maskBit), 1, 2, 3, 4)
	for b.Loop() {
		_, _, _ = ParseHeader(header, ServerSide)
	}
}

// BenchmarkMask compares our masking with gobwas/ws's.
func BenchmarkMask(b *testing.B) {
	for _, size := range []int{4, 7, 16, 30, 128, 1000, 65536} {
		p := make([]byte, size)
		mask := [4]byte{1, 2, 3, 4}
		for name, do := range map[string]func([]byte, [4]byte, int){"ours": Mask, "gobwas": gobwas.Cipher} {
			b.Run(fmt.Sprintf("%d/%s", size, name), func(b *testing.B) {
				b.SetBytes(int64(size))
				for b.Loop() {
					do(p, mask, 0)
				}
			})
		}
	}
}

func BenchmarkAppendFrame(b *testing.B) {
	scratch := make([]byte, 0, 4096)
	payload := bytes.Repeat([]byte("a"), 128)
	for b.Loop() {
		AppendFrame(scratch[:0], Text, payload)
	}
}

// BenchmarkUpgrade compares our handshake, with the parsing of the head that routing needs anyway, with gobwas/ws's alone.
func BenchmarkUpgrade(b *testing.B) {
	request := AppendClientRequest(nil, "example.org", "/ws", sampleKey, "megawire.v1")
	scratch := make([]byte, 0, 4096)
	b.Run("ours", func(b *testing.B) {
		o := UpgradeOptions{Subprotocols: []string{"megawire.v1"}}
		var r http1.Request
		b.ReportAllocs()
		for b.Loop() {
			if _, err := http1.Parse(request, &r); err != nil {
				b.Fatal(err)
			}
			if _, _, err := AppendUpgrade(scratch[:0], &r, o); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("gobwas", func(b *testing.B) {
		u := gobwas.Upgrader{Protocol: func(name []byte) bool { return string(name) == "megawire.v1" }}
		in := bytes.NewReader(nil)
		out := bytes.NewBuffer(scratch)
		conn := struct {
			io.Reader
			io.Writer
		}{in, out}
		b.ReportAllocs()
		for b.Loop() {
			in.Reset(request)
			out.Reset()
			if _, err := u.Upgrade(conn); err != nil {
				b.Fatal(err)
			}
		}
	})
}
