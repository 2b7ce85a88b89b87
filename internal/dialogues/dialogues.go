// Package dialogues runs the dialogues of tests, text files in which stands what goes in and what comes out, and makes the
// WebSocket messages that these tell of.
package dialogues

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write what comes out into the dialogues of testdata")

// Run plays each file that matches a pattern, in a test of its name, and holds what comes out against what stands in it; with
// -rewrite it writes that there. play gets the text, and gives the text as it really goes.
func Run(t *testing.T, pattern string, play func(t *testing.T, text string) string) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no dialogues match %s: %v", pattern, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			out := play(t, string(text))
			switch {
			case out == string(text):
			case *rewrite:
				if err := os.WriteFile(file, []byte(out), 0o644); err != nil {
					t.Fatal(err)
				}
			default:
				t.Errorf("%s, %s: got\n%s\n(-rewrite writes this)", file, difference(string(text), out), out)
			}
		})
	}
}

// difference says where two texts differ first.
func difference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range w {
		if i >= len(g) || w[i] != g[i] {
			return "want \"" + w[i] + "\""
		}
	}
	return "more than is wanted"
}

// Paragraphs plays the paragraphs of a text one by one, each a dialogue of its own. What play gives ends with its line.
func Paragraphs(text string, play func(paragraph string) string) string {
	var out []string
	for paragraph := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		out = append(out, play(paragraph))
	}
	return strings.Join(out, "\n")
}
