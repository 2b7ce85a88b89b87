package native

import (
	"bytes"
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"unicode/utf8"
)

func FuzzValid(f *testing.F) {
	f.Fuzz(checkValid)
}

// FuzzParseRequest holds what a request is read as against encoding/json.
func FuzzParseRequest(f *testing.F) {
	f.Fuzz(func(t *testing.T, text []byte) {
		before := bytes.Clone(text)
		var r Request
		err := ParseRequest(text, &r)
		if !bytes.Equal(text, before) {
			t.Fatal("the text was changed")
		}
		if len(r.ID) > IDBytesMax+2 || (r.ID != nil && !json.Valid(r.ID)) {
			t.Errorf("id %q", r.ID)
		}
		if err != nil {
			if err.Code == "" || !utf8.ValidString(err.Message) || !json.Valid(AppendError(nil, r.ID, err)) {
				t.Errorf("error %+v", err)
			}
			return
		}
		var want struct {
			Op, Topic, Token string
			ID, Data         json.RawMessage
			Text             *string
			Bin              []byte
			Topics           []json.RawMessage
		}
		if err := json.Unmarshal(text, &want); err != nil {
			t.Fatalf("taken, but encoding/json says %v", err)
		}
		if want.Op != r.Op.String() || want.Topic != string(r.Topic) || want.Token != string(r.Token) || len(want.Topics) != len(r.Topics) {
			t.Errorf("%q read as %+v", text, r)
		}
		payload := want.Bin
		switch {
		case want.Data != nil:
			payload = want.Data
		case want.Text != nil:
			payload = []byte(*want.Text)
		}
		if r.Op == OpPublish && !bytes.Equal(payload, r.Payload) {
			t.Errorf("%q: payload %q, want %q", text, r.Payload, payload)
		}
		for i, raw := range want.Topics {
			var topic string
			if json.Unmarshal(raw, &topic) != nil {
				var entry struct{ Topic string }
				if err := json.Unmarshal(raw, &entry); err != nil {
					t.Fatal(err)
				}
				topic = entry.Topic
			}
			got := &r.Topics[i]
			if string(got.Topic) != topic && got.Err == nil {
				t.Errorf("topic %q, want %q", got.Topic, topic)
			}
			checkSince(t, raw, got)
		}
	})
}

// checkSince holds the seqs of an entry against encoding/json.
func checkSince(t *testing.T, raw json.RawMessage, got *TopicRequest) {
	if got.Err != nil || got.Has&HasSinceTime == 0 {
		return
	}
	var want struct {
		Since struct {
			Epoch string
			TS    int64
			Seqs  map[string]uint64
		}
	}
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatal(err)
	}
	seqs, err := got.SeqsByTopic()
	if err != nil {
		return // a topic twice, which a map does not show
	}
	if string(got.SinceEpoch) != want.Since.Epoch || got.SinceTS != want.Since.TS || !maps.Equal(seqs, want.Since.Seqs) {
		t.Errorf("%q read as %+v, %v", raw, got, seqs)
	}
}

// FuzzParsePush holds the fast path for messages against the general one.
func FuzzParsePush(f *testing.F) {
	f.Fuzz(func(t *testing.T, text []byte) {
		var fast, slow Push
		err := ParsePush(text, &fast)
		// A blank before it keeps a text off the fast path.
		slowErr := ParsePush(append([]byte{' '}, text...), &slow)
		if (err == nil) != (slowErr == nil) {
			t.Fatalf("%q: %v, by the general way %v", text, err, slowErr)
		}
		if err != nil {
			return
		}
		if fast.Kind != slow.Kind || !bytes.Equal(fast.Topic, slow.Topic) || fast.Seq != slow.Seq || fast.Prev != slow.Prev ||
			fast.TS != slow.TS || fast.Content != slow.Content || !bytes.Equal(fast.Payload, slow.Payload) {
			t.Errorf("%q read as %+v, by the general way as %+v", text, fast, slow)
		}
	})
}

// FuzzMessageRoundTrip reads what AppendMessage wrote.
func FuzzMessageRoundTrip(f *testing.F) {
	f.Fuzz(func(t *testing.T, topic string, seq, prev uint64, ts int64, content byte, payload []byte) {
		c := Content(content % 3)
		seq, prev = seq&IntMax, prev&IntMax
		ts &= IntMax
		topic = strings.ToValidUTF8(topic, "")
		if c == JSON && (!Valid(payload) || len(bytes.Trim(payload, " \t\r\n")) != len(payload)) {
			return // whoever gives it to AppendMessage has made sure
		}
		if c == Text {
			payload = bytes.ToValidUTF8(payload, nil)
		}
		text := AppendMessage(nil, topic, seq, prev, ts, c, payload)
		if err := Check(text, 1); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if seq > 0 && (prev == seq-1) == bytes.Contains(text[len(topic):], []byte(`,"prev":`)) && !bytes.Contains(payload, []byte("prev")) {
			t.Errorf("prev in %q", text)
		}
		var p Push
		if err := ParsePush(text, &p); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if p.Kind != PushMessage || string(p.Topic) != topic || p.Seq != seq || p.Prev != prev || p.TS != ts || p.Content != c || !bytes.Equal(p.Payload, payload) {
			t.Errorf("%q read as %+v", text, p)
		}
	})
}
