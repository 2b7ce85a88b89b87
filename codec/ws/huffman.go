package ws

import (
	"encoding/binary"
	"math/bits"
)

const (
	codeBitsMax = 15  // of a Huffman code (RFC 1951 §3.2.7)
	symbolsMax  = 288 // of the largest alphabet, with two that are never used (§3.2.6)
	fastBits    = 9   // of a code that is found by one look into a table
)

// huffman decodes the symbols of one alphabet (RFC 1951 §3.2.2).
type huffman struct {
	fast     [1 << fastBits]uint16 // by the next bits: symbol<<4 | length of its code; 0 where the code is longer or there is none
	fastMask uint64                // of the bits that fast is looked up by: few where all codes are short
	count    [codeBitsMax + 1]uint16
	symbols  [symbolsMax]uint16 // in the order of their codes
}

// decode gives the symbol whose code hold begins with, in its lowest bits, and the code's length, which is 0 where there is
// no such code.
func (h *huffman) decode(hold uint64) (symbol, length uint) {
	if e := uint(h.fast[hold&h.fastMask&(1<<fastBits-1)]); e != 0 {
		return e >> 4, e & 0xF
	}
	return h.walk(hold)
}

// walk is decode for codes of any length, a bit at a time: codes of one length are consecutive numbers.
func (h *huffman) walk(hold uint64) (symbol, length uint) {
	var code, first, index int
	for length := 1; length <= codeBitsMax; length++ {
		code |= int(hold & 1)
		hold >>= 1
		count := int(h.count[length])
		if code-first < count {
			return uint(h.symbols[index+code-first]), uint(length)
		}
		index += count
		first = (first + count) << 1
		code <<= 1
	}
	return 0, 0
}

// build makes the codes out of their lengths, of which 0 says that a symbol has none. It reports whether they are a set that
// leaves nothing open, or one that may: a single code of one bit, or none, for an alphabet that is not used (§3.2.7).
func (h *huffman) build(lengths []uint8) bool {
	h.count = [codeBitsMax + 1]uint16{}
	for i := 0; i < len(lengths); i++ {
		if i = skipZeros(lengths, i); i < len(lengths) {
			h.count[lengths[i]&codeBitsMax]++
		}
	}
	h.count[0] = 0
	var index [codeBitsMax + 2]uint16 // of the next symbol of a length
	longest, open := 0, 1
	for length := 1; length <= codeBitsMax; length++ {
		count := h.count[length]
		if open = open<<1 - int(count); open < 0 {
			return false
		}
		if count > 0 {
			longest = length
		}
		index[length+1] = index[length] + count
	}
	if open > 0 && longest > 0 && (longest > 1 || h.count[1] > 1) {
		return false
	}
	for i := 0; i < len(lengths); i++ {
		if i = skipZeros(lengths, i); i < len(lengths) && lengths[i] > 0 {
			at := &index[lengths[i]&codeBitsMax]
			h.symbols[*at] = uint16(i)
			*at++
		}
	}
	h.fill(min(longest, fastBits))
	return true
}

// fill makes the table for codes of up to so many bits. What is looked up by one bit more is twice what there is, with
// the codes of that length put in.
func (h *huffman) fill(longest int) {
	h.fast[0] = 0
	symbols, code, size := h.symbols[:], uint16(0), 1
	for length := 1; length <= longest; length++ {
		copy(h.fast[size:2*size], h.fast[:size])
		size *= 2
		code <<= 1
		count := h.count[length]
		for _, symbol := range symbols[:count] {
			// Codes come with their highest bit first (§3.1.1).
			h.fast[bits.Reverse16(code)>>(16-length)] = symbol<<4 | uint16(length)
			code++
		}
		symbols = symbols[count:]
	}
	h.fastMask = uint64(size - 1)
}

// skipZeros gives the first place from i on that may not be 0: most symbols have no code, and they lie side by side.
func skipZeros(lengths []uint8, i int) int {
	for i+8 <= len(lengths) && binary.LittleEndian.Uint64(lengths[i:]) == 0 {
		i += 8
	}
	return i
}
