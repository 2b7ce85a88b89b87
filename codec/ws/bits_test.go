package ws

import "math/bits"

const (
	literalsMax  = 286 // literals, the end of a block and lengths that a block may have codes for (RFC 1951 §3.2.7)
	distancesMax = 30
	endOfBlock   = 256
)

// lengthOrder is in which order the lengths of codes for lengths stand (§3.2.7).
var lengthOrder = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// compressedOf gives the payload of a message that p is compressed to.
func compressedOf(p []byte) []byte {
	c := compressors.Get().(*compressor)
	defer c.release()
	return c.append(nil, p)
}

// bitWriter writes numbers of any bits, the lowest first (RFC 1951 §3.1.1).
type bitWriter struct {
	bytes []byte
	n     int
}

// put writes the lowest n bits of v, the lowest first.
func (w *bitWriter) put(v, n int) *bitWriter {
	for range n {
		if w.n%8 == 0 {
			w.bytes = append(w.bytes, 0)
		}
		w.bytes[w.n/8] |= byte(v&1) << (w.n % 8)
		w.n++
		v >>= 1
	}
	return w
}

// code writes a Huffman code, its highest bit first.
func (w *bitWriter) code(v, n int) *bitWriter {
	return w.put(int(bits.Reverse32(uint32(v))>>(32-n)), n)
}

// fixed writes a symbol in the fixed codes (RFC 1951 §3.2.6).
func (w *bitWriter) fixed(symbol int) *bitWriter {
	switch {
	case symbol < 144:
		return w.code(0x30+symbol, 8)
	case symbol < 256:
		return w.code(0x190+symbol-144, 9)
	case symbol < 280:
		return w.code(symbol-256, 7)
	default:
		return w.code(0xC0+symbol-280, 8)
	}
}

func emptyFixedBlock(w *bitWriter) { w.put(2, 3).fixed(endOfBlock) }

// emptyCodedBlock writes the shortest block that states its codes: one of one bit for the end, one for a distance.
func emptyCodedBlock(w *bitWriter) {
	w.put(4, 3).put(0, 5).put(0, 5).put(14, 4)
	for _, symbol := range lengthOrder[:18] {
		w.put(map[uint8]int{1: 1, 18: 1}[symbol], 3)
	}
	w.put(1, 1).put(138-11, 7).put(1, 1).put(118-11, 7).put(0, 1).put(0, 1).put(0, 1)
}

// emptyLongCodedBlock writes a block that states codes of up to 15 bits for all symbols, in as few bits as can be.
func emptyLongCodedBlock(w *bitWriter) {
	w.put(4, 3).put(literalsMax-257, 5).put(distancesMax-1, 5).put(15, 4)
	// Codes for lengths: 9 and 8 of literals, 5 and 4 of distances; 16 repeats.
	lengthBits := map[uint8]int{9: 3, 8: 3, 4: 3, 5: 3, 16: 1}
	for _, symbol := range lengthOrder {
		w.put(lengthBits[symbol], 3)
	}
	// Canonical: 16 is 0; 4, 5, 8 and 9 are 100 to 111.
	run := func(code, times int) {
		w.code(code, 3)
		for times--; times > 0; {
			n := min(times, 6)
			if times-n == 1 || times-n == 2 {
				n -= 3 - (times - n)
			}
			if n < 3 {
				w.code(code, 3)
				times--
				continue
			}
			w.code(0, 1).put(n-3, 2)
			times -= n
		}
	}
	// 226 of 8 bits and 60 of 9, and 2 of 4 bits with 28 of 5, leave nothing open.
	run(6, 226)
	run(7, 60)
	run(4, 2)
	run(5, 28)
	w.code(0x1C4+256-226, 9)
}
