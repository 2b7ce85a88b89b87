package demo

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var start = time.Date(2025, 11, 20, 12, 0, 0, 0, time.UTC)

// record runs a feed over a span in turns of the given length and returns copies of what it made.
func record(f *Feed, span, turn time.Duration) []Message {
	var all []Message
	for at := time.Duration(0); at <= span; at += turn {
		for _, m := range f.Next(start.Add(at)) {
			all = append(all, Message{m.Topic, slices.Clone(m.Data)})
		}
	}
	return all
}

func TestTopics(t *testing.T) {
	topics := NewFeed(1).Topics()
	seen := map[string]bool{}
	count := map[string]int{}
	for _, topic := range topics {
		if seen[topic] {
			t.Errorf("topic %s stands twice", topic)
		}
		seen[topic] = true
		kind, _, _ := strings.Cut(topic, "/")
		count[kind]++
	}
	if count["ticker"] != 100 || count["sensors"] != 20 || len(topics) != 120 {
		t.Errorf("got %v, want 100 tickers and 20 sensors", count)
	}
	for _, want := range []string{"ticker/BTC-USD", "sensors/indoor/mote1"} {
		if !seen[want] {
			t.Errorf("topic %s is missing", want)
		}
	}
}

func TestFeedPace(t *testing.T) {
	const seconds = 20
	all := record(NewFeed(7), seconds*time.Second, 20*time.Millisecond)
	perTopic := map[string]int{}
	for _, m := range all {
		perTopic[m.Topic]++
	}
	for _, topic := range NewFeed(7).Topics() {
		low, high := 2*seconds-1, 5*seconds+1
		if strings.HasPrefix(topic, "sensors/") {
			low, high = seconds-1, seconds+1
		}
		if n := perTopic[topic]; n < low || n > high {
			t.Errorf("%s: %d messages in %d s, want %d to %d", topic, n, seconds, low, high)
		}
	}
	if rate := len(all) / seconds; rate < 300 || rate > 400 {
		t.Errorf("%d messages a second, want 300 to 400", rate)
	}
}

func TestFeedMessages(t *testing.T) {
	prices := map[string][]float64{}
	for _, m := range record(NewFeed(3), 10*time.Second, 20*time.Millisecond) {
		var d struct {
			Symbol                string
			Price, Change, Volume *float64
			Temperature, Humidity *float64
			Reading, TS           int64
		}
		if err := json.Unmarshal(m.Data, &d); err != nil {
			t.Fatalf("%s: %s: %v", m.Topic, m.Data, err)
		}
		if d.TS < start.UnixMilli() || d.TS > start.Add(10*time.Second).UnixMilli() {
			t.Errorf("%s: ts %d is outside the run", m.Topic, d.TS)
		}
		if strings.HasPrefix(m.Topic, "sensors/") {
			if d.Temperature == nil || d.Humidity == nil || d.Reading == 0 {
				t.Errorf("%s: %s lacks a field", m.Topic, m.Data)
			}
			continue
		}
		if d.Price == nil || d.Change == nil || d.Volume == nil || "ticker/"+d.Symbol != m.Topic {
			t.Fatalf("%s: %s lacks a field or names another symbol", m.Topic, m.Data)
		}
		if *d.Price <= 0 {
			t.Errorf("%s: price %v", m.Topic, *d.Price)
		}
		prices[m.Topic] = append(prices[m.Topic], *d.Price)
	}
	for topic, p := range prices {
		if slices.Min(p) == slices.Max(p) {
			t.Errorf("%s does not move in 10 s: its digits are too few (%v)", topic, p[0])
		}
	}
}

// TestFeedIsDeterministic: the same seed makes the same messages for each topic, however often Next is called.
func TestFeedIsDeterministic(t *testing.T) {
	byTopic := func(seed uint64, turn time.Duration) map[string]string {
		out := map[string]string{}
		for _, m := range record(NewFeed(seed), 5*time.Second, turn) {
			out[m.Topic] += string(m.Data) + "\n"
		}
		return out
	}
	a, b, other := byTopic(42, 20*time.Millisecond), byTopic(42, 500*time.Millisecond), byTopic(43, 20*time.Millisecond)
	differs := false
	for topic := range a {
		if a[topic] != b[topic] {
			t.Errorf("%s depends on the turn:\n%s---\n%s", topic, a[topic], b[topic])
		}
		differs = differs || a[topic] != other[topic]
	}
	if !differs {
		t.Error("two seeds make the same feed")
	}
}

func TestFeedAfterSleep(t *testing.T) {
	f := NewFeed(1)
	f.Next(start)
	for _, asleep := range []time.Duration{time.Minute, time.Hour, 30 * 24 * time.Hour} {
		woken := start.Add(asleep)
		if n := len(f.Next(woken)); n > 120 {
			t.Errorf("after %v asleep %d messages at once, want one a topic at most", asleep, n)
		}
		if n := len(f.Next(woken.Add(time.Second))); n < 300 || n > 400 {
			t.Errorf("in the second after %v asleep %d messages, want the usual pace", asleep, n)
		}
	}
}

func TestPricesStayBelievable(t *testing.T) {
	rng := NewFeed(9).instruments[0].rng
	tk := newTicker(symbols[0], rng)
	for range 4 * 3600 * 24 { // a day
		tk.step(rng)
		if away := math.Abs(math.Log(tk.price / tk.first)); away > 0.5 {
			t.Fatalf("price %v has gone too far from %v", tk.price, tk.first)
		}
	}
}

func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		n := 0
		err := NewFeed(1).Run(ctx, func(string, []byte) error { n++; return nil })
		if err != nil || n < 2900 || n > 4000 {
			t.Errorf("10 s of feed: %d messages, error %v", n, err)
		}
	})
}

func TestRunEnds(t *testing.T) {
	broken := errors.New("broken")
	for _, tc := range []struct {
		sentence string
		publish  func(cancel func()) error
		want     error
	}{
		{"an error of publish ends it", func(func()) error { return broken }, broken},
		{"an error after the context ended is the end alone", func(cancel func()) error { cancel(); return broken }, nil},
		{"the context ends it", func(cancel func()) error { cancel(); return nil }, nil},
	} {
		t.Run(tc.sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				err := NewFeed(1).Run(ctx, func(string, []byte) error { return tc.publish(cancel) })
				if !errors.Is(err, tc.want) {
					t.Errorf("got %v, want %v", err, tc.want)
				}
			})
		})
	}
}
