package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// setRules stores what a file's rules, or those of a variable or flag, have been parsed into. It stores nothing
// where one of them is at fault.
func setRules(v reflect.Value, raw any) error {
	list, ok := raw.([]any)
	if raw != nil && !ok {
		return errors.New(`takes a list of rules, as in [{"filter":"ticker/#","mode":"latest"}]`)
	}
	rules, wrong := make(Rules, len(list)), faults(nil)
	for i := range list {
		rules[i].set(i, list[i], &wrong)
	}
	if err := wrong.err(); err != nil {
		return err
	}
	v.Set(reflect.ValueOf(rules))
	return nil
}

// set reads rule number i.
func (r *Rule) set(i int, raw any, wrong *faults) {
	keys, ok := raw.(map[string]any)
	if !ok {
		wrong.add(rulePath(i, ""), "is not a rule: it takes keys, filter and others")
		return
	}
	v := reflect.ValueOf(r).Elem()
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		path, k := rulePath(i, name), ruleKey(name)
		if k == nil {
			hint := "a rule has " + strings.Join(ruleKeyNames(), ", ")
			if near := Nearest(name, ruleKeyNames()); near != "" {
				hint = "did you mean " + near + "?"
			}
			wrong.add(path, "unknown key; %s", hint)
			continue
		}
		err := k.setPart(k.value(v), keys[name])
		if err == nil {
			err = k.check(k.value(v))
		}
		if err != nil {
			wrong.add(path, "%w", err)
		}
	}
}

// setPart is setRaw, strict where YAML might have read something else than was written.
func (k *Key) setPart(v reflect.Value, raw any) error {
	if k.field.Tag.Get("syntax") == "filter" {
		if raw == nil {
			return errors.New("has no value; a filter stands in quotes, since # begins a comment")
		}
		if _, ok := raw.(string); !ok {
			return fmt.Errorf("%v is not a text; put it in quotes", raw)
		}
	}
	return setRaw(v, raw)
}

// setRulesText reads the rules where they are one text: of a variable or a flag. That is JSON; by the file's
// parser, so that a value means the same in both and a key that stands twice is refused in both.
func setRulesText(v reflect.Value, s string) error {
	var raw any
	if err := oneDocument([]byte(s)); err != nil {
		return err
	}
	if err := yaml.Unmarshal([]byte(s), &raw); err != nil {
		return fmt.Errorf("is not JSON: %w", err)
	}
	return setRules(v, raw)
}

// String writes the rules as JSON, which setRulesText reads back.
func (rules Rules) String() string {
	var out strings.Builder
	out.WriteByte('[')
	for i := range rules {
		if i > 0 {
			out.WriteByte(',')
		}
		out.WriteByte('{')
		for j, part := range rules[i].parts() {
			if j > 0 {
				out.WriteByte(',')
			}
			out.WriteString(strconv.Quote(part.name) + ":" + part.value)
		}
		out.WriteByte('}')
	}
	out.WriteByte(']')
	return out.String()
}

// appendYAML appends the rules as entries of a block.
func (rules Rules) appendYAML(dst []byte) []byte {
	for i := range rules {
		lead := "  - "
		for _, part := range rules[i].parts() {
			dst = append(dst, lead+part.name+": "+part.value+"\n"...)
			lead = "    "
		}
	}
	return dst
}

// part is one key of a rule and its value as JSON, which is YAML as well.
type part struct{ name, value string }

// parts are the keys that a rule does not leave out.
func (r *Rule) parts() (all []part) {
	v := reflect.ValueOf(r).Elem()
	for _, k := range ruleKeys() {
		field := k.value(v)
		if field.IsZero() {
			continue
		}
		value := text(field)
		if k.Kind != "number" && k.Kind != "true|false" {
			quoted, err := json.Marshal(value)
			if err != nil {
				panic("config: a text that is not JSON: " + err.Error())
			}
			value = string(quoted)
		}
		all = append(all, part{k.Name, value})
	}
	return all
}
