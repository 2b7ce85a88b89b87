package ws

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// plainOf gives what a frame of a Deflater's holds, inflated by the standard library, and whether it was compressed.
func plainOf(t testing.TB, frame []byte) (payload []byte, compressed bool) {
	t.Helper()
	h, n, err := ParseHeader(frame, ClientSide|Extended)
	if err != nil || int(h.Length) != len(frame)-n {
		t.Fatalf("header %+v, %v of a frame of %d bytes", h, err, len(frame))
	}
	if payload = frame[n:]; h.Rsv == 0 {
		return payload, false
	}
	plain, err := io.ReadAll(flate.NewReader(bytes.NewReader(slices.Concat(payload, []byte(flushTail), []byte(finalBlock)))))
	if err != nil {
		t.Fatalf("a frame that cannot be inflated: %v, % x", err, frame)
	}
	return plain, true
}

// checkDeflated compresses in both ways, and checks what comes of it.
func checkDeflated(t testing.TB, d *Deflater, payload []byte) (compressed bool) {
	t.Helper()
	const before = "before"
	frame := d.AppendFrame([]byte(before), Text, payload)
	finished := d.FinishFrame(append(BeginFrame([]byte(before)), payload...), len(before), Text)
	if !bytes.HasPrefix(frame, []byte(before)) || !bytes.Equal(frame, finished) {
		t.Fatalf("AppendFrame % x, FinishFrame % x", frame, finished)
	}
	frame = frame[len(before):]
	plain, compressed := plainOf(t, frame)
	switch {
	case !bytes.Equal(plain, payload):
		t.Fatalf("%d bytes became %d", len(payload), len(plain))
	case len(frame) > len(AppendFrame(nil, Text, payload)):
		t.Fatalf("%d bytes of payload became a frame of %d bytes", len(payload), len(frame))
	case compressed && len(payload) < d.MinBytes:
		t.Fatalf("%d bytes of payload were compressed, under the bound of %d", len(payload), d.MinBytes)
	}
	return compressed
}

func payloadBytes(frame []byte) int {
	h, _, _ := ParseHeader(frame, ClientSide|Extended)
	return int(h.Length)
}

// randomText repeats itself, near and far, as often as kinds is small.
func randomText(random *rand.Rand, size, kinds int) []byte {
	p := make([]byte, size)
	for i := 0; i < len(p); i++ {
		p[i] = byte(random.IntN(kinds))
		if i > 0 && random.IntN(20) == 0 {
			from := random.IntN(i)
			i += copy(p[i:], p[from:min(i, from+random.IntN(30))])
		}
	}
	return p
}

func TestDeflateRoundTrip(t *testing.T) {
	random := newRandom(t)
	compressed := 0
	for i := range 1000 {
		size := random.IntN(1 << (1 + random.IntN(17)))
		p := randomText(random, size, 1+random.IntN(255))
		if i < 300 {
			p = randomText(random, i, 30)
		}
		if checkDeflated(t, &Deflater{MinBytes: random.IntN(300)}, p) {
			compressed++
		}
	}
	if compressed < 300 {
		t.Errorf("%d messages of 1000 were compressed: what is this test of?", compressed)
	}
}

// TestDeflateWindow: what stood more than 4 KiB before is not referred to. That shows in the size: a piece that came before
// takes as much as one that did not.
func TestDeflateWindow(t *testing.T) {
	random := newRandom(t)
	noise := func(n int) []byte {
		p := make([]byte, n)
		for i := range p {
			p[i] = byte(random.IntN(256))
		}
		return p
	}
	ours := func(payload []byte) int { return len(compressedOf(payload)) }
	wide := func(payload []byte) int {
		var out bytes.Buffer
		w, _ := flate.NewWriter(&out, flate.BestCompression)
		_, _ = w.Write(payload)
		_ = w.Flush()
		return out.Len()
	}
	for _, apart := range []int{300, windowBytes - 300, windowBytes + 1, windowBytes + 40, 2 * windowBytes, 30000} {
		again, filler, text := noise(200), noise(apart-200), bytes.Repeat([]byte("some text "), 50)
		// Text on both sides, or all would be stored.
		refers := func(size func([]byte) int) bool {
			return size(slices.Concat(text, again, filler, again, text)) < size(slices.Concat(text, again, filler, noise(200), text))-100
		}
		if apart > windowBytes && refers(ours) {
			t.Errorf("what stood %d bytes before is referred to", apart)
		}
		if !refers(wide) {
			t.Errorf("a writer with a window of 32 KiB does not refer to what stood %d bytes before: this test finds nothing", apart)
		}
	}
}

