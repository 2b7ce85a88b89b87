package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/term"
)

// progressEvery is how often the bar is drawn.
const progressEvery = 100 * time.Millisecond

// progress draws how far a replay is, on a terminal; elsewhere it draws nothing.
type progress struct {
	quit chan struct{}
	done chan struct{}
}

// startProgress draws r to w until stop, if w is a terminal.
func startProgress(w io.Writer, r *replay, began time.Time) *progress {
	p := &progress{quit: make(chan struct{}), done: make(chan struct{})}
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		close(p.done)
		return p
	}
	go p.draw(f, r, began)
	return p
}

func (p *progress) draw(f *os.File, r *replay, began time.Time) {
	defer close(p.done)
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			width, _, err := term.GetSize(int(f.Fd()))
			if err != nil || width <= 0 {
				width = 80
			}
			// The last column stays empty: a full line would wrap.
			fmt.Fprint(f, "\r\x1b[K", progressLine(r.lines.Load(), r.bytesRead.Load(), r.bytesAll, time.Since(began), width-1))
		case <-p.quit:
			fmt.Fprint(f, "\r\x1b[K")
			return
		}
	}
}

// stop takes the bar away.
func (p *progress) stop() {
	close(p.quit)
	<-p.done
}

// progressLine is one drawing of at most width columns. The share is that of the file's
// bytes; bytesAll is 0 where nobody knows how many there will be.
func progressLine(lines uint64, bytesRead, bytesAll int64, took time.Duration, width int) string {
	rate := uint64(0)
	if took > 0 {
		rate = uint64(float64(lines) / took.Seconds())
	}
	text := fmt.Sprintf("%s %s  %s/s  %s", group(lines), plural(lines, "message"), group(rate), roughly(took))
	if bytesAll > 0 {
		share := min(1, float64(bytesRead)/float64(bytesAll))
		text = fmt.Sprintf("%3d%%  %s", int(share*100), text)
		if room := min(40, width-len(text)-4); room >= 10 {
			full := int(share * float64(room))
			text = "[" + strings.Repeat("#", full) + strings.Repeat(".", room-full) + "] " + text
		}
	}
	return text[:max(0, min(len(text), width))]
}

// group writes n with a comma before every third digit.
func group(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func plural(n uint64, noun string) string {
	if n == 1 {
		return noun
	}
	return noun + "s"
}

// roughly writes a duration as people say it: 850ms, 12.3s, 4m05s, 2h03m.
func roughly(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
}
