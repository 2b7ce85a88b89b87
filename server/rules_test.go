package server

import (
	"testing"
	"time"

	"github.com/megawire/megawire/pubsub"
	"github.com/megawire/megawire/server/config"
)

func TestRulesForHub(t *testing.T) {
	yes, no := true, false
	c := config.Default()
	c.Rules = config.Rules{
		{Filter: "ticker/#", RetainMessages: 1, Mode: "latest", All: &no},
		{Filter: "trades/+", RetainBytes: 2 * config.MiB, RetainAge: time.Hour, Idle: time.Minute, All: &yes,
			Slow: "close", SlowMessages: 100, SlowBytes: config.KiB, SlowAge: 1500 * time.Millisecond, Presence: true},
		{Filter: "book/#", All: &no, Slow: "latest", Publish: "servers"},
		{Filter: "#", Slow: "gap", Mode: "latest"},
	}
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
	rest := pubsub.Rule{RetainMessagesMax: 4096, RetainBytesMax: 1 << 20, RetainMillisMax: 60_000, IdleMillis: 24 * 3600_000, Mode: pubsub.ModeAll}
	ticker, trades, book, other := rest, rest, rest, rest
	ticker.RetainMessagesMax, ticker.Mode, ticker.NoAll = 1, pubsub.ModeLatest, true
	trades.RetainBytesMax, trades.RetainMillisMax, trades.IdleMillis = 2<<20, 3600_000, 60_000
	trades.Slow, trades.SlowMessagesMax, trades.SlowBytesMax, trades.SlowMillisMax = pubsub.SlowClose, 100, 1024, 1500
	trades.Presence = true
	book.NoAll, book.Mode, book.Slow = true, pubsub.ModeLatest, pubsub.SlowLatest
	other.Mode = pubsub.ModeLatest

	r := newRules(&c)
	for _, row := range []struct {
		says, topic string
		want        *pubsub.Rule
		clients     bool // may publish
		presence    bool
	}{
		{"the first", "ticker/BTC", &ticker, true, false},
		{"its parent", "ticker", &ticker, true, false},
		{"the second", "trades/ETH", &trades, true, true},
		{"which takes one level alone", "trades/ETH/x", &other, true, false},
		{"where servers publish", "book/ETH", &book, false, false},
		{"the rule for all others", "chat", &other, true, false},
		{"the server's own topics are not among them", "$sys/heartbeat", nil, true, false},
	} {
		got := r.forHub(row.topic)
		if (got == nil) != (row.want == nil) || got != nil && *got != *row.want {
			t.Errorf("%s: %s has %+v, want %+v", row.says, row.topic, got, row.want)
		}
		if got != r.forHub(row.topic) {
			t.Errorf("%s: a rule is made anew for each topic", row.says)
		}
		if r.clientsMayPublish(row.topic) != row.clients || r.presenceOn(row.topic) != row.presence {
			t.Errorf("%s: clients publish %v, presence %v", row.says, r.clientsMayPublish(row.topic), r.presenceOn(row.topic))
		}
	}
	if !r.presenceOn("chat/#") {
		t.Error("a pattern may be about topics with presence as long as there are any")
	}
	if n := testing.AllocsPerRun(100, func() { r.forHub("trades/ETH") }); n != 0 {
		t.Errorf("%v allocations a topic", n)
	}
}

func TestNoRules(t *testing.T) {
	c := config.Default()
	r := newRules(&c)
	if r.forHub("a") != nil || !r.clientsMayPublish("a") || r.presenceOn("a") || r.presenceOn("#") {
		t.Error("without rules the defaults hold")
	}
}

func TestWhatHoldsOfAPattern(t *testing.T) {
	no := false
	c := config.Default()
	c.Rules = config.Rules{
		{Filter: "ticker/raw/+", Mode: "all"},
		{Filter: "ticker/#", Mode: "latest"},
		{Filter: "book/#", All: &no},
		{Filter: "+/state", Mode: "latest"},
		{Filter: "device/#", Mode: "latest"},
	}
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
	r, none := newRules(&c), newRules(&config.Config{})
	for _, row := range []struct {
		says    string
		r       *rules
		pattern pubsub.Filter
		mode    pubsub.Mode
		latest  bool
	}{
		{"all of a rule that forbids all", r, "book/#", pubsub.ModeAll, true},
		{"some of it", r, "book/+/depth", pubsub.ModeOfRule, true},
		{"a rule before it may hold of some", r, "ticker/#", pubsub.ModeOfRule, false},
		{"that may match any of two levels", r, "ticker/+/#", pubsub.ModeOfRule, false},
		{"and of others not", r, "ticker/spot/#", pubsub.ModeOfRule, true},
		{"nor of what is shorter", r, "ticker/+", pubsub.ModeOfRule, true},
		{"nor of what is longer", r, "ticker/raw/+/x", pubsub.ModeOfRule, true},
		{"who asks for all gets all where it may be had", r, "ticker/spot/#", pubsub.ModeAll, false},
		{"two rules of one mind", r, "device/#", pubsub.ModeOfRule, true},
		{"more than there are rules for", r, "#", pubsub.ModeOfRule, false},
		{"no rule", r, "chat/#", pubsub.ModeOfRule, false},
		{"latest is what was asked for", none, "chat/#", pubsub.ModeLatest, true},
		{"no rules", none, "chat/#", pubsub.ModeOfRule, false},
	} {
		if got := row.r.latestAlone(row.pattern, row.mode); got != row.latest {
			t.Errorf("%s: of %s in mode %d the latest alone: %v", row.says, row.pattern, row.mode, got)
		}
	}
}

func TestOverlap(t *testing.T) {
	for _, row := range []struct {
		f, g string
		want bool
	}{
		{"a", "a", true}, {"a", "b", false}, {"+", "b", true}, {"+", "a/b", false}, {"#", "a/b", true},
		{"a/#", "a", true}, {"a/#", "a/b/c", true}, {"a/#", "b", false}, {"a/+/c", "a/b/+", true}, {"a/+/c", "+/b/d", false},
		{"a/+", "a/b/#", true}, {"a/+", "a/b/c/#", false}, {"a/b", "a/b/+", false}, {"+/+", "#", true}, {"a/+/#", "a", false},
	} {
		if overlap(row.f, row.g) != row.want || overlap(row.g, row.f) != row.want {
			t.Errorf("%s and %s: want %v", row.f, row.g, row.want)
		}
	}
}
