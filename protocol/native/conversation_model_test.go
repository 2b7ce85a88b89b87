package native

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/megawire/megawire/internal/plainjson"
)

// model answers requests as the protocol's description says it, one sentence after the other.
type model struct {
	subscriptions []modelSub // oldest first
	seq           int
	charged       int      // messages
	later         []answer // to the request before this one
	now           []answer // to this one, but behind the next

	answers []answer
	did     []string
}

// modelSub is a subscription, with what its ack says of it.
type modelSub struct {
	filter string
	result object
}

// answer is one to come. Of a request in which it is not plain what the id is there are several that it may have, nil
// where nobody can tell.
type answer struct {
	ids  []string
	body object
}

type object = map[string]any

func newModel() *model { return &model{} }

// take takes a line of FuzzConversation, and reports whether the conversation goes on.
func (m *model) take(line []byte) bool {
	switch {
	case bytes.HasPrefix(line, []byte("?")):
		return true
	case bytes.HasPrefix(line, []byte("!")):
		m.did = append(m.did, "close 1003")
		return false
	case !utf8.Valid(line):
		m.did = append(m.did, "close 1007")
		return false
	}
	limited := m.charged >= partnerBudget
	if !limited {
		m.charged++
	}
	if a := m.request(line, limited); a.body != nil {
		m.answers = append(m.answers, a)
	}
	m.answers = append(m.answers, m.later...)
	m.later, m.now = m.now, nil
	return true
}

func (m *model) end() { m.answers = append(m.answers, m.later...) }

func failed(code string) object { return object{"op": "error", "code": code} }

// takes says what may stand in a request of each op.
var takes = map[string][]string{
	"subscribe": {"topics"}, "unsubscribe": {"topics"}, "publish": {"topic", "data", "text", "bin", "echo"},
	"auth": {"token"}, "presence": {"topic"}, "list": {}, "ping": {},
}

// request answers one request; without a body there is no answer.
func (m *model) request(text []byte, limited bool) answer {
	fault := failed("bad_request")
	if limited {
		fault = failed("rate_limited")
		fault["retry_after"] = partnerWait
	}
	tooDeep := plainjson.Levels(text) > 1+128
	members, ok := membersOf(text)
	if !ok {
		return answer{ids: map[bool][]string{false: {""}}[tooDeep], body: fault}
	}
	var ids []string
	byName := map[string]json.RawMessage{}
	bad := tooDeep
	for _, member := range members {
		if member.name == "id" {
			ids = append(ids, string(member.value))
			bad = bad || !goodID(member.value)
		}
		bad = bad || byName[member.name] != nil
		byName[member.name] = member.value
	}
	switch {
	case len(ids) == 0, len(ids) == 1 && !goodID(byName["id"]):
		ids = []string{""}
	case len(ids) > 1 || tooDeep: // the first one, if that is known before the fault
		ids = append(ids, "")
	}
	op, isText := stringOf(byName["op"])
	allowed, known := takes[op]
	for name := range byName {
		bad = bad || name != "op" && name != "id" && !slices.Contains(allowed, name)
	}
	if bad || limited || !known || !isText {
		return answer{ids, fault}
	}
	return answer{ids, m.run(op, byName, ids)}
}

func (m *model) run(op string, request map[string]json.RawMessage, id []string) object {
	topic, isTopic := stringOf(request["topic"])
	switch op {
	case "ping":
		return object{"op": "pong"}
	case "list":
		return object{"op": "ok", "client": "7f2c", "topics": m.list()}
	case "subscribe", "unsubscribe":
		return m.filters(op, request["topics"])
	case "publish":
		return m.publish(topic, isTopic, request, id)
	case "presence":
		switch {
		case !isTopic:
			return failed("bad_request")
		case !goodFilter(topic) || strings.ContainsAny(topic, "+#") || topic[0] == '$':
			return failed("bad_topic")
		case strings.HasPrefix(topic, "secret"), strings.HasPrefix(topic, "full"):
			return failed("forbidden")
		}
		return object{"op": "ok", "topic": topic, "count": 2, "clients": []any{object{"client": "7f2c"}}, "truncated": true}
	default: // auth is not built
		return failed("bad_request")
	}
}

func (m *model) list() []any {
	list := []any{}
	for _, s := range m.subscriptions {
		listed := object{}
		for key, value := range s.result {
			if key != "recovered" && key != "ts" {
				listed[key] = value
			}
		}
		list = append(list, listed)
	}
	return list
}

