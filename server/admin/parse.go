package admin

import (
	"encoding/base64"
	"fmt"
)

// Bounds of the topics whose strings one stream keeps.
const (
	internedTopicsMax = 4096
	internedBytesMax  = 255 // of one topic; longer ones are refused by the Backend
)

// parser turns the JSON of publications into Publications. It keeps what is worth keeping between the lines of a stream.
type parser struct {
	capture bool // "ts" may stand in it, as in a capture

	topics map[string]string // so that a stream allocates a topic's string once
}

// keys of a publication, as bits.
const (
	keyTopic = 1 << iota
	keyData
	keyText
	keyBin
	keyExclude
	keyTS
)

func keyBit(key []byte) int {
	switch string(key) {
	case "topic":
		return keyTopic
	case "data":
		return keyData
	case "text":
		return keyText
	case "bin":
		return keyBin
	case "exclude":
		return keyExclude
	case "ts":
		return keyTS
	}
	return 0
}

// parse fills p from src, which checkJSON has passed. The payload may alias src. Every key is known, stands once, and exactly one is
// the payload: who misspells a key is told, rather than published half.
func (ps *parser) parse(src []byte, p *Publication) error {
	*p = Publication{}
	seen := 0
	err := members(src, func(key, value []byte) error {
		bit := keyBit(key)
		switch {
		case bit == 0 || bit == keyTS && !ps.capture:
			return Fault{codeBadRequest, "unknown key " + quote(string(key))}
		case seen&bit != 0:
			return Fault{codeBadRequest, "key " + quote(string(key)) + " stands twice"}
		}
		seen |= bit
		if err := ps.member(bit, value, p); err != nil {
			return inKey(key, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if seen&keyTopic == 0 {
		return Fault{codeBadRequest, `key "topic" is missing`}
	}
	switch seen & (keyData | keyText | keyBin) {
	case keyData, keyText, keyBin:
		return nil
	case 0:
		return Fault{codeBadRequest, `one of "data", "text" and "bin" is missing`}
	}
	return Fault{codeBadRequest, `only one of "data", "text" and "bin" may stand in it`}
}

func (ps *parser) member(bit int, value []byte, p *Publication) error {
	switch bit {
	case keyData:
		p.Content, p.Payload = ContentJSON, value
		return nil
	case keyExclude:
		var err error
		p.Exclude, err = parseExclude(value)
		return err
	case keyTS:
		return nil // when it happened is for who replays a capture; the server's own time counts
	}
	s, err := unquoteString(value)
	if err != nil {
		return err
	}
	switch bit {
	case keyTopic:
		p.Topic = ps.intern(s)
	case keyText:
		p.Content, p.Payload = ContentText, s
	case keyBin:
		p.Content = ContentBinary
		p.Payload, err = decodeBase64(s)
	}
	return err
}

// intern returns the topic as a string, the same one for the same topic as long as there are few.
func (ps *parser) intern(topic []byte) string {
	if s, ok := ps.topics[string(topic)]; ok {
		return s
	}
	if len(topic) > internedBytesMax {
		return string(topic)
	}
	if ps.topics == nil || len(ps.topics) >= internedTopicsMax {
		ps.topics = make(map[string]string)
	}
	s := string(topic)
	ps.topics[s] = s
	return s
}

func parseExclude(value []byte) ([]string, error) {
	var ids []string
	err := elements(value, func(value []byte) error {
		if len(ids) == excludeMax {
			return Fault{codeBadRequest, fmt.Sprintf("it has more than %d client ids", excludeMax)}
		}
		id, err := unquoteString(value)
		ids = append(ids, string(id))
		return err
	})
	return ids, err
}

// decodeBase64 takes the standard alphabet with padding (RFC 4648 §4), and no line breaks.
func decodeBase64(s []byte) ([]byte, error) {
	dst := make([]byte, base64.StdEncoding.DecodedLen(len(s)))
	n, err := base64.StdEncoding.Strict().Decode(dst, s)
	if err != nil {
		return nil, Fault{codeBadRequest, "it is not base64 (RFC 4648 §4, with padding)"}
	}
	for _, c := range s {
		if c == '\n' || c == '\r' {
			return nil, Fault{codeBadRequest, "it is not base64: line breaks may not stand in it"}
		}
	}
	return dst[:n], nil
}

// inKey says in which key the fault is.
func inKey(key []byte, err error) error {
	if f, ok := err.(Fault); ok { //nolint:errorlint // our own parser's faults are never wrapped
		f.Message = "key " + quote(string(key)) + ": " + f.Message
		return f
	}
	return err
}
