package config

import (
	"os"
	"strings"
	"testing"
)

// TestLimitsPage: the manual tells of every limit, with its default as it is.
func TestLimitsPage(t *testing.T) {
	data, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(data), "\n## Limits\n")
	if !found {
		t.Fatal("docs/operations.md has no section on limits")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	defaults := map[string]string{} // by key, as the tables have it
	for line := range strings.Lines(section) {
		cells := strings.Split(line, " | ")
		if len(cells) != 6 {
			continue
		}
		keys, values := strings.Split(strings.TrimPrefix(cells[0], "| "), ", "), strings.Split(cells[1], ", ")
		for i, key := range keys {
			if len(keys) == len(values) {
				defaults[strings.Trim(key, "`")] = values[i]
			}
		}
	}
	for _, k := range Keys() {
		switch {
		case !strings.HasPrefix(k.Name, "limits.") && !strings.HasPrefix(k.Name, "ring.") && k.Name != "deflate.ratio_max":
		case k.Default == "auto" && strings.HasPrefix(defaults[k.Name], "`auto`"):
		case defaults[k.Name] != k.Default:
			t.Errorf("docs/operations.md has %q for %s, whose default is %s", defaults[k.Name], k.Name, k.Default)
		}
	}
}
