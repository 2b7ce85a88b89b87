package loadgen

// tape is what one loop measured in one interval, by class. A loop fills it; the recorder swaps it for an empty one.
type tape [classes]cell

// cell is one class of a tape. The sketches are nil for a class that the plan does not have.
type cell struct {
	measured *sketch // messages planned within the measured window
	other    *sketch // all others: warm-up, and what idle connections hear
	bytes    uint64
}

func newTape(p *Plan) (t tape) {
	for c, n := range p.inClasses() {
		if n > 0 || class(c) == healthy {
			t[c] = cell{measured: newSketch(), other: newSketch()}
		}
	}
	return t
}

// cut hands over the loop's tape for an empty one; posted by the recorder.
func (l *loop) cut(empty *tape) {
	l.record.tape, *empty = *empty, l.record.tape
}

// strip is what all loops measured in one interval, by class, in little space.
type strip struct {
	at, since int64
	phase     string
	cells     [classes]struct {
		measured, other []bin
		deliveries      int64
		bytes           uint64
	}
}

// take adds a tape, and empties it.
func (s *strip) take(t *tape) {
	for i := range t {
		from, to := &t[i], &s.cells[i]
		if from.measured == nil {
			continue
		}
		to.deliveries += from.measured.total + from.other.total
		to.bytes += from.bytes
		to.measured, to.other = from.measured.take(to.measured), from.other.take(to.other)
		from.bytes = 0
	}
}
