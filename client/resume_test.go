package client

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
)

// told is a message in a frame.
func told(topic string, seq int) string {
	return fmt.Sprintf(`{"topic":%q,"seq":%d,"ts":%d,"data":%d}`, topic, seq, 10000+seq, seq)
}

const again = "disconnected\nreconnecting\nconnected\n"

// dialogue runs a client that has subscribed against the visits, and wants these events.
func dialogue(t *testing.T, subs []Sub, wanted string, visits ...func(p *peer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var vs []visit
		for _, talk := range visits {
			vs = append(vs, visit{talk: talk})
		}
		vs[len(vs)-1].talk = func(p *peer) {
			visits[len(visits)-1](p)
			p.untilGone()
		}
		s := newFakeServer(t, vs...)
		defer s.stop()
		c := s.client(Options{})
		defer c.Close()
		if _, err := c.SubscribeWith(t.Context(), subs...); err != nil {
			t.Error(err)
		}
		want(t, read(t, c, 1+strings.Count(strings.TrimSpace(wanted), "\n")), wanted)
		synctest.Wait()
		if n := c.queue.len(); n > 0 {
			t.Errorf("and then:\n%s", read(t, c, n))
		}
	})
}

func TestATopicGoesOnWhereItWas(t *testing.T) {
	expired := func(from, to int) string {
		return fmt.Sprintf(`{"op":"gap","topic":"a","from":%d,"to":%d,"reason":"expired"}`, from, to)
	}
	for _, row := range []struct {
		name   string
		result string
		frames []string
		want   string
	}{
		{"nothing was published meanwhile", `"epoch":"e","seq":7,"recovered":true`, []string{told("a", 8)}, "a 8 8"},
		{"two messages were", `"epoch":"e","seq":9,"recovered":true`, []string{told("a", 8), told("a", 9), told("a", 10)},
			"a 8 8\na 9 9\na 10 10"},
		{"what comes twice is dropped", `"epoch":"e","seq":9,"recovered":true`,
			[]string{told("a", 6), told("a", 7), told("a", 8), told("a", 8), told("a", 9), told("a", 7)}, "a 8 8\na 9 9"},
		{"some is not kept any more", `"epoch":"e","seq":20,"recovered":false`, []string{expired(8, 19), told("a", 20)},
			"gap a 8-19 expired\na 20 20"},
		{"a gap that reaches back to what was had", `"epoch":"e","seq":20,"recovered":false`, []string{expired(5, 19), told("a", 20)},
			"gap a 8-19 expired\na 20 20"},
		{"a gap of what was had", `"epoch":"e","seq":8,"recovered":false`, []string{expired(5, 7), told("a", 8)}, "a 8 8"},
		{"a gap that comes twice", `"epoch":"e","seq":8,"recovered":false`, []string{expired(8, 9), expired(8, 9), told("a", 10)},
			"gap a 8-9 expired\na 10 10"},
		{"a gap that leaves some out", `"epoch":"e","seq":20,"recovered":false`, []string{expired(10, 19), told("a", 20)},
			"gap a 8-9 reconnect\ngap a 10-19 expired\na 20 20"},
		{"some is missing without a word", `"epoch":"e","seq":20,"recovered":true`, []string{told("a", 10), told("a", 12)},
			"gap a 8-9 reconnect\na 10 10\ngap a 11-11 lost\na 12 12"},
		{"numbers that never were", `"epoch":"e","seq":12,"recovered":true`, []string{`{"topic":"a","seq":12,"prev":7,"ts":1,"data":12}`},
			"a 12 12"},
		{"the server began anew", `"epoch":"f","seq":9,"recovered":false`, []string{told("a", 9), told("a", 10), told("a", 12)},
			"gap a 0-0 reconnect\na 9 9\na 10 10\ngap a 11-11 lost\na 12 12"},
		{"it began anew and is behind", `"epoch":"f","seq":3,"recovered":false`, []string{told("a", 3), told("a", 4)},
			"gap a 0-0 reconnect\na 3 3\na 4 4"},
		{"the head went back within an epoch", `"epoch":"e","seq":2,"recovered":false`, []string{told("a", 2), told("a", 3)},
			"gap a 0-0 reconnect\na 2 2\na 3 3"},
	} {
		t.Run(row.name, func(t *testing.T) {
			dialogue(t, []Sub{{Filter: "a"}}, "connected\na 7 7\n"+again+row.want,
				func(p *peer) {
					p.asked(`"a"`, `"epoch":"e","seq":6`)
					p.send(told("a", 7))
				},
				func(p *peer) {
					p.asked(`{"topic":"a","since":{"epoch":"e","seq":7}}`, row.result)
					p.send(row.frames...)
				})
		})
	}
}

