package server

const (
	// letInPercent of the mark is below which newcomers are let in again, and which those who are closed are to bring
	// memory down to: a server at the mark itself would refuse one in two.
	letInPercent = 95
	// collectPercent of the mark, without what of the process is not Go's, is above which Go collects as hard as it can
	// (runtime/debug.SetMemoryLimit): garbage is to refuse nobody.
	collectPercent = 90
	programBytes   = 16 << 20
	// giveBackSeconds are between two times that free memory is given back to the system: each is a collection.
	giveBackSeconds = 10
	// looksToShed is how many looks a shortage must last before clients are closed for it.
	looksToShed = 3
)

// shortage decides, a look a second, what is done about too little memory: what is free is given back to the system,
// newcomers are refused, those who hold the most are closed, in this order. It begins above the mark, and lasts until
// there is room for newcomers.
type shortage struct {
	mark     uint64
	refusing bool // it lasts

	looks      int    // that it lasts
	gaveBack   bool   // ever
	gaveBackAt int64  // the second in which memory was last given back
	closed     uint64 // what those who were closed since then have held, as far as it is not seen to be free yet
	used       uint64 // in the last look
}

// goesOn reports whether there is too little memory.
func (s *shortage) goesOn(used uint64) bool {
	return used > s.mark || s.refusing && used >= s.letIn()
}

func (s *shortage) letIn() uint64 { return s.mark / 100 * letInPercent }

// givesBack tells whether free memory goes back to the system before anything else is done. What is used is to be
// measured again after that.
func (s *shortage) givesBack(second int64, used uint64) bool {
	if !s.goesOn(used) || s.gaveBack && second-s.gaveBackAt < giveBackSeconds {
		return false
	}
	s.gaveBack, s.gaveBackAt, s.closed = true, second, 0
	return true
}

// look returns how many bytes are to be set free by closing those who hold them; refusing says from now on whether
// newcomers are refused.
func (s *shortage) look(used uint64) (excess uint64) {
	if s.refusing = s.goesOn(used); !s.refusing {
		s.looks, s.closed, s.used = 0, 0, 0
		return 0
	}
	s.looks++
	s.closed -= min(s.closed, s.used-min(s.used, used)) // this is seen
	s.used = used
	if excess = used - min(used, s.letIn()); s.looks < looksToShed || excess <= s.closed {
		return 0
	}
	return excess - s.closed
}

// goLimit is what Go itself is told to stay below.
func (s *shortage) goLimit() int64 {
	return int64(max(s.mark/100*collectPercent, 2*programBytes) - programBytes)
}
