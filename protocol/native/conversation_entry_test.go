package native

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/megawire/megawire/pubsub"
)

// modelEntry is an entry of topics; code is what is wrong with it alone.
type modelEntry struct {
	topic, code string
	last, every int
	mode        string
	since       *pubsub.Since
}

// entryOf reads an entry, a string or an object; ok is false where its topic cannot be read.
func entryOf(raw json.RawMessage, options bool) (e modelEntry, ok bool) {
	members := []member{{name: "topic", value: raw}}
	if raw[0] == '{' {
		members, _ = membersOf(raw)
	}
	bad := false
	byName := map[string]json.RawMessage{}
	for _, m := range members {
		bad = bad || byName[m.name] != nil || m.name != "topic" && (!options || !slices.Contains([]string{"last", "since", "mode", "every"}, m.name))
		if byName[m.name] == nil {
			byName[m.name] = m.value
		}
	}
	if e.topic, ok = stringOf(byName["topic"]); !ok {
		return e, false
	}
	if last := byName["last"]; last != nil {
		n, whole := wholeOf(last)
		bad, e.last = bad || !whole, n
	}
	if every := byName["every"]; every != nil {
		n, whole := wholeOf(every)
		bad, e.every = bad || !whole || n < 10 || n > 24*60*60*1000, n
	}
	if mode := byName["mode"]; mode != nil {
		e.mode, _ = stringOf(mode)
		bad = bad || e.mode != "all" && e.mode != "latest" || e.mode == "all" && e.every > 0
	}
	ofPattern := strings.ContainsAny(e.topic, "+#")
	suits := true
	if since := byName["since"]; since != nil {
		var good bool
		e.since, suits, good = sinceOf(since, ofPattern)
		bad = bad || !good || e.last > 0
	}
	switch {
	case bad:
		e.code = "bad_request"
	case !goodFilter(e.topic):
		e.code = "bad_topic"
	case !suits:
		e.code = "bad_request"
	}
	return e, true
}

// sinceOf reads since. good says that it is in one of its forms, suits that it is that of the filter, and names no
// topic twice.
func sinceOf(raw json.RawMessage, ofPattern bool) (since *pubsub.Since, suits, good bool) {
	members, ok := membersOf(raw)
	byName := map[string]json.RawMessage{}
	for _, m := range members {
		if byName[m.name] != nil || !slices.Contains([]string{"epoch", "seq", "ts", "seqs"}, m.name) {
			return nil, false, false
		}
		byName[m.name] = m.value
	}
	epoch, isText := stringOf(byName["epoch"])
	seq, ts, seqs := byName["seq"], byName["ts"], byName["seqs"]
	if !ok || !isText || (seq == nil) == (ts == nil) || seq != nil && seqs != nil {
		return nil, false, false
	}
	if seq != nil {
		n, whole := wholeOf(seq)
		return &pubsub.Since{Epoch: epoch, Seq: uint64(n)}, !ofPattern, whole
	}
	at, whole := wholeOf(ts)
	since, suits, good = &pubsub.Since{Epoch: epoch, TS: int64(at)}, ofPattern, whole
	if seqs == nil {
		return since, suits, good
	}
	named, ok := membersOf(seqs)
	since.Seqs = map[string]uint64{}
	for _, m := range named {
		n, whole := wholeOf(m.value)
		if _, twice := since.Seqs[m.name]; twice {
			suits = false
		}
		ok = ok && whole && !m.lone
		since.Seqs[m.name] = uint64(n)
	}
	return since, suits, good && ok
}
