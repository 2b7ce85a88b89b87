package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/megawire/megawire/server/config"
)

// granted is what an ack says of one subscription.
type granted struct {
	Topic, Epoch, Error, Message, Mode string
	Every                              int
	Seq                                *uint64
	Recovered                          *bool
}

// join subscribes by one entry of topics and returns what the ack says of it, refusals included.
func (p *peer) join(entry string) granted {
	p.t.Helper()
	p.send(`{"op":"subscribe","topics":[` + entry + `]}`)
	var a struct {
		Op     string
		Topics []granted
	}
	p.decode(p.text(), &a)
	if a.Op != "ok" || len(a.Topics) != 1 {
		p.t.Fatalf("subscribe %s: got %+v", entry, a)
	}
	return a.Topics[0]
}

// joined is join of what must be granted.
func (p *peer) joined(entry string) granted {
	p.t.Helper()
	g := p.join(entry)
	if g.Error != "" || g.Epoch == "" {
		p.t.Fatalf("subscribe %s: got %+v", entry, g)
	}
	return g
}

// quiet sees to it that nothing is on its way to the client: the answer to a ping is the next that comes.
func (p *peer) quiet() {
	p.t.Helper()
	p.send(`{"op":"ping"}`)
	p.expect(`{"op":"pong"}`)
}

// messages reads so many messages and gives them as "topic seq data", in order.
func (p *peer) messages(n int) (all []string) {
	p.t.Helper()
	for range n {
		text := p.text()
		m, ok := cutMessage([]byte(text))
		if !ok {
			p.t.Fatalf("got %s, want a message", text)
		}
		all = append(all, fmt.Sprintf("%s %d %s", m.topic, m.seq, m.data))
	}
	return all
}

// numbered publishes messages from..to of a topic, in one request; their data are their numbers.
func (s *site) numbered(topic string, from, to int) {
	s.t.Helper()
	var list []string
	for i := from; i <= to; i++ {
		list = append(list, fmt.Sprintf(`{"topic":%q,"data":%d}`, topic, i))
	}
	s.publish("[" + strings.Join(list, ",") + "]")
}

func TestPatterns(t *testing.T) {
	r := serve(t, nil)
	wide, narrow, several := r.dial("/ws"), r.dial("/ws?topics=sensors/%2B/temp"), r.dial("/ws")
	if g := wide.joined(`"#"`); g.Seq != nil {
		t.Errorf("the ack of a pattern: %+v", g)
	}
	for _, filter := range []string{`"sensors/#"`, `"sensors/+/temp"`, `"sensors/a/temp"`} {
		several.joined(filter)
	}
	r.awaitMetricIs("megawire_filters", 3)
	r.publish(`[{"topic":"sensors","data":1},{"topic":"sensors/a/temp","data":2},{"topic":"sensors/a","data":3},{"topic":"chat","data":4}]`)
	for _, row := range []struct {
		p    *peer
		want []string
	}{
		{wide, []string{"chat 1 4", "sensors 1 1", "sensors/a 1 3", "sensors/a/temp 1 2"}},
		{narrow, []string{"sensors/a/temp 1 2"}},
		{several, []string{"sensors 1 1", "sensors/a 1 3", "sensors/a/temp 1 2"}},
	} {
		got := row.p.messages(len(row.want))
		slices.Sort(got) // topics have no order among each other
		if !slices.Equal(got, row.want) {
			t.Errorf("got %q, want %q", got, row.want)
		}
		row.p.quiet()
	}

	several.send(`{"op":"unsubscribe","topics":["sensors/#","sensors/a/temp"]}`)
	several.expect(`{"op":"ok","topics":[{"topic":"sensors/#"},{"topic":"sensors/a/temp"}]}`)
	r.publish(`[{"topic":"sensors","data":5},{"topic":"sensors/a/temp","data":6}]`)
	several.message("sensors/a/temp", 2, "6")
	several.quiet()
}

