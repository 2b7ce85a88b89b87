package ws

import "math/bits"

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
	for _, length := range lengths {
		h.count[length]++
	}
	h.count[0] = 0
	var code, index [codeBitsMax + 2]uint16 // the next of a length
	longest, open := 0, 1
	for length := 1; length <= codeBitsMax; length++ {
		count := h.count[length]
		if open = open<<1 - int(count); open < 0 {
			return false
		}
		if count > 0 {
			longest = length
		}
		code[length+1] = (code[length] + count) << 1
		index[length+1] = index[length] + count
	}
	if open > 0 && longest > 0 && (longest > 1 || h.count[1] > 1) {
		return false
	}
	size := 1 << min(longest, fastBits)
	h.fastMask = uint64(size - 1)
	clear(h.fast[:size])
	for symbol, length := range lengths {
		if length == 0 {
			continue
		}
		h.symbols[index[length]] = uint16(symbol)
		index[length]++
		if length <= fastBits {
			first := int(bits.Reverse16(code[length]) >> (16 - length)) // codes come with their highest bit first (§3.1.1)
			for i := first; i < size; i += 1 << length {
				h.fast[i] = uint16(symbol<<4) | uint16(length)
			}
		}
		code[length]++
	}
	return true
}
