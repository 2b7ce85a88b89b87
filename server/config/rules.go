package config

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/megawire/megawire/pubsub"
)

// Rule is what holds of the topics that its filter matches. A field that is zero was left out: then holds what
// [Ring] and [Topics] say, and otherwise what stands beside it.
type Rule struct {
	Filter string `koanf:"filter" syntax:"filter"`

	RetainMessages int           `koanf:"retain_messages" min:"1" max:"1048576"` // of each topic
	RetainBytes    Bytes         `koanf:"retain_bytes" min:"1KiB" max:"1GiB"`    // of each topic
	RetainAge      time.Duration `koanf:"retain_age" min:"1s" max:"720h"`
	Idle           time.Duration `koanf:"idle" min:"1s" max:"8760h"`

	Mode string `koanf:"mode" oneof:"all latest"` // of subscriptions that name none: all, or latest where All is false
	All  *bool  `koanf:"all"`                     // whether mode all is to be had: true

	// What becomes of a reader of all whose backlog in a topic is past one of three bounds: gap.
	Slow         string        `koanf:"slow" oneof:"gap latest close"`
	SlowMessages int           `koanf:"slow_messages" min:"1" max:"1048576"` // what the ring keeps
	SlowBytes    Bytes         `koanf:"slow_bytes" min:"1KiB" max:"1GiB"`    // what the ring keeps
	SlowAge      time.Duration `koanf:"slow_age" min:"100ms" max:"720h"`     // what the ring keeps

	Publish  string `koanf:"publish" oneof:"clients servers"` // who may: clients
	Presence bool   `koanf:"presence"`                        // who is subscribed can be asked for: false
}

// Rules are told in order: the first whose filter matches a topic holds of it, alone.
type Rules []Rule

// rulesMax is how many rules there may be: a publication may be held against each.
const rulesMax = 1000

var ruleKeys = sync.OnceValue(func() []Key {
	return collect(nil, reflect.ValueOf(Rule{}), "", nil)
})

func ruleKey(name string) *Key {
	for i := range ruleKeys() {
		if k := &ruleKeys()[i]; k.Name == name {
			return k
		}
	}
	return nil
}

func ruleKeyNames() []string {
	names := make([]string, 0, len(ruleKeys()))
	for _, k := range ruleKeys() {
		names = append(names, k.Name)
	}
	return names
}

// NoAll reports whether mode all is not to be had.
func (r *Rule) NoAll() bool { return r.All != nil && !*r.All }

// rulePath names a rule, or a key of it, as lineNumbers does: counted from 0, as jq and yq count.
func rulePath(i int, key string) string {
	path := fmt.Sprintf("rules[%d]", i)
	if key != "" {
		path += "." + key
	}
	return path
}

// check holds each rule against its keys' tags, and against the rules before it.
func (rules Rules) check() error {
	var wrong faults
	if len(rules) > rulesMax {
		wrong.add("rules", "%d rules are more than the most, %d", len(rules), rulesMax)
		return wrong.err()
	}
	for i := range rules {
		if !rules[i].checkAlone(i, &wrong) {
			continue
		}
		for j := range i {
			if pubsub.Filter(rules[j].Filter).Covers(pubsub.Filter(rules[i].Filter)) {
				wrong.add(rulePath(i, "filter"), "never holds: %s (%q) comes first and matches all that %q does; put the narrower one first",
					rulePath(j, ""), rules[j].Filter, rules[i].Filter)
				break
			}
		}
	}
	return wrong.err()
}

// checkAlone is check of one rule, number i; it reports whether its filter is one.
func (r *Rule) checkAlone(i int, wrong *faults) (filter bool) {
	v := reflect.ValueOf(r).Elem()
	before := len(*wrong)
	if r.Filter == "" {
		wrong.add(rulePath(i, "filter"), "is missing: a rule says which topics it is about")
	}
	for _, k := range ruleKeys() {
		if field := k.value(v); !field.IsZero() {
			if err := k.check(field); err != nil {
				wrong.add(rulePath(i, k.Name), "%w", err)
			}
		}
	}
	filter = r.Filter != "" && checkFilter(r.Filter) == nil
	if len(*wrong) > before {
		return filter
	}
	if r.NoAll() && r.Mode == "all" {
		wrong.add(rulePath(i, "mode"), "all is what the rule forbids by all: false")
	}
	if r.Presence && strings.HasPrefix(r.Filter, "$") {
		wrong.add(rulePath(i, "presence"), "the server's own topics, which begin with $, have no presence")
	}
	return filter
}