// A snapshot of three, and the connection lost at every point of it.
func TestASnapshotGoesOnWhereItWas(t *testing.T) {
	const first = `{"topic":"a","last":3}`
	since := func(epoch string, seq int) string {
		return fmt.Sprintf(`{"topic":"a","since":{"epoch":%q,"seq":%d}}`, epoch, seq)
	}
	all := []string{told("a", 40), told("a", 41), told("a", 42), told("a", 43)}
	const head, next = `"epoch":"e","seq":42`, `"epoch":"e","seq":43,"recovered":true`
	for _, row := range []struct {
		name   string
		cut    func(p *peer) // the first connection
		second string        // what is asked on the second
		result string
		frames []string
		want   string
	}{
		{"before the ack", func(p *peer) { p.wants(first) }, first, head, all,
			"connected\n" + again + "a 40 40\na 41 41\na 42 42\na 43 43"},
		{"after the ack", func(p *peer) { p.asked(first, head) }, since("e", 39), next, all,
			"connected\n" + again + "a 40 40\na 41 41\na 42 42\na 43 43"},
		{"in the snapshot", func(p *peer) { p.asked(first, head); p.send(all[:1]...) }, since("e", 40), next, all[1:],
			"connected\na 40 40\n" + again + "a 41 41\na 42 42\na 43 43"},
		{"behind the snapshot", func(p *peer) { p.asked(first, head); p.send(all[:3]...) }, since("e", 42), next, all[3:],
			"connected\na 40 40\na 41 41\na 42 42\n" + again + "a 43 43"},
		{"before the ack of a topic that has less", func(p *peer) { p.asked(first, `"epoch":"e","seq":2`) }, since("e", 0), next,
			[]string{told("a", 1), told("a", 2)}, "connected\n" + again + "a 1 1\na 2 2"},
		{"what was not promised is not missing", func(p *peer) { p.asked(first, head) }, since("e", 39), `"epoch":"e","seq":43,"recovered":false`,
			[]string{`{"op":"gap","topic":"a","from":40,"to":41,"reason":"expired"}`, told("a", 42), told("a", 43)},
			"connected\n" + again + "a 42 42\na 43 43"},
		{"nor where the server says nothing of it", func(p *peer) { p.asked(first, head) }, since("e", 39), `"epoch":"e","seq":44,"recovered":true`,
			[]string{told("a", 42), told("a", 44)}, "connected\n" + again + "a 42 42\ngap a 43-43 lost\na 44 44"},
		{"what was promised is", func(p *peer) { p.asked(first, head) }, since("e", 39), `"epoch":"e","seq":50,"recovered":false`,
			[]string{`{"op":"gap","topic":"a","from":40,"to":49,"reason":"expired"}`, told("a", 50)},
			"connected\n" + again + "gap a 43-49 expired\na 50 50"},
		{"in the snapshot, and the rest is not kept", func(p *peer) { p.asked(first, head); p.send(all[:1]...) }, since("e", 40),
			`"epoch":"e","seq":43,"recovered":false`,
			[]string{`{"op":"gap","topic":"a","from":41,"to":42,"reason":"expired"}`, told("a", 43)},
			"connected\na 40 40\n" + again + "gap a 41-42 expired\na 43 43"},
	} {
		t.Run(row.name, func(t *testing.T) {
			dialogue(t, []Sub{{Filter: "a", Last: 3}}, row.want, row.cut, func(p *peer) {
				p.asked(row.second, row.result)
				p.send(row.frames...)
			})
		})
	}
}

