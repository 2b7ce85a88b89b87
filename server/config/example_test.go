package config

import (
	"bytes"
	"os"
	"reflect"
	"strings"
	"testing"
)

const exampleFile = "../../megawire.yaml"

// TestExampleFile holds megawire.yaml against the code: the same keys with the
// same defaults, each with a comment.
func TestExampleFile(t *testing.T) {
	c, _, err := Load(nil, exampleFile, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, want := reflect.ValueOf(&c).Elem(), reflect.ValueOf(Default())

	data, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	numbers := lineNumbers(data)
	lines := strings.Split(string(data), "\n")
	for _, k := range Keys() {
		n := numbers[k.Name]
		if n == 0 {
			t.Errorf("megawire.yaml lacks %s (default %s)", k.Name, k.Default)
			continue
		}
		if !equal(k.value(got), k.value(want)) {
			t.Errorf("megawire.yaml:%d: %s is %s, its default %s", n, k.Name, text(k.value(got)), k.Default)
		}
		if n < 2 || !strings.HasPrefix(strings.TrimSpace(lines[n-2]), "#") {
			t.Errorf("megawire.yaml:%d: %s has no comment on the line above", n, k.Name)
		}
	}
}

func TestEveryKeyIsDescribed(t *testing.T) {
	seen := map[string]string{}
	for _, k := range Keys() {
		if k.Usage == "" || k.field.Tag.Get("koanf") == "" {
			t.Errorf("%s has no usage or no koanf tag", k.Name)
		}
		if kind := k.field.Type.Name(); (kind == "int" || kind == "Bytes" || kind == "Duration") &&
			(k.field.Tag.Get("min") == "" || k.field.Tag.Get("max") == "") {
			t.Errorf("%s has no bounds", k.Name)
		}
		if other, taken := seen[k.Env]; taken {
			t.Errorf("%s and %s are both %s in the environment", k.Name, other, k.Env)
		}
		seen[k.Env] = k.Name
	}
}

func TestPrintReadsBack(t *testing.T) {
	c := Default()
	c.Listen, c.Loops = "[::1]:81", 7
	c.Limits.MessageBytes = 1025
	c.Anonymous.Publish = []string{"a,b/#", `quo"te`, "+/x"}
	c.Topics.Idle = 90 * 60e9
	origins := Origins{"listen": "flag --listen"}

	var out bytes.Buffer
	if err := Print(&out, &c, origins); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "# flag --listen\n") {
		t.Errorf("the origin is not printed:\n%s", out.String())
	}
	back, _, err := Load(nil, writeFile(t, out.String()), nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if !reflect.DeepEqual(back, c) {
		t.Errorf("read back %+v, want %+v", back, c)
	}
}
