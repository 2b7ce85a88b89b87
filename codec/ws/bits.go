package ws

import "encoding/binary"

const (
	literalsMax  = 286 // literals, the end of a block and lengths that a block may have codes for (RFC 1951 §3.2.7)
	distancesMax = 30

	endOfBlock = 256
	repeatLast = 16 // the first of the symbols that stand for several lengths of codes
)

// valueCode is what a symbol stands for: base and as many more as the extra bits behind it say.
type valueCode struct {
	base  int
	extra uint // bits
}

func (c valueCode) value(hold uint64) int { return c.base + int(hold&(1<<c.extra-1)) }

var (
	lengthCodes   = makeLengthCodes()   // RFC 1951 §3.2.5
	distanceCodes = makeDistanceCodes() // §3.2.5
	repeatCodes   = [3]valueCode{{3, 2}, {3, 3}, {11, 7}}
	lengthOrder   = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15} // §3.2.7

	fixedLiterals, fixedDistances = makeFixedCodes()
)

func makeLengthCodes() (t [29]valueCode) {
	base := 3
	for i := range t {
		t[i] = valueCode{base, uint(max(0, i/4-1))}
		base += 1 << t[i].extra
	}
	t[len(t)-1] = valueCode{258, 0}
	return t
}

func makeDistanceCodes() (t [distancesMax]valueCode) {
	base := 1
	for i := range t {
		t[i] = valueCode{base, uint(max(0, i/2-1))}
		base += 1 << t[i].extra
	}
	return t
}

// makeFixedCodes makes the codes of blocks that have none of their own (§3.2.6).
func makeFixedCodes() (literals, distances *huffman) {
	var l [symbolsMax]uint8
	for i := range l {
		switch {
		case i < 144:
			l[i] = 8
		case i < 256:
			l[i] = 9
		case i < 280:
			l[i] = 7
		default:
			l[i] = 8
		}
	}
	var d [32]uint8
	for i := range d {
		d[i] = 5
	}
	literals, distances = new(huffman), new(huffman)
	if !literals.build(l[:]) || !distances.build(d[:]) {
		panic("ws: the fixed codes are wrong")
	}
	return literals, distances
}

// bitReader reads numbers of any bits, the lowest first (RFC 1951 §3.1.1).
type bitReader struct {
	src  []byte
	pos  int    // of the first byte that is not counted in n
	hold uint64 // the next bits, the lowest first; above n, none or those of src[pos:]
	n    uint   // bits of hold
}

// fill makes hold as full as it gets: 56 bits or all that are left.
func (r *bitReader) fill() { r.hold, r.n = r.refill(r.hold, r.n) }

// refill is fill for who keeps hold and n in variables.
func (r *bitReader) refill(hold uint64, n uint) (uint64, uint) {
	if len(r.src)-r.pos >= 8 {
		hold |= binary.LittleEndian.Uint64(r.src[r.pos:]) << n
		r.pos += int(63-n) / 8
		return hold, n | 56
	}
	for n < 56 && r.pos < len(r.src) {
		hold |= uint64(r.src[r.pos]) << n
		r.pos++
		n += 8
	}
	return hold, n
}

func (r *bitReader) drop(n uint) {
	r.hold >>= n
	r.n -= n
}

// take reads a number of n bits, at most 56.
func (r *bitReader) take(n uint) (v uint64, ok bool) {
	if r.n < n {
		if r.fill(); r.n < n {
			return 0, false
		}
	}
	v = r.hold & (1<<n - 1)
	r.drop(n)
	return v, true
}

// align passes over what is left of a byte.
func (r *bitReader) align() { r.drop(r.n & 7) }

// left is how many whole bytes are not read yet.
func (r *bitReader) left() int { return int(r.n/8) + len(r.src) - r.pos }

// rest gives the whole bytes that are not read yet.
func (r *bitReader) rest() []byte { return r.src[r.pos-int(r.n/8):] }
