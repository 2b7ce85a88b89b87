package client

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// feed is a server in miniature, with one reader whose connection is cut again and again. What it sends of a topic
// comes in order; topics overtake each other.
type feed struct {
	t     *testing.T
	r     *rand.Rand
	keep  int // messages of a topic that it keeps
	epoch int
	now   int64
	logs  map[string]*feedLog

	ps    *positions
	subs  []Sub
	acked []bool

	out map[string][]feedFrame // on its way to the reader, by topic

	// What the application has.
	has map[string]*feedReader
}

type feedLog struct {
	head  uint64
	kept  []feedFrame
	gone  int64  // when the newest that is not kept was published
	since uint64 // the application is owed what comes after it
	owed  bool
}

// feedFrame is a message, or a gap from..seq.
type feedFrame struct {
	from, seq uint64
	ts        int64
}

// feedReader is what the application has of a topic in this epoch.
type feedReader struct {
	next uint64 // 0 before the first
	gaps int
}

func newFeed(t *testing.T, seed uint64, keep int) *feed {
	f := &feed{
		t: t, r: rand.New(rand.NewPCG(seed, 0)), keep: keep, now: 1000, logs: map[string]*feedLog{},
		ps:   newPositions(1000),
		subs: []Sub{{Filter: "p/a", Last: 2}, {Filter: "p/+"}, {Filter: "q/#", Last: 1}, {Filter: "r"}},
		has:  map[string]*feedReader{},
	}
	f.acked = make([]bool, len(f.subs))
	return f
}

var feedTopics = []string{"p/a", "p/b", "p/c", "q", "q/a", "q/b/c", "r"}

func (f *feed) publish() {
	topic := feedTopics[f.r.IntN(len(feedTopics))]
	l := f.logs[topic]
	if l == nil {
		l = &feedLog{owed: f.out != nil && f.reads(topic)}
		f.logs[topic] = l
	}
	l.head++
	f.now += f.r.Int64N(3)
	m := feedFrame{seq: l.head, ts: f.now}
	if l.kept = append(l.kept, m); len(l.kept) > f.keep {
		l.gone = l.kept[0].ts
		l.kept = l.kept[1:]
	}
	if f.reads(topic) && f.out != nil {
		f.out[topic] = append(f.out[topic], m)
	}
}

// reads says whether the reader has the topic on this connection; all of them are acked before anything is sent.
func (f *feed) reads(topic string) bool {
	for i := range f.subs {
		if f.acked[i] && matches(f.subs[i].Filter, topic) {
			return true
		}
	}
	return false
}

// connect answers the subscriptions, up to a cut, and puts what they bring on its way.
func (f *feed) connect() (whole bool) {
	f.out = map[string][]feedFrame{}
	for i := range f.subs {
		if f.r.IntN(20) == 0 {
			return false
		}
		sub := f.subs[i]
		if f.acked[i] {
			at, ok := f.ps.place(sub.Filter, SinceTopicsMax, RequestBytesMax)
			if !ok {
				f.t.Fatalf("no place in %s", sub.Filter)
			}
			sub.Last, sub.Since = 0, &at
		}
		f.answer(&sub)
		f.acked[i] = true
	}
	return true
}

func (f *feed) answer(sub *Sub) {
	a := &ack{epoch: fmt.Sprint(f.epoch), ts: f.now}
	for topic, l := range f.logs {
		if matches(sub.Filter, topic) {
			a.head = l.head // of a pattern it says nothing
			f.bring(topic, l, sub, a.epoch)
		}
	}
	for topic, l := range f.logs {
		if matches(sub.Filter, topic) && !l.owed {
			if l.owed = true; sub.Since == nil {
				l.since = l.head
			}
		}
	}
	renewed := *sub
	if f.acked[slices.IndexFunc(f.subs, func(s Sub) bool { return s.Filter == sub.Filter })] {
		renewed.Since = nil // as the client does it
	}
	if _, anew, _ := f.ps.acked(&renewed, a); anew != (sub.Since != nil && sub.Since.Epoch != a.epoch) {
		f.t.Fatalf("anew is %v for %s since %+v in epoch %s", anew, sub.Filter, sub.Since, a.epoch)
	}
}

