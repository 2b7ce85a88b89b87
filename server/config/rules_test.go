package config

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

// ruleOfAllKeys has a value for each key.
const ruleOfAllKeys = `rules:
  - filter: "trades/#"
    retain_messages: 1_000
    retain_bytes: 64KiB
    retain_age: 90s
    idle: 2h
    mode: latest
    all: true
    slow: close
    slow_messages: 7
    slow_bytes: 2048
    slow_age: 500ms
    publish: servers
    presence: true
  - filter: "+/é"
    all: false
`

func wantedRules() Rules {
	yes, no := true, false
	return Rules{
		{Filter: "trades/#", RetainMessages: 1000, RetainBytes: 64 * KiB, RetainAge: 90 * time.Second, Idle: 2 * time.Hour,
			Mode: "latest", All: &yes, Slow: "close", SlowMessages: 7, SlowBytes: 2048, SlowAge: 500 * time.Millisecond,
			Publish: "servers", Presence: true},
		{Filter: "+/é", All: &no},
	}
}

func TestRulesOfEverySource(t *testing.T) {
	json := wantedRules().String()
	file := writeFile(t, ruleOfAllKeys)
	other := writeFile(t, "rules: [{filter: a}]\n")
	for _, row := range []struct {
		says, file string
		environ    []string
		flags      *pflag.FlagSet
		origin     string
	}{
		{says: "a file", file: file, origin: "file " + file + ":1"},
		{says: "a variable, in the place of the file's", file: other, environ: []string{"MEGAWIRE_RULES=" + json}, origin: "environment MEGAWIRE_RULES"},
		{says: "a flag, in the place of both", file: other, environ: []string{"MEGAWIRE_RULES=[]"},
			flags: parseFlags(t, "--rules", json), origin: "flag --rules"},
		{says: "a flag that is repeated", flags: parseFlags(t, "--rules", wantedRules()[:1].String(), "--rules", wantedRules()[1:].String()),
			origin: "flag --rules"},
	} {
		c, origins, err := Load(row.flags, row.file, row.environ)
		if err != nil {
			t.Errorf("%s: %v", row.says, err)
		}
		if !reflect.DeepEqual(c.Rules, wantedRules()) || origins["rules"] != row.origin {
			t.Errorf("%s: got %s from %q, want %s from %q", row.says, c.Rules, origins["rules"], json, row.origin)
		}
	}
}

func TestNoRules(t *testing.T) {
	file := writeFile(t, "rules: [{filter: a}]\n")
	for _, row := range []struct {
		says, file string
		environ    []string
		flags      *pflag.FlagSet
	}{
		{says: "nothing is said"},
		{says: "all of them are commented out", file: writeFile(t, "rules:\n#  - filter: a\n")},
		{says: "an empty list", file: writeFile(t, "rules: []\n")},
		{says: "a variable takes the file's away", file: file, environ: []string{"MEGAWIRE_RULES="}},
		{says: "so does a flag", file: file, flags: parseFlags(t, "--rules=[]")},
	} {
		c, _, err := Load(row.flags, row.file, row.environ)
		if err != nil || c.Rules == nil || len(c.Rules) > 0 {
			t.Errorf("%s: got %v, %v", row.says, c.Rules, err)
		}
	}
}

