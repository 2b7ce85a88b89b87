package pubsub

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// TopicBytesMax is the longest topic or filter, in bytes.
const TopicBytesMax = 255

// ErrBadFilter is a filter whose wildcards do not stand as MQTT 4.7.1 has them.
var ErrBadFilter = errors.New("pubsub: not a topic filter")

// ValidTopic reports whether name may be a topic: 1 to 255 bytes of UTF-8 without NUL, '+' or '#'.
func ValidTopic(name string) bool {
	for i := range len(name) { // once for all; it is on the way of every message
		switch b := name[i]; {
		case b == 0 || b == '+' || b == '#':
			return false
		case b >= utf8.RuneSelf:
			return validName(name) && !strings.ContainsAny(name, "+#")
		}
	}
	return name != "" && len(name) <= TopicBytesMax
}

func validName(name string) bool {
	return name != "" && len(name) <= TopicBytesMax && strings.IndexByte(name, 0) < 0 && utf8.ValidString(name)
}

// Reserved reports whether a topic is the server's own: clients read it and do not publish to it.
func Reserved(name string) bool { return strings.HasPrefix(name, "$") }

// Filter is a topic, or a pattern in MQTT's syntax (MQTT 5.0, 4.7): '+' stands for one whole level,
// '#', last, for any number of levels, the parent's included.
type Filter string

// PatternLevelsMax bounds the levels of a pattern: each may cost the index of filters some 100 bytes.
const PatternLevelsMax = 32

// ParseFilter checks the syntax of a filter.
func ParseFilter(s string) (Filter, error) {
	if !validName(s) || strings.Count(s, "/") >= PatternLevelsMax && Filter(s).Wild() {
		return "", ErrBadFilter
	}
	rest, more := s, true
	for more {
		var level string
		level, rest, more = strings.Cut(rest, "/")
		if len(level) > 1 && strings.ContainsAny(level, "+#") {
			return "", ErrBadFilter
		}
		if level == "#" && more {
			return "", ErrBadFilter
		}
	}
	return Filter(s), nil
}

// Wild reports whether the filter has a wildcard, that is, is no topic.
func (f Filter) Wild() bool { return strings.ContainsAny(string(f), "+#") }

// Match reports whether the filter matches a topic. It does not allocate.
func (f Filter) Match(topic string) bool {
	return f.Covers(Filter(topic)) // a topic is the filter that matches it alone
}

// Covers reports whether f matches every topic that g matches. It does not allocate. That several filters cover g
// together is another question.
func (f Filter) Covers(g Filter) bool {
	p, q := string(f), string(g)
	if Reserved(q) && (strings.HasPrefix(p, "+") || strings.HasPrefix(p, "#")) {
		return false // MQTT 4.7.2
	}
	switch q { // the parent of these would be the empty topic, which is none
	case "#":
		q = "+/#"
	case "/#":
		q = "/+/#"
	}
	for {
		level, prest, pmore := strings.Cut(p, "/")
		if level == "#" {
			return true
		}
		name, qrest, qmore := strings.Cut(q, "/")
		if name == "#" || level != "+" && level != name {
			return false // "#" has the parent too, and more levels than any filter without it
		}
		if !qmore {
			return !pmore || prest == "#" // MQTT 4.7.1.2: "a/#" also matches its parent "a"
		}
		if !pmore {
			return false
		}
		p, q = prest, qrest
	}
}