// bring puts what a subscription begins with on its way; filters that overlap bring the same message twice.
func (f *feed) bring(topic string, l *feedLog, sub *Sub, epoch string) {
	switch since := sub.Since; {
	case since == nil:
		f.send(topic, l.kept[max(0, len(l.kept)-sub.Last):])
	case since.Epoch != epoch:
		f.send(topic, l.kept[len(l.kept)-1:])
		l.owed, l.since = true, l.head // the newest comes, as long as it is kept
	default:
		seq, named := since.Seqs[topic]
		if !isPattern(sub.Filter) {
			seq, named = since.Seq, true
		}
		if !named && l.gone >= since.TS {
			f.send(topic, []feedFrame{{from: 1, seq: l.kept[0].seq - 1}})
		} else if named && l.kept[0].seq > seq+1 {
			f.send(topic, []feedFrame{{from: seq + 1, seq: l.kept[0].seq - 1}})
		}
		for i, m := range l.kept {
			if named && m.seq > seq || !named && m.ts >= since.TS {
				f.send(topic, l.kept[i:])
				break
			}
		}
	}
}

func (f *feed) send(topic string, frames []feedFrame) {
	if len(frames) > 0 {
		f.out[topic] = append(f.out[topic], frames...)
	}
}

// receive takes the next frame of some topic, and checks what the application is told.
func (f *feed) receive() bool {
	topics := slices.Sorted(maps.Keys(f.out))
	if len(topics) == 0 {
		return false
	}
	topic := topics[f.r.IntN(len(topics))]
	m := f.out[topic][0]
	if f.out[topic] = f.out[topic][1:]; len(f.out[topic]) == 0 {
		delete(f.out, topic)
	}
	var epoch string
	var news bool
	var gap, before hole
	if m.from == 0 {
		epoch, news, before = f.ps.saw(topic, m.seq, m.seq-1, m.ts)
	} else {
		epoch, gap, before = f.ps.lost(topic, m.from, m.seq)
		news = gap.to > 0
	}
	if news && epoch != fmt.Sprint(f.epoch) {
		f.t.Fatalf("%s counts in %q, want %d", topic, epoch, f.epoch)
	}
	r := f.has[topic]
	if r == nil {
		r = &feedReader{}
		f.has[topic] = r
	}
	for _, h := range []hole{before, gap} {
		if h.to > 0 {
			f.had(topic, r, h.from, h.to)
			r.gaps++
		}
	}
	if news && m.from == 0 {
		f.had(topic, r, m.seq, m.seq)
	}
	return true
}

// had notes that the application was handed, or told of, from..to: once, in order.
func (f *feed) had(topic string, r *feedReader, from, to uint64) {
	if r.next != 0 && from != r.next || r.next == 0 && f.logs[topic].owed && from > f.logs[topic].since+1 {
		f.t.Fatalf("%s: the application is at %d, owed what comes after %d, and gets %d to %d",
			topic, r.next, f.logs[topic].since, from, to)
	}
	r.next = to + 1
}

func (f *feed) cut() {
	f.out = nil
	f.ps.disconnected()
}

// restart is a server that has forgotten all but new messages.
func (f *feed) restart() {
	f.cut()
	f.epoch++
	f.logs, f.has = map[string]*feedLog{}, map[string]*feedReader{}
	for f.r.IntN(4) > 0 {
		f.publish()
	}
}

func TestNothingIsLostOrDoubledWhereverTheConnectionBreaks(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	for run := range uint64(2000) {
		keep := 4
		if run%2 == 0 {
			keep = 1 << 20
		}
		f := newFeed(t, seed+run, keep)
		for range 12 {
			for f.r.IntN(8) > 0 {
				f.publish()
			}
			if whole := f.connect(); whole {
				for f.r.IntN(30) > 0 {
					if f.r.IntN(3) == 0 {
						f.publish()
					}
					f.receive()
				}
			}
			if f.cut(); f.r.IntN(10) == 0 {
				f.restart()
			}
		}
		for !f.connect() {
			f.cut()
		}
		for f.receive() {
		}
		f.atTheEnd(run, keep > 4)
	}
}

// atTheEnd checks that every message is accounted for, and that nothing was missing where all is kept.
func (f *feed) atTheEnd(run uint64, all bool) {
	for topic, l := range f.logs {
		r := f.has[topic]
		if r == nil {
			r = &feedReader{next: l.since + 1}
		}
		if l.owed && l.head > l.since && r.next != l.head+1 {
			f.t.Errorf("run %d: the application has %s up to %d of %d", run, topic, r.next, l.head)
		}
		if all && r.gaps > 0 {
			f.t.Errorf("run %d: %d gaps in %s, all of which is kept", run, r.gaps, topic)
		}
	}
}
