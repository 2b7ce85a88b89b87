package slab

import "testing"

func TestHandlesAreReusedZeroedAndNeverZero(t *testing.T) {
	var s Slab[[2]uint64]
	if s.End() != 1 {
		t.Fatalf("End of an empty slab = %d, want 1", s.End())
	}
	seen := map[uint32]bool{}
	for i := range 3 * chunkValues {
		h := s.New()
		if h == 0 || seen[h] {
			t.Fatalf("handle %d given out twice or zero", h)
		}
		seen[h] = true
		s.At(h)[0] = uint64(i) + 1
	}
	p := s.At(7)
	s.Free(7)
	if h := s.New(); h != 7 || s.At(h) != p || p[0] != 0 {
		t.Fatalf("freed handle: got %d, value %v", h, *s.At(h))
	}
	s.At(9)[1] = 42
	s.FreeAsIs(9)
	if h := s.New(); s.At(h)[1] != 42 {
		t.Fatal("FreeAsIs lost the value")
	}
	if s.Len() != 3*chunkValues || s.End() != 3*chunkValues+1 {
		t.Fatalf("Len %d End %d", s.Len(), s.End())
	}
}
