package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// oneDocument refuses a YAML text of several documents: all but the first would have
// no effect. What is not YAML is left for the parser to tell.
func oneDocument(data []byte) error {
	var first, second yaml.Node
	d := yaml.NewDecoder(bytes.NewReader(data))
	one := d.Decode(&first) == nil
	if !one || errors.Is(d.Decode(&second), io.EOF) {
		return nil
	}
	where := ""
	if second.Line > 0 { // it has parsed
		where = fmt.Sprintf(" at line %d", second.Line)
	}
	return fmt.Errorf("holds a second YAML document%s: put all keys into the first, without ---", where)
}

// lineNumbers maps each key of a YAML text that has parsed to the line it stands on.
func lineNumbers(data []byte) map[string]int {
	lines := map[string]int{}
	var doc yaml.Node
	if err := yaml.NewDecoder(bytes.NewReader(data)).Decode(&doc); err == nil && len(doc.Content) > 0 {
		addLines(lines, doc.Content[0], "")
	}
	return lines
}

func addLines(lines map[string]int, n *yaml.Node, prefix string) {
	if n.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, value := prefix+n.Content[i].Value, n.Content[i+1]
		lines[name] = n.Content[i].Line
		addLines(lines, value, name+".")
		if value.Kind != yaml.SequenceNode {
			continue
		}
		for j, element := range value.Content {
			path := fmt.Sprintf("%s[%d]", name, j)
			lines[path] = element.Line
			addLines(lines, element, path+".")
		}
	}
}

// lineOf is the line of a key, or of what it would stand in where it is missing.
func lineOf(lines map[string]int, key string) int {
	for lines[key] == 0 && strings.ContainsAny(key, ".[") {
		key = key[:strings.LastIndexAny(key, ".[")]
	}
	return lines[key]
}

// Print writes c as a YAML file that [Load] reads back, with where each value
// came from behind it.
func Print(w io.Writer, c *Config, origins Origins) error {
	var out strings.Builder
	group := ""
	for i := range allKeys() {
		k := &allKeys()[i]
		name, indent := k.Name, ""
		if g, last, ok := strings.Cut(k.Name, "."); ok {
			if g != group {
				fmt.Fprintf(&out, "%s:\n", g)
			}
			group, name, indent = g, last, "  "
		}
		value := k.value(reflect.ValueOf(c).Elem())
		if rules, ok := value.Interface().(Rules); ok && len(rules) > 0 {
			fmt.Fprintf(&out, "%-44s # %s\n", name+":", origins[k.Name])
			out.Write(rules.appendYAML(nil))
			continue
		}
		line := indent + name + ": " + yamlText(value)
		fmt.Fprintf(&out, "%-44s # %s\n", line, origins[k.Name])
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// yamlText writes a value so that YAML reads it back as the same: texts are
// quoted, since # and : mean something there.
func yamlText(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case string:
		return strconv.Quote(x)
	case []string:
		quoted := make([]string, len(x))
		for i, s := range x {
			quoted[i] = strconv.Quote(s)
		}
		return "[" + strings.Join(quoted, ", ") + "]"
	default:
		return text(v)
	}
}
