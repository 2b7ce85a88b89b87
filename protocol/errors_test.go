package protocol

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/megawire/megawire/pubsub"
)

// What a client is told, word for word.
func TestExplain(t *testing.T) {
	long := strings.Repeat("x", 256)
	for _, row := range []struct {
		err         error
		verb, topic string
		want        string
	}{
		{ErrForbidden, "subscribe", "a/#", "forbidden: no permission to subscribe to a/#"},
		{ErrForbidden, "publish", "a", "forbidden: no permission to publish to a"},
		{ErrForbidden, "presence", "a", "forbidden: no permission to subscribe to a, which seeing its presence takes"},
		{ErrNoPresence, "presence", "a", "forbidden: presence is off for this topic"},
		{pubsub.ErrReservedTopic, "publish", "$sys/a", "forbidden: topics that begin with $ are the server's own: clients do not publish to them"},
		{pubsub.ErrBadTopic, "publish", "a/+", "bad_topic: a message is published to one topic: + and # are wildcards, for subscribers"},
		{pubsub.ErrBadTopic, "presence", "a/#", "bad_topic: presence is of one topic: + and # are wildcards, for subscribers"},
		{pubsub.ErrBadTopic, "presence", "$sys/a", "bad_topic: topics that begin with $ are the server's own: they have no presence"},
		{pubsub.ErrBadTopic, "subscribe", "$a", "bad_topic: the server has no such topic of its own: there are $sys/heartbeat and $presence/<topic>"},
		{pubsub.ErrBadTopic, "subscribe", "$a/+", "bad_topic: the server has no such topic of its own: there are $sys/heartbeat and $presence/<topic>"},
		{pubsub.ErrBadFilter, "subscribe", "", "bad_topic: a topic has at least one byte"},
		{pubsub.ErrBadFilter, "subscribe", long, "bad_topic: a topic has at most 255 bytes, this one has 256"},
		{pubsub.ErrBadFilter, "subscribe", "a\xff+", "bad_topic: a topic is UTF-8 without NUL"},
		{pubsub.ErrBadFilter, "subscribe", "+\x00", "bad_topic: a topic is UTF-8 without NUL"},
		{pubsub.ErrBadFilter, "subscribe", "a/x+", `bad_topic: + and # stand for whole levels, alone between slashes: not so in the level "x+"`},
		{pubsub.ErrBadFilter, "unsubscribe", "+#", `bad_topic: + and # stand for whole levels, alone between slashes: not so in the level "+#"`},
		{pubsub.ErrBadFilter, "subscribe", "#/+", "bad_topic: # stands for all levels that are left, so it is the last one of a filter"},
		{pubsub.ErrSnapshot, "subscribe", "a", "too_many: last brings too much: at most 10000 messages in all topics of a request"},
		{pubsub.ErrTooManySubs, "subscribe", "a", "too_many: this connection has as many subscriptions as it may have"},
		{pubsub.ErrTooManyTopics, "subscribe", "a", "too_many: the server holds as many topics as it may"},
		{pubsub.ErrBadFilter, "subscribe", strings.Repeat("a/", 32) + "#", "bad_topic: a pattern has at most 32 levels, this one has 33"},
		{pubsub.ErrFull, "publish", "a", "unavailable: the server keeps as many messages as it may, all of topics with subscribers"},
		{pubsub.ErrNoRoom, "publish", "a", "unavailable: the topic's subscribers are not served yet: publish again shortly"},
		{errors.New("of a broker"), "publish", "a", "unavailable: the message could not be published"},
		{errors.New("of a broker"), "subscribe", "a", "unavailable: the server could not do this: try again shortly"},
	} {
		code, message := Explain(fmt.Errorf("wrapped: %w", row.err), row.verb, row.topic)
		if got := code + ": " + message; got != row.want {
			t.Errorf("%v, %s %q: got  %s\nwant %s", row.err, row.verb, row.topic, got, row.want)
		}
	}
}
