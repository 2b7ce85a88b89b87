package loadgen

import "time"

// clock gives Unix nanoseconds that never step back: the wall clock was read once, the rest is monotonic.
type clock struct {
	wall  int64
	start time.Time
}

func newClock() clock {
	t := time.Now()
	return clock{wall: t.UnixNano(), start: t}
}

func (c *clock) now() int64 { return c.wall + int64(time.Since(c.start)) }