func TestSnapshots(t *testing.T) {
	r := serve(t, func(c *config.Config) { c.Rules = config.Rules{{Filter: "short/#", RetainMessages: 2}} })
	r.numbered("long/a", 1, 5)
	r.numbered("long/b", 1, 1)
	r.numbered("short/a", 1, 5)

	p := r.dial("/ws")
	if g := p.joined(`{"topic":"long/a","last":3}`); g.Seq == nil || *g.Seq != 5 {
		t.Errorf("the ack: %+v", g)
	}
	p.message("long/a", 3, "3")
	p.message("long/a", 4, "4")
	p.message("long/a", 5, "5")
	r.numbered("long/a", 6, 6)
	p.message("long/a", 6, "6")
	p.joined(`{"topic":"short/a","last":100}`)
	p.message("short/a", 4, "4")
	p.message("short/a", 5, "5")
	p.quiet()

	q := r.dial("/ws")
	q.joined(`{"topic":"long/+","last":1}`)
	got := q.messages(2)
	if slices.Sort(got); !slices.Equal(got, []string{"long/a 6 6", "long/b 1 1"}) {
		t.Errorf("the snapshot of a pattern: %q", got)
	}
	q.quiet()

	u := r.dial("/ws?topics=long/a,long/b&last=1")
	got = u.messages(2)
	if slices.Sort(got); !slices.Equal(got, []string{"long/a 6 6", "long/b 1 1"}) {
		t.Errorf("the snapshot that a URL asks for: %q", got)
	}
	u.quiet()
	raw := r.dial("/raw/long/a?last=2")
	raw.control(opText, "5")
	raw.control(opText, "6")
}

func TestSince(t *testing.T) {
	r := serve(t, func(c *config.Config) { c.Rules = config.Rules{{Filter: "short/#", RetainMessages: 2}} })
	r.numbered("long", 1, 5)
	r.numbered("short/a", 1, 5)
	epoch := r.dial("/ws").joined(`"long"`).Epoch
	for _, row := range []struct {
		says      string
		entry     string
		recovered bool
		want      []string // gaps are told as they come
	}{
		{"all that was missed", `{"topic":"long","since":{"epoch":"%s","seq":3}}`, true, []string{"long 4 4", "long 5 5"}},
		{"nothing was missed", `{"topic":"long","since":{"epoch":"%s","seq":5}}`, true, nil},
		{"from the beginning", `{"topic":"long","since":{"epoch":"%s","seq":0}}`, true,
			[]string{"long 1 1", "long 2 2", "long 3 3", "long 4 4", "long 5 5"}},
		{"more than is kept", `{"topic":"short/a","since":{"epoch":"%s","seq":1}}`, false,
			[]string{`{"op":"gap","topic":"short/a","from":2,"to":3,"reason":"expired"}`, "short/a 4 4", "short/a 5 5"}},
		{"another epoch", `{"topic":"long","since":{"epoch":"not%s","seq":3}}`, false, []string{"long 5 5"}},
		{"a seq that was never given", `{"topic":"long","since":{"epoch":"%s","seq":6}}`, false, []string{"long 5 5"}},
		{"a pattern", `{"topic":"long/#","since":{"epoch":"%s","ts":0,"seqs":{"long":4}}}`, true, []string{"long 5 5"}},
	} {
		t.Run(row.says, func(t *testing.T) {
			p := r.dial("/ws")
			p.t = t
			g := p.joined(fmt.Sprintf(row.entry, epoch))
			if g.Recovered == nil || *g.Recovered != row.recovered {
				t.Errorf("the ack: %+v, want recovered %v", g, row.recovered)
			}
			for _, want := range row.want {
				if strings.HasPrefix(want, "{") {
					p.expect(want)
				} else if got := p.messages(1)[0]; got != want {
					t.Errorf("got %s, want %s", got, want)
				}
			}
			p.quiet()
		})
	}
}

// newestOf reads messages of a topic, each newer than the one before, up to the one with that seq.
func (p *peer) newestOf(topic string, seq uint64) (count int) {
	p.t.Helper()
	for last := uint64(0); last != seq; count++ {
		text := p.text()
		m, ok := cutMessage([]byte(text))
		if !ok || string(m.topic) != topic || m.seq <= last || m.seq > seq {
			p.t.Fatalf("got %s after message %d of %s, want newer ones up to %d", text, last, topic, seq)
		}
		last = m.seq
	}
	return count
}

