package model

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestJudgment holds the account itself to histories of one client, number 7, that were judged by hand: all
// steps but the last are right, and the last is what want says.
//
//	pub TOPIC [not]          publishes the next message; not: without this client
//	back TOPIC SEQ           the topic comes back after it went away: a message with that number
//	gone TOPIC SEQ           messages up to SEQ are no longer kept
//	away TOPIC               the topic is not there any more
//	sub FILTER OPTION…       all latest every=MS last=N since=SEQ epoch=E ts=MS seqs=TOPIC:SEQ; the answer is
//	                         right unless head=SEQ, answers=all, recovered=0|1 or brings=N say otherwise
//	unsub FILTER
//	got TOPIC SEQ…           messages that came
//	told TOPIC FROM-TO WHY   a notice that came
//	ms N                     so much time goes by
//	end                      nothing is on its way any more
func TestJudgment(t *testing.T) {
	for _, row := range judgments {
		t.Run(row.says, func(t *testing.T) {
			p := newPlay()
			steps := strings.Split(row.history, ";")
			for i, step := range steps {
				err := p.do(t, strings.Fields(step))
				switch last := i == len(steps)-1; {
				case !last && err != nil:
					t.Fatalf("%s: %v", step, err)
				case last && !errors.Is(err, row.want):
					t.Fatalf("%s: got %v, want %v", step, err, row.want)
				}
			}
		})
	}
}