// The server begins anew, and the connection is lost before the newest message has come.
func TestTheNewestOfAnotherEpochIsAskedForAgain(t *testing.T) {
	dialogue(t, []Sub{{Filter: "a"}}, "connected\na 7 7\n"+again+"gap a 0-0 reconnect\n"+again+"a 9 9\na 10 10",
		func(p *peer) { p.asked(`"a"`, `"epoch":"e","seq":6`); p.send(told("a", 7)) },
		func(p *peer) {
			p.asked(`{"topic":"a","since":{"epoch":"e","seq":7}}`, `"epoch":"f","seq":9,"recovered":false`)
		},
		func(p *peer) {
			p.asked(`{"topic":"a","since":{"epoch":"f","seq":8}}`, `"epoch":"f","seq":10,"recovered":true`)
			p.send(told("a", 9), told("a", 10))
		})
}

func TestAPatternGoesOnWhereItWas(t *testing.T) {
	seen := func(p *peer) { p.send(told("s/a", 7), told("s/b", 3)) }
	const had = "s/a 7 7\ns/b 3 3\n"
	for _, row := range []struct {
		name    string
		sub     Sub
		entry   string
		result  string // of the first ack
		seen    bool   // two messages come before the connection is lost
		second  string
		result2 string
		frames  []string
		want    string
	}{
		{"topics that were seen are named, for others the time of the ack holds", Sub{Filter: "s/+"}, `"s/+"`, `"epoch":"e","ts":5000`, true,
			`{"topic":"s/+","since":{"epoch":"e","ts":5000,"seqs":{"s/a":7,"s/b":3}}}`, `"epoch":"e","recovered":true`,
			[]string{told("s/b", 3), told("s/a", 8), told("s/c", 1), told("s/c", 2)}, "s/a 8 8\ns/c 1 1\ns/c 2 2"},
		{"nothing was seen", Sub{Filter: "s/+"}, `"s/+"`, `"epoch":"e","ts":5000`, false,
			`{"topic":"s/+","since":{"epoch":"e","ts":5000}}`, `"epoch":"e","recovered":true`, []string{told("s/a", 8)}, "s/a 8 8"},
		{"with a snapshot, any topic may not have been seen yet", Sub{Filter: "s/+", Last: 2}, `{"topic":"s/+","last":2}`, `"epoch":"e","ts":5000`, true,
			`{"topic":"s/+","since":{"epoch":"e","ts":0,"seqs":{"s/a":7,"s/b":3}}}`, `"epoch":"e","recovered":true`,
			[]string{told("s/c", 90), told("s/b", 4)}, "s/c 90 90\ns/b 4 4"},
		{"an ack without a time: a margin before the first message", Sub{Filter: "s/+"}, `"s/+"`, `"epoch":"e"`, true,
			`{"topic":"s/+","since":{"epoch":"e","ts":8007,"seqs":{"s/a":7,"s/b":3}}}`, `"epoch":"e","recovered":true`, []string{told("s/a", 8)}, "s/a 8 8"},
		{"nor a message: nobody knows", Sub{Filter: "s/+"}, `"s/+"`, `"epoch":"e"`, false,
			`"s/+"`, `"epoch":"e"`, []string{told("s/a", 8)}, "gap s/+ 0-0 reconnect\ns/a 8 8"},
		{"gaps are told by topic", Sub{Filter: "s/+"}, `"s/+"`, `"epoch":"e","ts":5000`, true,
			`{"topic":"s/+","since":{"epoch":"e","ts":5000,"seqs":{"s/a":7,"s/b":3}}}`, `"epoch":"e","recovered":false`,
			[]string{`{"op":"gap","topic":"s/a","from":8,"to":19,"reason":"expired"}`, told("s/a", 20), told("s/b", 5)},
			"gap s/a 8-19 expired\ns/a 20 20\ngap s/b 4-4 reconnect\ns/b 5 5"},
		{"another epoch: one gap for all", Sub{Filter: "s/+"}, `"s/+"`, `"epoch":"e","ts":5000`, true,
			`{"topic":"s/+","since":{"epoch":"e","ts":5000,"seqs":{"s/a":7,"s/b":3}}}`, `"epoch":"f","ts":6000,"recovered":false`,
			[]string{told("s/a", 2), told("s/a", 3), told("s/b", 50)}, "gap s/+ 0-0 reconnect\ns/a 2 2\ns/a 3 3\ns/b 50 50"},
	} {
		t.Run(row.name, func(t *testing.T) {
			events := "connected\n"
			if row.seen {
				events += had
			}
			dialogue(t, []Sub{row.sub}, events+again+row.want,
				func(p *peer) {
					p.asked(row.entry, row.result)
					if row.seen {
						seen(p)
					}
				},
				func(p *peer) {
					p.asked(row.second, row.result2)
					p.send(row.frames...)
				})
		})
	}
}

