package ws

import (
	"bytes"
	"testing"
)

// slowBlock writes a block that states its codes, which takes a decoder long, and one of 21 bytes in the fixed codes: about
// the least that is not refused as waste.
func slowBlock(w *bitWriter) {
	emptyCodedBlock(w)
	w.put(2, 3).fixed('a').fixed(264).code(0, 5).fixed(264).code(0, 5).fixed(endOfBlock)
}

func slowMessage(blocks int) []byte {
	var w bitWriter
	for range blocks {
		slowBlock(&w)
	}
	return w.put(0, 3).bytes
}

// finalMessage is of blocks that each say that they are the last.
func finalMessage(blocks int) (payload []byte) {
	for range blocks {
		payload = append(payload, "\xf3\x48\xcd\xc9\xc9\x07\x00"...) // Hello (RFC 7692 §7.2.3.4)
	}
	return append(payload, 0)
}

// TestInflateInSteps: a long message is inflated in steps, none of which is much work; what came meanwhile waits.
func TestInflateInSteps(t *testing.T) {
	slow := slowMessage(40_000)
	for _, c := range []struct {
		about    string
		payload  []byte
		bytes    int
		stepsMin int
	}{
		{"a short one", compressedOf(make([]byte, 1<<16)), 1 << 16, 0},
		{"of ordinary blocks", compressedOf(randomText(newRandom(t), 1<<20, 60)), 1 << 20, 8},
		{"of final blocks", finalMessage(3000), 3000 * 5, 3000 * restartBytes / stepReadBytes},
		{"of blocks that take time", slow, 40_000 * 21, len(slow) / (stepReadBytes + wasteBytesMax)},
	} {
		l := &Limits{MessageBytesMax: 1 << 20, FragmentsMax: 10, Inflater: NewInflater(1000)}
		input := append(compressedFrames(Binary, c.payload), AppendMaskedFrame(nil, Ping, [4]byte{1}, nil)...)
		var e Endpoint
		steps := 0
		ev, n := e.Next(input, l)
		for input = input[n:]; ev.Kind == Working; steps++ {
			if !e.Working() || e.Idle() || e.Held() < len(c.payload) {
				t.Fatalf("%s: working %v, idle %v, held %d", c.about, e.Working(), e.Idle(), e.Held())
			}
			before := *e.work
			if ev, n = e.Next(nil, l); n != 0 {
				t.Fatalf("%s: %d bytes consumed of nothing", c.about, n)
			}
			if read, given := e.work.in.read-before.in.read, len(e.work.out)-len(before.out); given > stepGivenBytes+windowBytesMax || read > stepReadBytes+given*5/4+wasteBytesMax {
				t.Fatalf("%s: a step read %d bytes and gave %d", c.about, read, given)
			}
		}
		if ev.Kind != Message || len(ev.Payload) != c.bytes || ev.Packed != len(c.payload) || steps < c.stepsMin {
			t.Errorf("%s: %v, %q, %d bytes of %d, after %d steps, want %d of them", c.about, ev.Kind, ev.Reason, len(ev.Payload), ev.Packed, steps, c.stepsMin)
		}
		if ev, _ = e.Next(input, l); ev.Kind != PingEvent || !e.Idle() {
			t.Errorf("%s: then %v, idle %v", c.about, ev.Kind, e.Idle())
		}
	}
}

// TestInflateWaste: blocks that give nothing are not read on and on.
func TestInflateWaste(t *testing.T) {
	for about, block := range map[string]func(w *bitWriter){"fixed codes": emptyFixedBlock, "codes of their own": emptyCodedBlock} {
		var w bitWriter
		for len(w.bytes) < 1<<20 {
			block(&w)
		}
		l := &Limits{MessageBytesMax: 2 << 20, FragmentsMax: 10, Inflater: NewInflater(1000)}
		var p peer
		got := p.feed(compressedFrames(Binary, w.put(0, 3).bytes), l)
		if len(got) != 1 || got[0] != "fail 1007 "+errInflateWaste.Error() {
			t.Errorf("blocks with %s that hold nothing: %q", about, got)
		}
		if read := p.e.work.in.read; read > 2*wasteBytesMax {
			t.Errorf("blocks with %s that hold nothing: %d bytes were read", about, read)
		}
		p.e.Release()
	}
	// A lot at first, of which the rest might be paid for.
	var w bitWriter
	w.put(2, 3).fixed('a')
	for range 3000 {
		w.fixed(285).code(0, 5)
	}
	w.fixed(endOfBlock)
	for len(w.bytes) < 500_000 {
		emptyCodedBlock(&w)
	}
	l := &Limits{MessageBytesMax: 2 << 20, FragmentsMax: 10, Inflater: NewInflater(1000)}
	var p peer
	if got := p.feed(compressedFrames(Binary, w.put(0, 3).bytes), l); len(got) != 1 || got[0] != "fail 1007 "+errInflateWaste.Error() || p.e.work.in.read > 100_000 {
		t.Errorf("much, and then nothing: %q", got)
	}
	p.e.Release()
	noise := bytes.Repeat([]byte{0, 0xFF, 0x7F, 0x00, 0x80}, 1)
	for len(noise) < 1<<20 {
		noise = append(noise, byte(len(noise)*7919>>3), byte(len(noise)*104729>>7))
	}
	stored := []byte{}
	for at := 0; at < len(noise); at += 1000 { // as from a client that flushes often what does not become smaller
		piece := noise[at:min(at+1000, len(noise))]
		stored = append(stored, 0, byte(len(piece)), byte(len(piece)>>8), ^byte(len(piece)), ^byte(len(piece)>>8))
		stored = append(append(stored, piece...), 0, 0, 0, 0xFF, 0xFF)
	}
	if got, err := NewInflater(10).Inflate(append(stored, 0), 2<<20); err != nil || !bytes.Equal(got, noise) {
		t.Errorf("what does not become smaller: %d bytes, %v", len(got), err)
	}
}

// TestWorkIsForgotten: an endpoint that is released in the midst of a message is as new.
func TestWorkIsForgotten(t *testing.T) {
	l := &Limits{MessageBytesMax: 1 << 20, FragmentsMax: 10, Inflater: NewInflater(1000)}
	var e Endpoint
	if ev, _ := e.Next(compressedFrames(Binary, slowMessage(20_000)), l); ev.Kind != Working {
		t.Fatalf("%v %s", ev.Kind, ev.Reason)
	}
	if e.Release(); e != (Endpoint{}) || e.Working() || e.Held() != 0 {
		t.Errorf("%+v", e)
	}
	if ev, _ := e.Next(compressedFrames(Text, unhex(t, "f2 48 cd c9 c9 07 00")), l); string(ev.Payload) != "Hello" || ev.Packed != 7 {
		t.Errorf("%v %q", ev.Kind, ev.Payload)
	}
}