var judgments = []struct {
	says, history string
	want          error
}{
	{"all in order", "sub a; pub a; pub a; got a 1 2; end", nil},
	{"one is not enough", "sub a; pub a; pub a; got a 1; end", ErrBehind},
	{"one left out", "sub a; pub a; pub a; got a 2", ErrLeftOut},
	{"one twice", "sub a; pub a; got a 1; got a 1", ErrTwice},
	{"one from before", "pub a; sub a; pub a; got a 1", ErrTwice},
	{"one that nobody published", "sub a; got a 1", ErrFalse},
	{"of another topic", "sub a; pub b; got b 1", ErrUnasked},
	{"after the end of the subscription", "sub a; pub a; unsub a; got a 1", ErrUnasked},
	{"nothing is owed then", "sub a; pub a; unsub a; end", nil},
	{"the pattern that is left", "sub a; sub +; pub a; unsub a; got a 1; end", nil},
	{"and still owes it", "sub a; sub +; pub a; unsub a; end", ErrBehind},
	{"not for this one", "sub a; pub a not; got a 1", ErrExcluded},
	{"and a notice of that", "sub a; pub a not; pub a; told a 1-1 excluded; got a 2; end", nil},
	{"without one", "sub a; pub a not; pub a; got a 2", ErrLeftOut},
	{"a notice that is not true", "sub a; pub a; told a 1-1 excluded", ErrGap},
	{"a gap", "sub a; pub a; pub a; pub a; gone a 2; told a 1-2 slow; got a 3; end", nil},
	{"which is too long", "sub a; pub a; pub a; gone a 1; told a 1-2 slow", ErrGap},
	{"which begins too early", "sub a; pub a; got a 1; pub a; gone a 2; told a 1-2 slow", ErrGap},
	{"which begins too late", "sub a; pub a; pub a; gone a 2; told a 2-2 slow", ErrGap},
	{"which ends nowhere", "sub a; pub a; pub a; gone a 1; told a 1-3 slow", ErrGap},
	{"of another topic's", "sub a; pub b; gone b 1; told b 1-1 slow", ErrUnasked},

	{"the latest passes over", "sub a latest; pub a; pub a; got a 2; end", nil},
	{"but not over the newest", "sub a latest; pub a; pub a; got a 1; end", ErrBehind},
	{"unless it is not for this one", "sub a latest; pub a; pub a not; got a 1; end", nil},
	{"and never back", "sub a latest; pub a; pub a; got a 2; got a 1", ErrTwice},
	{"and without notices", "sub a latest; pub a; gone a 1; told a 1-1 slow", ErrGap},
	{"an exact one decides", "sub # ; sub a latest; pub a; pub a; got a 2; end", nil},
	{"all before the latest among patterns", "sub # latest; sub +; pub a; pub a; got a 2", ErrLeftOut},
	{"from all to the latest", "sub a; pub a; pub a; pub a; got a 1; sub a latest; got a 3; end", nil},
	{"a notice from before that", "sub a; pub a; pub a; gone a 1; sub a latest; told a 1-1 slow; got a 2; end", nil},
	{"from the latest to all", "sub a latest; pub a; pub a; sub a; got a 2; pub a; got a 3; end", nil},
	{"the newest is owed even so", "sub a latest; pub a; pub a; sub a; pub a; got a 3", ErrLeftOut},
	{"and what comes after", "sub a latest; pub a; pub a; sub a; pub a; pub a; got a 2; got a 4", ErrLeftOut},

	{"an interval", "sub a every=100; pub a; got a 1; pub a; ms 100; got a 2; end", nil},
	{"too soon", "sub a every=100; pub a; got a 1; pub a; ms 90; got a 2", ErrEarly},
	{"late", "sub a every=100; pub a; ms 100; end", ErrBehind},
	{"not late yet", "sub a every=100; pub a; ms 90; end", nil},
	{"no interval is more complete", "sub + latest; sub # every=100; pub a; end", ErrBehind},
	{"the shortest is", "sub + every=200; sub # every=100; pub a; ms 100; end", ErrBehind},

	{"last brings the newest", "pub a; pub a; pub a; sub a last=2; got a 2 3; end", nil},
	{"all that are kept", "pub a; pub a; pub a; gone a 2; sub a last=2; got a 3; end", nil},
	{"not more", "pub a; pub a; pub a; sub a last=2; got a 1", ErrTwice},
	{"not fewer", "pub a; pub a; pub a; sub a last=2; got a 3", ErrLeftOut},
	{"it is owed", "pub a; sub a last=1; end", ErrBehind},
	{"of the latest too", "pub a; sub a last=1 latest; end", ErrBehind},
	{"doubled at the join", "pub a; sub a last=1; pub a; got a 1 2; got a 2", ErrTwice},
	{"lost at the join", "pub a; sub a last=1; pub a; pub a; got a 1; got a 3", ErrLeftOut},
	{"of a pattern's topics", "pub a; pub b; sub + last=1; got b 1; got a 1; end", nil},
	{"each", "pub a; pub b; sub + last=1; got b 1; end", ErrBehind},
	{"it says how many", "pub a; pub b; pub b; sub + last=1 brings=3", ErrAnswer},
	{"once more when asked again", "pub a; sub a last=1; got a 1; sub a last=1; got a 1; end", nil},
	{"only then", "sub a; pub a; got a 1; sub a; got a 1", ErrTwice},
	{"what was on its way still comes", "sub a; pub a; pub a; sub a last=1; got a 1 2; end", nil},

	{"since", "pub a; pub a; pub a; sub a since=1 recovered=1; got a 2 3; end", nil},
	{"partly gone", "pub a; pub a; pub a; gone a 2; sub a since=1 recovered=0; told a 2-2 expired; got a 3; end", nil},
	{"partly gone, untold", "pub a; pub a; pub a; gone a 2; sub a since=1 recovered=0; got a 3", ErrLeftOut},
	{"nothing missing", "pub a; pub a; gone a 1; sub a since=1 recovered=0", ErrAnswer},
	{"something missing", "pub a; pub a; gone a 2; sub a since=1 recovered=1", ErrAnswer},
	{"another epoch", "pub a; pub a; sub a since=1 epoch=x recovered=0; got a 2; end", nil},
	{"another epoch, all of it", "pub a; pub a; sub a since=0 epoch=x recovered=0; got a 1", ErrTwice},
	{"above the head", "pub a; pub a; sub a since=3 recovered=0; got a 2; end", nil},
	{"above the head, recovered", "pub a; sub a since=3 recovered=1", ErrAnswer},
	{"of a pattern", "pub a; pub b; ms 5; pub a; pub b; sub + ts=1005 seqs=a:1 recovered=1; got a 2; got b 2; end", nil},
	{"the same millisecond", "pub a; pub a; sub + ts=1000 recovered=1; got a 1 2; end", nil},
	{"a gap where the latest is read", "pub a; pub a; gone a 1; sub a latest since=0 recovered=0; told a 1-1 expired; got a 2; end", nil},

	{"a number above all that expired", "sub +; pub a; got a 1; away a; back a 9; got a 9; end", nil},
	{"or with a word on it", "sub +; pub a; got a 1; away a; back a 9; told a 2-8 slow; got a 9; end", nil},
	{"a number again", "pub a; away a; back a 1", ErrNumber},
	{"a number that an answer told of", "pub a; away a; sub a head=5; back a 5", ErrNumber},
	{"a head that was not", "pub a; pub a; sub a head=1", ErrAnswer},
	{"all where the rule forbids it", "sub only/a answers=all", ErrAnswer},
	{"the mode of the rule", "sub late/a; pub late/a; pub late/a; got late/a 2; end", nil},
}

// play is one such history.
type play struct {
	log    *Log
	client *Client
	tick   int64
	nanos  int64
	gone   map[string]uint64
	away   map[string]bool
}

func newPlay() *play {
	p := &play{log: NewLog("e"), nanos: 1, gone: make(map[string]uint64), away: make(map[string]bool)}
	p.log.Gone = func(m *Message) bool { return m.Seq <= p.gone[m.Topic] }
	p.log.Nanos = func() int64 { return p.nanos }
	p.log.RuleOf = func(topic string) Rule {
		return Rule{Latest: strings.HasPrefix(topic, "late"), NoAll: strings.HasPrefix(topic, "only")}
	}
	p.client = p.log.NewClient(7)
	return p
}

