package admin

import (
	"fmt"

	"github.com/megawire/megawire/codec/codes"
	"github.com/megawire/megawire/codec/native"
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

// parse fills p from a value that stands in what checkJSON has passed. The payload may alias it. Every key is known, stands once, and
// exactly one is the payload: who misspells a key is told, rather than published half.
func (ps *parser) parse(object []byte, p *Publication) error {
	*p = Publication{}
	if err := expect(object, kindObject); err != nil {
		return err
	}
	seen := 0
	for name, value := range native.Members(object) {
		key, err := decodeString(name)
		if err != nil {
			return err
		}
		bit := keyBit(key)
		switch {
		case bit == 0 || bit == keyTS && !ps.capture:
			return Fault{codes.BadRequest, "unknown key " + quote(string(key))}
		case seen&bit != 0:
			return Fault{codes.BadRequest, "key " + quote(string(key)) + " stands twice"}
		}
		seen |= bit
		if err := ps.member(bit, value, p); err != nil {
			return inKey(key, err)
		}
	}
	if seen&keyTopic == 0 {
		return Fault{codes.BadRequest, `key "topic" is missing`}
	}
	switch seen & (keyData | keyText | keyBin) {
	case keyData, keyText, keyBin:
		return nil
	case 0:
		return Fault{codes.BadRequest, `one of "data", "text" and "bin" is missing`}
	}
	return Fault{codes.BadRequest, `only one of "data", "text" and "bin" may stand in it`}
}

func (ps *parser) member(bit int, value []byte, p *Publication) (err error) {
	switch bit {
	case keyTopic:
		var topic []byte
		topic, err = decodeString(value)
		p.Topic = ps.intern(topic)
	case keyData:
		p.Content, p.Payload = ContentJSON, value
	case keyText:
		p.Content = ContentText
		p.Payload, err = decodeString(value)
	case keyBin:
		p.Content = ContentBinary
		p.Payload, err = decodeBase64(value)
	case keyExclude:
		p.Exclude, err = parseExclude(value)
	case keyTS: // when it happened is for who replays a capture; the server's own time counts
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

func parseExclude(array []byte) ([]string, error) {
	if err := expect(array, kindArray); err != nil {
		return nil, err
	}
	var ids []string
	for value := range native.Elements(array) {
		if len(ids) == excludeMax {
			return nil, Fault{codes.BadRequest, fmt.Sprintf("it has more than %d client ids", excludeMax)}
		}
		id, err := decodeString(value)
		if err != nil {
			return nil, err
		}
		ids = append(ids, string(id))
	}
	return ids, nil
}

// inKey says in which key the fault is.
func inKey(key []byte, err error) error {
	if f, ok := err.(Fault); ok { //nolint:errorlint // our own parser's faults are never wrapped
		f.Message = "key " + quote(string(key)) + ": " + f.Message
		return f
	}
	return err
}
