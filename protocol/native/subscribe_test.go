package native

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/megawire/megawire/codec/native"
	"github.com/megawire/megawire/codec/ws"
	"github.com/megawire/megawire/protocol"
	"github.com/megawire/megawire/pubsub"
)

// entry is a row about one entry of a subscribe: what the server is asked for, if it is, and the entry's result.
type entry struct{ says, entry, asked, result string }

func (row entry) check(t *testing.T, p *fakePeer) {
	t.Helper()
	var n Protocol
	n.Message(p, ws.Text, []byte(`{"op":"subscribe","id":1,"topics":[`+row.entry+`]}`))
	if asked := strings.Join(p.asked, "; "); asked != row.asked {
		t.Errorf("asked for %q, want %q", asked, row.asked)
	}
	want := []string{`{"op":"ok","id":1,"client":"7f2c","topics":[` + row.result + `]}`}
	if !slices.Equal(p.replies, want) {
		t.Errorf("replied %q\nwant    %q", p.replies, want)
	}
	if n.ask != (pubsub.Request{}) || n.since.Epoch != "" || n.since.Seqs != nil {
		t.Errorf("kept of the request: %+v, %+v", n.ask, n.since)
	}
}

// What is asked for reaches the server as it was meant, and the ack says what holds.
func TestSubscribe(t *testing.T) {
	all, latest := pubsub.Terms{Mode: pubsub.ModeAll}, pubsub.Terms{Mode: pubsub.ModeLatest}
	joined := map[string]pubsub.Joined{
		"by/rule":   {Epoch: "e", Seq: 3, Terms: latest, Recovered: -1},
		"every":     {Epoch: "e", Seq: 3, Terms: pubsub.Terms{Mode: pubsub.ModeLatest, EveryMillis: 260}, Recovered: -1},
		"recovered": {Epoch: "e", Seq: 57, Terms: all, Recovered: 1},
		"expired":   {Epoch: "e", Seq: 57, Terms: all, Recovered: 0},
		"empty":     {Epoch: "e", Terms: all, Recovered: -1},
		"a/#":       {Epoch: "e", Wild: true, Recovered: -1},
		"b/+":       {Epoch: "e", Wild: true, Terms: all, Recovered: 0},
		"c/+/#":     {Epoch: "e", Wild: true, Terms: pubsub.Terms{EveryMillis: 1000}, Recovered: -1},
	}
	for _, row := range []entry{
		{"a topic", `"t"`, `t`, `{"topic":"t","epoch":"k3x9","seq":42}`},
		{"a topic that nothing was published on", `"empty"`, `empty`, `{"topic":"empty","epoch":"e","seq":0}`},
		{"a pattern has no seq, but the time", `"a/#"`, `a/#`, `{"topic":"a/#","epoch":"e","ts":1763632800123}`},
		{"the server's own", `"$sys/heartbeat"`, `$sys/heartbeat`, `{"topic":"$sys/heartbeat","epoch":"k3x9","seq":42}`},
		{"presence as messages", `"$presence/chat/+"`, `$presence/chat/+`, `{"topic":"$presence/chat/+","epoch":"k3x9","ts":1763632800123}`},
		{"last", `{"topic":"t","last":5}`, `t last=5 of 10000`, `{"topic":"t","epoch":"k3x9","seq":42}`},
		{"last of a pattern", `{"topic":"a/#","last":1}`, `a/# last=1 of 10000`, `{"topic":"a/#","epoch":"e","ts":1763632800123}`},
		{"more than a snapshot may bring, of a topic that keeps less", `{"topic":"t","last":9007199254740991}`,
			`t last=9007199254740991 of 10000`, `{"topic":"t","epoch":"k3x9","seq":42}`},
		{"a last of nothing", `{"topic":"t","last":0}`, `t`, `{"topic":"t","epoch":"k3x9","seq":42}`},
		{"a last of nothing beside since", `{"topic":"recovered","last":0,"since":{"epoch":"e","seq":41}}`,
			`recovered since=e,41,0ms`, `{"topic":"recovered","epoch":"e","seq":57,"recovered":true}`},
		{"since", `{"topic":"recovered","since":{"epoch":"e","seq":41}}`,
			`recovered since=e,41,0ms`, `{"topic":"recovered","epoch":"e","seq":57,"recovered":true}`},
		{"since of another epoch", `{"topic":"expired","since":{"epoch":"","seq":0}}`,
			`expired since=,0,0ms`, `{"topic":"expired","epoch":"e","seq":57,"recovered":false}`},
		{"no since, no word of it", `"recovered"`, `recovered`, `{"topic":"recovered","epoch":"e","seq":57}`},
		{"since of a pattern", `{"topic":"b/+","since":{"epoch":"e","ts":17,"seqs":{"b/2":4,"b/\u0031":9}}}`,
			`b/+ since=e,0,17ms,b/1:9,b/2:4`, `{"topic":"b/+","epoch":"e","ts":1763632800123,"recovered":false}`},
		{"since of a pattern of which nothing came", `{"topic":"b/+","since":{"epoch":"e","ts":17}}`,
			`b/+ since=e,0,17ms`, `{"topic":"b/+","epoch":"e","ts":1763632800123,"recovered":false}`},
		{"the mode latest", `{"topic":"by/rule","mode":"latest"}`, `by/rule latest`, `{"topic":"by/rule","epoch":"e","seq":3,"mode":"latest"}`},
		{"the mode all, where the rule forbids it", `{"topic":"by/rule","mode":"all"}`, `by/rule all`, `{"topic":"by/rule","epoch":"e","seq":3,"mode":"latest"}`},
		{"the mode that the rule says", `"by/rule"`, `by/rule`, `{"topic":"by/rule","epoch":"e","seq":3,"mode":"latest"}`},
		{"every, rounded", `{"topic":"every","every":253}`, `every every=253`, `{"topic":"every","epoch":"e","seq":3,"mode":"latest","every":260}`},
		{"every with its mode", `{"topic":"every","mode":"latest","every":250,"last":1}`,
			`every last=1 of 10000 latest every=250`, `{"topic":"every","epoch":"e","seq":3,"mode":"latest","every":260}`},
		{"every of a pattern", `{"topic":"c/+/#","every":1000}`, `c/+/# every=1000`, `{"topic":"c/+/#","epoch":"e","ts":1763632800123,"mode":"latest","every":1000}`},
		{"the same filter twice", `"t",{"topic":"t","mode":"latest"}`, `t; t latest`,
			`{"topic":"t","epoch":"k3x9","seq":42},{"topic":"t","epoch":"k3x9","seq":42}`},
		{"two resume, with an epoch each", `{"topic":"recovered","since":{"epoch":"e","seq":1}},{"topic":"expired","since":{"epoch":"f","seq":2}}`,
			`recovered since=e,1,0ms; expired since=f,2,0ms`,
			`{"topic":"recovered","epoch":"e","seq":57,"recovered":true},{"topic":"expired","epoch":"e","seq":57,"recovered":false}`},
	} {
		t.Run(row.says, func(t *testing.T) { row.check(t, &fakePeer{joined: joined}) })
	}
}

