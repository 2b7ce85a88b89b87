package ws

import (
	"bytes"
	stdflate "compress/flate"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/flate"
	"github.com/megawire/megawire/codec/native"
)

// captured gives the messages of a recorded feed as clients get them, where MEGAWIRE_CAPTURES names a folder that has it.
// Without one, readings that resemble it are made up.
func captured(tb testing.TB, name string) (messages [][]byte) {
	tb.Helper()
	dir := os.Getenv("MEGAWIRE_CAPTURES")
	if dir == "" {
		for i := range uint64(2000) {
			data := fmt.Appendf(nil, `{"type":"ticker","product_id":"PRODUCT-%d","price":"%d.%02d","volume_24h":"%d.%08d"}`,
				i%10, 40000+i*i%977, i*i%100, 10+i*i%31, i*i*7919%1e8)
			messages = append(messages, native.AppendMessage(nil, fmt.Sprintf("ticker/%d", i%10), i+1, i, 1618677817078+int64(i), native.JSON, data))
		}
		return messages
	}
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		tb.Fatal(err)
	}
	seqs := map[string]uint64{}
	for line := range bytes.Lines(text) {
		var m struct {
			TS    int64           `json:"ts"`
			Topic string          `json:"topic"`
			Data  json.RawMessage `json:"data"`
		}
		if err := json.Unmarshal(line, &m); err != nil {
			tb.Fatal(err)
		}
		seqs[m.Topic]++
		seq := seqs[m.Topic]
		messages = append(messages, native.AppendMessage(nil, m.Topic, seq, seq-1, m.TS, native.JSON, m.Data))
	}
	return messages
}

// sized gives as many bytes of what is captured.
func sized(tb testing.TB, size int) (payload []byte) {
	const ordinaryBytes = 600 // the snapshots among the messages are of tens of kilobytes
	for _, m := range captured(tb, "coinbase.ndjson") {
		if len(m) < ordinaryBytes {
			payload = append(payload, m...)
		}
		if len(payload) >= size {
			return payload[:size]
		}
	}
	tb.Fatalf("%d bytes captured, not %d", len(payload), size)
	return nil
}

var deflateSizes = []int{128, 256, 512, 1 << 10, 4 << 10, 16 << 10, 64 << 10}

// BenchmarkDeflate compares the ways in which a library could compress a message: with a writer of a small window, one at
// its fastest level, which looks back 32 KiB, and without a writer, in pieces that are no longer than the small window.
func BenchmarkDeflate(b *testing.B) {
	type writer interface {
		io.Writer
		Flush() error
		Reset(io.Writer)
	}
	through := func(w writer) func(dst *bytes.Buffer, p []byte) {
		return func(dst *bytes.Buffer, p []byte) {
			w.Reset(dst)
			_, _ = w.Write(p)
			_ = w.Flush()
		}
	}
	small, _ := flate.NewWriterWindow(nil, windowBytes)
	fast, _ := flate.NewWriter(nil, flate.BestSpeed)
	std, _ := stdflate.NewWriter(nil, stdflate.BestSpeed)
	for _, size := range deflateSizes {
		payload := sized(b, size)
		for _, c := range []struct {
			name string
			do   func(dst *bytes.Buffer, p []byte)
		}{
			{"window", through(small)},
			{"level1", through(fast)},
			{"standard", through(std)},
			{"stateless", func(dst *bytes.Buffer, p []byte) {
				for len(p) > 0 {
					n := min(len(p), windowBytes)
					_ = flate.StatelessDeflate(dst, p[:n], false, nil)
					p = p[n:]
				}
			}},
		} {
			b.Run(fmt.Sprintf("%d/%s", size, c.name), func(b *testing.B) {
				var out bytes.Buffer
				out.Grow(2 * size)
				b.ReportAllocs()
				b.SetBytes(int64(size))
				for b.Loop() {
					out.Reset()
					c.do(&out, payload)
				}
				b.ReportMetric(100*float64(out.Len()-len(flushTail))/float64(size), "%size")
			})
		}
	}
}

