package model

import "strings"

// Match reports whether a filter matches a topic (MQTT 5.0, 4.7). Both are valid.
func Match(filter, topic string) bool {
	if strings.HasPrefix(topic, "$") && Wild(filter[:1]) {
		return false
	}
	return matchLevels(strings.Split(filter, "/"), strings.Split(topic, "/"))
}

func matchLevels(filter, topic []string) bool {
	switch {
	case len(filter) == 0:
		return len(topic) == 0
	case filter[0] == "#":
		return true
	case len(topic) == 0:
		return false
	}
	return (filter[0] == "+" || filter[0] == topic[0]) && matchLevels(filter[1:], topic[1:])
}

// Wild reports whether a filter is a pattern.
func Wild(filter string) bool { return strings.ContainsAny(filter, "+#") }
