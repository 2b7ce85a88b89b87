package server

import (
	"errors"
	"strings"
	"testing"

	"github.com/megawire/megawire/protocol"
	"github.com/megawire/megawire/pubsub"
	"github.com/megawire/megawire/server/config"
)

func TestMaySubscribe(t *testing.T) {
	c := config.Default()
	c.Rules = config.Rules{{Filter: "chat/quiet"}, {Filter: "chat/#", Presence: true}}
	every := &Server{rules: newRules(&c), subscribe: newPermissions([]string{"#"})}
	some := &Server{rules: newRules(&c), subscribe: newPermissions([]string{"a", "chat/#", "+/x/+", "$odd/#"})}
	none := &Server{rules: newRules(&c), subscribe: newPermissions(nil)}
	for _, row := range []struct {
		says   string
		s      *Server
		filter string
		want   error
	}{
		{"a topic of all", every, "a/b", nil},
		{"all of all", every, "#", nil},
		{"a pattern of all", every, "+/b/#", nil},
		{"a topic", some, "a", nil},
		{"another topic", some, "b", protocol.ErrForbidden},
		{"a topic of a pattern", some, "chat/lobby", nil},
		{"its parent", some, "chat", nil},
		{"the pattern itself", some, "chat/#", nil},
		{"a narrower one", some, "chat/+/new", nil},
		{"a wider one", some, "#", protocol.ErrForbidden},
		{"one that matches a topic and more", some, "+", protocol.ErrForbidden},
		{"one that reaches past what is allowed", some, "+/x/#", protocol.ErrForbidden},
		{"one level of two free ones", some, "b/x/+", nil},
		{"nothing of nothing", none, "a", protocol.ErrForbidden},

		{"what the server says of itself, to everybody", none, "$sys/heartbeat", nil},
		{"by a pattern too", none, "$sys/#", nil},
		{"which need not name the level", none, "$sys/+", nil},
		{"but no topic that there is not", every, "$sys/nothing", pubsub.ErrBadTopic},
		{"nor a pattern of such", every, "$sys/nothing/#", pubsub.ErrBadTopic},
		{"the prefix alone", every, "$sys", pubsub.ErrBadTopic},
		{"presence takes the right to the topic", some, "$presence/chat/lobby", nil},
		{"by a pattern too", some, "$presence/chat/#", nil},
		{"and no other", some, "$presence/b", protocol.ErrForbidden},
		{"nor a wider one", some, "$presence/#", protocol.ErrForbidden},
		{"of all", every, "$presence/#", nil},
		{"where it is off", every, "$presence/a", protocol.ErrNoPresence},
		{"by the rule that comes first", every, "$presence/chat/quiet", protocol.ErrNoPresence},
		{"of nothing", every, "$presence/", pubsub.ErrBadTopic},
		{"the prefix alone", every, "$presence", pubsub.ErrBadTopic},
		{"of the server's own", every, "$presence/$sys/heartbeat", pubsub.ErrBadTopic},
		{"other topics of the server's own", every, "$SYS/broker/load", pubsub.ErrBadTopic},
		{"even where the configuration names them", some, "$odd/a", pubsub.ErrBadTopic},

		{"nothing", every, "", pubsub.ErrBadFilter},
		{"a wildcard within a level", every, "a/b+", pubsub.ErrBadFilter},
		{"the same below $sys", every, "$sys/#/a", pubsub.ErrBadFilter},
		{"no UTF-8", every, "\xff", pubsub.ErrBadFilter},
		{"too long", every, strings.Repeat("x", pubsub.TopicBytesMax+1), pubsub.ErrBadFilter},
		{"as long as may be", every, strings.Repeat("x", pubsub.TopicBytesMax), nil},
	} {
		if got := row.s.maySubscribe(row.filter); !errors.Is(got, row.want) || row.want == nil && got != nil {
			t.Errorf("%s: %s: got %v, want %v", row.says, row.filter, got, row.want)
		}
	}
}

func TestPresenceIsOff(t *testing.T) {
	c := config.Default()
	s := &Server{rules: newRules(&c), subscribe: newPermissions([]string{"#"})}
	for _, filter := range []string{"$presence/a", "$presence/#"} {
		if err := s.maySubscribe(filter); !errors.Is(err, protocol.ErrNoPresence) {
			t.Errorf("%s: %v", filter, err)
		}
	}
}

func TestMayPublish(t *testing.T) {
	c := config.Default()
	c.Rules = config.Rules{{Filter: "news/+/letters", Publish: "clients"}, {Filter: "news/#", Publish: "servers"}}
	every := &Server{rules: newRules(&c), publish: newPermissions([]string{"#"})}
	some := &Server{rules: newRules(&c), publish: newPermissions([]string{"a", "news/#"})}
	for _, row := range []struct {
		says  string
		s     *Server
		topic string
		want  error
	}{
		{"a topic of all", every, "a/b", nil},
		{"where servers publish", every, "news/today", protocol.ErrForbidden},
		{"unless a rule before says otherwise", every, "news/today/letters", nil},
		{"a topic", some, "a", nil},
		{"another topic", some, "b", protocol.ErrForbidden},
		{"the permission does not help where servers publish", some, "news/today", protocol.ErrForbidden},
		{"the server's own", every, "$sys/heartbeat", pubsub.ErrReservedTopic},
		{"a pattern", every, "a/#", pubsub.ErrBadTopic},
	} {
		if got := row.s.mayPublish(row.topic); !errors.Is(got, row.want) || row.want == nil && got != nil {
			t.Errorf("%s: %s: got %v, want %v", row.says, row.topic, got, row.want)
		}
	}
	if n := testing.AllocsPerRun(100, func() { _ = every.mayPublish("a/b") }); n != 0 {
		t.Errorf("%v allocations a publication", n)
	}
}