func TestModes(t *testing.T) {
	no := false
	r := serve(t, func(c *config.Config) {
		c.Rules = config.Rules{{Filter: "ticker/#", Mode: "latest"}, {Filter: "book/#", All: &no}}
	})
	p := r.dial("/ws")
	for _, row := range []struct{ says, entry, mode string }{
		{"all, where nothing else is said", `"trades"`, ""},
		{"all may be asked for", `{"topic":"trades","mode":"all"}`, ""},
		{"latest may be asked for", `{"topic":"trades","mode":"latest"}`, "latest"},
		{"and all again", `{"topic":"trades","mode":"all"}`, ""},
		{"an interval is of the latest", `{"topic":"trades","every":250}`, "latest"},
		{"the rule says latest", `"ticker/a"`, "latest"},
		{"all may be asked for there", `{"topic":"ticker/a","mode":"all"}`, ""},
		{"the rule forbids all", `"book/a"`, "latest"},
		{"also to those who ask for it", `{"topic":"book/a","mode":"all"}`, "latest"},
	} {
		if g := p.joined(row.entry); g.Mode != row.mode {
			t.Errorf("%s: the ack says mode %q, want %q", row.says, g.Mode, row.mode)
		}
	}
	if g := p.joined(`{"topic":"trades","every":253}`); g.Every != 300 {
		t.Errorf("the interval that holds is %d, want 300", g.Every)
	}

	all, latest := r.dial("/ws"), r.dial("/ws")
	all.joined(`{"topic":"trades","mode":"all"}`)
	latest.joined(`{"topic":"trades","mode":"latest"}`)
	r.numbered("trades", 1, 200)
	for i := range 200 {
		all.message("trades", uint64(i+1), fmt.Sprint(i+1))
	}
	latest.newestOf("trades", 200)
	latest.quiet()
}

func TestEvery(t *testing.T) {
	const day = 24 * 60 * 60 * 1000
	r := serve(t, nil)
	p, q := r.dial("/ws"), r.dial("/ws")
	if g := p.joined(fmt.Sprintf(`{"topic":"t","every":%d}`, day)); g.Every < day {
		t.Errorf("the ack: %+v", g)
	}
	q.joined(`{"topic":"#","every":20}`)
	r.numbered("t", 1, 1)
	p.message("t", 1, "1") // one is due at once
	r.numbered("t", 2, 50)
	if n := q.newestOf("t", 50); n > 50 {
		t.Errorf("%d messages of 50", n)
	}
	q.quiet()
	p.quiet() // until tomorrow
	p.joined(`{"topic":"t","every":20,"last":1}`)
	p.message("t", 50, "50")
	r.numbered("t", 51, 100)
	var last uint64
	for last != 100 {
		m, _ := cutMessage([]byte(p.text()))
		if m.seq <= max(last, 50) {
			t.Fatalf("message %d after %d", m.seq, last)
		}
		last = m.seq
	}
	p.quiet()
}

func TestHeartbeatTopic(t *testing.T) {
	r := serve(t, func(c *config.Config) {
		allowPublish(c)
		c.Anonymous.Subscribe = nil // everybody may know that the server lives
	})
	p, q := r.dial("/ws?topics=$sys/heartbeat"), r.dial("/ws")
	q.joined(`"$sys/#"`)
	for _, reader := range []*peer{p, q} {
		var seqs, ns []uint64
		for range 2 {
			m, ok := cutMessage([]byte(reader.text()))
			var beat struct{ N, Time uint64 }
			if err := json.Unmarshal(m.data, &beat); !ok || err != nil || string(m.topic) != "$sys/heartbeat" || beat.Time < 1_600_000_000_000 {
				t.Fatalf("got %s with %s, %v", m.topic, m.data, err)
			}
			seqs, ns = append(seqs, m.seq), append(ns, beat.N)
		}
		if seqs[1] != seqs[0]+1 || ns[1] != ns[0]+1 || seqs[0] != ns[0] {
			t.Errorf("seqs %d, n %d", seqs, ns)
		}
	}
	pub := r.dial("/ws")
	if a := pub.ask(`{"op":"publish","id":1,"topic":"$sys/heartbeat","data":1}`); a.Code != "forbidden" {
		t.Errorf("a client publishes it: %+v", a)
	}
	status, answer, err := r.post(typeJSON, strings.NewReader(`{"topic":"$sys/heartbeat","data":1}`))
	if err != nil || status != 403 {
		t.Errorf("a publisher publishes it: %d, %s, %v", status, answer, err)
	}
}

// presenceNews reads messages of $presence/<topic> until they have told of so many joins and leaves, and returns
// the last count.
func (p *peer) presenceNews(topic string, joins, leaves []string) (count int) {
	p.t.Helper()
	var gotJoins, gotLeaves []string
	for len(gotJoins) < len(joins) || len(gotLeaves) < len(leaves) {
		text := p.text()
		m, ok := cutMessage([]byte(text))
		var news struct {
			Join, Leave []struct{ Client string }
			Count       *int
		}
		if err := json.Unmarshal(m.data, &news); !ok || err != nil || string(m.topic) != "$presence/"+topic || news.Count == nil {
			p.t.Fatalf("got %s, want news of who is on %s", text, topic)
		}
		for _, c := range news.Join {
			gotJoins = append(gotJoins, c.Client)
		}
		for _, c := range news.Leave {
			gotLeaves = append(gotLeaves, c.Client)
		}
		count = *news.Count
	}
	for _, list := range [][]string{gotJoins, gotLeaves, joins, leaves} {
		slices.Sort(list)
	}
	if !slices.Equal(gotJoins, joins) || !slices.Equal(gotLeaves, leaves) {
		p.t.Fatalf("joined %q, left %q, want %q, %q", gotJoins, gotLeaves, joins, leaves)
	}
	return count
}