func TestRulesRefused(t *testing.T) {
	for _, row := range []struct {
		says, file string
		want       []string // the lines of the error, without the file's name
	}{
		{"a key that is misspelt", "rules:\n  - filter: a\n    retian_age: 5s\n",
			[]string{":3: rules[0].retian_age: unknown key; did you mean retain_age?"}},
		{"a key like no other", "rules:\n  - filter: a\n    zzzzzzzzzzzz: 5s\n",
			[]string{":3: rules[0].zzzzzzzzzzzz: unknown key; a rule has filter, retain_messages, retain_bytes, retain_age, idle, mode, all, " +
				"slow, slow_messages, slow_bytes, slow_age, publish, presence"}},
		{"every fault is told, with its line", "rules:\n  - filter: a\n    mode: newest\n\n  - filter: b\n    retain_age: 10\n    retain_messages: 0\n",
			[]string{
				`:3: rules[0].mode: "newest" is none of all, latest`,
				`:6: rules[1].retain_age: "10" is not a duration; write it with its unit, such as 500ms, 10s or 5m`,
				":7: rules[1].retain_messages: 0 is below the least, 1",
			}},
		{"no filter", "rules:\n  - mode: all\n", []string{":2: rules[0].filter: is missing: a rule says which topics it is about"}},
		{"a filter without quotes", "rules:\n  - filter: # everything\n    mode: all\n",
			[]string{":2: rules[0].filter: has no value; a filter stands in quotes, since # begins a comment"}},
		{"a filter that YAML reads as a number", "rules: [{filter: 1e3}]\n", []string{":1: rules[0].filter: 1000 is not a text; put it in quotes"}},
		{"an empty filter", "rules: [{filter: \"\"}]\n", []string{`:1: rules[0].filter: filter "" is not 1 to 255 bytes long`}},
		{"a wildcard within a level", "rules: [{filter: \"a/b#\"}]\n",
			[]string{`:1: rules[0].filter: filter "a/b#": # must be the whole last level, as in a/#`}},
		{"a rule that is a text", "rules:\n  - filter: a\n  - b\n", []string{":3: rules[1]: is not a rule: it takes keys, filter and others"}},
		{"a rule that is nothing", "rules:\n  - filter: a\n  -\n", []string{":3: rules[1]: is not a rule: it takes keys, filter and others"}},
		{"a rule that is not in a list", "rules:\n  filter: a\n", []string{":2: rules takes a list: a dash stands before each rule"}},
		{"rules that are a number", "rules: 5\n", []string{`:1: rules: takes a list of rules, as in [{"filter":"ticker/#","mode":"latest"}]`}},
		{"yes is not true", "rules: [{filter: a, presence: yes}]\n", []string{`:1: rules[0].presence: "yes" is neither true nor false`}},
		{"a group of keys", "rules: [{filter: a, retain_bytes: {max: 5}}]\n", []string{":1: rules[0].retain_bytes: is a value, not a group of keys"}},
		{"a list", "rules: [{filter: a, mode: [all, latest]}]\n", []string{":1: rules[0].mode: takes one value, not a list"}},
		{"no value", "rules: [{filter: a, idle: }]\n", []string{":1: rules[0].idle: has no value; leave the key out to get its default"}},
		{"bounds", "rules: [{filter: a, retain_bytes: 2GiB, slow_age: 1ms, slow_messages: 1048577}]\n", []string{
			":1: rules[0].retain_bytes: 2GiB is above the most, 1GiB", ":1: rules[0].slow_age: 1ms is below the least, 100ms",
			":1: rules[0].slow_messages: 1048577 is above the most, 1048576",
		}},
		{"a rule that a wider one before it hides", "rules:\n  - filter: \"a/#\"\n  - filter: \"b\"\n  - filter: \"a/+/c\"\n",
			[]string{`:4: rules[2].filter: never holds: rules[0] ("a/#") comes first and matches all that "a/+/c" does; put the narrower one first`}},
		{"a filter twice", "rules: [{filter: a}, {filter: a}]\n",
			[]string{`:1: rules[1].filter: never holds: rules[0] ("a") comes first and matches all that "a" does; put the narrower one first`}},
		{"a mode that the rule forbids", "rules: [{filter: a, mode: all, all: false}]\n",
			[]string{":1: rules[0].mode: all is what the rule forbids by all: false"}},
		{"presence of the server's own", "rules: [{filter: \"$presence/#\", presence: true}]\n",
			[]string{":1: rules[0].presence: the server's own topics, which begin with $, have no presence"}},
		{"more rules than there may be", "rules: [" + strings.Repeat("{filter: a}, ", 1001) + "]\n",
			[]string{":1: rules: 1001 rules are more than the most, 1000"}},
	} {
		file := writeFile(t, row.file)
		_, _, err := Load(nil, file, nil)
		if err == nil {
			t.Errorf("%s: accepted", row.says)
			continue
		}
		got := strings.Split(strings.ReplaceAll(err.Error(), "file "+file, ""), "\n")
		if !slices.Equal(got, row.want) {
			t.Errorf("%s:\ngot  %q\nwant %q", row.says, got, row.want)
		}
	}
	for says, row := range map[string][2]string{
		"a rule that asks for more than all topics may keep": {"rules: [{filter: a, retain_bytes: 512MiB}]\n",
			"ring.retain_total_bytes (256MiB) must be at least rules[0].retain_bytes (512MiB): one topic may take the whole, not more"},
		"a key twice in a rule": {"rules: [{filter: a, idle: 1h, idle: 2h}]\n", "already defined"},
	} {
		if _, _, err := Load(nil, writeFile(t, row[0]), nil); err == nil || !strings.Contains(err.Error(), row[1]) {
			t.Errorf("%s: got %v, want %q", says, err, row[1])
		}
	}
}

