package client

import "strings"

// isPattern reports whether filter has a wildcard level (MQTT 3.1.1 §4.7.1).
func isPattern(filter string) bool {
	return strings.ContainsAny(filter, "+#")
}

// matches reports whether topic is one of filter's (MQTT 3.1.1 §4.7): "+" stands for
// one level, a last "#" for any number including none, and neither for a first level
// that begins with "$".
func matches(filter, topic string) bool {
	if strings.HasPrefix(topic, "$") && strings.HasPrefix(filter, "+") ||
		strings.HasPrefix(topic, "$") && strings.HasPrefix(filter, "#") {
		return false
	}
	for {
		f, filterRest, filterMore := strings.Cut(filter, "/")
		if f == "#" {
			return true
		}
		t, topicRest, topicMore := strings.Cut(topic, "/")
		if f != "+" && f != t {
			return false
		}
		if !topicMore {
			return !filterMore || filterRest == "#"
		}
		if !filterMore {
			return false
		}
		filter, topic = filterRest, topicRest
	}
}
