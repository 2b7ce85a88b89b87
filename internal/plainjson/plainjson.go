// Package plainjson reads JSON for the models that fuzz tests hold our own reading of it against: with encoding/json, and nothing
// that is held against it.
package plainjson

import (
	"bytes"
	"encoding/json"
)

// Member is one of an object, as it stands there.
type Member struct {
	Name, Value json.RawMessage
}

// Members gives the members of a text that is an object, those whose names come again too.
func Members(object []byte) (members []Member) {
	d := json.NewDecoder(bytes.NewReader(object))
	_, _ = d.Token()
	for d.More() {
		before := d.InputOffset()
		_, _ = d.Token()
		m := Member{Name: bytes.TrimLeft(object[before:d.InputOffset()], ", \t\r\n")}
		_ = d.Decode(&m.Value)
		members = append(members, m)
	}
	return members
}

// Levels is how deep arrays and objects are nested, in a text that need not be JSON.
func Levels(text []byte) (deepest int) {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch b := text[i]; {
		case quoted && b == '\\':
			i++
		case b == '"':
			quoted = !quoted
		case !quoted && (b == '{' || b == '['):
			depth++
			deepest = max(deepest, depth)
		case !quoted && (b == '}' || b == ']'):
			depth--
		}
	}
	return deepest
}
