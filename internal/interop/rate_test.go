//go:build interop

package interop

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/megawire/megawire/client"
)

// Both clients want to be subscribed to more than they may ask for in a second. They are told so, wait, and after a loss
// have all of it again, in requests that are worth more than a second.
const (
	rateTopics = 1100
	rateLimit  = 500 // messages a second
)

func startRateServer(t *testing.T) (s *server, cable *proxy, topics []string) {
	t.Helper()
	s = startServer(t, "--limits.messages_per_second", strconv.Itoa(rateLimit), "--limits.subscriptions_per_connection", strconv.Itoa(rateTopics))
	for i := range rateTopics {
		topics = append(topics, fmt.Sprintf("rate/%d", i))
	}
	return s, startProxy(t, s.public), topics
}

func TestGoClientThatAsksForTooMuch(t *testing.T) {
	s, cable, topics := startRateServer(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := client.Dial(ctx, cable.url()+"/ws", client.Options{Compression: true, BackoffBase: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if subscribeOneByOne(ctx, t, c, topics) == 0 {
		t.Error("nothing was refused")
	}
	cable.cut(true)
	numbers(t, s, topics, 0, 1)
	cable.up()
	heard := map[string]bool{}
	for len(heard) < len(topics) {
		e, err := c.Next(ctx)
		if err != nil {
			t.Fatalf("after %d messages: %v", len(heard), err)
		}
		switch {
		case e.Kind == client.Message && !heard[e.Topic]:
			heard[e.Topic] = true
		case e.Kind != client.State:
			t.Fatalf("%+v", e)
		}
	}
	s.counts(`megawire_requests_refused_total{code="rate_limited"}`)
}

// subscribeOneByOne asks for each topic in a request of its own, all at once, and again when the server says. It returns
// how often that was.
func subscribeOneByOne(ctx context.Context, t *testing.T, c *client.Client, topics []string) (refusals int64) {
	t.Helper()
	var refused atomic.Int64
	var all sync.WaitGroup
	for _, topic := range topics {
		all.Go(func() {
			for {
				_, err := c.Subscribe(ctx, topic)
				var refusal *client.ServerError
				switch {
				case err == nil:
					return
				case !errors.As(err, &refusal) || refusal.Code != "rate_limited" || refusal.RetryAfter <= 0:
					t.Errorf("%s: %v", topic, err)
					return
				}
				refused.Add(1)
				<-time.After(refusal.RetryAfter)
			}
		})
	}
	all.Wait()
	return refused.Load()
}

func TestJSClientThatAsksForTooMuch(t *testing.T) {
	s, cable, topics := startRateServer(t)
	p := node(t, "rate.mjs", cable.url(), strconv.Itoa(len(topics)))
	p.expect("subscribed, after refusals")
	cable.cut(true)
	numbers(t, s, topics, 0, 1)
	cable.up()
	p.expect("heard 1 of each")
	_ = p.in.Close()
	out := p.succeed()
	matched(t, out, "^(gap|unsubscribed)", 0)
}
