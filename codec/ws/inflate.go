package ws

import (
	"encoding/binary"
	"errors"
)

const (
	// RatioFreeBytes is how much a message may inflate to whatever its ratio: text as ordinary as a list of zeros has one of
	// several hundred.
	RatioFreeBytes = 64 << 10

	inflatedBytesLeast   = 4 << 10 // of the buffer
	inflatedKeptBytesMax = 1 << 20 // of the buffer, between two messages
)

// Why a compressed message is refused, as the peer gets to read it.
var (
	errInflate       = errors.New("compressed message is corrupt")
	errInflateTooBig = errors.New("message too big when inflated")
	errInflateRatio  = errors.New("message inflates to too many times its size")
)

// Inflater undoes permessage-deflate (RFC 7692 §7.2.2) without context takeover. It belongs to one goroutine, whose
// connections may share it: what it gives is valid until it is used again.
//
// The decoder is ours since that of a library reads from a stream into a window of its own, and takes 1.3 µs for each block
// of 11 bytes that does nothing but state its codes, so that a message of a mebibyte could occupy a loop for 120 ms. This one
// works from slice to slice (BenchmarkInflate).
type Inflater struct {
	RatioMax int // of inflated to compressed bytes, of messages that inflate to more than RatioFreeBytes

	out    []byte // of the message
	outMax int    // bytes; what failing there is called:
	errMax error
	in     bitReader

	literals, distances, lengths huffman
	codeBits                     [literalsMax + distancesMax]uint8
}

// NewInflater makes an Inflater. ratioMax is as RatioMax.
func NewInflater(ratioMax int) *Inflater { return &Inflater{RatioMax: ratioMax} }

// Inflate gives what the payload of a compressed message was before. It takes no more memory than for what has really come
// out, and stops as soon as that is more than bytesMax, or too many times the payload. The payload is left as it is.
//
// Blocks may be of any kind, and one that says it is the final one may be followed by others (RFC 7692 §7.2.1). A message is
// whole if it ends so, or where the flush's end, which the sender leaves out, completes a block that holds nothing: at
// the length of a stored block.
func (f *Inflater) Inflate(payload []byte, bytesMax int) ([]byte, error) {
	if cap(f.out) > inflatedKeptBytesMax {
		f.out = nil
	}
	f.out = f.out[:0]
	f.in = bitReader{src: payload}
	f.outMax, f.errMax = bytesMax, errInflateTooBig
	if ratio := max(RatioFreeBytes, f.RatioMax*len(payload)); ratio < bytesMax {
		f.outMax, f.errMax = ratio, errInflateRatio
	}
	err := f.blocks()
	f.in = bitReader{}
	if err != nil {
		return nil, err
	}
	return f.out, nil
}

// blocks inflates all blocks of a message (RFC 1951 §3.2.3).
func (f *Inflater) blocks() error {
	for {
		header, ok := f.in.take(3)
		if !ok {
			return errInflate
		}
		var err error
		switch header >> 1 {
		case 0:
			f.in.align()
			if f.in.left() == 0 {
				return nil
			}
			err = f.stored()
		case 1:
			err = f.coded(fixedLiterals, fixedDistances)
		case 2:
			if err = f.readCodes(); err == nil {
				err = f.coded(&f.literals, &f.distances)
			}
		default:
			err = errInflate
		}
		if err != nil {
			return err
		}
		if final := header&1 != 0; final {
			f.in.align()
			if f.in.left() == 0 {
				return nil
			}
		}
	}
}

// stored inflates a block that is not compressed, from its length on (RFC 1951 §3.2.4).
func (f *Inflater) stored() error {
	const sizeBytes = 4
	src := f.in.rest()
	if len(src) < sizeBytes {
		return errInflate
	}
	length, check := binary.LittleEndian.Uint16(src), binary.LittleEndian.Uint16(src[2:])
	if length != ^check {
		return errInflate
	}
	src = src[sizeBytes:]
	n := min(int(length), len(src))
	switch {
	case n > f.outMax-len(f.out):
		return f.errMax
	case n < int(length):
		return errInflate
	}
	out, at := f.out[:min(cap(f.out), f.outMax)], len(f.out)
	for n > len(out)-at {
		out = f.grow(out)
	}
	copy(out[at:], src[:n])
	f.out = out[:at+n]
	f.in = bitReader{src: src[n:]}
	return nil
}

