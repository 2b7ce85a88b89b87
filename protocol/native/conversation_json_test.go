package native

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/megawire/megawire/internal/plainjson"
)

// What the model of FuzzConversation reads requests with: encoding/json, and what that lets pass.

type member struct {
	name  string
	value json.RawMessage
	lone  bool // the name has half a surrogate pair
}

// membersOf gives the members of an object, those whose names come again too. ok is false where the text is none.
func membersOf(text []byte) (members []member, ok bool) {
	text = bytes.Trim(text, " \t\r\n")
	if !json.Valid(text) || text[0] != '{' {
		return nil, false
	}
	for _, m := range plainjson.Members(text) {
		name, whole := stringOf(m.Name)
		members = append(members, member{name, m.Value, !whole})
	}
	return members, true
}

// stringOf reads a string; ok is false for other values, and where half a surrogate pair stands alone.
func stringOf(raw json.RawMessage) (s string, ok bool) {
	if len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &s) != nil {
		return "", false
	}
	var units []uint16 // of the run of \u that ends here
	text := raw[1 : len(raw)-1]
	for len(text) > 0 {
		if len(text) >= 6 && text[0] == '\\' && text[1] == 'u' {
			unit, _ := strconv.ParseUint(string(text[2:6]), 16, 16)
			units, text = append(units, uint16(unit)), text[6:]
			continue
		}
		if !paired(units) {
			return s, false
		}
		units = units[:0]
		if text[0] == '\\' {
			text = text[1:]
		}
		text = text[1:]
	}
	return s, paired(units)
}

func paired(units []uint16) bool { return slices.Equal(utf16.Encode(utf16.Decode(units)), units) }

var wholeNumber = regexp.MustCompile(`^(0|[1-9][0-9]{0,15})$`)

func wholeOf(raw json.RawMessage) (n int, ok bool) {
	if !wholeNumber.Match(raw) {
		return 0, false
	}
	n, _ = strconv.Atoi(string(raw))
	return n, n < 1<<53
}

func goodID(raw json.RawMessage) bool {
	switch raw[0] {
	case '"':
		return len(raw) <= 64+len(`""`)
	case '{', '[', 't', 'f', 'n':
		return false
	}
	return len(raw) <= 64
}

// goodFilter is what MQTT 4.7 says of filters, and that patterns have 32 levels at most.
func goodFilter(s string) bool {
	names := strings.Split(s, "/")
	for i, name := range names {
		switch {
		case name == "#" && i < len(names)-1:
			return false
		case name != "+" && name != "#" && strings.ContainsAny(name, "+#"):
			return false
		}
	}
	return s != "" && len(s) <= 255 && utf8.ValidString(s) && !strings.Contains(s, "\x00") &&
		(len(names) <= 32 || !strings.ContainsAny(s, "+#"))
}
