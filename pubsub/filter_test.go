package pubsub

import (
	"math/rand/v2"
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
		{strings.Repeat("+/", 31) + "+", true, true, "32 levels are the most of a pattern"},
		{strings.Repeat("+/", 31) + "+/a", false, true, "33 are too many"},
		{strings.Repeat("a/", 127) + "a", true, false, "a topic may have as many as fit 255 bytes"},
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

// matchRules are the sentences of MQTT 5.0, 4.7, with the examples that stand there.
var matchRules = []struct {
	filter, topic string
	want          bool
	why           string
}{
	{"a/b", "a/b", true, "4.7.3: a topic matches itself"},
	{"a/b", "A/b", false, "4.7.3: case counts"},
	{"a/b", "a/b/", false, "4.7.3: an empty level is a level"},
	{"a/b/", "a/b", false, "4.7.3: and so in a filter"},
	{"/", "/", true, "4.7.3: two empty levels"},
	{"a", "/a", false, "4.7.3: a leading / makes another topic"},
	{"a//b", "a//b", true, "4.7.3: an empty level in the middle"},
	{"a//b", "a/b", false, "4.7.3: is not none"},
	{"ACCOUNTS payable", "ACCOUNTS payable", true, "4.7.3: spaces are characters"},

	{"sport/tennis/player1/#", "sport/tennis/player1", true, "4.7.1.2: the parent's level too"},
	{"sport/tennis/player1/#", "sport/tennis/player1/ranking", true, "4.7.1.2: a level more"},
	{"sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true, "4.7.1.2: any number of levels"},
	{"sport/tennis/player1/#", "sport/tennis/player10", false, "levels are whole"},
	{"sport/#", "sport", true, "4.7.1.2: the parent"},
	{"sport/#", "sport/", true, "an empty last level"},
	{"sport/#", "/sport", false, "levels count from the front"},
	{"a/b/#", "a", false, "the parent's parent is not the parent"},
	{"/#", "/", true, "below an empty level"},
	{"/#", "a", false, "the empty level must be there"},
	{"#", "a", true, "4.7.1.2: everything"},
	{"#", "/", true, "everything"},
	{"#", "a//b/", true, "everything"},

	{"sport/tennis/+", "sport/tennis/player1", true, "4.7.1.3"},
	{"sport/tennis/+", "sport/tennis/player2", true, "4.7.1.3"},
	{"sport/tennis/+", "sport/tennis/player1/ranking", false, "4.7.1.3: one level"},
	{"sport/+", "sport", false, "4.7.1.3: no fewer"},
	{"sport/+", "sport/", true, "4.7.1.3: an empty one"},
	{"+/+", "/finance", true, "4.7.1.3"},
	{"/+", "/finance", true, "4.7.1.3"},
	{"+", "/finance", false, "4.7.1.3: two levels"},
	{"+", "a", true, "4.7.1.3: alone"},
	{"+/+", "/", true, "two empty levels"},
	{"/+", "/", true, "the second one empty"},
	{"+/", "/", true, "the first one empty"},
	{"+/", "a", false, "the empty level must be there"},
	{"a/+/b", "a//b", true, "an empty level in the middle"},
	{"a/+/b", "a/b", false, "is not none"},
	{"+/tennis/#", "sport/tennis", true, "4.7.1.3: with the other wildcard"},
	{"+/tennis/#", "sport/tennis/player1/ranking", true, "4.7.1.3"},
	{"+/#", "a", true, "the parent of a wildcard"},
	{"+/+/#", "a", false, "is as many levels"},
	{"a/+/#", "a", false, "the parent of a wildcard is one level down"},
	{"a/+/#", "a/", true, "which may be empty"},

	{"#", "$SYS", false, "4.7.2: $ is not for wildcards in front"},
	{"#", "$SYS/x", false, "4.7.2"},
	{"+/monitor/Clients", "$SYS/monitor/Clients", false, "4.7.2"},
	{"+/#", "$SYS/x", false, "4.7.2"},
	{"+", "$SYS", false, "4.7.2"},
	{"+", "$", false, "4.7.2"},
	{"$SYS/#", "$SYS/x", true, "4.7.2: asked for by name"},
	{"$SYS/#", "$SYS", true, "4.7.2: with its parent"},
	{"$SYS/monitor/+", "$SYS/monitor/Clients", true, "4.7.2"},
	{"$SYS/x", "$SYS/x", true, "4.7.2: without a wildcard"},
	{"a/#", "a/$x", true, "4.7.2 is about the first character"},
	{"+/+", "/$x", true, "of the first level"},
	{"+/+", "a$/x", true, "and of no other"},
}

func TestMatch(t *testing.T) {
	for _, c := range matchRules {
		if _, err := ParseFilter(c.filter); err != nil || !ValidTopic(c.topic) {
			t.Errorf("%q and %q are not a filter and a topic", c.filter, c.topic)
		}
		if got := Filter(c.filter).Match(c.topic); got != c.want {
			t.Errorf("%q matches %q = %v: %s", c.filter, c.topic, got, c.why)
		}
	}
	if n := testing.AllocsPerRun(100, func() { Filter("a/+/c/#").Match("a/b/c/d") }); n != 0 {
		t.Errorf("Match allocates %v times", n)
	}
}

func TestCovers(t *testing.T) {
	for _, c := range []struct {
		f, g string
		want bool
		why  string
	}{
		{"a/b", "a/b", true, "a topic covers itself"},
		{"a/b", "a/c", false, "and no other"},
		{"a/+", "a/b", true, "what it matches"},
		{"a/b", "a/+", false, "a name is not all names"},
		{"a/+", "a/+", true, "itself"},
		{"a/+", "a/#", false, "more levels, and the parent"},
		{"a/#", "a/+", true, "any level below"},
		{"a/#", "a/#", true, "itself"},
		{"a/#", "a", true, "the parent"},
		{"a/#", "a/+/c/#", true, "what goes deeper"},
		{"a/b/#", "a/#", false, "what begins higher up"},
		{"a/+/#", "a/#", false, "the parent is missing"},
		{"a/+/#", "a/+", true, "the parent of its #"},
		{"a/+/#", "a/b/c", true, "what it matches"},
		{"a/+/c", "a/b/c", true, "what it matches"},
		{"a/+/c", "a/b/+", false, "a name is not all names"},
		{"+/b", "a/+", false, "neither covers the other"},
		{"a/+", "+/b", false, "neither covers the other"},
		{"+/+", "+", false, "fewer levels"},
		{"+", "+/+", false, "more levels"},
		{"/+", "/a", true, "an empty level is a level"},
		{"+/a", "/a", true, "an empty level is a level"},
		{"#", "a", true, "everything"},
		{"#", "+/+", true, "everything"},
		{"#", "#", true, "everything"},
		{"+/#", "#", true, "every topic has a first level"},
		{"+/+/#", "#", false, "not every one has a second"},
		{"/+/#", "/#", true, "no topic is empty, the parent of /# neither"},
		{"+", "#", false, "one level"},
		{"#", "+/a", true, "neither has what begins with $"},
		{"#", "$sys/x", false, "4.7.2"},
		{"#", "$sys/#", false, "4.7.2"},
		{"+/a", "$x/a", false, "4.7.2"},
		{"+/#", "$x/a", false, "4.7.2"},
		{"$x/#", "$x/+", true, "asked for by name"},
		{"$x/+", "+/a", false, "one name is not all names"},
		{"a/#", "a/$x", true, "4.7.2 is about the first character"},
	} {
		if got := Filter(c.f).Covers(Filter(c.g)); got != c.want {
			t.Errorf("%q covers %q = %v: %s", c.f, c.g, got, c.why)
		}
	}
	if n := testing.AllocsPerRun(100, func() { Filter("a/+/c/#").Covers("a/b/c/+/#") }); n != 0 {
		t.Errorf("Covers allocates %v times", n)
	}
}

// witnesses are topics that g matches, such that a filter of up to five levels which matches them matches
// all: names that no filter has stand for its wildcards.
func witnesses(g string) (topics []string) {
	levels := strings.Split(g, "/")
	more := 0
	if last := len(levels) - 1; levels[last] == "#" {
		levels, more = levels[:last], 6
	}
	for i := range levels {
		if levels[i] == "+" {
			levels[i] = "?"
		}
	}
	for n := 0; n <= more; n++ {
		if topic := strings.Join(levels, "/"); topic != "" { // no topic is empty
			topics = append(topics, topic)
		}
		levels = append(levels, "?")
	}
	return topics
}

// TestCoversIsWhatItSays: f covers g where every topic that g matches, f matches too, and only there.
func TestCoversIsWhatItSays(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	covered := 0
	for range 200_000 {
		f, g := Filter(randomKey(r, true)), randomKey(r, true)
		want := true
		for _, topic := range witnesses(g) {
			if !Filter(g).Match(topic) {
				t.Fatalf("%q is no witness of %q", topic, g)
			}
			want = want && f.Match(topic)
		}
		if got := f.Covers(Filter(g)); got != want {
			t.Fatalf("seed %d: %q covers %q = %v", seed, f, g, got)
		}
		if !want {
			continue
		}
		covered++
		for range 10 {
			if topic := randomKey(r, false); Filter(g).Match(topic) && !f.Match(topic) {
				t.Fatalf("seed %d: %q covers %q, which alone matches %q", seed, f, g, topic)
			}
		}
	}
	if covered < 1000 {
		t.Errorf("seed %d: only %d pairs of 200,000 cover each other", seed, covered)
	}
}

// FuzzFilter holds ParseFilter and Match against the sentences of MQTT 4.7, level by level, of which a pattern has 32 at
// most.
func FuzzFilter(f *testing.F) {
	f.Fuzz(func(t *testing.T, filter, topic string) {
		levels := strings.Split(filter, "/")
		valid := filter != "" && len(filter) <= 255 && utf8.ValidString(filter) && !strings.Contains(filter, "\x00")
		for i, l := range levels {
			if strings.ContainsAny(l, "+#") && l != "+" && l != "#" || l == "#" && i < len(levels)-1 {
				valid = false
			}
		}
		if len(levels) > PatternLevelsMax && strings.ContainsAny(filter, "+#") {
			valid = false
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
