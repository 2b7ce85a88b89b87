package ws

import (
	"bytes"
	"compress/flate"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
)

// slowInflate inflates a message by the standard library. sure is false where that stops at a fault without having given all
// that came before it, so that nobody can say whether the bounds were passed first; and where the Inflater may be stricter.
func slowInflate(payload []byte, bytesMax, ratioMax int) (message []byte, err error, sure bool) {
	message, whole := slowBlocks(payload)
	limit, tooMuch := bytesMax, errInflateTooBig
	if n := max(RatioFreeBytes, ratioMax*len(payload)); n < limit {
		limit, tooMuch = n, errInflateRatio
	}
	switch {
	case len(message) > limit:
		return nil, tooMuch, true
	case !whole:
		return nil, errInflate, len(message)+2*windowBytesMax <= limit && !wasteful(message, payload)
	case wasteful(message, payload), bytes.HasSuffix(message, []byte(flushTail)):
		return message, nil, false
	default:
		return message, nil, true
	}
}

// wasteful says that a message may be refused for what it holds too little of.
func wasteful(message, payload []byte) bool {
	return len(payload) > wasteBytesMax && len(payload) > len(message)
}

// slowBlocks inflates what it can, and reports whether a whole message came of it: all of payload, up to the end of a final
// block or to one that the end of a flush completes, out of which nothing more comes.
func slowBlocks(payload []byte) (message []byte, whole bool) {
	for {
		out, used, ended := slowFinal(payload, message)
		if ended {
			message, payload = append(message, out...), payload[used:]
			if len(payload) == 0 {
				return message, true
			}
			continue
		}
		completed := slices.Concat(payload, []byte(flushTail), []byte(finalBlock))
		more, used, ended := slowFinal(completed, message)
		all := used == len(completed) || used == len(payload)+len(flushTail)
		return append(message, out...), ended && all && len(more) == len(out)
	}
}

// slowFinal inflates up to the end of a block that says that it is the final one.
func slowFinal(payload, window []byte) (out []byte, used int, ended bool) {
	in := bytes.NewReader(payload)
	out, err := io.ReadAll(flate.NewReaderDict(in, window))
	return out, len(payload) - in.Len(), err == nil
}

// TestInflateAgainstSlow inflates what compressing gives, and what comes of it when a bit is another or the end is missing.
func TestInflateAgainstSlow(t *testing.T) {
	random := newRandom(t)
	for range 2000 {
		text := randomText(random, random.IntN(1<<(1+random.IntN(12))), 1+random.IntN(255))
		payload := someDeflate(random, text)
		bytesMax := len(text) + random.IntN(3) - 1
		switch random.IntN(3) {
		case 0:
			payload[random.IntN(len(payload))] ^= 1 << random.IntN(8)
		case 1:
			payload = payload[:random.IntN(len(payload)+1)]
		}
		checkInflate(t, payload, max(0, bytesMax), random.IntN(20))
		checkInflate(t, payload, 1<<20, random.IntN(20))
	}
}

// writers are of all levels.
var writers = sync.OnceValue(func() (ws []*flate.Writer) {
	for level := flate.HuffmanOnly; level <= flate.BestCompression; level++ {
		w, err := flate.NewWriter(nil, level)
		if err != nil {
			panic(err)
		}
		ws = append(ws, w)
	}
	return ws
})

// someDeflate compresses as a client might: at any level, in several blocks, with final ones among them.
func someDeflate(random *rand.Rand, text []byte) []byte {
	var out bytes.Buffer
	for {
		n := len(text)
		if random.IntN(3) == 0 {
			n = random.IntN(len(text) + 1)
		}
		w := writers()[random.IntN(len(writers()))]
		w.Reset(&out)
		_, _ = w.Write(text[:n/2])
		if random.IntN(2) == 0 {
			_ = w.Flush()
		}
		_, _ = w.Write(text[n/2 : n])
		final := random.IntN(4) == 0
		if final {
			_ = w.Close()
		} else {
			_ = w.Flush()
		}
		if text = text[n:]; len(text) > 0 {
			continue
		}
		if final {
			return out.Bytes()
		}
		return out.Bytes()[:out.Len()-len(flushTail)]
	}
}

// TestDeflateAgainstSlow runs random conversations with compressed messages, most of them right, through both decoders.
func TestDeflateAgainstSlow(t *testing.T) {
	random := newRandom(t)
	mask := [4]byte{9, 8, 7, 6}
	seen := map[string]int{}
	for range 1000 {
		l := &Limits{MessageBytesMax: 50 + random.IntN(1<<(8+random.IntN(8))), FragmentsMax: 1 + random.IntN(12), Inflater: NewInflater(random.IntN(20))}
		var input []byte
		for range 1 + random.IntN(8) {
			text := randomText(random, random.IntN(1<<random.IntN(12)), 1+random.IntN(128))
			payload := someDeflate(random, text)
			if random.IntN(8) == 0 {
				payload[random.IntN(len(payload))] ^= 1 << random.IntN(8)
			}
			var lengths []int
			for left := len(payload); random.IntN(2) == 0; left -= lengths[len(lengths)-1] {
				lengths = append(lengths, random.IntN(left+1))
			}
			var frames []byte
			if random.IntN(5) == 0 {
				frames = AppendMaskedFrame(nil, Text, mask, text)
			} else {
				frames = compressedFrames([]Opcode{Text, Binary}[random.IntN(2)], payload, lengths...)
			}
			if random.IntN(50) == 0 {
				frames[0] ^= 1 << random.IntN(8)
			}
			input = append(input, frames...)
			if random.IntN(4) == 0 {
				input = AppendMaskedFrame(input, Ping, mask, text[:min(len(text), 20)])
			}
		}
		chunks := make([]byte, random.IntN(4))
		for i := range chunks {
			chunks[i] = byte(random.IntN(256))
		}
		checkAgainstSlow(t, input, chunks, l)
		for _, ev := range slowEvents(input, l) {
			seen[strings.Join(strings.Fields(ev)[:2], " ")]++
		}
	}
	seen["fail 1007"] += seen["fail, 1007"]
	for _, ev := range []string{"message text", "message binary", "fail 1007", "fail 1009", "fail 1002"} {
		if seen[ev] < 20 {
			t.Errorf("%d times %q: what is this test of?", seen[ev], ev)
		}
	}
}
