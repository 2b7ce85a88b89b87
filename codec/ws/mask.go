package ws

import (
	"encoding/binary"
	"math/bits"
)

// Mask masks or unmasks p in place (RFC 6455 §5.3). pos is p's offset in the payload. It is ours
// because gobwas's Cipher takes two to four times as long for most lengths (BenchmarkMask).
func Mask(p []byte, mask [4]byte, pos int) {
	m := bits.RotateLeft32(binary.LittleEndian.Uint32(mask[:]), -8*(pos&3))
	m8 := uint64(m)<<32 | uint64(m)
	for len(p) >= 32 {
		b := (*[32]byte)(p)
		binary.LittleEndian.PutUint64(b[0:], binary.LittleEndian.Uint64(b[0:])^m8)
		binary.LittleEndian.PutUint64(b[8:], binary.LittleEndian.Uint64(b[8:])^m8)
		binary.LittleEndian.PutUint64(b[16:], binary.LittleEndian.Uint64(b[16:])^m8)
		binary.LittleEndian.PutUint64(b[24:], binary.LittleEndian.Uint64(b[24:])^m8)
		p = p[32:]
	}
	for len(p) >= 8 {
		binary.LittleEndian.PutUint64(p, binary.LittleEndian.Uint64(p)^m8)
		p = p[8:]
	}
	if len(p) >= 4 {
		binary.LittleEndian.PutUint32(p, binary.LittleEndian.Uint32(p)^m)
		p = p[4:]
	}
	for i := range p {
		p[i] ^= byte(m)
		m >>= 8
	}
}
