package pubsub

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/megawire/megawire/internal/dialogues"
)

// TestDialogues plays testdata/dialogues: "> command" in, "< answer" out, one shard unless said otherwise.
func TestDialogues(t *testing.T) { dialogues.Run(t, "testdata/dialogues/*.txt", play) }

type script struct {
	*fakeSink
	out []string
}

func (d *script) say(format string, args ...any) {
	d.out = append(d.out, strings.TrimRight("< "+fmt.Sprintf(format, args...), " "))
}

func play(t *testing.T, text string) string {
	d := &script{}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "< ") {
			continue
		}
		d.out = append(d.out, line)
		if command, ok := strings.CutPrefix(line, "> "); ok {
			d.do(t, strings.Fields(command))
		}
	}
	d.run()
	for owner, r := range d.readers {
		r.room = allTheRoom
		d.drain(owner)
	}
	d.run()
	d.settled()
	for owner := range d.readers {
		d.remove(owner)
	}
	d.settled()
	return strings.Join(d.out, "\n") + "\n"
}

func (d *script) do(t *testing.T, words []string) {
	if d.fakeSink == nil {
		if words[0] != "options" {
			t.Fatalf("a dialogue begins with its options, not with %q", words)
		}
		d.fakeSink = newWorld(t, func(o *Options) { setOptions(t, o, words[1:]) }).newShard()
		d.log = d.say
		return
	}
	number := func(i int) int {
		n, err := strconv.Atoi(words[i])
		if err != nil {
			t.Fatalf("%q: %v", words, err)
		}
		return n
	}
	owner := uint32(0)
	if !slices.Contains([]string{"publish", "skip", "turn", "sweep", "wakes", "counts", "stats", "pass", "due", "check"}, words[0]) {
		owner = uint32(number(1))
	}
	switch words[0] {
	case "reader": // reader OWNER [KIND]
		kind := kindLine
		if len(words) > 2 {
			kind = Kind(number(2))
		}
		d.add(owner, kind)
	case "subscribe": // subscribe OWNER [mode=M] [every=MS] [last=N] [since=EPOCH:SEQ] FILTER…
		d.subscribeAll(t, owner, words[2:])
	case "unsubscribe": // unsubscribe OWNER TOPIC
		d.say("%v", d.shard.Unsubscribe(d.readers[owner].id, words[2]))
	case "remove":
		d.remove(owner)
	case "publish": // publish TOPIC [by=CLIENT] [not=CLIENT,CLIENT] PAYLOAD…
		d.publishAll(t, words[1:])
	case "skip": // skip TOPIC BY PAYLOAD
		d.w.skip(words[1], uint64(number(2)), words[3])
	case "room": // room OWNER BYTES|all: what the kernel takes from now on
		d.readers[owner].room = allTheRoom
		if words[2] != "all" {
			d.readers[owner].room = number(2)
		}
	case "drain":
		d.drain(owner)
	case "turn": // one turn, or as many as it takes
		for d.shard.Turn() {
			d.say("more")
		}
	case "wakes": // since last asked
		d.say("%d", d.wakes)
		d.wakes = 0
	case "pass": // pass MS: time that intervals are measured by
		d.w.mono += int64(number(1)) * nanosPerMilli
		d.w.wall += int64(number(1))
	case "due": // how long until the shard wants a turn
		if at, ok := d.shard.Due(); ok {
			d.say("in %d ms", (at-d.w.mono)/nanosPerMilli)
		} else {
			d.say("never")
		}
	case "backlog":
		d.say("%+v", d.shard.Backlog(d.readers[owner].id))
	case "check":
		d.shard.CheckLag()
	case "sweep": // sweep MS: all topics, so much later
		d.w.wall += int64(number(1))
		for part := range SweepParts {
			d.w.hub.Sweep(part)
		}
	case "counts":
		d.say("%+v", d.shard.Counts())
	case "stats":
		d.say("%+v", d.w.hub.Stats())
	default:
		t.Fatalf("no such command: %q", words)
	}
}

func (d *script) subscribeAll(t *testing.T, owner uint32, words []string) {
	var r Request
	for _, word := range words {
		key, value, ok := strings.Cut(word, "=")
		if ok {
			setRequest(t, &r, key, value)
			continue
		}
		r.Filter = word
		j, err := d.shard.Subscribe(d.readers[owner].id, &r)
		said := fmt.Sprintf("%s after %d", word, j.Seq)
		if j.Wild || err != nil {
			said = word
		}
		if j.Recovered >= 0 && err == nil {
			said += map[int8]string{0: ", not recovered", 1: ", recovered"}[j.Recovered]
		}
		if j.Snapshot > 0 && err == nil {
			said += fmt.Sprintf(", %d first", j.Snapshot)
		}
		d.say("%s%s", said, failed(err))
	}
}

