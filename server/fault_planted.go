//go:build faulttest

package server

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// What a build with the tag faulttest does wrong when it is told to, for tests of what the others notice of it.

// plantedFault panics where a client of /echo says so. On the loop.
func plantedFault(kind uint8, message []byte) {
	if kind == connEcho && string(message) == "panic!" {
		panic("planted")
	}
}

// clockError is by how many ms the time of day is wrong: the number in the file that FAULTTEST_CLOCK names, which may
// change at any time.
var clockError atomic.Int64

func init() {
	name := os.Getenv("FAULTTEST_CLOCK")
	if name == "" {
		return
	}
	go func() {
		for tick := time.NewTicker(20 * time.Millisecond); ; <-tick.C {
			text, err := os.ReadFile(name)
			if err != nil {
				continue
			}
			if millis, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil {
				clockError.Store(millis)
			}
		}
	}()
}

func wallMillis() int64 { return time.Now().UnixMilli() + clockError.Load() }