// What cannot be had is refused by itself, in words that help; the entries beside it are granted.
func TestSubscribeRefusals(t *testing.T) {
	refused := map[string]error{
		"secret/#": protocol.ErrForbidden, "many": pubsub.ErrTooManySubs, "topics": pubsub.ErrTooManyTopics,
		"$other": pubsub.ErrBadTopic, "$presence/off": protocol.ErrNoPresence, "wide/#": pubsub.ErrSnapshot,
	}
	long := strings.Repeat("x", 256)
	var seqs strings.Builder
	seqs.WriteString(`"x":1`)
	for i := range native.SinceTopicsMax {
		fmt.Fprintf(&seqs, `,"%d":1`, i)
	}
	for _, row := range []struct{ says, entry, asked, topic, code, message string }{
		{"no permission", `"secret/#"`, "secret/#", "secret/#", "forbidden", "no permission to subscribe to secret/#"},
		{"too many subscriptions", `"many"`, "many", "many", "too_many", "this connection has as many subscriptions as it may have"},
		{"too many topics", `"topics"`, "topics", "topics", "too_many", "the server holds as many topics as it may"},
		{"no topic of the server's", `"$other"`, "$other", "$other", "bad_topic",
			"the server has no such topic of its own: there are $sys/heartbeat and $presence/<topic>"},
		{"presence that is off", `"$presence/off"`, "$presence/off", "$presence/off", "forbidden", "presence is off for this topic"},
		{"no bytes", `""`, "", "", "bad_topic", "a topic has at least one byte"},
		{"256 bytes", `"` + long + `"`, long, long, "bad_topic", "a topic has at most 255 bytes, this one has 256"},
		{"a NUL", `"a/\u0000"`, "a/\x00", `a/\u0000`, "bad_topic", "a topic is UTF-8 without NUL"},
		{"a wildcard within a level", `"a/b+/c"`, "a/b+/c", "a/b+/c", "bad_topic",
			`+ and # stand for whole levels, alone between slashes: not so in the level \"b+\"`},
		{"two wildcards in a level", `"a/##"`, "a/##", "a/##", "bad_topic",
			`+ and # stand for whole levels, alone between slashes: not so in the level \"##\"`},
		{"a # that is not last", `"a/#/b"`, "a/#/b", "a/#/b", "bad_topic",
			"# stands for all levels that are left, so it is the last one of a filter"},
		{"a # that is not last, with a slash behind it", `"#/"`, "#/", "#/", "bad_topic",
			"# stands for all levels that are left, so it is the last one of a filter"},
		{"last and since", `{"topic":"t","last":1,"since":{"epoch":"e","seq":1}}`, "", "t", "bad_request",
			"last and since contradict each other: since brings what was missed, last the newest"},
		{"last and since of a pattern", `{"topic":"t/#","last":1,"since":{"epoch":"e","ts":1}}`, "", "t/#", "bad_request",
			"last and since contradict each other: since brings what was missed, last the newest"},
		{"the mode all and every", `{"topic":"t","mode":"all","every":250}`, "", "t", "bad_request",
			`mode \"all\" and every contradict each other: every implies \"latest\"`},
		{"a pattern's since for a topic", `{"topic":"t","since":{"epoch":"e","ts":1,"seqs":{}}}`, "", "t", "bad_request",
			`since for a topic is {\"epoch\":<string>,\"seq\":<number>}: ts and seqs are for patterns`},
		{"a topic's since for a pattern", `{"topic":"t/+","since":{"epoch":"e","seq":1}}`, "", "t/+", "bad_request",
			`since for a pattern is {\"epoch\":<string>,\"ts\":<number>,\"seqs\":{\"<topic>\":<number>}}: seq is for a topic`},
		{"since for what is no filter", `{"topic":"t+","since":{"epoch":"e","seq":1}}`, "", "t+", "bad_topic",
			`+ and # stand for whole levels, alone between slashes: not so in the level \"t+\"`},
		{"a topic twice in since", `{"topic":"t/+","since":{"epoch":"e","ts":1,"seqs":{"t/1":1,"t/\u0031":2}}}`, "", "t/+", "bad_request",
			"since names a topic twice"},
		{"more topics in since than there may be", `{"topic":"t/+","since":{"epoch":"e","ts":1,"seqs":{` + seqs.String() + `}}}`, "", "t/+", "too_many",
			"since names more than 65536 topics"},
		{"news of more topics than may wait", `{"topic":"wide/#","since":{"epoch":"e","ts":1}}`, "wide/# since=e,0,1ms", "wide/#", "too_many",
			"since brings news of more topics than a connection may be behind in: resume narrower patterns"},
		{"every out of its range", `{"topic":"t","every":9}`, "", "t", "bad_request",
			"every must be a whole number of milliseconds from 10 to 86400000"},
		{"an unknown option", `{"topic":"t","colour":1}`, "", "t", "bad_request",
			`unknown key \"colour\" in an entry of topics of subscribe`},
	} {
		t.Run(row.says, func(t *testing.T) {
			asked := []string{"before"}
			if row.asked != "" || row.topic == "" {
				asked = append(asked, row.asked)
			}
			entry{
				entry: `"before",` + row.entry + `,"after"`,
				asked: strings.Join(append(asked, "after"), "; "),
				result: `{"topic":"before","epoch":"k3x9","seq":42},{"topic":"` + row.topic + `","error":"` + row.code + `","message":"` +
					row.message + `"},{"topic":"after","epoch":"k3x9","seq":42}`,
			}.check(t, &fakePeer{refused: refused})
		})
	}
}

