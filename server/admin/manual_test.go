package admin

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestManual: the metrics that the manual names are there.
func TestManual(t *testing.T) {
	data, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for _, f := range families {
		there[f.name] = true
	}
	text := string(data)
	named := regexp.MustCompile("`megawire_([a-z_]+)").FindAllStringSubmatch(text, -1)
	_, limits, _ := strings.Cut(text, "\n## Limits\n")
	limits, _, _ = strings.Cut(limits, "\n### ")
	for line := range strings.Lines(limits) { // whose last column leaves the prefix out
		if cells := strings.Split(line, " | "); len(cells) == 6 {
			named = append(named, regexp.MustCompile("`([a-z_]+)[`{]").FindAllStringSubmatch(cells[5], -1)...)
		}
	}
	short := map[string]bool{"refused": true, "told": true, "closes": true, "": true}
	for _, m := range named {
		if name := m[1]; !there[name] && !short[name] {
			t.Errorf("docs/operations.md names megawire_%s, which there is not", name)
		}
	}
	if len(named) < len(families)/2 {
		t.Errorf("the manual names %d metrics of %d: is it read as it is written?", len(named), len(families))
	}
}
