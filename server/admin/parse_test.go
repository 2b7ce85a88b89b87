package admin

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzParse holds the parser against encoding/json: what it takes is what that sees, and its payload is a piece of the source.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		`{"topic":"a","data":{"x":[1,2,"}"]}}`, `{"ts":1618677817078,"topic":"t/1","text":"\ud83d\ude00\n"}`, `{"topic":"t","bin":"AAEC","exclude":["a","b"]}`,
		`{"topic":"t","data":1,"data":2}`, `{"topic":"t","text":"\ud83d"}`, `[]`, `null`, `{`, ` {"topic" : "t" , "data" : -1.5e+3 } `, "\xff", `{"topic":"\\\"","data":"\\"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		before := bytes.Clone(src)
		if checkJSON(src, 1) != nil {
			return
		}
		ps := parser{capture: true}
		var p Publication
		err := ps.parse(bytes.Trim(src, blanks), &p)
		if !bytes.Equal(src, before) {
			t.Fatal("the source was changed")
		}
		if err != nil {
			return
		}
		var want map[string]json.RawMessage
		if err := json.Unmarshal(src, &want); err != nil {
			t.Fatalf("%q was taken, and is no object: %v", src, err)
		}
		var topic, text string
		var bin []byte
		if err := json.Unmarshal(want["topic"], &topic); err != nil || topic != p.Topic || !utf8.ValidString(p.Topic) {
			t.Fatalf("%q: topic %q, want %q (%v)", src, p.Topic, topic, err)
		}
		switch p.Content {
		case ContentJSON:
			if !bytes.Equal(p.Payload, want["data"]) {
				t.Fatalf("%q: data %q, want %q", src, p.Payload, want["data"])
			}
		case ContentText:
			if err := json.Unmarshal(want["text"], &text); err != nil || text != string(p.Payload) {
				t.Fatalf("%q: text %q, want %q", src, p.Payload, text)
			}
		case ContentBinary:
			if err := json.Unmarshal(want["bin"], &bin); err != nil || !bytes.Equal(bin, p.Payload) {
				t.Fatalf("%q: bin %q, want %q (%v)", src, p.Payload, bin, err)
			}
		}
	})
}

func TestExcludeIsBounded(t *testing.T) {
	ids := strings.Repeat(`"a",`, excludeMax-1) + `"a"`
	var ps parser
	var p Publication
	if err := ps.parse([]byte(`{"topic":"t","data":1,"exclude":[`+ids+`]}`), &p); err != nil || len(p.Exclude) != excludeMax {
		t.Errorf("%d ids: %v", len(p.Exclude), err)
	}
	if err := ps.parse([]byte(`{"topic":"t","data":1,"exclude":[`+ids+`,"a"]}`), &p); err == nil {
		t.Error("one id too many was taken")
	}
}

// TestInternedTopicsAreBounded: a stream with ever new topics, or with huge ones, keeps few of them.
func TestInternedTopicsAreBounded(t *testing.T) {
	var ps parser
	for i := range 3 * internedTopicsMax {
		ps.intern([]byte(strings.Repeat("x", i%300) + string(rune('a'+i%26))))
		ps.intern(bytes.Repeat([]byte("long"), 1000+i%7))
		if len(ps.topics) > internedTopicsMax {
			t.Fatalf("%d topics are kept", len(ps.topics))
		}
	}
	for topic := range ps.topics {
		if len(topic) > internedBytesMax {
			t.Fatalf("a topic of %d bytes is kept", len(topic))
		}
	}
}

// BenchmarkParse is the cost of a line of an exchange's feed before it is published.
func BenchmarkParse(b *testing.B) {
	line := []byte(`{"ts":1618677817119,"topic":"coinbase/l2update/SKL-BTC","data":{"type":"l2update","product_id":"SKL-BTC","changes":[["sell","0.00001306","660.5"]],"time":"2021-04-17T16:43:37.075687Z"}}`)
	ps := parser{capture: true}
	var p Publication
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		if err := checkJSON(line, 1); err != nil {
			b.Fatal(err)
		}
		if err := ps.parse(line, &p); err != nil {
			b.Fatal(err)
		}
	}
}
