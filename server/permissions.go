package server

import (
	"slices"
	"strings"

	"github.com/megawire/megawire/protocol"
	"github.com/megawire/megawire/pubsub"
)

// permissions are the filters of the topics that a client may use.
type permissions struct {
	all     bool // the filter # is among them: nothing to match on the way of every request
	filters []pubsub.Filter
}

// newPermissions takes filters that the configuration has checked.
func newPermissions(filters []string) permissions {
	var p permissions
	for _, f := range filters {
		p.all = p.all || f == "#"
		p.filters = append(p.filters, pubsub.Filter(f))
	}
	return p
}

// allow reports whether every topic that a filter matches is allowed by one of ours; a topic is a filter too.
func (p *permissions) allow(filter string) bool {
	if p.all && !pubsub.Reserved(filter) {
		return true
	}
	for _, f := range p.filters {
		if f.Covers(pubsub.Filter(filter)) {
			return true
		}
	}
	return false
}

// origins are the web origins whose pages may connect; nil is every one.
type origins []string

func newOrigins(list []string) origins {
	if slices.Contains(list, "*") {
		return nil
	}
	return append(origins{}, list...)
}

// allow compares as browsers write origins: scheme and host in lower case (RFC 6454 §6.1).
func (o origins) allow(origin string) bool {
	return o == nil || slices.ContainsFunc(o, func(s string) bool { return strings.EqualFold(s, origin) })
}

// maySubscribe says what keeps a client without a token from subscribing to a filter, if anything does. The heartbeat
// is for everybody, and a topic's presence for those who may subscribe to the topic. No client makes another of the
// server's own topics by asking for it.
func (s *Server) maySubscribe(filter string) error {
	f, err := pubsub.ParseFilter(filter)
	if err != nil {
		return err
	}
	if f.Match(heartbeatTopic) {
		return nil
	}
	about, presence := strings.CutPrefix(filter, pubsub.PresencePrefix)
	switch {
	case about == "" || pubsub.Reserved(about):
		return pubsub.ErrBadTopic // no such topic of the server's own
	case !s.subscribe.allow(about):
		return protocol.ErrForbidden
	case presence && !s.rules.presenceOn(about):
		return protocol.ErrNoPresence // rather than a silence that nobody can explain
	default:
		return nil
	}
}

// mayPublish says what keeps a client without a token from publishing to a topic, if anything does.
func (s *Server) mayPublish(topic string) error {
	switch {
	case !pubsub.ValidTopic(topic):
		return pubsub.ErrBadTopic
	case pubsub.Reserved(topic):
		return pubsub.ErrReservedTopic
	case !s.publish.allow(topic), !s.rules.clientsMayPublish(topic):
		return protocol.ErrForbidden
	default:
		return nil
	}
}
