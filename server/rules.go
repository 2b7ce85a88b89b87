package server

import (
	"cmp"
	"strings"

	"github.com/megawire/megawire/pubsub"
	"github.com/megawire/megawire/server/config"
)

// rules are what the configuration says of topics by their names. They do not change: any goroutine.
type rules struct {
	list        []topicRule
	serversOnly bool // some rule keeps clients from publishing
	presence    bool // some rule has presence on
}

// topicRule is what holds of the topics that its filter matches and no filter before it.
type topicRule struct {
	filter  pubsub.Filter
	servers bool // only they publish
	rule    pubsub.Rule
}

// newRules takes rules that the configuration has checked.
func newRules(c *config.Config) *rules {
	r := &rules{list: make([]topicRule, len(c.Rules))}
	for i := range c.Rules {
		from, to := &c.Rules[i], &r.list[i]
		*to = topicRule{
			filter: pubsub.Filter(from.Filter), servers: from.Publish == "servers", rule: pubsubRule(from, c),
		}
		r.serversOnly = r.serversOnly || to.servers
		r.presence = r.presence || to.rule.Presence
	}
	return r
}

func pubsubRule(r *config.Rule, c *config.Config) pubsub.Rule {
	to := pubsub.Rule{
		RetainMessagesMax: cmp.Or(r.RetainMessages, c.Ring.RetainMessages),
		RetainBytesMax:    int(cmp.Or(r.RetainBytes, c.Ring.RetainBytes)),
		RetainMillisMax:   cmp.Or(r.RetainAge, c.Ring.RetainAge).Milliseconds(),
		IdleMillis:        cmp.Or(r.Idle, c.Topics.Idle).Milliseconds(),
		Mode:              pubsub.ModeAll,
		NoAll:             r.NoAll(),
		SlowMessagesMax:   r.SlowMessages,
		SlowBytesMax:      int(r.SlowBytes),
		SlowMillisMax:     r.SlowAge.Milliseconds(),
		Presence:          r.Presence,
	}
	if r.Mode == "latest" || to.NoAll {
		to.Mode = pubsub.ModeLatest
	}
	switch r.Slow {
	case "latest":
		to.Slow = pubsub.SlowLatest
	case "close":
		to.Slow = pubsub.SlowClose
	}
	return to
}

// of returns the rule of a topic, nil where none matches. It does not allocate.
func (r *rules) of(topic string) *topicRule {
	for i := range r.list {
		if r.list[i].filter.Match(topic) {
			return &r.list[i]
		}
	}
	return nil
}

// forHub is pubsub.Options.Rules.
func (r *rules) forHub(topic string) *pubsub.Rule {
	if found := r.of(topic); found != nil {
		return &found.rule
	}
	return nil
}

// presenceOn reports whether presence is told of a topic, or of any topics that a pattern could match.
func (r *rules) presenceOn(filter string) bool {
	if !r.presence || pubsub.Filter(filter).Wild() {
		return r.presence
	}
	found := r.of(filter)
	return found != nil && found.rule.Presence
}

// latestAlone reports whether who asks for that mode of a pattern is served the latest of whatever it matches.
func (r *rules) latestAlone(pattern pubsub.Filter, mode pubsub.Mode) bool {
	for i := range r.list {
		t := &r.list[i]
		if !overlap(string(t.filter), string(pattern)) {
			continue
		}
		if !t.rule.NoAll && (mode != pubsub.ModeOfRule || t.rule.Mode != pubsub.ModeLatest) {
			return mode == pubsub.ModeLatest
		}
		if t.filter.Covers(pattern) {
			return true // the rules after it hold of none of these topics
		}
	}
	return mode == pubsub.ModeLatest
}

// overlap reports whether two filters match a topic between them. It does not heed that a leading wildcard matches no
// name that begins with $: of such it may say so wrongly.
func overlap(f, g string) bool {
	for {
		a, f2, more := strings.Cut(f, "/")
		b, g2, more2 := strings.Cut(g, "/")
		switch {
		case a == "#" || b == "#":
			return true
		case a != "+" && b != "+" && a != b:
			return false
		case !more || !more2:
			return more == more2 || f2 == "#" || g2 == "#"
		}
		f, g = f2, g2
	}
}

// clientsMayPublish reports whether the topic's rule lets clients publish to it.
func (r *rules) clientsMayPublish(topic string) bool {
	if !r.serversOnly {
		return true
	}
	found := r.of(topic)
	return found == nil || !found.servers
}