// The snapshots of one request share a bound; those past it are refused, one by one.
func TestSnapshotsShareABound(t *testing.T) {
	const refusal = `"error":"too_many","message":"last brings too much: at most 10000 messages in all topics of a request"`
	p := &fakePeer{kept: 4000}
	row := entry{
		entry: `{"topic":"a","last":4000},{"topic":"b","last":5000},{"topic":"c","last":3000},"d",{"topic":"e","last":2000},{"topic":"f","last":1},` +
			`{"topic":"g","since":{"epoch":"e","seq":1}}`,
		asked: "a last=4000 of 10000; b last=5000 of 6000; c last=3000 of 2000; d; e last=2000 of 2000; g since=e,1,0ms",
		result: `{"topic":"a","epoch":"k3x9","seq":42},{"topic":"b","epoch":"k3x9","seq":42},{"topic":"c",` + refusal + `},` +
			`{"topic":"d","epoch":"k3x9","seq":42},{"topic":"e","epoch":"k3x9","seq":42},{"topic":"f",` + refusal + `},` +
			`{"topic":"g","epoch":"k3x9","seq":42}`,
	}
	row.check(t, p)
	// The next request has the whole bound again.
	p.asked, p.replies = nil, nil
	entry{entry: `{"topic":"a","last":4000}`, asked: "a last=4000 of 10000", result: `{"topic":"a","epoch":"k3x9","seq":42}`}.check(t, p)
}

