package protocol

import (
	"errors"
	"fmt"
	"strings"

	"github.com/megawire/megawire/codec/codes"
	"github.com/megawire/megawire/codec/http1"
	"github.com/megawire/megawire/pubsub"
)

// ErrForbidden says that the client may not subscribe or publish to a topic.
var ErrForbidden = errors.New("protocol: no permission")

// Explain gives the code and the text that a client gets for an error of Subscribe or Publish; verb is
// "subscribe" or "publish".
func Explain(err error, verb, topic string) (code, message string) {
	switch {
	case errors.Is(err, ErrForbidden):
		return codes.Forbidden, fmt.Sprintf("no permission to %s to %s", verb, topic)
	case errors.Is(err, pubsub.ErrReservedTopic):
		return codes.Forbidden, "topics that begin with $ are the server's own: clients do not publish to them"
	case errors.Is(err, pubsub.ErrBadTopic):
		return codes.BadTopic, badTopic(verb, topic)
	case errors.Is(err, pubsub.ErrTooManySubs):
		return codes.TooMany, "this connection has as many subscriptions as it may have"
	case errors.Is(err, pubsub.ErrTooManyTopics):
		return codes.TooMany, "the server holds as many topics as it may"
	case errors.Is(err, pubsub.ErrFull):
		return codes.Unavailable, "the server keeps as many messages as it may, all of topics with subscribers"
	case errors.Is(err, pubsub.ErrNoRoom):
		return codes.Unavailable, "the topic's subscribers are not served yet: publish again shortly"
	default:
		return codes.Unavailable, "the message could not be published"
	}
}

func badTopic(verb, topic string) string {
	switch {
	case topic == "":
		return "a topic has at least one byte"
	case len(topic) > pubsub.TopicBytesMax:
		return fmt.Sprintf("a topic has at most %d bytes, this one has %d", pubsub.TopicBytesMax, len(topic))
	case strings.ContainsAny(topic, "+#") && verb == "publish":
		return "a message is published to one topic: + and # are wildcards, for subscribers"
	case pubsub.Reserved(topic):
		return "the server's own topics ($sys, $presence) are not built yet"
	case strings.ContainsAny(topic, "+#"):
		return "patterns with + or # are not built yet: subscribe to exact topics"
	default:
		return "a topic is UTF-8 without NUL"
	}
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

// RefuseUnbuilt refuses the query parameters that are part of the protocol and not built yet.
func RefuseUnbuilt(r *http1.Request, names ...string) *http1.Error {
	for _, name := range names {
		if _, n := http1.Param(r.Query, name); n > 0 {
			return &http1.Error{Status: 400, Code: codes.BadRequest, Message: "the parameter " + name + " is not built yet"}
		}
	}
	return nil
}
