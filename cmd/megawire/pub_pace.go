package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// pace is the speed of a replay as a multiple of the capture's own; 0 is as fast as
// the server takes it.
type pace float64

// paceMax keeps the arithmetic of due within what it can hold.
const paceMax = 1e6

func parsePace(s string) (pace, error) {
	if s == "max" {
		return 0, nil
	}
	number, ok := strings.CutSuffix(s, "x")
	f, err := strconv.ParseFloat(number, 64)
	if !ok || err != nil || !(f > 0) || f > paceMax {
		return 0, fmt.Errorf("--pace %q is not a multiple such as 1x, 10x or 0.5x, nor max", s)
	}
	return pace(f), nil
}

// pacer plans when each line is due, from the first one's ts. It does not look at a clock:
// a replay that was held up catches up, instead of shifting what follows.
type pacer struct {
	pace    pace
	started bool
	first   int64 // ts of the first line that has one, Unix ms
}

// due returns how long after the start a line is due. A line without a usable ts, or
// from before the first, is due at once.
func (p *pacer) due(line []byte) time.Duration {
	if p.pace == 0 {
		return 0
	}
	var l struct{ TS *int64 }
	if json.Unmarshal(line, &l) != nil || l.TS == nil {
		return 0
	}
	if !p.started {
		p.started, p.first = true, *l.TS
	}
	ms := float64(*l.TS-p.first) / float64(p.pace)
	if !(ms > 0) {
		return 0
	}
	const longest = float64(1<<62) / float64(time.Millisecond)
	return time.Duration(min(ms, longest) * float64(time.Millisecond))
}
