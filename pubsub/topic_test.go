package pubsub

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestEviction(t *testing.T) {
	for _, c := range []struct {
		why    string
		change func(*Options)
		age    int64 // ms between messages
		want   int   // messages kept of ten
	}{
		{"all within the bounds", func(*Options) {}, 0, 10},
		{"by count", func(o *Options) { o.RetainMessagesMax = 3 }, 0, 3},
		{"by bytes: a message counts 6 of frame and 80", func(o *Options) { o.RetainBytesMax = 270 }, 0, 3},
		{"by bytes of all topics", func(o *Options) { o.RetainTotalBytesMax = 360 }, 0, 4},
		{"by age: what is as old as the bound is kept", func(o *Options) { o.RetainMillisMax = 50 }, 10, 6},
		{"the newest is kept whatever it takes", func(o *Options) { o.RetainBytesMax = 1 }, 0, 1},
		{"the newest is kept whatever there is", func(o *Options) { o.RetainTotalBytesMax = 1 }, 0, 1},
	} {
		w := newWorld(t, c.change)
		for i := range 10 {
			w.publish("a", fmt.Sprint(i))
			w.wall += c.age
		}
		tp := w.topic("a")
		if got := tp.ring.len(); got != c.want {
			t.Errorf("%s: %d kept, want %d", c.why, got, c.want)
		}
		if got := w.hub.Stats().RingBytes; got != tp.ring.bytes {
			t.Errorf("%s: the hub counts %d bytes, the topic %d", c.why, got, tp.ring.bytes)
		}
		w.wall += 1 << 40
		for part := range SweepParts {
			w.hub.Sweep(part)
		}
		if got := w.hub.Stats(); got != (Stats{}) {
			t.Errorf("%s: left when all has expired: %+v", c.why, got)
		}
	}
}

func TestEvictionWaitsForTheLoops(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.RetainMessagesMax = 1 })
	s := w.newShard()
	s.add(1, kindLine)
	s.subscribe(1, "a")
	w.publish("a", "1", "2", "3")
	if got := w.topic("a").ring.len(); got != 3 {
		t.Fatalf("%d messages kept of 3 that are in flight", got)
	}
	s.run()
	if got := w.topic("a").ring.len(); got != 1 {
		t.Fatalf("%d messages kept, one is to be", got)
	}
}

// TestExpiredTopicGoesOn: no sequence number that clients may have seen is given again.
func TestExpiredTopicGoesOn(t *testing.T) {
	w := newWorld(t, nil)
	w.publish("a", "1", "2", "3", "4", "5")
	w.publish("b", "1")
	old := w.topic("a")
	w.wall += 60_001
	for part := range SweepParts {
		w.hub.Sweep(part)
	}
	if n := w.hub.Stats().Topics; n != 0 || !old.gone {
		t.Fatalf("%d topics left", n)
	}
	for _, name := range []string{"a", "b", "c"} {
		if r, err := w.hub.Publish(&Publication{Topic: name}, nil); err != nil || r.Seq != 6 {
			t.Errorf("%s goes on with %d, %v", name, r.Seq, err)
		}
	}
}

func TestPublicationIsCheckedAndCopied(t *testing.T) {
	w := newWorld(t, nil)
	for _, name := range []string{"", "a/+", "#", "a\x00"} {
		if _, err := w.hub.Publish(&Publication{Topic: name}, nil); !errors.Is(err, ErrBadTopic) {
			t.Errorf("publishing to %q: %v", name, err)
		}
	}
	for _, first := range []Encoder{lineEncoder{}, upperEncoder{}} { // payload in the frame, and beside it
		w := newWorld(t, func(o *Options) { o.Encoders = []Encoder{first} })
		payload := []byte("abc")
		if _, err := w.hub.Publish(&Publication{Topic: "a", Payload: payload}, nil); err != nil {
			t.Fatal(err)
		}
		copy(payload, "xyz")
		if got := string(w.topic("a").ring.at(0).payload); got != "abc" {
			t.Errorf("%T: the topic has %q", first, got)
		}
	}
}

func TestTimeNeverFalls(t *testing.T) {
	w := newWorld(t, nil)
	w.publish("a", "1")
	w.wall -= 5000
	w.publish("a", "2")
	if tp := w.topic("a"); tp.ring.at(0).ts != 1_000_000 || tp.ring.at(1).ts != 1_000_000 {
		t.Errorf("ts %d, then %d", tp.ring.at(0).ts, tp.ring.at(1).ts)
	}
}

// TestClockThatJumps: the system's clock is set an hour ahead, and back. Messages are stamped with it, and never fall; what
// is kept, idle topics and slow readers are judged by the time that has really passed.
func TestClockThatJumps(t *testing.T) {
	w := newWorld(t, func(o *Options) {
		o.RetainMillisMax, o.TopicIdleMillis = 60_000, 60_000
		o.Rules = func(string) *Rule {
			return &Rule{RetainMessagesMax: 100, RetainBytesMax: 1 << 20, RetainMillisMax: 60_000, IdleMillis: 60_000, Slow: SlowClose, SlowMillisMax: 5000}
		}
	})
	s := w.newShard()
	r := s.add(1, kindLine)
	s.subscribe(1, "read")
	r.room = 0
	w.publish("kept", "1", "2")
	w.publish("read", "1")
	s.run()
	jump := func(by int64) {
		w.wall, w.jumped = w.wall+by, w.jumped+by
		for part := range SweepParts {
			w.hub.Sweep(part)
		}
		s.shard.CheckLag()
		w.publish("read", "x")
		s.run()
	}
	jump(3_600_000)
	jump(-3_600_000)
	if tp := w.hub.lookup("kept"); tp == nil || tp.ring.len() != 2 {
		t.Error("what was kept has gone with the clock's jump")
	}
	if r.overruns != 0 {
		t.Error("a reader that is not slow was given up with the clock's jump")
	}
	for pos, ring := uint64(1), &w.topic("read").ring; pos < ring.head; pos++ {
		if ring.at(pos).ts < ring.at(pos-1).ts {
			t.Errorf("ts falls from %d to %d", ring.at(pos-1).ts, ring.at(pos).ts)
		}
	}
	w.wall += 60_001 // by itself
	for part := range SweepParts {
		w.hub.Sweep(part)
	}
	if w.hub.lookup("kept") != nil {
		t.Error("a topic that nobody uses stays")
	}
	s.shard.CheckLag()
	if r.overruns == 0 {
		t.Error("a reader that is a minute behind is not given up")
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for why, change := range map[string]func(*Options){
		"no encoder":        func(o *Options) { o.Encoders = nil },
		"too many encoders": func(o *Options) { o.Encoders = make([]Encoder, KindsMax+1) },
		"no epoch":          func(o *Options) { o.Epoch = "" },
		"no clock":          func(o *Options) { o.Clock = nil },
		"0 is no bound":     func(o *Options) { o.RetainMessagesMax = 0 },
	} {
		o := testOptions()
		o.Wall, o.Steady, o.Clock = func() int64 { return 0 }, func() int64 { return 0 }, func() int64 { return 0 }
		change(&o)
		if _, err := New(o); err == nil || !strings.HasPrefix(err.Error(), "pubsub: ") {
			t.Errorf("%s: %v", why, err)
		}
	}
}
