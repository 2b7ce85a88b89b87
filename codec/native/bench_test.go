package native

import (
	"bytes"
	"testing"
)

var (
	benchPublish   = []byte(`{"op":"publish","id":3,"topic":"chat/lobby","data":{"price":"91234.5","volume":"12.25","bid":91234.4,"ask":91234.6}}`)
	benchText      = []byte(`{"op":"publish","topic":"chat/lobby","text":"hello \"world\"\nsecond line"}`)
	benchSubscribe = []byte(`{"op":"subscribe","id":1,"topics":["ticker/BTC-USD",{"topic":"sensors/#","last":1},{"topic":"trades/ETH","since":{"epoch":"k3x9","seq":41}},{"topic":"book/ETH","mode":"latest","every":250}]}`)
	benchPayload   = []byte(`{"price":"91234.5","volume":"12.25","bid":91234.4,"ask":91234.6,"time":1763632800123}`)
)

// TestNoAllocations: what happens for every message takes no memory, once scratch buffers have grown.
func TestNoAllocations(t *testing.T) {
	var r Request
	var p Push
	scratch := make([]byte, 0, 4096)
	message := AppendMessage(nil, "ticker/BTC-USD", 43, 42, 1763632800123, JSON, benchPayload)
	text := AppendMessage(nil, "ticker/BTC-USD", 43, 42, 1763632800123, Text, []byte("a \"b\" é\n"))
	results := []TopicResult{{Topic: "a", Epoch: "k3x9", Seq: 1, HasSeq: true, Recovered: -1}}
	for _, c := range []struct {
		about string
		do    func() bool
	}{
		{"ParseRequest of a publish", func() bool { return ParseRequest(benchPublish, &r) == nil }},
		{"ParseRequest of text with escapes", func() bool { return ParseRequest(benchText, &r) == nil }},
		{"ParseRequest of a subscribe", func() bool { return ParseRequest(benchSubscribe, &r) == nil }},
		{"ParsePush of a message", func() bool { return ParsePush(message, &p) == nil }},
		{"ParsePush of text with escapes", func() bool { return ParsePush(text, &p) == nil }},
		{"AppendMessage", func() bool {
			return bytes.Equal(AppendMessage(scratch[:0], "ticker/BTC-USD", 43, 42, 1763632800123, JSON, benchPayload), message)
		}},
		{"AppendMessage of text", func() bool {
			return len(AppendMessage(scratch[:0], "ticker/é", 43, 42, 5, Text, []byte("a \"b\" é\n"))) > 0
		}},
		{"AppendMessage of bytes", func() bool {
			return len(AppendMessage(scratch[:0], "ticker/é", 43, 42, 5, Binary, benchPayload)) > 0
		}},
		{"AppendSubscribed", func() bool { return len(AppendSubscribed(scratch[:0], nil, "7f2c", results)) > 0 }},
		{"AppendPublished", func() bool { return len(AppendPublished(scratch[:0], nil, "a", "k3x9", 9)) > 0 }},
	} {
		if n := testing.AllocsPerRun(200, func() {
			if !c.do() {
				t.Fatal(c.about)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", c.about, n)
		}
	}
}

func BenchmarkParseRequest(b *testing.B) {
	for name, text := range map[string][]byte{"publish": benchPublish, "text": benchText, "subscribe": benchSubscribe} {
		b.Run(name, func(b *testing.B) {
			var r Request
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if err := ParseRequest(text, &r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppendMessage(b *testing.B) {
	scratch := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		AppendMessage(scratch[:0], "ticker/BTC-USD", 43, 42, 1763632800123, JSON, benchPayload)
	}
}

func BenchmarkParsePush(b *testing.B) {
	message := AppendMessage(nil, "ticker/BTC-USD", 43, 42, 1763632800123, JSON, benchPayload)
	var p Push
	b.SetBytes(int64(len(message)))
	b.ReportAllocs()
	for b.Loop() {
		if err := ParsePush(message, &p); err != nil {
			b.Fatal(err)
		}
	}
}
