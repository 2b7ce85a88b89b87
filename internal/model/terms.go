package model

// Mode is what a subscription asks for.
type Mode uint8

// The modes.
const (
	OfRule Mode = iota
	All
	Latest
)

// Terms are how a subscription is served, as it was asked for.
type Terms struct {
	Mode  Mode
	Every int // ms; 0 without an interval
}

// served is what terms come to on one topic.
type served struct {
	all   bool
	every int // ms
}

func (r Rule) serve(t Terms) served {
	latest := t.Mode == Latest || t.Mode == OfRule && r.Latest || t.Every > 0 || r.NoAll
	return served{all: !latest, every: t.Every}
}

// better says that s is more complete than o: all before the latest, no interval before the shortest.
func (s served) better(o served) bool {
	if s.all != o.all {
		return s.all
	}
	return s.every < o.every
}

// deciding is how a topic is served to a client with these filters: an exact one decides, else the most
// complete of the patterns. by is its filter, "" if none matches.
func deciding(rule Rule, topic string, filters map[string]Terms) (best served, by string) {
	if t, ok := filters[topic]; ok {
		return rule.serve(t), topic
	}
	for f, t := range filters {
		if s := rule.serve(t); Match(f, topic) && (by == "" || s.better(best)) {
			best, by = s, f
		}
	}
	return best, by
}
