package loadgen

import (
	"fmt"
	"io"
	"time"
)

// ProgressLine writes progress over and over into one line of a terminal.
type ProgressLine struct {
	W    io.Writer
	Name string // of the step, if it has one
}

const clearLine = "\r\x1b[K"

// Show replaces the line.
func (l ProgressLine) Show(p Progress) {
	line := p.Phase
	if l.Name != "" {
		line = l.Name + ": " + line
	}
	if p.Of > 0 {
		line += fmt.Sprintf(" %.1f of %s", min(p.Elapsed, p.Of).Seconds(), p.Of.Round(time.Millisecond))
	}
	line += fmt.Sprintf("  %s of %s open", thousands(uint64(max(p.Open, 0))), thousands(uint64(p.Wanted)))
	if p.Failed > 0 {
		line += fmt.Sprintf(", %d failed", p.Failed)
	}
	if p.Dropped > 0 {
		line += fmt.Sprintf(", %d dropped", p.Dropped)
	}
	if p.Delivered > 0 {
		line += "  " + thousands(uint64(p.Rate)) + "/s"
	}
	if p.P99Ms > 0 {
		line += fmt.Sprintf("  p50 %s  p99 %s ms", short(p.P50Ms), short(p.P99Ms))
	}
	fmt.Fprint(l.W, clearLine+line)
}

// Clear leaves the line empty for what comes next.
func (l ProgressLine) Clear() { fmt.Fprint(l.W, clearLine) }