func TestPresence(t *testing.T) {
	r := serve(t, func(c *config.Config) { c.Rules = config.Rules{{Filter: "chat/#", Presence: true}} })
	watch := r.dial("/ws")
	watch.joined(`"$presence/chat/+"`)
	ann, ben := r.dial("/ws"), r.dial("/ws")
	annID, benID := ann.subscribe("chat/lobby"), ben.subscribe("chat/lobby")
	if n := watch.presenceNews("chat/lobby", []string{annID, benID}, nil); n != 2 {
		t.Errorf("%d are there, want 2", n)
	}
	raw := r.dial("/raw/chat/lobby")

	var who struct {
		Op, Topic string
		Count     int
		Clients   []struct{ Client string }
		Truncated bool
	}
	watch.send(`{"op":"presence","id":1,"topic":"chat/lobby"}`)
	var news []string
	for who.Op == "" { // the news of raw may come before the answer
		text := watch.text()
		if m, ok := cutMessage([]byte(text)); ok {
			news = append(news, string(m.data))
			continue
		}
		watch.decode(text, &who)
	}
	var ids []string
	for _, c := range who.Clients {
		ids = append(ids, c.Client)
	}
	if who.Op != "ok" || who.Topic != "chat/lobby" || who.Count != 3 || len(ids) != 3 || who.Truncated ||
		!slices.Contains(ids, annID) || !slices.Contains(ids, benID) {
		t.Errorf("got %+v", who)
	}
	rawID := slices.DeleteFunc(ids, func(id string) bool { return id == annID || id == benID })
	if len(news) == 0 {
		watch.presenceNews("chat/lobby", slices.Clone(rawID), nil)
	}

	ben.send(`{"op":"unsubscribe","topics":["chat/lobby"]}`)
	raw.close()
	if n := watch.presenceNews("chat/lobby", nil, append(rawID, benID)); n != 1 {
		t.Errorf("%d are there, want 1", n)
	}

	for _, request := range []string{`{"op":"presence","topic":"trades"}`, `{"op":"presence","topic":"$sys/heartbeat"}`,
		`{"op":"presence","topic":"chat/#"}`} {
		if a := ann.ask(request); a.Op != "error" || a.Message == "" {
			t.Errorf("%s: got %+v", request, a)
		}
	}
	for _, filter := range []string{"$presence/trades", "$presence/$sys/heartbeat", "$other", "$other/#"} {
		if g := ann.join(`"` + filter + `"`); g.Error == "" || g.Message == "" {
			t.Errorf("%s: got %+v", filter, g)
		}
	}
}

func TestPermissionsForPatterns(t *testing.T) {
	r := serve(t, func(c *config.Config) { c.Anonymous.Subscribe = []string{"a/#", "b/+"} })
	p := r.dial("/ws")
	for filter, want := range map[string]string{
		"a/#": "", "a": "", "a/+/c": "", "b/c": "", "b/+": "", "b/#": "forbidden", "#": "forbidden", "+": "forbidden", "+/c": "forbidden",
		"$sys/#": "", "$presence/c": "forbidden", "$other/a": "bad_topic", "a/#/b": "bad_topic", "a/b+": "bad_topic",
	} {
		if g := p.join(`"` + filter + `"`); g.Error != want || (want != "") != (g.Message != "") {
			t.Errorf("%s: got %+v, want %q", filter, g, want)
		}
	}
	for target, want := range map[string]int{"/ws?topics=%23": 403, "/ws?topics=a/%23": 101, "/ws?topics=$other": 400, "/raw/a/%23": 400} {
		q := r.connect()
		q.write([]byte(upgradeRequest(target)))
		if a, err := q.response(); err != nil || a.status != want {
			t.Errorf("%s: status %d, %s, %v, want %d", target, a.status, a.body, err, want)
		}
	}
}