func TestDeflateBound(t *testing.T) {
	text := []byte(strings.Repeat("abcdefgh", 100))
	for _, c := range []struct {
		about      string
		minBytes   int
		payload    []byte
		compressed bool
	}{
		{"as long as the bound", 200, text[:200], true},
		{"shorter than the bound", 201, text[:200], false},
		{"nothing, with a bound of 0", 0, nil, false},
		{"a byte, with a bound of 0", 0, text[:1], false},
		{"what compressing does not make smaller", 0, []byte("qwertyuiopasdfghjkl"), false},
		{"what needs a longer header when it is plain", 0, text, true},
	} {
		if got := checkDeflated(t, &Deflater{MinBytes: c.minBytes}, c.payload); got != c.compressed {
			t.Errorf("%s: compressed %v, want %v", c.about, got, c.compressed)
		}
	}
}

// TestDeflateWithoutContext: a message's frame is the same whatever was compressed before it.
func TestDeflateWithoutContext(t *testing.T) {
	d := &Deflater{}
	text := []byte(strings.Repeat("one message that repeats itself; ", 10))
	first := d.AppendFrame(nil, Text, text)
	for i := range 100 {
		d.AppendFrame(nil, Text, bytes.Repeat(fmt.Append(nil, "another of them ", i), 1+i))
		if again := d.AppendFrame(nil, Text, text); !bytes.Equal(again, first) {
			t.Fatalf("% x, before % x", again, first)
		}
	}
}

// compressedFrames makes a message of the payload given, in frames that hold so many bytes of it each; the last has the rest.
func compressedFrames(op Opcode, payload []byte, lengths ...int) (frames []byte) {
	mask := [4]byte{5, 6, 7, 8}
	for i := 0; ; i++ {
		n, last := len(payload), i == len(lengths)
		if !last {
			n = lengths[i]
		}
		start := len(frames)
		frames = AppendMaskedFrame(frames, op, mask, payload[:n])
		if i == 0 {
			frames[start] |= rsv1Bit
		}
		if last {
			return frames
		}
		frames[start] &^= finBit
		op, payload = Continuation, payload[n:]
	}
}

func TestEndpointDeflate(t *testing.T) {
	hello := unhex(t, "f2 48 cd c9 c9 07 00")
	mask := [4]byte{1, 2, 3, 4}
	frame := func(first byte, payload string) []byte {
		f := AppendMaskedFrame(nil, Text, mask, []byte(payload))
		f[0] = first
		return f
	}
	zeros := compressedOf(make([]byte, 2<<20))
	for _, c := range []struct {
		about string
		input []byte
		limit int
		want  []string
	}{
		{"a message in a frame (RFC 7692 §7.2.3.1)", compressedFrames(Text, hello), 100, []string{`message text "Hello"`}},
		{"a message in two frames (§7.2.3.1)", compressedFrames(Text, hello, 3), 100, []string{`message text "Hello"`}},
		{"a message in frames of a byte, and empty ones", compressedFrames(Binary, hello, 0, 1, 1, 0, 1, 1), 100, []string{`message binary "Hello"`}},
		{"all in the first frame, and an empty one behind it", compressedFrames(Text, hello, 7), 100, []string{`message text "Hello"`}},
		{"a ping between the frames of a message", slices.Concat(
			compressedFrames(Text, hello, 3)[:9], AppendMaskedFrame(nil, Ping, mask, []byte("p")), compressedFrames(Text, hello, 3)[9:],
		), 100, []string{`ping "p"`, `message text "Hello"`}},
		{"a plain message, a compressed one, a plain one in fragments", slices.Concat(
			AppendMaskedFrame(nil, Text, mask, []byte("a")), compressedFrames(Text, hello), frame(0x01, "b"), frame(0x80, "c"),
		), 100, []string{`message text "a"`, `message text "Hello"`, `message text "bc"`}},
		{"an empty message (§7.2.3.6)", compressedFrames(Text, []byte{0}), 100, []string{`message text ""`}},
		{"a message that refers to the one before it: contexts are not agreed on (§7.2.3.2)", slices.Concat(
			compressedFrames(Text, hello), compressedFrames(Text, unhex(t, "f2 00 11 00 00")),
		), 100, []string{`message text "Hello"`, "fail 1007 compressed message is corrupt"}},
		{"no data", compressedFrames(Text, nil), 100, []string{"fail 1007 compressed message is corrupt"}},
		{"text that is not UTF-8 when it is inflated", compressedFrames(Text, compressedOf([]byte("a\xff"))), 100, []string{"fail 1007 text is not valid UTF-8"}},
		{"the same in binary", compressedFrames(Binary, compressedOf([]byte("a\xff"))), 100, []string{`message binary "a\xff"`}},
		{"a character in two fragments", compressedFrames(Text, compressedOf([]byte("aé")), 3), 100, []string{`message text "aé"`}},
		{"RSV1 on a continuation", slices.Concat(frame(0x01, "a"), frame(0xC0, "b")), 100, []string{"fail 1002 reserved bits that permessage-deflate does not set there"}},
		{"RSV1 on a ping", frame(0xC9, ""), 100, []string{"fail 1002 reserved bits that permessage-deflate does not set there"}},
		{"RSV1 on a close", frame(0xC8, ""), 100, []string{"fail 1002 reserved bits that permessage-deflate does not set there"}},
		{"RSV2", frame(0xA1, ""), 100, []string{"fail 1002 reserved bits that permessage-deflate does not set there"}},
		{"RSV3 with RSV1", frame(0xD1, ""), 100, []string{"fail 1002 reserved bits that permessage-deflate does not set there"}},
		{"as long as may be", compressedFrames(Binary, hello), 5 + 2, []string{`message binary "Hello"`}},
		{"too long when compressed", compressedFrames(Binary, hello), 6, []string{"fail 1009 message too big"}},
		{"too long in its second frame", compressedFrames(Binary, hello, 4), 6, []string{"fail 1009 message too big"}},
		{"as long as may be when inflated", compressedFrames(Binary, compressedOf(make([]byte, 200))), 200, []string{describe(Event{Kind: Message, Op: Binary, Payload: make([]byte, 200)})}},
		{"too long when inflated", compressedFrames(Binary, compressedOf(make([]byte, 200))), 199, []string{"fail 1009 message too big when inflated"}},
		{"a ratio out of bounds", compressedFrames(Binary, zeros), 4 << 20, []string{"fail 1009 message inflates to too many times its size"}},
	} {
		var p peer
		l := &Limits{MessageBytesMax: c.limit, FragmentsMax: 10, Inflater: NewInflater(100)}
		if got := p.feed(c.input, l); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.about, got, c.want)
		}
		checkAgainstSlow(t, c.input, []byte{0}, l)
	}
}