func (p *play) do(t *testing.T, words []string) error {
	p.tick++
	p.nanos++
	switch words[0] {
	case "pub":
		newest := p.log.Newest(words[1])
		m := p.message(words[1], newest+1, newest)
		if slices.Contains(words, "not") {
			m.Excluded = []uint64{7}
		}
		return p.log.Add(m)
	case "back":
		seq := number(t, words[2])
		delete(p.away, words[1])
		return p.log.Add(p.message(words[1], seq, seq-1))
	case "gone":
		p.gone[words[1]] = number(t, words[2])
	case "away":
		p.gone[words[1]], p.away[words[1]] = p.log.Newest(words[1]), true
	case "ms":
		p.nanos += int64(number(t, words[1])) * 1e6
	case "sub":
		ask, answer := p.ask(t, words[1:])
		return p.client.Subscribed(ask, answer, At(p.tick))
	case "unsub":
		p.client.Unsubscribed(words[1], At(p.tick))
	case "got":
		for _, word := range words[2:] {
			seq := number(t, word)
			f := &Frame{Topic: words[1], Seq: seq, Prev: seq - 1, Payload: fmt.Sprint(words[1], seq)}
			if err := p.client.Message(f); err != nil {
				return err
			}
		}
	case "told":
		from, to, _ := strings.Cut(words[2], "-")
		return p.client.Gap(words[1], number(t, from), number(t, to), words[3])
	case "end":
		return p.client.Settled(0)
	default:
		t.Fatalf("no such step: %q", words)
	}
	return nil
}

func (p *play) message(topic string, seq, prev uint64) *Message {
	return &Message{
		Topic: topic, Seq: seq, Prev: prev, TS: 1000 + p.nanos/1e6, Payload: fmt.Sprint(topic, seq), Span: At(p.tick), Nanos: p.nanos,
	}
}

func (p *play) ask(t *testing.T, words []string) (Ask, Answer) {
	filter := words[0]
	a := Ask{Filter: filter, Kept: &Kept{From: make(map[string]Oldest)}}
	for _, name := range p.log.Topics() {
		oldest := p.gone[name] + 1
		if oldest > p.log.Newest(name) {
			oldest = None
		}
		if !p.away[name] {
			a.Kept.From[name] = Oldest{oldest, oldest}
		}
	}
	o := Answer{Epoch: "e", Recovered: -1, Snapshot: -1}
	if !Wild(filter) {
		o.Seq = p.log.Newest(filter)
	}
	since := &Since{Epoch: "e"}
	for _, word := range words[1:] {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "all":
			a.Mode = All
		case "latest":
			a.Mode = Latest
		case "every":
			a.Every = int(number(t, value))
		case "last":
			a.Last = int(number(t, value))
		case "since":
			since.Seq, a.Since = number(t, value), since
		case "epoch":
			since.Epoch = value
		case "ts":
			since.TS, a.Since = int64(number(t, value)), since
		case "seqs":
			name, seq, _ := strings.Cut(value, ":")
			since.Seqs = map[string]uint64{name: number(t, seq)}
		case "head":
			o.Seq = number(t, value)
		case "recovered":
			o.Recovered = int8(number(t, value))
		case "brings":
			o.Snapshot = int(number(t, value))
		case "answers":
		default:
			t.Fatalf("no such option: %q", word)
		}
	}
	o.Every, o.Latest = a.Every, !p.log.RuleOf(filter).serve(a.Terms).all
	if slices.Contains(words, "answers=all") {
		o.Latest = false
	}
	return a, o
}

func number(t *testing.T, word string) uint64 {
	n, err := strconv.ParseUint(word, 10, 64)
	if err != nil {
		t.Fatalf("%q is no number", word)
	}
	return n
}

func TestMatch(t *testing.T) {
	for _, row := range []struct {
		filter, topic string
		want          bool
	}{
		{"a", "a", true}, {"a", "b", false}, {"a/b", "a", false}, {"a", "a/b", false},
		{"+", "a", true}, {"+", "a/b", false}, {"+/b", "a/b", true}, {"a/+", "a", false}, {"a/+", "a/", true},
		{"#", "a", true}, {"#", "a/b", true}, {"a/#", "a", true}, {"a/#", "a/b/c", true}, {"a/#", "ab", false}, {"+/#", "a", true},
		{"#", "$x", false}, {"+/a", "$x/a", false}, {"$x/#", "$x/a", true}, {"$x/+", "$x/a", true},
	} {
		if got := Match(row.filter, row.topic); got != row.want {
			t.Errorf("%s matches %s: %v, want %v", row.filter, row.topic, got, row.want)
		}
	}
}
