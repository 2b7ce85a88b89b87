package native

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestExamplesOfTheDocs: every example of docs/protocol.md is a text of the protocol.
func TestExamplesOfTheDocs(t *testing.T) {
	text, err := os.ReadFile("../../docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```json\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	inOneLine := strings.NewReplacer("[\n  ", "[", ",\n  ", ",")
	examples := 0
	for _, block := range blocks {
		for line := range strings.Lines(inOneLine.Replace(block[1])) {
			checkExample(t, strings.TrimSpace(line))
			examples++
		}
	}
	if examples < 15 {
		t.Errorf("%d examples were found", examples)
	}
}

func checkExample(t *testing.T, text string) {
	var r Request
	var p Push
	switch err := ParseRequest([]byte(text), &r); {
	case strings.Contains(text, `"since"`) && strings.HasPrefix(text, `{"topic"`): // an entry by itself
		if err := ParseRequest([]byte(`{"op":"subscribe","topics":[`+text+`]}`), &r); err != nil || r.Topics[0].Err != nil {
			t.Errorf("%s: %v, %v", text, err, r.Topics)
		}
	case r.Op != OpNone && err == nil:
		for i := range r.Topics {
			if r.Topics[i].Err != nil {
				t.Errorf("%s: %v", text, r.Topics[i].Err)
			}
		}
	default:
		if err := ParsePush([]byte(text), &p); err != nil || p.Kind == PushUnknown {
			t.Errorf("%s: read as %+v, %v", text, p, err)
		}
	}
}