func TestUnsubscribe(t *testing.T) {
	for _, row := range []struct{ says, entries, left, results string }{
		{"a topic and a pattern, though nobody has them", `"a",{"topic":"b/#"}`, "a b/#", `{"topic":"a"},{"topic":"b/#"}`},
		{"no filter", `"a","b#","c"`, "a c",
			`{"topic":"a"},{"topic":"b#","error":"bad_topic","message":"+ and # stand for whole levels, alone between slashes: not so in the level \"b#\""},{"topic":"c"}`},
		{"nothing", `""`, "", `{"topic":"","error":"bad_topic","message":"a topic has at least one byte"}`},
		{"an option", `{"topic":"a","last":1}`, "",
			`{"topic":"a","error":"bad_request","message":"unknown key \"last\" in an entry of topics of unsubscribe"}`},
	} {
		t.Run(row.says, func(t *testing.T) {
			var n Protocol
			p := &fakePeer{}
			n.Message(p, ws.Text, []byte(`{"op":"unsubscribe","topics":[`+row.entries+`]}`))
			if left := strings.Join(p.left, " "); left != row.left {
				t.Errorf("took back %q, want %q", left, row.left)
			}
			if want := []string{`{"op":"ok","topics":[` + row.results + `]}`}; !slices.Equal(p.replies, want) {
				t.Errorf("replied %q\nwant    %q", p.replies, want)
			}
		})
	}
}

// A list says of each subscription what its ack said, as it is now; recovered was about one moment.
func TestList(t *testing.T) {
	p := &fakePeer{
		has: []string{"a", "b/#", "c"},
		joined: map[string]pubsub.Joined{
			"a":   {Epoch: "e", Seq: 7, Terms: pubsub.Terms{Mode: pubsub.ModeAll}, Recovered: 1},
			"b/#": {Epoch: "e", Wild: true, Recovered: 0},
			"c":   {Epoch: "e", Terms: pubsub.Terms{Mode: pubsub.ModeLatest, EveryMillis: 30}, Recovered: -1},
		},
	}
	var n Protocol
	n.Message(p, ws.Text, []byte(`{"op":"list","id":6}`))
	want := []string{`{"op":"ok","id":6,"client":"7f2c","topics":[{"topic":"a","epoch":"e","seq":7},{"topic":"b/#","epoch":"e"},` +
		`{"topic":"c","epoch":"e","seq":0,"mode":"latest","every":30}]}`}
	if !slices.Equal(p.replies, want) {
		t.Errorf("replied %q\nwant    %q", p.replies, want)
	}
}

