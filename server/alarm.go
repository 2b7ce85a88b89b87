package server

import (
	"math"
	"sync/atomic"
	"time"
)

// alarm wakes a loop when something of its shard will be due. It is one timer, which stands still while nothing
// is. set belongs to the loop.
type alarm struct {
	clock func() int64 // the hub's, in nanoseconds
	timer *time.Timer
	at    atomic.Int64 // when it goes off at the latest; 0: it is not set
}

// newAlarm returns one that is not set. wake is called on a goroutine of the timer's.
func newAlarm(clock func() int64, wake func()) *alarm {
	a := &alarm{clock: clock}
	a.timer = time.AfterFunc(math.MaxInt64, func() {
		a.at.Store(0) // before the loop looks again: it sets the next one
		wake()
	})
	a.timer.Stop()
	return a
}

// set sees to it that the loop is woken at that time or before. A wake-up that turns out to be early costs one
// turn, and is cheaper than to move the timer each time that what is due next has gone.
func (a *alarm) set(at int64) {
	if set := a.at.Load(); set != 0 && set <= at {
		return
	}
	a.at.Store(max(at, 1))
	a.timer.Reset(time.Duration(at - a.clock()))
}

// stop ends it. Any goroutine, once the loop has ended.
func (a *alarm) stop() { a.timer.Stop() }
