package raw

import (
	"fmt"
	"strings"
	"testing"

	"github.com/megawire/megawire/codec/http1"
	"github.com/megawire/megawire/codec/ws"
	"github.com/megawire/megawire/protocol"
	"github.com/megawire/megawire/pubsub"
)

// fakePeer is a connection whose server answers as the test says.
type fakePeer struct {
	protocol.Peer
	refused map[string]error // by topic, of subscribing and publishing
	asked   *pubsub.Request  // a copy
	state   uint32
	sent    string
	closed  string
}

func (p *fakePeer) State() *uint32 { return &p.state }

func (p *fakePeer) Subscribe(r *pubsub.Request) (pubsub.Joined, error) {
	asked := *r
	p.asked = &asked
	return pubsub.Joined{Epoch: "e", Recovered: -1}, p.refused[r.Filter]
}

func (p *fakePeer) Topics(yield func(filter string)) { yield(p.asked.Filter) }

func (p *fakePeer) Publish(m *pubsub.Publication, _ func() protocol.Published) (pubsub.Receipt, error) {
	p.sent = fmt.Sprintf("%s %d %s %v", m.Topic, m.Content, m.Payload, m.NoEcho)
	return pubsub.Receipt{}, p.refused[m.Topic]
}

func (p *fakePeer) Close(code ws.CloseCode, reason string) {
	p.closed = fmt.Sprintf("%d %s", code, reason)
}

// upgradeFor gives the request for a target, as the protocol sees it.
func upgradeFor(target string) *http1.Request {
	path, query, _ := strings.Cut(target, "?")
	return &http1.Request{Path: []byte(path), Query: []byte(query)}
}

// The path is the topic, and the query its options.
func TestOpen(t *testing.T) {
	mode := func(m pubsub.Mode, every int) pubsub.Terms { return pubsub.Terms{Mode: m, EveryMillis: every} }
	for _, row := range []struct {
		says, target string
		want         pubsub.Request
	}{
		{"a topic", "/raw/a/b", pubsub.Request{Filter: "a/b"}},
		{"a topic in escapes", "/raw/a%2Fb%20c", pubsub.Request{Filter: "a/b c"}},
		{"the server's own", "/raw/$sys/heartbeat", pubsub.Request{Filter: "$sys/heartbeat"}},
		{"options", "/raw/a?last=1&mode=latest&every=250", pubsub.Request{Filter: "a", Last: 1, Terms: mode(pubsub.ModeLatest, 250)}},
		{"the mode all, with echo", "/raw/a?echo=1&mode=all", pubsub.Request{Filter: "a", Terms: mode(pubsub.ModeAll, 0)}},
		{"every alone", "/raw/a?every=10", pubsub.Request{Filter: "a", Terms: mode(pubsub.ModeOfRule, 10)}},
	} {
		t.Run(row.says, func(t *testing.T) {
			var w Protocol
			p := &fakePeer{}
			if err := w.Open(p, upgradeFor(row.target)); err != nil {
				t.Fatal(err)
			}
			row.want.SnapshotMax = protocol.SnapshotMessagesMax
			if *p.asked != row.want {
				t.Errorf("asked for %+v, want %+v", *p.asked, row.want)
			}
			if echo := p.state == withEcho; echo != strings.Contains(row.target, "echo=1") {
				t.Errorf("echo is %v", echo)
			}
		})
	}
}

func TestOpenRefusals(t *testing.T) {
	for _, row := range []struct{ says, target, refusal string }{
		{"a token", "/raw/a?token=x", "400 bad_request the parameter token is not built yet"},
		{"a pattern", "/raw/a/+", "400 bad_topic /raw serves one exact topic: patterns with + or # are for /ws"},
		{"the other pattern", "/raw/%23", "400 bad_topic /raw serves one exact topic: patterns with + or # are for /ws"},
		{"a wrong escape", "/raw/%zz", "400 bad_topic the topic in the path: a '%' must be followed by two hexadecimal digits"},
		{"no topic", "/raw/", "400 bad_topic a topic has at least one byte"},
		{"no permission", "/raw/secret", "403 forbidden no permission to subscribe to secret"},
		{"too much", "/raw/big?last=20000", "400 too_many last brings too much: at most 10000 messages in all topics of a request"},
		{"a bad last", "/raw/a?last=some", "400 bad_request the parameter last must be a whole number, 0 or more"},
		{"a bad mode", "/raw/a?mode=newest", "400 bad_request the parameter mode must be all or latest"},
		{"a bad every", "/raw/a?every=5", "400 bad_request the parameter every must be a whole number of milliseconds from 10 to 86400000"},
		{"all and every", "/raw/a?every=50&mode=all", "400 bad_request the parameters mode=all and every contradict each other: every implies latest"},
		{"a bad echo", "/raw/a?echo=yes", "400 bad_request the parameter echo is 0 or 1"},
	} {
		t.Run(row.says, func(t *testing.T) {
			var w Protocol
			p := &fakePeer{refused: map[string]error{
				"": pubsub.ErrBadFilter, "secret": protocol.ErrForbidden, "big": pubsub.ErrSnapshot,
			}}
			err := w.Open(p, upgradeFor(row.target))
			if err == nil {
				t.Fatal("not refused")
			}
			if got := fmt.Sprintf("%d %s %s", err.Status, err.Code, err.Message); got != row.refusal {
				t.Errorf("refused with %q\nwant         %q", got, row.refusal)
			}
		})
	}
}

// Frames go to the path's topic; what cannot be published closes the connection.
func TestMessage(t *testing.T) {
	for _, row := range []struct {
		says, target string
		op           ws.Opcode
		frame        string
		sent, closed string
	}{
		{"JSON", "/raw/a", ws.Text, `{"x":1}`, `a 0 {"x":1} true`, ""},
		{"text, with echo", "/raw/a?echo=1", ws.Text, `x`, `a 1 x false`, ""},
		{"bytes", "/raw/a", ws.Binary, `1`, `a 2 1 true`, ""},
		{"the server's own topic", "/raw/$sys/heartbeat", ws.Text, `1`, `$sys/heartbeat 0 1 true`,
			"1008 topics that begin with $ are the server's own: clients do not publish to them"},
		{"no room", "/raw/full", ws.Text, `1`, `full 0 1 true`, "1013 the topic's subscribers are not served yet: publish again shortly"},
	} {
		t.Run(row.says, func(t *testing.T) {
			var w Protocol
			p := &fakePeer{}
			if err := w.Open(p, upgradeFor(row.target)); err != nil {
				t.Fatal(err)
			}
			p.refused = map[string]error{"$sys/heartbeat": pubsub.ErrReservedTopic, "full": pubsub.ErrNoRoom}
			w.Message(p, row.op, []byte(row.frame))
			if p.sent != row.sent || p.closed != row.closed {
				t.Errorf("published %q, closed with %q; want %q, %q", p.sent, p.closed, row.sent, row.closed)
			}
		})
	}
}
