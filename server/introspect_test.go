package server

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/megawire/megawire/poller"
	"github.com/megawire/megawire/pubsub"
	"github.com/megawire/megawire/server/admin"
)

// stillWorker is a worker whose loop does not run.
func stillWorker(t *testing.T) *worker {
	t.Helper()
	p, err := poller.New(poller.Options{
		Handler: handler{}, Logger: slog.New(slog.DiscardHandler), Loops: 1, Listen: "127.0.0.1:0", SendBufferBytes: 1,
		RepliesBytesMax: 1, InputBytesMax: 1, UserTimeout: time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	return &worker{loop: p.Loops()[0]}
}

// TestALoopThatDoesNotAnswer: nobody waits for it for ever.
func TestALoopThatDoesNotAnswer(t *testing.T) {
	b := (*backend)(&Server{workers: []*worker{stillWorker(t)}, log: slog.New(slog.DiscardHandler)})
	for what, look := range map[string]func(ctx context.Context) error{
		"a page of clients": func(ctx context.Context) error { _, err := b.Clients(ctx, &admin.ClientQuery{Limit: 1}); return err },
		"those furthest behind": func(ctx context.Context) error {
			_, err := b.Clients(ctx, &admin.ClientQuery{Limit: 1, ByBacklog: true})
			return err
		},
		"one client": func(ctx context.Context) error { _, err := b.Client(ctx, "1"); return err },
		"a kick":     func(ctx context.Context) error { return b.Kick(ctx, "1") },
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				var f admin.Fault
				if err := look(t.Context()); !errors.As(err, &f) || f.Code != "unavailable" || f.Message == "" {
					t.Errorf("%v", err)
				}
				if waited := time.Since(began); waited != loopAnswerTimeout { // by the bubble's clock
					t.Errorf("waited %v", waited)
				}
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				if err := look(ctx); !errors.Is(err, context.Canceled) {
					t.Errorf("given up: %v", err)
				}
			})
		})
	}
	b.workers[0].snapshot.shard.Lagging = 1
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		if lag := b.Lag(); lag != (admin.Lag{}) || time.Since(began) != lagWait {
			t.Errorf("%+v after %v", lag, time.Since(began))
		}
		b.workers[0].snapshot.shard.Lagging = 0
		if b.Lag(); time.Since(began) != lagWait {
			t.Error("a loop where nobody is behind was asked")
		}
	})
}

func TestPlaces(t *testing.T) {
	for _, p := range []place{{0, 1}, {0, math.MaxUint32}, {1, 0}, {255, 7}} {
		id, ok := parseClientID(p.String())
		if got := placeOf(id); !ok || got != p {
			t.Errorf("%+v is written as %s and read as %+v", p, p, got)
		}
	}
	id := pubsub.ClientID(3<<56 | 12345<<32 | 42)
	if got := placeOf(id); got != (place{3, 42}) {
		t.Errorf("the place of a client: %+v", got)
	}
	b := (*backend)(&Server{workers: []*worker{stillWorker(t)}})
	for _, after := range []string{"!", "-1", place{1, 0}.String(), "zzzzzzzzzzzzzz"} {
		var f admin.Fault
		if _, err := b.Clients(t.Context(), &admin.ClientQuery{After: after, Limit: 1}); !errors.As(err, &f) || f.Code != "bad_request" {
			t.Errorf("after %s: %v", after, err)
		}
	}
}

// TestStretches: who is behind in many topics takes as much of a loop's time as many clients do.
func TestStretches(t *testing.T) {
	of := func(topics ...int) (ls []laggard) {
		for _, n := range topics {
			ls = append(ls, laggard{backlog: pubsub.Backlog{Topics: n}})
		}
		return ls
	}
	for _, row := range []struct {
		says string
		ls   []laggard
		want int
	}{
		{"few", of(1, 2, 3), 3},
		{"many", make([]laggard, 1000), clientsAStretch},
		{"up to so many topics", of(behindAStretch-1, 1, 1), 2},
		{"one alone may be behind in more", of(10*behindAStretch, 1), 1},
	} {
		if got := stretchOf(row.ls); got != row.want {
			t.Errorf("%s: %d, want %d", row.says, got, row.want)
		}
	}
}

func TestFaultsOfFilters(t *testing.T) {
	b := (*backend)(&Server{})
	for _, filter := range []string{"a#", "#/a", "a+/b", "\x00", "\xff"} {
		_, _, err := b.Topics(&admin.TopicQuery{Filter: filter, Limit: 1})
		_, err2 := b.Clients(t.Context(), &admin.ClientQuery{Filter: filter, Limit: 1})
		for _, err := range []error{err, err2} {
			var f admin.Fault
			if !errors.As(err, &f) || f.Code != "bad_topic" || f.Message == "" {
				t.Errorf("%q: %v", filter, err)
			}
		}
	}
}

func TestFaultsOfTopics(t *testing.T) {
	b := (*backend)(&Server{})
	for name, want := range map[string]string{
		"":                       "a topic has at least one byte",
		"a/#":                    "this shows one topic; /v1/topics?filter= shows those of a pattern",
		"\xff":                   "a topic is UTF-8 without NUL",
		strings.Repeat("x", 256): "a topic has at most 255 bytes, this one has 256",
	} {
		var f admin.Fault
		if _, err := b.Topic(name); !errors.As(err, &f) || f.Code != "bad_topic" || f.Message != want {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestAgeOfABacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now().UnixMilli()
		for oldest, want := range map[int64]int64{0: 0, now - 5: 5, now: 0, now + 5: 0} {
			if got := ageOf(pubsub.Backlog{OldestMillis: oldest}); got != want {
				t.Errorf("oldest %d, now %d: %d", oldest, now, got)
			}
		}
	})
}
