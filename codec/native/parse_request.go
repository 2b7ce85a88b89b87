package native

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

// TopicsMax bounds the entries of one request's topics: what a Request keeps of them is bounded by it too.
const TopicsMax = 16384

// The members of a request; requestNames has their names in this order.
const (
	memberOp = iota
	memberID
	memberTopics
	memberTopic
	memberData
	memberText
	memberBin
	memberEcho
	memberToken
)

var (
	requestNames = []string{"op", "id", "topics", "topic", "data", "text", "bin", "echo", "token"}

	opNames = [...]string{
		OpSubscribe: "subscribe", OpUnsubscribe: "unsubscribe", OpPublish: "publish", OpAuth: "auth",
		OpPresence: "presence", OpList: "list", OpPing: "ping",
	}

	// opMembers says what may stand in a request beside op and id.
	opMembers = [...][]int{
		OpSubscribe: {memberTopics}, OpUnsubscribe: {memberTopics},
		OpPublish: {memberTopic, memberData, memberText, memberBin, memberEcho},
		OpAuth:    {memberToken}, OpPresence: {memberTopic}, OpList: {}, OpPing: {},
	}
)

// String gives the name of the op on the wire, "" for OpNone.
func (o Op) String() string { return opNames[o] }

// ParseRequest reads a request into r. When it is bad, r.Op and r.ID are set as far as they are known, so that the
// answer can carry the id; what else stands in r then means nothing.
func ParseRequest(src []byte, r *Request) *Error {
	*r = Request{Topics: r.Topics[:0], scratch: r.scratch[:0]}
	if !utf8.Valid(src) {
		return badRequest("not valid UTF-8")
	}
	var m members
	start := skipSpace(src, 0)
	end := scanObject(src, start, requestNames, &m)
	if end < 0 || skipSpace(src, end) != len(src) {
		err := Check(src, 1)
		switch {
		case end == tooDeep || errors.Is(err, ErrTooDeep):
			_ = r.identify(&m) // for the id, where it came before what is too deep
			return badRequest("nested deeper than " + strconv.Itoa(DepthMax) + " levels")
		case err == nil:
			return badRequest("a request must be a JSON object")
		}
		return badRequest("not valid JSON")
	}
	if err := r.identify(&m); err != nil {
		return err
	}
	switch r.Op {
	case OpSubscribe, OpUnsubscribe:
		return r.parseTopics(m.values[memberTopics])
	case OpPublish:
		return r.parsePublish(&m)
	case OpPresence:
		return r.parseTopic(&m)
	case OpAuth:
		var ok bool
		if r.Token, ok = DecodeString(m.values[memberToken], &r.scratch); !ok {
			return wrong(m.values[memberToken], "token must be a string")
		}
	}
	return nil
}

// identify reads id and op, and judges the request's keys by the op.
func (r *Request) identify(m *members) *Error {
	id, op := m.values[memberID], m.values[memberOp]
	idOK := id == nil || (m.twice != "id" && validID(id))
	if idOK {
		r.ID = id
	}
	name, opOK := DecodeString(op, &r.scratch)
	if opOK && m.twice != "op" {
		for o := OpSubscribe; int(o) < len(opNames); o++ {
			if string(name) == opNames[o] {
				r.Op = o
			}
		}
	}
	switch {
	case m.twice != "":
		return badRequest(`the key "` + m.twice + `" appears twice`)
	case !idOK:
		return badRequest("id must be a number or a string of at most 64 bytes")
	case !opOK:
		return wrong(op, "op must be a string")
	case r.Op == OpNone:
		return badRequest("unknown op " + quoted(name))
	case m.unknown != nil:
		return badRequest("unknown key " + quoted(m.unknown) + " in " + r.Op.String())
	}
	allowed := 1<<memberOp | 1<<memberID
	for _, i := range opMembers[r.Op] {
		allowed |= 1 << i
	}
	for i, name := range requestNames {
		if m.values[i] != nil && allowed&(1<<i) == 0 {
			return badRequest(`unknown key "` + name + `" in ` + r.Op.String())
		}
	}
	return nil
}

func validID(id []byte) bool {
	switch {
	case id[0] == '"':
		return len(id) <= IDBytesMax+2
	case id[0] == '-' || id[0]-'0' <= 9:
		return len(id) <= IDBytesMax
	default:
		return false
	}
}

func (r *Request) parseTopic(m *members) *Error {
	var ok bool
	if r.Topic, ok = DecodeString(m.values[memberTopic], &r.scratch); !ok {
		return wrong(m.values[memberTopic], "topic must be a string")
	}
	return nil
}

func (r *Request) parsePublish(m *members) *Error {
	if err := r.parseTopic(m); err != nil {
		return err
	}
	if echo := m.values[memberEcho]; echo != nil {
		on, ok := boolean(echo)
		if !ok {
			return badRequest("echo must be true or false")
		}
		r.NoEcho = !on
	}
	contents := 0
	for i := memberData; i <= memberBin; i++ {
		if m.values[i] != nil {
			contents++
		}
	}
	if contents != 1 {
		return badRequest("publish takes exactly one of data, text and bin")
	}
	var ok bool
	switch {
	case m.values[memberText] != nil:
		r.Content = Text
		if r.Payload, ok = DecodeString(m.values[memberText], &r.scratch); !ok {
			return wrong(m.values[memberText], "text must be a string")
		}
	case m.values[memberBin] != nil:
		r.Content = Binary
		if r.Payload, ok = DecodeBase64(m.values[memberBin], &r.scratch); !ok {
			return badRequest("bin must be a string of base64 with padding")
		}
	default:
		r.Payload = m.values[memberData]
	}
	return nil
}

// wrong says why a value was not taken for a string: it is missing, of another type, or has a lone surrogate.
func wrong(value []byte, expected string) *Error {
	name, _, _ := strings.Cut(expected, " ")
	switch {
	case value == nil:
		return badRequest(name + " is missing")
	case value[0] == '"':
		return badRequest(name + " has an unpaired surrogate")
	default:
		return badRequest(expected)
	}
}

// quoted shows a part of a request in a message, not too much of it.
func quoted(b []byte) string {
	const shownBytesMax = 64
	if len(b) <= shownBytesMax {
		return `"` + string(b) + `"`
	}
	return `"` + strings.ToValidUTF8(string(b[:shownBytesMax]), "") + `…"`
}
