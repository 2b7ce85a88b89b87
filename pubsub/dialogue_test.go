package pubsub

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the dialogues' answers")

// TestDialogues plays testdata/dialogues: "> command" in, "< answer" out, one shard unless said otherwise.
func TestDialogues(t *testing.T) {
	files, err := filepath.Glob("testdata/dialogues/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no dialogues", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(want))
			if *rewrite {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			w, g := strings.Split(string(want), "\n"), strings.Split(got, "\n")
			for i := range w {
				if i >= len(g) || w[i] != g[i] {
					t.Fatalf("line %d: want %q\nwhole answer:\n%s", i+1, w[i], got)
				}
			}
		})
	}
}

type dialogue struct {
	*fakeSink
	out []string
}

func (d *dialogue) say(format string, args ...any) {
	d.out = append(d.out, strings.TrimRight("< "+fmt.Sprintf(format, args...), " "))
}

func play(t *testing.T, script string) string {
	d := &dialogue{}
	for line := range strings.Lines(script) {
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

func (d *dialogue) do(t *testing.T, words []string) {
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
	if !slices.Contains([]string{"publish", "skip", "turn", "sweep", "wakes", "counts", "stats"}, words[0]) {
		owner = uint32(number(1))
	}
	switch words[0] {
	case "reader": // reader OWNER [KIND]
		kind := kindLine
		if len(words) > 2 {
			kind = Kind(number(2))
		}
		d.add(owner, kind)
	case "subscribe": // subscribe OWNER TOPIC…
		for _, name := range words[2:] {
			j, err := d.shard.Subscribe(d.readers[owner].id, name)
			d.say("%s after %d%s", name, j.Seq, failed(err))
		}
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

func (d *dialogue) publishAll(t *testing.T, words []string) {
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
		"no room": ErrNoRoom, "too many subscriptions": ErrTooManySubs, "too many topics": ErrTooManyTopics, "bad topic": ErrBadTopic,
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
		default:
			t.Fatalf("no such option: %q", word)
		}
	}
}