func TestPresence(t *testing.T) {
	refused := map[string]error{"secret": protocol.ErrForbidden, "off": protocol.ErrNoPresence}
	for _, row := range []struct {
		says    string
		clients []string
		count   int
		topic   string
		reply   string
	}{
		{"nobody", nil, 0, "a", `{"op":"ok","id":5,"topic":"a","count":0,"clients":[],"truncated":false}`},
		{"two clients", []string{"7f2c", "x"}, 2, "a",
			`{"op":"ok","id":5,"topic":"a","count":2,"clients":[{"client":"7f2c"},{"client":"x"}],"truncated":false}`},
		{"more than are listed", []string{"7f2c"}, 5, "a",
			`{"op":"ok","id":5,"topic":"a","count":5,"clients":[{"client":"7f2c"}],"truncated":true}`},
		{"no permission", nil, 0, "secret",
			`{"op":"error","id":5,"code":"forbidden","message":"no permission to subscribe to secret, which seeing its presence takes"}`},
		{"presence that is off", nil, 0, "off", `{"op":"error","id":5,"code":"forbidden","message":"presence is off for this topic"}`},
		{"a pattern", nil, 0, "a/#",
			`{"op":"error","id":5,"code":"bad_topic","message":"presence is of one topic: + and # are wildcards, for subscribers"}`},
		{"the server's own", nil, 0, "$sys/heartbeat",
			`{"op":"error","id":5,"code":"bad_topic","message":"topics that begin with $ are the server's own: they have no presence"}`},
		{"no bytes", nil, 0, "", `{"op":"error","id":5,"code":"bad_topic","message":"a topic has at least one byte"}`},
	} {
		t.Run(row.says, func(t *testing.T) {
			var n Protocol
			p := &fakePeer{clients: row.clients, count: row.count, refused: refused}
			n.Message(p, ws.Text, []byte(`{"op":"presence","id":5,"topic":"`+row.topic+`"}`))
			if !slices.Equal(p.replies, []string{row.reply}) {
				t.Errorf("replied %q\nwant    %q", p.replies, row.reply)
			}
			bad := strings.Contains(row.reply, "bad_topic")
			if asked := strings.Join(p.presence, " "); bad != (asked == "") || !bad && asked != row.topic+" 1000" {
				t.Errorf("the server was asked for %q", asked)
			}
		})
	}
}

func TestWhatIsNotBuiltIsRefused(t *testing.T) {
	var n Protocol
	p := &fakePeer{}
	n.Message(p, ws.Text, []byte(`{"op":"auth","id":4,"token":"a.b.c"}`))
	if want := `{"op":"error","id":4,"code":"bad_request","message":"this op is not built yet"}`; !slices.Equal(p.replies, []string{want}) {
		t.Errorf("replied %q, want %q", p.replies, want)
	}
}

// joinPeer grants everything at no cost.
type joinPeer struct{ protocol.Peer }

func (joinPeer) ClientID() string { return "7f2c" }

func (joinPeer) Subscribe(*pubsub.Request) (pubsub.Joined, error) {
	return pubsub.Joined{Epoch: "e", Seq: 1, Recovered: -1}, nil
}

func (joinPeer) Admit() int { return 0 }

func (joinPeer) Charge(int) {}

func (joinPeer) Reply([]byte) {}

// The filter is kept as a string; nothing else of a subscription is made new, whatever its options are.
func TestSubscribeAllocatesItsFilter(t *testing.T) {
	for _, row := range []struct {
		entry  string
		allocs float64
	}{
		{`"ticker/BTC-USD"`, 1},
		{`{"topic":"ticker/BTC-USD","last":1,"mode":"latest","every":250}`, 1},
		{`{"topic":"ticker/BTC-USD","since":{"epoch":"k3x9","seq":41}}`, 2}, // and the epoch
	} {
		var n Protocol
		var p protocol.Peer = &joinPeer{}
		request := []byte(`{"op":"subscribe","id":1,"topics":[` + row.entry + `]}`)
		if allocs := testing.AllocsPerRun(1000, func() { n.Message(p, ws.Text, request) }); allocs > row.allocs {
			t.Errorf("%s: %v allocations, want %v", row.entry, allocs, row.allocs)
		}
	}
}
