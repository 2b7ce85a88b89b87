package native

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/megawire/megawire/codec/ws"
)

// FuzzConversation plays a whole conversation, from a client's bytes to the answers, and holds what is answered and
// what is done against a model that takes the requests one by one as encoding/json reads them. A line of text is a
// message; how messages are compressed, cut into frames, and frames into reads, is shape's to say, and plays no part.
func FuzzConversation(f *testing.F) { f.Fuzz(checkConversation) }

func checkConversation(t *testing.T, text, shape []byte) {
	lines := bytes.Split(text, []byte("\n"))
	if len(lines) > 64 || len(text) > 1<<16 {
		return
	}
	want := newModel()
	for i := range lines {
		if !want.take(lines[i]) {
			break
		}
	}
	want.end()
	got := converse(t, framed(lines, shape), shape)
	if !slices.Equal(got.did, want.did) {
		t.Errorf("did\n%q\nwant\n%q", got.did, want.did)
	}
	if codes := checkAnswers(t, got.replies, want.answers); !slices.Equal(got.told, codes) {
		t.Errorf("the errors %q were counted, of %q", got.told, codes)
	}
	if whole := converse(t, framed(lines, nil), nil); !slices.Equal(got.replies, whole.replies) {
		t.Errorf("in frames and reads as %q says the answers are\n%q\nelse\n%q", shape, got.replies, whole.replies)
	}
	if t.Failed() {
		t.Logf("the conversation:\n%s", text)
	}
}

// framed is what a client sends that says each line in a message. A line that begins with a bang is binary, one that
// begins with a question mark a ping.
func framed(lines [][]byte, shape []byte) (input []byte) {
	next := func() byte { return 0 }
	if len(shape) > 0 {
		i := 0
		next = func() byte { i++; return shape[i%len(shape)] }
	}
	for _, line := range lines {
		op := ws.Text
		switch {
		case bytes.HasPrefix(line, []byte("!")):
			op = ws.Binary
		case bytes.HasPrefix(line, []byte("?")):
			input = ws.AppendMaskedFrame(input, ws.Ping, [4]byte{1}, line[:min(len(line), ws.ControlPayloadBytesMax)])
			continue
		}
		var rsv1 byte
		if next()%8 == 5 {
			line, rsv1 = compressed(line)
		}
		var pieces [][]byte
		if next()%4 == 2 {
			pieces = append(pieces, nil)
		}
		for cut := next(); cut%4 == 1 && int(cut) < len(line); cut = next() {
			pieces, line = append(pieces, line[:cut]), line[cut:]
		}
		for i, piece := range append(pieces, line) {
			start := len(input)
			input = ws.AppendMaskedFrame(input, op, [4]byte{next(), 2, 3, next()}, piece)
			input[start] |= rsv1
			op, rsv1 = ws.Continuation, 0
			if i == len(pieces) {
				continue
			}
			input[start] &^= 0x80 // FIN (RFC 6455 §5.2): more is to come
			if next()%4 == 3 {
				input = ws.AppendMaskedFrame(input, ws.Ping, [4]byte{}, nil)
			}
		}
	}
	return input
}

// compressed is what a client that has agreed on permessage-deflate sends instead of a payload, with the bit that says so
// (RFC 7692 §7.2.1).
func compressed(payload []byte) (sent []byte, rsv1 byte) {
	frame := (&ws.Deflater{MinBytes: 1}).AppendFrame(nil, ws.Text, payload)
	if frame[0]&0x40 == 0 {
		return payload, 0 // it would be longer
	}
	header := map[byte]int{126: 4, 127: 10}[frame[1]]
	return frame[max(2, header):], 0x40
}

// converse serves a client as a server does, in reads of the lengths given, again and again from the first.
func converse(t *testing.T, input, lengths []byte) *partner {
	t.Helper()
	var n Protocol
	var e ws.Endpoint
	defer e.Release()
	p := newPartner()
	limits := ws.Limits{MessageBytesMax: 1 << 20, FragmentsMax: 1 << 20, Inflater: ws.NewInflater(100)}
	var kept []byte
	for i := 0; len(input) > 0; i++ {
		read := len(input)
		if len(lengths) > 0 {
			read = min(read, 1+int(lengths[i%len(lengths)]))
		}
		kept = append(kept, input[:read]...)
		input = input[read:]
		for {
			ev, used := e.Next(kept, &limits)
			if ev.Kind == ws.Message {
				n.Message(p, ev.Op, ev.Payload)
				p.settle(false)
			}
			kept = slices.Delete(kept, 0, used)
			if ev.Kind == ws.Fail {
				p.did = append(p.did, fmt.Sprintf("close %d", ev.Code))
			}
			if ev.Kind == ws.Fail || p.closed {
				p.settle(true)
				return p
			}
			if ev.Kind == ws.NeedMore {
				break
			}
		}
	}
	p.settle(true)
	return p
}

// checkAnswers holds each answer against the model's: the id byte for byte, all else by its value. It returns the codes
// of the errors.
func checkAnswers(t *testing.T, replies []string, want []answer) (codes []string) {
	t.Helper()
	for i, reply := range replies {
		if !json.Valid([]byte(reply)) || !utf8.ValidString(reply) {
			t.Errorf("not JSON: %q", reply)
			return codes
		}
		if i == len(want) {
			t.Errorf("%q: an answer too many", reply)
			return codes
		}
		var got struct {
			ID json.RawMessage `json:"id"`
		}
		var body map[string]any
		_ = json.Unmarshal([]byte(reply), &got)
		_ = json.Unmarshal([]byte(reply), &body)
		delete(body, "id")
		if ids := want[i].ids; ids != nil && !slices.Contains(ids, string(got.ID)) {
			t.Errorf("%q has the id %s, want %q", reply, got.ID, want[i].ids)
		}
		codes = append(codes, withoutMessages(t, body)...)
		have, _ := json.Marshal(body)
		if wanted, _ := json.Marshal(want[i].body); string(have) != string(wanted) {
			t.Errorf("answer %d is\n%s\nwant\n%s", i, have, wanted)
		}
	}
	for _, missing := range want[len(replies):] {
		t.Errorf("%v: no answer", missing)
	}
	return codes
}

// withoutMessages takes out what is for people, which has to be there wherever something was refused, and returns the
// codes beside it.
func withoutMessages(t *testing.T, body map[string]any) (codes []string) {
	t.Helper()
	check := func(of map[string]any, key string) {
		code, refused := of[key].(string)
		if text, _ := of["message"].(string); (text != "") != refused {
			t.Errorf("%v: a message stands beside %s, and nowhere else", of, key)
		}
		if refused {
			codes = append(codes, code)
		}
		delete(of, "message")
	}
	check(body, "code")
	topics, _ := body["topics"].([]any)
	for _, result := range topics {
		check(result.(map[string]any), "error")
	}
	return codes
}
