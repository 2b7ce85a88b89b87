package server

import (
	"log/slog"
	"testing"
	"time"

	"github.com/megawire/megawire/poller"
)

// TestDeadlinesAreNotEarly: the second under way does not count, whatever is gone of it.
func TestDeadlinesAreNotEarly(t *testing.T) {
	p, err := poller.New(poller.Options{
		Handler: handler{}, Logger: slog.New(slog.DiscardHandler), Loops: 1, Listen: "127.0.0.1:0", SendBufferBytes: 1,
		RepliesBytesMax: 1, InputBytesMax: 1, UserTimeout: time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	w := &worker{loop: p.Loops()[0]}
	now := w.loop.Seconds() // stands still before Start
	for d, want := range map[time.Duration]uint32{
		time.Second: 2, 1500 * time.Millisecond: 3, 25 * time.Second: 26, time.Millisecond: 2,
	} {
		if got := w.after(d) - now; got != want {
			t.Errorf("%v is over after %d seconds of the clock, want %d", d, got, want)
		}
	}
}
