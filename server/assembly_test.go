package server

import (
	"io"
	"slices"
	"testing"
	"time"

	"github.com/megawire/megawire/server/config"
)

// TestTimeOfRestsIsNotTheMessages: a message in fragments may take longer than it is given where it is we who do not read
// it, since its client has sent too fast.
func TestTimeOfRestsIsNotTheMessages(t *testing.T) {
	// The first fragment is worth 3.3 seconds, of which one may come at once. What is left then waits for longer than the
	// timeout, to the loop's second; and it is more than one read, so it does not end the message in the event in which
	// it is read from again.
	const first, last, bytesPerSecond = 210 << 10, 128 << 10, 64 << 10
	s := shedServer(t, func(c *config.Config) {
		c.Limits.MessageTimeout, c.Limits.BytesPerSecond = time.Second, bytesPerSecond
	})
	nc, r := shedClient(t, s)
	message := binaryFrame(first)
	message[0] = 0x02
	end := binaryFrame(last)
	end[0] = 0x80 // a continuation, the last
	if _, err := nc.Write(slices.Concat(message, end)); err != nil {
		t.Fatal(err)
	}
	if opcode, err := r.Peek(1); err != nil {
		t.Fatal(err)
	} else if opcode[0] != 0x82 {
		reason, err := closedWith(r)
		t.Fatalf("instead of its echo: %s, %v", reason, err)
	}
	if _, err := io.CopyN(io.Discard, r, 10+first+last); err != nil {
		t.Error(err)
	}
	if throttled, _ := ask(t.Context(), s.workers[0], func() uint64 { return s.workers[0].counts.throttled }); throttled == 0 {
		t.Error("its client was not held back: the test provokes nothing")
	}
}