func TestAPatternOfAnotherEpochIsAskedForFromItsBeginning(t *testing.T) {
	dialogue(t, []Sub{{Filter: "s/+"}}, "connected\ns/a 7 7\n"+again+"gap s/+ 0-0 reconnect\ns/a 2 2\n"+again+"s/b 9 9",
		func(p *peer) { p.asked(`"s/+"`, `"epoch":"e","ts":5000`); p.send(told("s/a", 7)) },
		func(p *peer) {
			p.asked(`{"topic":"s/+","since":{"epoch":"e","ts":5000,"seqs":{"s/a":7}}}`, `"epoch":"f","ts":6000,"recovered":false`)
			p.send(told("s/a", 2))
		},
		func(p *peer) {
			p.asked(`{"topic":"s/+","since":{"epoch":"f","ts":0,"seqs":{"s/a":2}}}`, `"epoch":"f","recovered":true`)
			p.send(told("s/b", 9))
		})
}

func TestOverlappingFiltersHandOnOnce(t *testing.T) {
	const both = `{"topic":"s/a","since":{"epoch":"e","seq":43}}`
	dialogue(t, []Sub{{Filter: "s/a", Last: 2}, {Filter: "s/+", Last: 1}},
		"connected\ns/a 41 41\ns/a 42 42\ns/b 5 5\ns/a 43 43\n"+again+"s/a 44 44\ns/a 45 45\ns/b 6 6",
		func(p *peer) {
			p.asked(`{"topic":"s/a","last":2}`, `"epoch":"e","seq":42`, `{"topic":"s/+","last":1}`, `"epoch":"e","ts":5000`)
			p.send(told("s/a", 41), told("s/a", 42), told("s/a", 42), told("s/b", 5), told("s/a", 43))
		},
		func(p *peer) {
			p.asked(both, `"epoch":"e","seq":44,"recovered":true`,
				`{"topic":"s/+","since":{"epoch":"e","ts":0,"seqs":{"s/a":43,"s/b":5}}}`, `"epoch":"e","recovered":true`)
			p.send(told("s/a", 44), told("s/b", 5), told("s/a", 44), told("s/a", 45), told("s/b", 6))
		})
}

// A pattern's snapshot brings what a subscription to the topic itself has not had.
func TestASnapshotOfAPatternHasATopicOfItsOwn(t *testing.T) {
	dialogue(t, []Sub{{Filter: "s/a"}, {Filter: "s/+", Last: 2}}, "connected\n"+again+"s/a 41 41\ns/a 42 42\ns/a 43 43",
		func(p *peer) {
			p.asked(`"s/a"`, `"epoch":"e","seq":42`, `{"topic":"s/+","last":2}`, `"epoch":"e","ts":5000`)
		},
		func(p *peer) {
			p.asked(`{"topic":"s/a","since":{"epoch":"e","seq":40}}`, `"epoch":"e","seq":43,"recovered":true`,
				`{"topic":"s/+","since":{"epoch":"e","ts":0,"seqs":{"s/a":40}}}`, `"epoch":"e","recovered":true`)
			p.send(told("s/a", 41), told("s/a", 42), told("s/a", 43))
		})
}