// TestEndpointHoldsNothingCompressed: what an endpoint has gathered is given back once it is inflated.
func TestEndpointHoldsNothingCompressed(t *testing.T) {
	var e Endpoint
	l := &Limits{MessageBytesMax: 100, FragmentsMax: 10, Inflater: NewInflater(100)}
	input := compressedFrames(Text, unhex(t, "f2 48 cd c9 c9 07 00"), 3)
	ev, n := e.Next(input[:9], l)
	if ev.Kind != NeedMore || n != 9 || e.Held() != 3 || e.Idle() {
		t.Errorf("first frame: %v, consumed %d, held %d, idle %v", ev, n, e.Held(), e.Idle())
	}
	if ev, _ = e.Next(input[9:], l); ev.Kind != Message || string(ev.Payload) != "Hello" {
		t.Errorf("second frame: %v", ev)
	}
	if ev, n := e.Next(nil, l); ev.Kind != NeedMore || n != 0 || !e.Idle() || e != (Endpoint{}) {
		t.Errorf("after the message: %v, consumed %d, %+v", ev, n, e)
	}
}

func TestHasClose(t *testing.T) {
	mask := [4]byte{1, 2, 3, 4}
	text := AppendMaskedFrame(nil, Text, mask, []byte("abc"))
	closing := AppendMaskedFrame(nil, Close, mask, []byte{3, 0xe8})
	begun := AppendMaskedFrame(nil, Text, mask, []byte("abc"))
	begun[0] &^= finBit
	for _, c := range []struct {
		about   string
		input   []byte
		deflate bool
		want    bool
	}{
		{"nothing", nil, false, false},
		{"a close frame", closing, false, true},
		{"one behind a message", slices.Concat(text, closing), false, true},
		{"one behind a compressed message", slices.Concat(compressedFrames(Text, []byte("any bytes")), closing), true, true},
		{"one behind a compressed message that was not agreed on", slices.Concat(compressedFrames(Text, []byte{0}), closing), false, false},
		{"one between two fragments", slices.Concat(begun, closing), false, true},
		{"one behind the end of a message that began before", slices.Concat(AppendMaskedFrame(nil, Continuation, mask, nil), closing), false, true},
		{"a message alone", text, false, false},
		{"one of which a byte is missing", closing[:len(closing)-1], false, false},
		{"one of which the header is not whole", closing[:5], false, false},
		{"one within the payload of a message", AppendMaskedFrame(nil, Binary, [4]byte{}, closing), false, false},
		{"one behind a message that is not whole", slices.Concat(text[:len(text)-1], closing), false, false},
		{"one that is not masked", AppendClose(nil, NormalClosure, ""), false, false},
		{"one whose code is none: it is closing all the same", AppendMaskedFrame(nil, Close, mask, []byte{0, 1}), false, true},
		{"one behind a frame of a reserved kind", slices.Concat([]byte{0x83, 0x80, 1, 2, 3, 4}, closing), false, false},
	} {
		if got := HasClose(c.input, c.deflate); got != c.want {
			t.Errorf("%s: %v, want %v", c.about, got, c.want)
		}
	}
}
