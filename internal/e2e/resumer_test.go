package e2e

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/megawire/megawire/client"
)

// resumer is an application on the Go client, and what it was told.
type resumer struct {
	t      *testing.T
	c      *client.Client
	passes string // what begins with it may be passed over
	leaves int    // it leaves after so many messages; 0 is never
	ended  chan struct{}

	mu    sync.Mutex
	next  map[string]uint64 // of each topic, the message that is to come; 0 before the first
	gaps  []string
	anew  int // gaps of which nobody knows how many they are
	long  int // connections closed because of a request that was too long
	count int
	fault string
}

var quick = client.Options{BackoffBase: time.Millisecond, BackoffCap: 20 * time.Millisecond}

// resume starts an application; next is where an earlier one stopped, nil for none, and leaves after how many messages it
// is to stop itself.
func resume(t *testing.T, url string, next map[string]uint64, leaves int, subs ...client.Sub) *resumer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := client.Dial(ctx, url, quick)
	if err != nil {
		t.Fatal(err)
	}
	a := &resumer{t: t, c: c, passes: "l/", leaves: leaves, ended: make(chan struct{}), next: next}
	if next == nil {
		a.next = map[string]uint64{}
	}
	go a.run()
	t.Cleanup(a.stop)
	results, err := c.SubscribeWith(ctx, subs...)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if r.Err != nil {
			t.Fatalf("%s: %v", r.Filter, r.Err)
		}
	}
	return a
}

func (a *resumer) stop() {
	_ = a.c.Close()
	<-a.ended
}

func (a *resumer) run() {
	defer close(a.ended)
	for {
		e, err := a.c.Next(context.Background())
		if err != nil {
			if !errors.Is(err, client.ErrClosed) {
				a.failed("the client has ended: %v", err)
			}
			return
		}
		if a.take(&e); a.leaves > 0 && a.count == a.leaves {
			return
		}
	}
}

func (a *resumer) take(e *client.Event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case e.Kind == client.Message:
		a.count++
		a.had(e.Topic, e.Seq, e.Seq)
		if n, err := strconv.ParseUint(string(e.Payload), 10, 64); err != nil || n != e.Seq {
			a.failed("%s: message %d is %s", e.Topic, e.Seq, e.Payload)
		}
	case e.Kind == client.Gap && e.To == 0:
		a.anew++
		for topic := range a.next {
			if topic == e.Topic || strings.HasPrefix(topic, strings.TrimSuffix(e.Topic, "#")) {
				a.next[topic] = 0
			}
		}
	case e.Kind == client.Gap:
		a.had(e.Topic, e.From, e.To)
		a.gaps = append(a.gaps, fmt.Sprintf("%s %d-%d %s", e.Topic, e.From, e.To, e.Reason))
	case e.State == client.Disconnected && websocket.CloseStatus(e.Err) == websocket.StatusMessageTooBig:
		a.long++
	case e.Kind == client.Unsubscribed, e.Kind == client.Fault:
		a.failed("%s: %v", e.Topic, e.Err)
	}
}

// had notes from..to of a topic, which must come once and in order.
func (a *resumer) had(topic string, from, to uint64) {
	next := a.next[topic]
	passed := strings.HasPrefix(topic, a.passes) && from > next
	if next != 0 && from != next && !passed {
		a.failed("%s: %d to %d came where %d is next", topic, from, to, next)
	}
	a.next[topic] = to + 1
}

func (a *resumer) failed(format string, args ...any) {
	if a.fault == "" {
		a.fault = fmt.Sprintf(format, args...)
	}
}

// awaits waits until the application has everything up to these numbers.
func (a *resumer) awaits(heads map[string]uint64) {
	a.t.Helper()
	missing := ""
	eventually(a.t, func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		missing = ""
		for topic, head := range heads {
			if next := a.next[topic]; next != head+1 {
				missing = fmt.Sprintf("%s stands at %d, not at %d; %d messages came, %d gaps", topic, next, head+1, a.count, len(a.gaps))
			}
		}
		return missing == "" || a.fault != ""
	}, func() string { return missing })
	if a.fault != "" {
		a.t.Fatal(a.fault)
	}
}