// BenchmarkDeflateWriter is what a writer in the pool takes.
func BenchmarkDeflateWriter(b *testing.B) {
	for _, c := range []struct {
		name string
		make func() (*flate.Writer, error)
	}{
		{"window", func() (*flate.Writer, error) { return flate.NewWriterWindow(io.Discard, windowBytes) }},
		{"level1", func() (*flate.Writer, error) { return flate.NewWriter(io.Discard, flate.BestSpeed) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				w, err := c.make()
				if err != nil {
					b.Fatal(err)
				}
				_, _ = w.Write(make([]byte, 100))
				_ = w.Flush()
			}
		})
	}
}

// BenchmarkDeflateCaptured compresses recorded feeds message by message, with each bound under which a message is left
// plain: %size is of the payloads of all together.
func BenchmarkDeflateCaptured(b *testing.B) {
	for _, name := range []string{"coinbase", "sensors"} {
		messages := captured(b, name+".ndjson")
		plain := 0
		for _, m := range messages {
			plain += len(m)
		}
		for _, minBytes := range []int{0, 128, 256, 512, 1024} {
			b.Run(fmt.Sprintf("%s/%d", name, minBytes), func(b *testing.B) {
				d := &Deflater{MinBytes: minBytes}
				var frame []byte
				var out, compressed int
				for b.Loop() {
					out, compressed = 0, 0
					for _, m := range messages {
						frame = d.FinishFrame(append(BeginFrame(frame[:0]), m...), 0, Text)
						out += len(frame)
						if frame[0]&rsv1Bit != 0 {
							compressed++
						}
					}
				}
				b.ReportMetric(100*float64(out)/float64(plain), "%size")
				b.ReportMetric(float64(plain)/float64(len(messages)), "B/message")
				b.ReportMetric(100*float64(compressed)/float64(len(messages)), "%compressed")
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(messages)), "ns/message")
			})
		}
	}
}

// inflate is one way of inflating a payload.
type inflateFunc func(payload []byte) error

// inflaters are ours and those of the libraries, which have to be given the flush's end and a final block, to say that
// a message is over.
func inflaters(bytesMax int) map[string]inflateFunc {
	f := NewInflater(1 << 20)
	through := func(r io.Reader, reset func(in *bytes.Reader)) inflateFunc {
		var in bytes.Reader
		var joined []byte
		out := make([]byte, bytesMax)
		return func(payload []byte) error {
			joined = append(append(append(joined[:0], payload...), flushTail...), finalBlock...)
			in.Reset(joined)
			reset(&in)
			if _, err := io.ReadFull(r, out); !errors.Is(err, io.ErrUnexpectedEOF) && (bytesMax > 1 || !errors.Is(err, io.EOF)) {
				return fmt.Errorf("not at its end: %w", err)
			}
			return nil
		}
	}
	k, s := flate.NewReader(nil), stdflate.NewReader(nil)
	return map[string]inflateFunc{
		"ours":      func(payload []byte) error { _, err := f.Inflate(payload, bytesMax); return err },
		"klauspost": through(k, func(in *bytes.Reader) { _ = k.(flate.Resetter).Reset(in, nil) }),
		"standard":  through(s, func(in *bytes.Reader) { _ = s.(stdflate.Resetter).Reset(in, nil) }),
	}
}

func BenchmarkInflate(b *testing.B) {
	run := func(name string, payload []byte, inflatedBytes, blocks int) {
		for who, do := range inflaters(inflatedBytes + 1) {
			b.Run(name+"/"+who, func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(inflatedBytes))
				for b.Loop() {
					if err := do(payload); err != nil {
						b.Fatal(err)
					}
				}
				if blocks > 0 {
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*blocks), "ns/block")
				}
			})
		}
	}
	for _, size := range deflateSizes {
		run(fmt.Sprint(size), compressedOf(sized(b, size)), size, 0)
	}
	run("zeros", compressedOf(make([]byte, 1<<20)), 1<<20, 0)
	const blocks = 10_000
	for _, c := range []struct {
		name  string
		block func(w *bitWriter)
	}{{"empty-fixed", emptyFixedBlock}, {"empty-coded", emptyCodedBlock}, {"empty-coded-long", emptyLongCodedBlock}} {
		var w bitWriter
		for range blocks {
			c.block(&w)
		}
		w.put(0, 3)
		run(c.name, w.bytes, 0, blocks)
	}
}