func TestServersAlonePublish(t *testing.T) {
	r := serve(t, func(c *config.Config) {
		allowPublish(c)
		c.Rules = config.Rules{{Filter: "news/letters"}, {Filter: "news/#", Publish: "servers"}}
	})
	p := r.dial("/ws")
	p.subscribe("news/today", "news/letters")
	if a := p.ask(`{"op":"publish","id":1,"topic":"news/today","data":1}`); a.Code != "forbidden" || a.Message != "no permission to publish to news/today" {
		t.Errorf("got %+v", a)
	}
	r.publish(`{"topic":"news/today","data":2}`)
	p.message("news/today", 1, "2")
	p.send(`{"op":"publish","topic":"news/letters","data":3}`)
	p.message("news/letters", 1, "3")
	raw := r.dial("/raw/news/today")
	raw.send("4")
	raw.closed(1008)
}

// stall subscribes a client that reads nothing, and publishes to a topic of its until the kernel takes no more.
func (r *rig) stall(target, topic string) *peer {
	r.t.Helper()
	p := r.dialNarrow(target)
	line := fmt.Appendf(nil, `{"topic":%q,"data":"%s"}`+"\n", topic, strings.Repeat("x", 1000))
	eventually(r.t, func() bool {
		if err := r.stream(bytes.NewReader(bytes.Repeat(line, 100)), 100); err != nil {
			r.t.Fatal(err)
		}
		return r.metrics()["megawire_connections_lagging"] >= 1
	}, func() string { return "the client reads nothing and does not lag" })
	return p
}

// skipTo reads up to a frame of that kind whose payload begins so.
func (p *peer) skipTo(op byte, begin string) {
	p.t.Helper()
	for {
		got, payload, err := p.next()
		switch {
		case err != nil || got == opClose && op != opClose:
			p.t.Fatalf("got opcode %#x, %q, %v while waiting for %q", got, payload, err, begin)
		case got == op && strings.HasPrefix(string(payload), begin):
			return
		}
	}
}

// Who is too slow for a rule that says close is closed, even if the ring has all that it missed; where there is no
// such rule it is not.
func TestSlowReadersAreClosedByRule(t *testing.T) {
	r := serve(t, func(c *config.Config) {
		c.Socket.SendBufferBytes = 4 * config.KiB
		c.Rules = config.Rules{{Filter: "strict/#", Slow: "close", SlowMessages: 50, RetainMessages: 100_000, RetainBytes: 64 * config.MiB}}
	})
	patient := r.stall("/ws?topics=patient", "patient")
	strict := r.dialNarrow("/ws?topics=strict/a")
	line := []byte(`{"topic":"strict/a","data":"` + strings.Repeat("x", 1000) + `"}` + "\n")
	if err := r.stream(bytes.NewReader(bytes.Repeat(line, 2000)), 2000); err != nil {
		t.Fatal(err)
	}
	r.awaitMetricIs(`megawire_websocket_closes_total{code="4002"}`, 1)
	strict.skipTo(opClose, "\x0f\xa2")
	patient.send(`{"op":"ping","id":"still there"}`)
	patient.skipTo(opText, `{"op":"pong","id":"still there"}`)
}

// A slow reader of the latest is told of no gap: it sees from seq what was passed over, and ends on the newest.
func TestSlowReadersOfTheLatest(t *testing.T) {
	r := serve(t, func(c *config.Config) { c.Socket.SendBufferBytes = 4 * config.KiB })
	p := r.stall("/ws?topics=t&mode=latest", "t")
	var receipt struct{ Seq uint64 }
	p.decode(string(r.publish(`{"topic":"t","data":"the newest"}`)), &receipt)
	if n := p.newestOf("t", receipt.Seq); uint64(n) >= receipt.Seq {
		t.Errorf("%d messages of %d", n, receipt.Seq)
	}
	p.quiet()
	r.awaitMetricAtLeast("megawire_conflated_messages_total", 1)
}

// A subscriber of patterns that is behind in more topics than it may be is closed.
func TestLagTopics(t *testing.T) {
	r := serve(t, func(c *config.Config) {
		c.Socket.SendBufferBytes = 4 * config.KiB
		c.Limits.LagTopics = 20
	})
	p := r.stall("/ws?topics=%23", "wide")
	var list []string
	for i := range 100 {
		list = append(list, fmt.Sprintf(`{"topic":"many/%d","data":1}`, i))
	}
	r.publish("[" + strings.Join(list, ",") + "]")
	r.awaitMetricIs(`megawire_websocket_closes_total{code="4002"}`, 1)
	p.skipTo(opClose, "\x0f\xa2")
}