func TestRulesRefusedAsText(t *testing.T) {
	for _, row := range []struct{ says, text, want string }{
		{"a key that is misspelt", `[{"filter":"a","mod":"all"}]`, "rules[0].mod: unknown key; did you mean mode?"},
		{"a key twice", `[{"filter":"a","mode":"all","mode":"latest"}]`, "already defined"},
		{"no JSON", `[{"filter":`, "is not JSON"},
		{"one rule without its list", `{"filter":"a"}`, "takes a list of rules"},
		{"two lists", "[]\n---\n[]", "second YAML document"},
		{"a rule that is hidden", `[{"filter":"#"},{"filter":"a"}]`, "rules[1].filter: never holds"},
	} {
		_, _, err := Load(nil, "", []string{"MEGAWIRE_RULES=" + row.text})
		if err == nil || !strings.Contains(err.Error(), row.want) || !strings.HasPrefix(err.Error(), "environment MEGAWIRE_RULES: rules") {
			t.Errorf("%s, in a variable: got %v, want %q", row.says, err, row.want)
		}
		fs := pflag.NewFlagSet("serve", pflag.ContinueOnError)
		RegisterFlags(fs)
		if err := fs.Parse([]string{"--rules", row.text}); err == nil || !strings.Contains(err.Error(), row.want) ||
			!strings.Contains(err.Error(), "--rules") {
			t.Errorf("%s, in a flag: got %v, want %q", row.says, err, row.want)
		}
	}
}

func TestRulesBuiltInCodeAreChecked(t *testing.T) {
	no := false
	c := Default()
	c.Rules = Rules{{Filter: "a", Slow: "never", SlowMessages: -1}, {}, {Filter: "b", All: &no, Mode: "all"}}
	err := c.Check()
	if want := "rules[0].slow: \"never\" is none of gap, latest, close\nrules[0].slow_messages: -1 is below the least, 1\n" +
		"rules[1].filter: is missing: a rule says which topics it is about\n" +
		"rules[2].mode: all is what the rule forbids by all: false"; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// TestExampleRules takes the comments from the rules of megawire.yaml: together they say everything that a rule
// can say, and all of it is valid.
func TestExampleRules(t *testing.T) {
	data, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(data), "\nrules:\n")
	if !found {
		t.Fatal("megawire.yaml has no rules")
	}
	var lines []string
	for line := range strings.Lines(rest) {
		text, commented := strings.CutPrefix(line, "#")
		if !commented {
			break
		}
		lines = append(lines, text)
	}
	c, _, err := Load(nil, writeFile(t, "rules:\n"+strings.Join(lines, "")), nil)
	if err != nil || len(c.Rules) < 2 {
		t.Fatalf("%d rules, %v", len(c.Rules), err)
	}
	for _, k := range ruleKeys() {
		i := slices.IndexFunc(lines, func(line string) bool {
			return strings.HasPrefix(strings.TrimLeft(line, " -"), k.Name+": ")
		})
		switch low, high := k.field.Tag.Get("min"), k.field.Tag.Get("max"); {
		case i < 0:
			t.Errorf("megawire.yaml has no rule with %s", k.Name)
		case i == 0 || !strings.HasPrefix(strings.TrimSpace(lines[i-1]), "# "):
			t.Errorf("megawire.yaml: %s of a rule has no comment above", k.Name)
		case low != "":
			first := i
			for first > 0 && strings.HasPrefix(strings.TrimSpace(lines[first-1]), "# ") {
				first--
			}
			comment := strings.Join(lines[first:i], "")
			if bounds := low + " to " + high; !strings.Contains(comment, bounds) {
				t.Errorf("megawire.yaml: the comment on %s of a rule does not say %q", k.Name, bounds)
			}
		}
	}
}

func TestRuleKeysHaveBounds(t *testing.T) {
	for _, k := range ruleKeys() {
		if kind := k.field.Type.Name(); (kind == "int" || kind == "Bytes" || kind == "Duration") &&
			(k.field.Tag.Get("min") == "" || k.field.Tag.Get("max") == "") {
			t.Errorf("%s of a rule has no bounds", k.Name)
		}
	}
}

func TestPrintedRulesReadBack(t *testing.T) {
	c := Default()
	c.Rules = append(wantedRules(), Rule{Filter: `quo"te,<&>/\/#`})
	var out strings.Builder
	if err := Print(&out, &c, Origins{"rules": "flag --rules"}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "\nrules:                                       # flag --rules\n  - filter: \"trades/#\"\n    retain_messages: 1000\n") {
		t.Errorf("printed as\n%s", out.String())
	}
	back, _, err := Load(nil, writeFile(t, out.String()), nil)
	if err != nil || !reflect.DeepEqual(back, c) {
		t.Errorf("read back %+v, %v, want %+v", back, err, c)
	}
	fromText, _, err := Load(nil, "", []string{"MEGAWIRE_RULES=" + c.Values()["rules"]})
	if err != nil || !reflect.DeepEqual(fromText.Rules, c.Rules) {
		t.Errorf("read back %s, %v", fromText.Rules, err)
	}
}
