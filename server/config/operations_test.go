package config

import (
	"os"
	"strings"
	"testing"
)

// TestOperationsPage: the examples of rules in the manual are valid, and every key of a rule is told there.
func TestOperationsPage(t *testing.T) {
	data, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(data), "## Topic rules\n")
	if !found {
		t.Fatal("docs/operations.md has no section on topic rules")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	for _, k := range ruleKeys() {
		if !strings.Contains(section, "`"+k.Name+"`") {
			t.Errorf("docs/operations.md does not tell of %s in a rule", k.Name)
		}
	}
	examples := strings.Split(section, "```yaml\n")[1:]
	if len(examples) < 2 {
		t.Fatalf("%d examples", len(examples))
	}
	for _, example := range examples {
		text, _, _ := strings.Cut(example, "```")
		if c, _, err := Load(nil, writeFile(t, text), nil); err != nil || len(c.Rules) == 0 {
			t.Errorf("%v in\n%s", err, text)
		}
	}
}