// coded inflates what a block holds by its codes (RFC 1951 §3.2.3). The fields that change are variables here: it is where
// the time goes.
func (f *Inflater) coded(literals, distances *huffman) error {
	const pairBitsMax = codeBitsMax + 5 + codeBitsMax + 13 // of a length and a distance with their extra bits
	in, hold, n := &f.in, f.in.hold, f.in.n
	out, at := f.out[:min(cap(f.out), f.outMax)], len(f.out)
	for {
		if n < pairBitsMax {
			hold, n = in.refill(hold, n)
		}
		symbol, used := literals.decode(hold)
		if used == 0 || used > n {
			return errInflate
		}
		hold, n = hold>>used, n-used
		if symbol < endOfBlock {
			if at == len(out) {
				if out = f.grow(out); at == len(out) {
					return f.errMax
				}
			}
			out[at] = byte(symbol)
			at++
			continue
		}
		if symbol == endOfBlock {
			in.hold, in.n = hold, n
			f.out = out[:at]
			return nil
		}
		if symbol -= endOfBlock + 1; symbol >= uint(len(lengthCodes)) {
			return errInflate
		}
		c := &lengthCodes[symbol]
		length := c.value(hold)
		if c.extra > n {
			return errInflate
		}
		hold, n = hold>>c.extra, n-c.extra

		symbol, used = distances.decode(hold)
		if used == 0 || used > n || symbol >= uint(len(distanceCodes)) {
			return errInflate
		}
		hold, n = hold>>used, n-used
		c = &distanceCodes[symbol]
		distance := c.value(hold)
		if c.extra > n || distance > at {
			return errInflate
		}
		hold, n = hold>>c.extra, n-c.extra
		for length > len(out)-at {
			if len(out) == f.outMax {
				return f.errMax
			}
			out = f.grow(out)
		}
		repeat(out[at-distance:at+length], distance)
		at += length
	}
}

// grow gives a buffer with what is in out and room for more, up to outMax bytes.
func (f *Inflater) grow(out []byte) []byte {
	larger := make([]byte, min(max(inflatedBytesLeast, 2*len(out)), f.outMax))
	copy(larger, out)
	return larger
}

// repeat fills p with what its first distance bytes are. Where they are fewer than what is to be filled, what has been
// is repeated in turn.
func repeat(p []byte, distance int) {
	for n := distance; n < len(p); n *= 2 {
		copy(p[n:], p[:n])
	}
}

// readCodes reads the codes of a block that has its own (RFC 1951 §3.2.7).
func (f *Inflater) readCodes() error {
	head, ok := f.in.take(14)
	literals, distances, lengths := int(head&31)+257, int(head>>5&31)+1, int(head>>10)+4
	if !ok || literals > literalsMax || distances > distancesMax {
		return errInflate
	}
	var lengthBits [len(lengthOrder)]uint8
	for _, symbol := range lengthOrder[:lengths] {
		v, ok := f.in.take(3)
		if !ok {
			return errInflate
		}
		lengthBits[symbol] = uint8(v)
	}
	codeBits := f.codeBits[:literals+distances]
	if !f.lengths.build(lengthBits[:]) || !f.readLengths(codeBits) ||
		!f.literals.build(codeBits[:literals]) || !f.distances.build(codeBits[literals:]) {
		return errInflate
	}
	return nil
}

// readLengths reads the lengths of codes, of both alphabets as one list.
func (f *Inflater) readLengths(codeBits []uint8) bool {
	for i := 0; i < len(codeBits); {
		f.in.fill()
		symbol, used := f.lengths.decode(f.in.hold)
		if used == 0 || used > f.in.n {
			return false
		}
		f.in.drop(used)
		if symbol < repeatLast {
			codeBits[i] = uint8(symbol)
			i++
			continue
		}
		c := &repeatCodes[symbol-repeatLast]
		times := c.value(f.in.hold)
		if c.extra > f.in.n || times > len(codeBits)-i || symbol == repeatLast && i == 0 {
			return false
		}
		f.in.drop(c.extra)
		if symbol == repeatLast {
			repeat(codeBits[i-1:i+times], 1)
		} else {
			clear(codeBits[i : i+times])
		}
		i += times
	}
	return true
}
