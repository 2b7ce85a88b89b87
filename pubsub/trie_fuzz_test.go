package pubsub

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// FuzzTrie holds the trie, in both of its directions, against a map and the sentences of MQTT 4.7. Each line of keys is
// put in, or taken out where it begins with a minus.
func FuzzTrie(f *testing.F) {
	f.Fuzz(func(t *testing.T, keys, topic, filter string) {
		var filters, names trie[string]
		plain := map[string]bool{} // filters that are in
		for line := range strings.SplitSeq(keys, "\n") {
			key, out := strings.CutPrefix(line, "-")
			if _, err := ParseFilter(key); err != nil {
				continue
			}
			if out {
				if was := filters.Delete(key); was != plain[key] {
					t.Fatalf("%q was deleted: %v", key, was)
				}
				names.Delete(key)
				delete(plain, key)
				continue
			}
			plain[key] = true
			filters.Set(key, key)
			if ValidTopic(key) {
				names.Set(key, key)
			}
		}
		if filters.Len() != len(plain) {
			t.Errorf("%d filters, want %d", filters.Len(), len(plain))
		}
		same := func(what string, got []string, match func(key string) bool) {
			var want []string
			for key := range maps.Keys(plain) {
				if match(key) {
					want = append(want, key)
				}
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("%s: %q, want %q", what, got, want)
			}
		}
		if ValidTopic(topic) {
			same("filters that match "+topic, filters.matches(topic), func(key string) bool { return matchPlainly(key, topic) })
		}
		if _, err := ParseFilter(filter); err == nil {
			same("names that "+filter+" matches", names.each(Filter(filter)), func(key string) bool {
				return ValidTopic(key) && matchPlainly(filter, key)
			})
		}
	})
}

// matchPlainly goes level by level.
func matchPlainly(filter, topic string) bool {
	if topic[0] == '$' && (filter[0] == '+' || filter[0] == '#') {
		return false
	}
	return matchLevels(strings.Split(filter, "/"), strings.Split(topic, "/"))
}
