package server

// sparse holds a value for few of a loop's connections, by handle; of all others it is the zero value. It is an array in
// pages, of which there are those alone that hold something or did so lately. A map would keep the room that a crowd once
// needed, and could be gone over only as a whole; what stays of a crowd here is its table of pages, a byte a connection.
// The zero sparse is ready. It belongs to its loop.
type sparse[V comparable] struct {
	pages []sparsePage[V]
	count int // of values that are not zero
	swept int // how many pages the sweep has seen in this round
}

type sparsePage[V comparable] struct {
	values *[pageValues]V // nil where there are none
	count  int            // of those that are not zero
}

const (
	// pageValues is few, since one connection alone has a whole page made.
	pageValues = 16
	// sweepPages is how many pages one tick looks at: those of 16,384 connections, some 100 µs of work at most.
	sweepPages = 1024
)

func (s *sparse[V]) len() int { return s.count }

func (s *sparse[V]) at(handle uint32) (v V) {
	if i := int(handle / pageValues); i < len(s.pages) && s.pages[i].values != nil {
		v = s.pages[i].values[handle%pageValues]
	}
	return v
}

// put sets a connection's value; the zero value takes it out. The page stays until the sweep.
func (s *sparse[V]) put(handle uint32, v V) {
	var zero V
	i := int(handle / pageValues)
	switch had := s.at(handle); {
	case had == zero && v == zero:
		return
	case had == zero:
		s.add(i)
	case v == zero:
		s.pages[i].count--
		s.count--
	}
	s.pages[i].values[handle%pageValues] = v
}

// add counts one more value in a page, which is made where there is none.
func (s *sparse[V]) add(i int) {
	if i >= len(s.pages) {
		s.pages = append(s.pages, make([]sparsePage[V], i+1-len(s.pages))...)
	}
	page := &s.pages[i]
	if page.values == nil {
		page.values = new([pageValues]V)
	}
	page.count++
	s.count++
}

// sweep goes on with the round under way: it takes out the values that are over, and lets pages go that were empty before
// it came, so that who comes and goes all the time finds its page again. Each tick.
func (s *sparse[V]) sweep(over func(v V) bool) {
	var zero V
	end := min(s.swept+sweepPages, len(s.pages))
	for ; s.swept < end; s.swept++ {
		page := &s.pages[s.swept]
		if page.count == 0 {
			page.values = nil
			continue
		}
		for i, v := range page.values {
			if v != zero && over(v) {
				page.values[i] = zero
				page.count--
				s.count--
			}
		}
	}
}

// sweepAgain begins another round, if the last one has come to its end. Once a second.
func (s *sparse[V]) sweepAgain() {
	if s.swept == len(s.pages) {
		s.swept = 0
	}
}
