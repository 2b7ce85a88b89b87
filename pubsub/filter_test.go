package pubsub

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestValidTopic(t *testing.T) {
	for _, c := range []struct {
		topic string
		want  bool
		why   string
	}{
		{"a", true, "one byte is enough"},
		{"", false, "no byte is not"},
		{strings.Repeat("a", 255), true, "255 bytes are the most"},
		{strings.Repeat("a", 256), false, "256 bytes are too many"},
		{strings.Repeat("é", 127), true, "bytes count, not characters: 254"},
		{strings.Repeat("é", 128), false, "and 256"},
		{"/", true, "levels may be empty"},
		{"a//b/", true, "in the middle and at the end too"},
		{"a b", true, "spaces are characters like others"},
		{"$sys/x", true, "the server's own are topics"},
		{"a\x00", false, "no NUL"},
		{"a\xff", false, "nothing but UTF-8"},
		{"a/+", false, "no wildcard for a level"},
		{"a#", false, "no wildcard inside a level"},
	} {
		if got := ValidTopic(c.topic); got != c.want {
			t.Errorf("ValidTopic(%q) = %v: %s", c.topic, got, c.why)
		}
	}
}

func TestParseFilter(t *testing.T) {
	for _, c := range []struct {
		filter string
		valid  bool
		wild   bool
		why    string
	}{
		{"a/b", true, false, "a topic is a filter"},
		{"#", true, true, "everything"},
		{"sport/#", true, true, "4.7.1.2: the last level"},
		{"sport/tennis#", false, true, "4.7.1.2: not a part of a level"},
		{"sport/tennis/#/ranking", false, true, "4.7.1.2: only the last level"},
		{"##", false, true, "not twice in a level"},
		{"+", true, true, "4.7.1.3: alone"},
		{"+/tennis/#", true, true, "4.7.1.3: with the other wildcard"},
		{"sport+", false, true, "4.7.1.3: not a part of a level"},
		{"sport/+/player1", true, true, "4.7.1.3: in the middle"},
		{"++", false, true, "not twice in a level"},
		{"/+", true, true, "after an empty level"},
		{"+#", false, true, "not both in a level"},
		{"", false, false, "no byte"},
		{strings.Repeat("+/", 127) + "+", true, true, "255 bytes are the most"},
		{strings.Repeat("+/", 127) + "++", false, true, "256 bytes are too many"},
		{"#/", false, true, "an empty level is a level"},
	} {
		f, err := ParseFilter(c.filter)
		if (err == nil) != c.valid || c.valid && string(f) != c.filter {
			t.Errorf("ParseFilter(%q) = %q, %v: %s", c.filter, f, err, c.why)
		}
		if Filter(c.filter).Wild() != c.wild {
			t.Errorf("Wild(%q): %s", c.filter, c.why)
		}
	}
}

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		filter, topic string
		want          bool
		why           string
	}{
		{"a/b", "a/b", true, "4.7.3: a topic matches itself"},
		{"a/b", "A/b", false, "4.7.3: case counts"},
		{"a/b", "a/b/", false, "4.7.3: an empty level is a level"},
		{"sport/tennis/player1/#", "sport/tennis/player1", true, "4.7.1.2: the parent's level too"},
		{"sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true, "4.7.1.2: any number of levels"},
		{"sport/tennis/player1/#", "sport/tennis/player10", false, "levels are whole"},
		{"sport/#", "sport", true, "4.7.1.2"},
		{"sport/#", "sport/", true, "an empty last level"},
		{"#", "/", true, "everything"},
		{"sport/tennis/+", "sport/tennis/player1", true, "4.7.1.3"},
		{"sport/tennis/+", "sport/tennis/player1/ranking", false, "4.7.1.3: one level"},
		{"sport/+", "sport", false, "4.7.1.3: no fewer"},
		{"sport/+", "sport/", true, "4.7.1.3: an empty one"},
		{"+/+", "/finance", true, "4.7.1.3"},
		{"/+", "/finance", true, "4.7.1.3"},
		{"+", "/finance", false, "4.7.1.3: two levels"},
		{"+/#", "a", true, "the parent of a wildcard"},
		{"a/+/#", "a", false, "the parent of a wildcard is one level down"},
		{"#", "$SYS/x", false, "4.7.2: $ is not for wildcards in front"},
		{"+/monitor/Clients", "$SYS/monitor/Clients", false, "4.7.2"},
		{"$SYS/#", "$SYS/x", true, "4.7.2: asked for by name"},
		{"$SYS/monitor/+", "$SYS/monitor/Clients", true, "4.7.2"},
		{"a/#", "a/$x", true, "4.7.2 is about the first character"},
	} {
		if got := Filter(c.filter).Match(c.topic); got != c.want {
			t.Errorf("%q matches %q = %v: %s", c.filter, c.topic, got, c.why)
		}
	}
	if n := testing.AllocsPerRun(100, func() { Filter("a/+/c/#").Match("a/b/c/d") }); n != 0 {
		t.Errorf("Match allocates %v times", n)
	}
}

// FuzzFilter holds ParseFilter and Match against the sentences of MQTT 4.7, level by level.
func FuzzFilter(f *testing.F) {
	f.Fuzz(func(t *testing.T, filter, topic string) {
		levels := strings.Split(filter, "/")
		valid := filter != "" && len(filter) <= 255 && utf8.ValidString(filter) && !strings.Contains(filter, "\x00")
		for i, l := range levels {
			if strings.ContainsAny(l, "+#") && l != "+" && l != "#" || l == "#" && i < len(levels)-1 {
				valid = false
			}
		}
		parsed, err := ParseFilter(filter)
		if (err == nil) != valid {
			t.Fatalf("ParseFilter(%q): %v", filter, err)
		}
		if valid && !parsed.Wild() != ValidTopic(filter) {
			t.Fatalf("%q is a filter, without wildcards %v, a topic %v", filter, !parsed.Wild(), ValidTopic(filter))
		}
		if !valid || !ValidTopic(topic) {
			return
		}
		want := matchLevels(levels, strings.Split(topic, "/"))
		if topic[0] == '$' && (filter[0] == '+' || filter[0] == '#') {
			want = false
		}
		if got := parsed.Match(topic); got != want {
			t.Fatalf("%q matches %q: %v", filter, topic, got)
		}
	})
}

func matchLevels(filter, topic []string) bool {
	switch {
	case slices.Equal(filter, []string{"#"}):
		return true
	case len(filter) == 0 || len(topic) == 0:
		return len(filter) == len(topic)
	}
	return (filter[0] == "+" || filter[0] == topic[0]) && matchLevels(filter[1:], topic[1:])
}
