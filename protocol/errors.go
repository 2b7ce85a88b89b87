package protocol

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/megawire/megawire/codec/codes"
	"github.com/megawire/megawire/codec/http1"
	"github.com/megawire/megawire/pubsub"
)

// Errors of a Peer.
var (
	ErrForbidden  = errors.New("protocol: no permission") // to subscribe or publish to a topic
	ErrNoPresence = errors.New("protocol: presence is off for the topic")
)

// Explain gives the code and the text that a client gets for an error of Subscribe, Publish or Presence; verb is
// "subscribe", "unsubscribe", "publish" or "presence", topic what was asked for.
func Explain(err error, verb, topic string) (code, message string) {
	switch {
	case errors.Is(err, ErrForbidden) && verb == "presence":
		return codes.Forbidden, "no permission to subscribe to " + topic + ", which seeing its presence takes"
	case errors.Is(err, ErrForbidden):
		return codes.Forbidden, fmt.Sprintf("no permission to %s to %s", verb, topic)
	case errors.Is(err, ErrNoPresence):
		return codes.Forbidden, "presence is off for this topic"
	case errors.Is(err, pubsub.ErrReservedTopic):
		return codes.Forbidden, "topics that begin with $ are the server's own: clients do not publish to them"
	case errors.Is(err, pubsub.ErrBadTopic), errors.Is(err, pubsub.ErrBadFilter):
		return codes.BadTopic, badTopic(verb, topic)
	case errors.Is(err, pubsub.ErrSnapshot):
		return codes.TooMany, fmt.Sprintf("last brings too much: at most %d messages in all topics of a request",
			SnapshotMessagesMax)
	case errors.Is(err, pubsub.ErrTooManySubs):
		return codes.TooMany, "this connection has as many subscriptions as it may have"
	case errors.Is(err, pubsub.ErrTooManyTopics):
		return codes.TooMany, "the server holds as many topics as it may"
	case errors.Is(err, pubsub.ErrFull):
		return codes.Unavailable, "the server keeps as many messages as it may, all of topics with subscribers"
	case errors.Is(err, pubsub.ErrNoRoom):
		return codes.Unavailable, "the topic's subscribers are not served yet: publish again shortly"
	case errors.Is(err, pubsub.ErrBusy):
		return codes.Unavailable, "patterns have looked at as many topics as they may for now: subscribe again in a second"
	case verb == "publish":
		return codes.Unavailable, "the message could not be published"
	default:
		return codes.Unavailable, "the server could not do this: try again shortly"
	}
}

// badTopic says what is wrong with a topic or filter that was refused as such.
func badTopic(verb, topic string) string {
	wild := pubsub.Filter(topic).Wild()
	_, err := pubsub.ParseFilter(topic)
	switch {
	case topic == "":
		return "a topic has at least one byte"
	case len(topic) > pubsub.TopicBytesMax:
		return fmt.Sprintf("a topic has at most %d bytes, this one has %d", pubsub.TopicBytesMax, len(topic))
	case !utf8.ValidString(topic) || strings.IndexByte(topic, 0) >= 0:
		return "a topic is UTF-8 without NUL"
	case wild && verb == "publish":
		return "a message is published to one topic: + and # are wildcards, for subscribers"
	case wild && verb == "presence":
		return "presence is of one topic: + and # are wildcards, for subscribers"
	case wild && err != nil:
		return badPattern(topic)
	case verb == "presence":
		return "topics that begin with $ are the server's own: they have no presence"
	default:
		return "the server has no such topic of its own: there are $sys/heartbeat and $presence/<topic>"
	}
}

// badPattern says what is wrong with a filter that has wildcards: it is too deep, or they do not stand as they may (MQTT
// 5.0, 4.7.1).
func badPattern(filter string) string {
	if n := strings.Count(filter, "/") + 1; n > pubsub.PatternLevelsMax {
		return fmt.Sprintf("a pattern has at most %d levels, this one has %d", pubsub.PatternLevelsMax, n)
	}
	for level := range strings.SplitSeq(filter, "/") {
		if len(level) > 1 && strings.ContainsAny(level, "+#") {
			return `+ and # stand for whole levels, alone between slashes: not so in the level "` + level + `"`
		}
	}
	if strings.Count(filter, "/") >= pubsub.PatternLevelsMax {
		return fmt.Sprintf("a pattern has at most %d levels", pubsub.PatternLevelsMax)
	}
	return "# stands for all levels that are left, so it is the last one of a filter"
}

// Refuse is Explain for a topic that stood in a URL.
func Refuse(err error, topic string) *http1.Error {
	code, message := Explain(err, "subscribe", topic)
	e := &http1.Error{Status: 400, Code: code, Message: message}
	switch {
	case code == codes.Forbidden:
		e.Status = 403
	case errors.Is(err, pubsub.ErrTooManyTopics), code == codes.Unavailable:
		e.Status, e.Header = 503, []string{"Retry-After: 5"}
	}
	return e
}