func setRequest(t *testing.T, r *Request, key, value string) {
	number := func(s string) int {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatalf("%s=%s: %v", key, value, err)
		}
		return n
	}
	switch key {
	case "mode":
		r.Terms.Mode = map[string]Mode{"all": ModeAll, "latest": ModeLatest, "rule": ModeOfRule}[value]
	case "every":
		r.Terms.EveryMillis = number(value)
	case "last":
		r.Last = number(value)
	case "most":
		r.SnapshotMax = number(value)
	case "since": // since=EPOCH:SEQ, or for a pattern since=EPOCH@TS[,TOPIC:SEQ…]
		if epoch, rest, ok := strings.Cut(value, "@"); ok {
			ts, named, _ := strings.Cut(rest, ",")
			r.Since = &Since{Epoch: epoch, TS: int64(number(ts)), Seqs: map[string]uint64{}}
			for pair := range strings.SplitSeq(named, ",") {
				if name, seq, ok := strings.Cut(pair, ":"); ok {
					r.Since.Seqs[name] = uint64(number(seq))
				}
			}
			return
		}
		epoch, seq, _ := strings.Cut(value, ":")
		r.Since = &Since{Epoch: epoch, Seq: uint64(number(seq))}
	default:
		t.Fatalf("no such option of a subscription: %q", key)
	}
}

func (d *script) publishAll(t *testing.T, words []string) {
	p := Publication{Topic: words[0], Content: Text}
	for _, word := range words[1:] {
		key, value, ok := strings.Cut(word, "=")
		if !ok {
			p.Payload = []byte(word)
			r, err := d.w.hub.Publish(&p, nil)
			d.say("%d%s", r.Seq, failed(err))
			continue
		}
		for id := range strings.SplitSeq(value, ",") {
			n, err := strconv.Atoi(id)
			if err != nil {
				t.Fatalf("%q: %v", words, err)
			}
			if key == "by" {
				p.Origin, p.NoEcho = ClientID(n), true
			} else {
				p.Exclude = append(p.Exclude, ClientID(n))
			}
		}
	}
}

func failed(err error) string {
	for text, e := range map[string]error{
		"no room": ErrNoRoom, "too many subscriptions": ErrTooManySubs, "too many topics": ErrTooManyTopics, "bad topic": ErrBadTopic, "bad filter": ErrBadFilter, "too large a snapshot": ErrSnapshot,
	} {
		if errors.Is(err, e) {
			return ": " + text
		}
	}
	if err != nil {
		return ": " + err.Error()
	}
	return ""
}

func setOptions(t *testing.T, o *Options, words []string) {
	for _, word := range words {
		key, value, _ := strings.Cut(word, "=")
		if key == "rule" { // rule=FILTER:KEY=VALUE,KEY=VALUE…
			addRule(t, o, value)
			continue
		}
		n, err := strconv.Atoi(value)
		if err != nil {
			t.Fatalf("%q: %v", word, err)
		}
		switch key {
		case "inflight":
			o.InFlightMessagesMax = n
		case "retain":
			o.RetainMessagesMax = n
		case "subscriptions":
			o.SubscriptionsMax = n
		case "topics":
			o.TopicsMax = n
		case "lagtopics":
			o.LagTopicsMax = n
		default:
			t.Fatalf("no such option: %q", word)
		}
	}
}

// addRule puts a rule in front of those that stand: what it does not name is as in the options.
func addRule(t *testing.T, o *Options, text string) {
	filter, settings, _ := strings.Cut(text, ":")
	rule := o.defaultRule()
	for setting := range strings.SplitSeq(settings, ",") {
		key, value, _ := strings.Cut(setting, "=")
		n, _ := strconv.Atoi(value)
		switch key {
		case "latest":
			rule.Mode = ModeLatest
		case "noall":
			rule.NoAll = true
		case "slow":
			rule.Slow = map[string]SlowPolicy{"gap": SlowGap, "latest": SlowLatest, "close": SlowClose}[value]
		case "messages":
			rule.SlowMessagesMax = n
		case "bytes":
			rule.SlowBytesMax = n
		case "millis":
			rule.SlowMillisMax = int64(n)
		case "retain":
			rule.RetainMessagesMax = n
		case "idle":
			rule.IdleMillis = int64(n)
		default:
			t.Fatalf("no such setting of a rule: %q", setting)
		}
	}
	others := o.Rules
	o.Rules = func(topic string) *Rule {
		if Filter(filter).Match(topic) {
			return rule
		}
		if others != nil {
			return others(topic)
		}
		return nil
	}
}