func (m *model) publish(topic string, isTopic bool, request map[string]json.RawMessage, id []string) object {
	data, text, bin := request["data"], request["text"], request["bin"]
	echo := string(request["echo"])
	if !isTopic || echo != "" && echo != "true" && echo != "false" {
		return failed("bad_request")
	}
	content, payload, ok := 0, []byte(data), len(text)+len(bin) == 0
	switch {
	case data == nil && text != nil && bin == nil:
		var s string
		s, ok = stringOf(text)
		content, payload = 1, []byte(s)
	case data == nil && text == nil && bin != nil:
		var s string
		s, ok = stringOf(bin)
		var err error
		content = 2
		payload, err = base64.StdEncoding.DecodeString(s)
		ok = ok && err == nil && !strings.ContainsAny(s, "\r\n")
	}
	switch {
	case !ok || data == nil && content == 0:
		return failed("bad_request")
	case !goodFilter(topic) || strings.ContainsAny(topic, "+#"):
		return failed("bad_topic")
	case topic[0] == '$', strings.HasPrefix(topic, "secret"):
		return failed("forbidden")
	case strings.HasPrefix(topic, "full"):
		return failed("unavailable")
	}
	m.seq++
	m.did = append(m.did, showPublication(topic, content, payload, echo == "false"))
	done := object{"op": "ok", "topic": topic, "epoch": "k3x9", "seq": m.seq}
	switch {
	case id[0] == "":
		return nil
	case strings.HasPrefix(topic, "later"):
		m.now = append(m.now, answer{id, done})
		return nil
	}
	return done
}

// filters answers a subscribe or an unsubscribe.
func (m *model) filters(op string, topics json.RawMessage) object {
	var entries []json.RawMessage
	if len(topics) == 0 || topics[0] != '[' || json.Unmarshal(topics, &entries) != nil {
		return failed("bad_request")
	}
	asked := make([]modelEntry, len(entries))
	for i, raw := range entries {
		var ok bool
		if asked[i], ok = entryOf(raw, op == "subscribe"); !ok {
			return failed("bad_request")
		}
	}
	m.charged += max(0, len(asked)-1)
	results := []any{}
	room := 10_000
	for i := range asked {
		result := object{}
		switch code := asked[i].code; {
		case code == "bad_topic" && asked[i].last > 0 && room == 0:
			result["error"] = "too_many" // is said first
		case code != "":
			result["error"] = code
		case op == "subscribe":
			result = m.subscribe(&asked[i], &room)
		default:
			m.subscriptions = slices.DeleteFunc(m.subscriptions, func(s modelSub) bool { return s.filter == asked[i].topic })
		}
		result["topic"] = asked[i].topic
		results = append(results, result)
	}
	if op == "unsubscribe" {
		return object{"op": "ok", "topics": results}
	}
	return object{"op": "ok", "client": "7f2c", "topics": results}
}

func (m *model) subscribe(e *modelEntry, room *int) object {
	i := slices.IndexFunc(m.subscriptions, func(s modelSub) bool { return s.filter == e.topic })
	brings := min(e.last, partnerKept)
	switch {
	case e.last > 0 && *room == 0:
		return object{"error": "too_many"}
	case strings.HasPrefix(e.topic, "secret"):
		return object{"error": "forbidden"}
	case i < 0 && len(m.subscriptions) == partnerSubsMax, brings > *room:
		return object{"error": "too_many"}
	}
	*room -= brings
	result := object{"topic": e.topic, "epoch": "k3x9"}
	if strings.ContainsAny(e.topic, "+#") {
		result["ts"] = 1763632800123
	} else {
		result["seq"] = 42
	}
	if e.since != nil {
		result["recovered"] = e.since.Epoch == "k3x9"
		m.did = append(m.did, showSince(e.topic, e.since.Epoch, e.since.Seq, e.since.TS, e.since.Seqs))
	}
	if e.mode == "latest" || e.every > 0 {
		result["mode"] = "latest"
	}
	if e.every > 0 {
		result["every"] = e.every
	}
	if i < 0 {
		m.subscriptions = append(m.subscriptions, modelSub{e.topic, result})
	} else {
		m.subscriptions[i].result = result
	}
	return result
}
