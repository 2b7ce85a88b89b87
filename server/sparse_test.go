package server

import (
	"maps"
	"math/rand/v2"
	"testing"
)

// pagesIn is how many pages there are.
func pagesIn[V comparable](s *sparse[V]) (n int) {
	for i := range s.pages {
		if s.pages[i] != nil {
			n++
		}
	}
	return n
}

// TestSparseIsAMap: whatever is done, it holds what a map would.
func TestSparseIsAMap(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	var s sparse[int]
	like := map[uint32]int{}
	for step := range 100_000 {
		handle := random.Uint32N(1 << random.UintN(12))
		switch random.IntN(20) {
		case 0:
			third := func(v int) bool { return v%3 == 0 }
			s.sweep(third) // the pages that are new since the last round
			s.sweepAgain()
			s.sweep(third)
			maps.DeleteFunc(like, func(_ uint32, v int) bool { return v%3 == 0 })
		case 1, 2, 3, 4, 5, 6, 7:
			s.put(handle, 0)
			delete(like, handle)
		default:
			s.put(handle, step)
			if like[handle] = step; step == 0 {
				delete(like, handle)
			}
		}
		if handle = random.Uint32N(1 << 12); s.at(handle) != like[handle] || s.len() != len(like) {
			t.Fatalf("step %d: %d has %d instead of %d, %d values instead of %d",
				step, handle, s.at(handle), like[handle], s.len(), len(like))
		}
	}
	for handle := range uint32(1 << 12) {
		if s.at(handle) != like[handle] {
			t.Errorf("%d has %d instead of %d", handle, s.at(handle), like[handle])
		}
	}
}

// TestSparseSweepsInParts: a tick sees so many pages, a round all of them once, and the next one begins when it is asked
// for and the last one has ended.
func TestSparseSweepsInParts(t *testing.T) {
	var s sparse[int]
	const pages = 2*sweepPages + sweepPages/2
	for i := range uint32(pages) {
		s.put(i*pageValues, 1)
	}
	for tick, want := range []int{sweepPages, sweepPages, sweepPages / 2, 0, 0} {
		seen := 0
		s.sweep(func(int) bool { seen++; return false })
		if seen != want {
			t.Errorf("tick %d: %d pages were looked at, want %d", tick, seen, want)
		}
	}
	s.sweepAgain()
	s.sweep(func(int) bool { return true })
	s.sweepAgain() // too early
	for range 2 {
		s.sweep(func(int) bool { return true })
	}
	if s.len() != 0 {
		t.Errorf("%d values are left of a round", s.len())
	}
}

// TestSparseGivesRoomBack: the room of a crowd goes with it, but not in the round in which it goes: who comes and goes
// finds its page again.
func TestSparseGivesRoomBack(t *testing.T) {
	const crowd, stays = 100_000, 77
	var s sparse[[2]int64]
	for handle := range uint32(crowd) {
		s.put(handle, [2]int64{1})
	}
	if pages := pagesIn(&s); pages != crowd/pageValues {
		t.Errorf("%d values take %d pages of %d", crowd, pages, pageValues)
	}
	if grown := cap(s.pages); grown > crowd/pageValues*4/3 {
		t.Errorf("the table has room for %d pages of %d", grown, crowd/pageValues)
	}
	round := func(over func([2]int64) bool) {
		s.sweepAgain()
		for range crowd/pageValues/sweepPages + 1 {
			s.sweep(over)
		}
	}
	page := s.pages[stays/pageValues]
	round(func([2]int64) bool { return true })
	if s.len() != 0 || pagesIn(&s) != crowd/pageValues {
		t.Errorf("%d values in %d pages after the round in which all went; want 0 in %d",
			s.len(), pagesIn(&s), crowd/pageValues)
	}
	for range 3 { // it comes, and goes by a sweep
		s.put(stays, [2]int64{1})
		round(func([2]int64) bool { return true })
	}
	if s.len() != 0 || pagesIn(&s) != 1 || s.pages[stays/pageValues] != page {
		t.Errorf("%d values in %d pages are left, that of who comes and goes is the same: %v",
			s.len(), pagesIn(&s), s.pages[stays/pageValues] == page)
	}
	if round(func([2]int64) bool { return true }); pagesIn(&s) != 0 {
		t.Errorf("%d pages are left though nobody came in a whole round", pagesIn(&s))
	}
}
