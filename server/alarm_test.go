package server

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestAlarm: times are on the hub's clock, whose 0 is when the bubble begins.
func TestAlarm(t *testing.T) {
	const ms = int64(time.Millisecond)
	synctest.Test(t, func(t *testing.T) {
		born := time.Now()
		clock := func() int64 { return int64(time.Since(born)) }
		var woken []int64
		a := newAlarm(clock, func() { woken = append(woken, clock()/ms) })
		passed := func(millis int64) { // waits until then
			time.Sleep(time.Duration(millis*ms - clock())) //nolint:forbidigo // the bubble's time
			synctest.Wait()
		}

		passed(1000) // not set: nobody is woken
		a.set(1100 * ms)
		a.set(1300 * ms) // later than what it is set to
		passed(1099)
		a.set(1100 * ms)
		passed(1200)     // 1100
		a.set(1400 * ms) // anew, since it has gone off
		a.set(1250 * ms) // earlier
		passed(1350)     // 1250
		passed(1500)     // nobody has set it
		a.set(1400 * ms) // gone by: at once
		passed(1501)     // 1500
		a.set(1600 * ms)
		a.stop()
		passed(5000)

		if want := []int64{1100, 1250, 1500}; len(woken) != 3 || woken[0] != want[0] || woken[1] != want[1] || woken[2] != want[2] {
			t.Errorf("woken at %v ms, want %v", woken, want)
		}
	})
}

func TestAlarmMakesNoGarbage(t *testing.T) {
	at := int64(0)
	a := newAlarm(func() int64 { return 0 }, func() {})
	defer a.stop()
	if n := testing.AllocsPerRun(100, func() {
		at += int64(time.Hour)
		a.set(at)
		a.at.Store(0)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
