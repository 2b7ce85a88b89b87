// Package slab keeps many small values of one type in chunks, addressed by 32-bit handles.
//
// A million values then cost the garbage collector a thousand objects instead of a million, and a
// reference to one costs four bytes. A slab belongs to one goroutine; it takes no lock.
package slab

// chunkValues is how many values a chunk holds: large enough that the chunk table stays small at a
// million values, small enough that an almost empty slab costs little.
const chunkValues = 1024

// Slab is a growing store of T. The zero value is ready. Handle 0 is never given out, so that it can
// stand for "none" in whatever refers to the slab. Values do not move: a pointer from At stays good
// until the handle is freed.
type Slab[T any] struct {
	chunks []*[chunkValues]T
	free   []uint32
	next   uint32
	used   int
}

// New returns the handle of a zeroed value.
func (s *Slab[T]) New() uint32 {
	s.used++
	if n := len(s.free); n > 0 {
		h := s.free[n-1]
		s.free = s.free[:n-1]
		return h
	}
	if s.next == 0 {
		s.next = 1
	}
	h := s.next
	s.next++
	if int(h/chunkValues) == len(s.chunks) {
		s.chunks = append(s.chunks, new([chunkValues]T))
	}
	return h
}

// At returns the value of a handle that New returned and that is not freed.
func (s *Slab[T]) At(h uint32) *T { return &s.chunks[h/chunkValues][h%chunkValues] }

// Free zeroes the value and makes its handle available again.
func (s *Slab[T]) Free(h uint32) {
	var zero T
	*s.At(h) = zero
	s.FreeAsIs(h)
}

// FreeAsIs is Free for a caller that needs what the value holds to survive, such as a generation
// count or a mark that a queue still refers to the handle. New then returns it as it was left.
func (s *Slab[T]) FreeAsIs(h uint32) {
	s.free = append(s.free, h)
	s.used--
}

// Len is the number of handles in use.
func (s *Slab[T]) Len() int { return s.used }

// End is one above the highest handle ever given out: a scan goes over 1 <= h < End.
func (s *Slab[T]) End() uint32 {
	if s.next == 0 {
		return 1
	}
	return s.next
}
