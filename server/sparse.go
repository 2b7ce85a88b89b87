package server

// sparse holds a value for few of a loop's connections, by handle; of all others it is the zero value. It is an array in
// pages, of which there are those alone that hold something or did so lately: who has no neighbour with a value has a
// whole page to itself. A map would keep the room that a crowd once needed, and could be gone over only as a whole. What
// stays of a crowd here is the table of pages: a byte for each connection up to the highest handle that had a value, and
// up to a third more where it has grown. The zero sparse is ready. It belongs to its loop.
type sparse[V comparable] struct {
	pages []*[pageValues]V // nil where there are none
	count int              // of values that are not zero
	swept int              // how many pages the sweep has seen in this round
}

const (
	// pageValues is few, since who is alone has a whole page made; with fewer, the table of pages would be larger.
	pageValues = 8
	// sweepPages is how many pages one tick looks at: those of 16,384 connections, some 100 µs of work at most. So a round
	// over a million takes 6 seconds; and a page goes in the round after that in which it was emptied.
	sweepPages = 2048
)

func (s *sparse[V]) len() int { return s.count }

func (s *sparse[V]) at(handle uint32) (v V) {
	if i := int(handle / pageValues); i < len(s.pages) && s.pages[i] != nil {
		v = s.pages[i][handle%pageValues]
	}
	return v
}

// put sets a connection's value; the zero value takes it out. The page stays until the sweep.
func (s *sparse[V]) put(handle uint32, v V) {
	var zero V
	switch had := s.at(handle); {
	case had == zero && v == zero:
		return
	case had == zero:
		s.count++
	case v == zero:
		s.count--
	}
	s.page(int(handle / pageValues))[handle%pageValues] = v
}

// page returns the i-th page, which is made where there is none.
func (s *sparse[V]) page(i int) *[pageValues]V {
	if i >= len(s.pages) {
		s.pages = append(s.pages, make([]*[pageValues]V, i+1-len(s.pages))...)
	}
	if s.pages[i] == nil {
		s.pages[i] = new([pageValues]V)
	}
	return s.pages[i]
}

// sweep goes on with the round under way: it takes out the values that are over, and lets pages go that were empty before
// it came, so that who comes and goes all the time finds its page again. Each tick.
func (s *sparse[V]) sweep(over func(v V) bool) {
	end := min(s.swept+sweepPages, len(s.pages))
	for ; s.swept < end; s.swept++ {
		if page := s.pages[s.swept]; page != nil && !s.sweepPage(page, over) {
			s.pages[s.swept] = nil
		}
	}
}

// sweepPage takes out the values that are over, and reports whether there were any.
func (s *sparse[V]) sweepPage(page *[pageValues]V, over func(v V) bool) (any bool) {
	var zero V
	for i, v := range page {
		if v == zero {
			continue
		}
		any = true
		if over(v) {
			page[i] = zero
			s.count--
		}
	}
	return any
}

// sweepAgain begins another round, if the last one has come to its end. Once a second.
func (s *sparse[V]) sweepAgain() {
	if s.swept == len(s.pages) {
		s.swept = 0
	}
}
