package server

import (
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

func (p *permissions) allow(topic string) bool {
	if p.all && !pubsub.Reserved(topic) {
		return true
	}
	for _, f := range p.filters {
		if f.Match(topic) {
			return true
		}
	}
	return false
}

// mayPublish says what keeps a client without a token from publishing to a topic, if anything does.
func (s *Server) mayPublish(topic string) error {
	switch {
	case !pubsub.ValidTopic(topic):
		return pubsub.ErrBadTopic
	case pubsub.Reserved(topic):
		return pubsub.ErrReservedTopic
	case !s.publish.allow(topic):
		return protocol.ErrForbidden
	default:
		return nil
	}
}
