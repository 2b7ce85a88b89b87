package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/megawire/megawire/codec/codes"
	"github.com/megawire/megawire/codec/native"
)

// blanks are the bytes that may stand around JSON (RFC 8259 §2).
const blanks = " \t\r\n"

// byteOrderMark is what editors of some systems put before UTF-8. JSON knows none, and lets a reader pass over it (RFC 8259 §8.1).
var byteOrderMark = []byte("\xEF\xBB\xBF")

// checkJSON refuses what is not JSON in UTF-8, and says where it is not. Around a payload, which native.DepthMax bounds, there are
// as many levels: the publication's own, and the array's that it stands in.
func checkJSON(src []byte, around int) error {
	err := native.Check(src, around)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, native.ErrTooDeep):
		return Fault{codes.BadRequest, fmt.Sprintf("it is nested deeper than %d levels", native.DepthMax)}
	case len(bytes.Trim(src, blanks)) == 0:
		return Fault{codes.BadRequest, "there is no JSON in it"}
	case !utf8.Valid(src):
		return Fault{codes.BadRequest, "it is not valid UTF-8"}
	}
	var raw json.RawMessage
	if syntax, ok := errors.AsType[*json.SyntaxError](json.Unmarshal(src, &raw)); ok {
		return Fault{codes.BadRequest, fmt.Sprintf("it is not valid JSON: %s (at byte %d)", syntax, syntax.Offset)}
	}
	return Fault{codes.BadRequest, "it is not valid JSON"}
}

// expect refuses a JSON value of another kind; kind is as kindOf names it.
func expect(value []byte, kind string) error {
	if got := kindOf(value); got != kind {
		return Fault{codes.BadRequest, "it must be " + kind + ", not " + got}
	}
	return nil
}

// The kinds of JSON values that are asked for.
const (
	kindObject = "an object"
	kindArray  = "an array"
	kindString = "a string"
)

// kindOf names a value's kind for a message.
func kindOf(value []byte) string {
	switch value[0] {
	case '{':
		return kindObject
	case '[':
		return kindArray
	case '"':
		return kindString
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "a number"
}

// decodeString decodes a JSON string. Without escapes the result aliases it. An escaped surrogate without its other half has no
// UTF-8, and is refused rather than replaced (RFC 8259 §8.2).
func decodeString(value []byte) ([]byte, error) {
	if err := expect(value, kindString); err != nil {
		return nil, err
	}
	var scratch []byte
	s, ok := native.DecodeString(value, &scratch)
	if !ok {
		return nil, Fault{codes.BadRequest, "it has half of a surrogate pair, which is no character"}
	}
	return s, nil
}

// decodeBase64 decodes a JSON string of base64.
func decodeBase64(value []byte) ([]byte, error) {
	if err := expect(value, kindString); err != nil {
		return nil, err
	}
	var scratch []byte
	b, ok := native.DecodeBase64(value, &scratch)
	if !ok {
		return nil, Fault{codes.BadRequest, "it is not base64 (RFC 4648 §4, with padding and no line breaks)"}
	}
	return b, nil
}
