package native

import (
	"errors"
	"reflect"
	"testing"

	"github.com/megawire/megawire/codec/codes"
)

func TestParsePush(t *testing.T) {
	for _, c := range []struct {
		about, text string
		want        Push
	}{
		{"a message", `{"topic":"a/b","seq":43,"ts":1763632800123,"data":{"p":[1,"}"]}}`,
			Push{Kind: PushMessage, Topic: []byte("a/b"), Seq: 43, Prev: 42, TS: 1763632800123, Payload: []byte(`{"p":[1,"}"]}`)}},
		{"a message with its predecessor", `{"topic":"a","seq":43,"prev":40,"ts":5,"data":1}`,
			Push{Kind: PushMessage, Topic: []byte("a"), Seq: 43, Prev: 40, TS: 5, Payload: []byte("1")}},
		{"a message of text", `{"topic":"a","seq":2,"ts":5,"text":"x\ny"}`,
			Push{Kind: PushMessage, Topic: []byte("a"), Seq: 2, Prev: 1, TS: 5, Content: Text, Payload: []byte("x\ny")}},
		{"a message of bytes", `{"topic":"a","seq":2,"ts":5,"bin":"AP8="}`,
			Push{Kind: PushMessage, Topic: []byte("a"), Seq: 2, Prev: 1, TS: 5, Content: Binary, Payload: []byte{0, 255}}},
		{"a topic in escapes", `{"topic":"a\"b","seq":2,"ts":5,"data":1}`,
			Push{Kind: PushMessage, Topic: []byte(`a"b`), Seq: 2, Prev: 1, TS: 5, Payload: []byte("1")}},
		{"a key of a later version", `{"topic":"a","seq":2,"ts":5,"data":1,"later":[2]}`,
			Push{Kind: PushMessage, Topic: []byte("a"), Seq: 2, Prev: 1, TS: 5, Payload: []byte("1")}},
		{"keys in another order, with blanks", ` { "data": 1, "seq": 2 , "topic":"a","ts":5}`,
			Push{Kind: PushMessage, Topic: []byte("a"), Seq: 2, Prev: 1, TS: 5, Payload: []byte("1")}},
		{"an ack", `{"op":"ok","id":1,"client":"7f2c","topics":[{"topic":"a","epoch":"k3","seq":42,"recovered":false},{"topic":"b/#","epoch":"k3","ts":17,"mode":"latest","every":250},{"topic":"c","error":"forbidden","message":"no"}]}`,
			Push{Kind: PushOK, ID: []byte("1"), Client: []byte("7f2c"), Results: []TopicResult{
				{Topic: "a", Epoch: "k3", Seq: 42, HasSeq: true, Recovered: 0},
				{Topic: "b/#", Epoch: "k3", TS: 17, Recovered: -1, Mode: ModeLatest, EveryMs: 250},
				{Topic: "c", Recovered: -1, Err: &Error{Code: codes.Forbidden, Message: "no"}},
			}}},
		{"a publish's ack", `{"op":"ok","id":"x","topic":"a","epoch":"k3","seq":9}`,
			Push{Kind: PushOK, ID: []byte(`"x"`), Topic: []byte("a"), Epoch: []byte("k3"), Seq: 9}},
		{"presence, of which a client that did not ask takes nothing but the topic",
			`{"op":"ok","id":5,"topic":"a","count":3,"clients":[{"client":"7f2c","sub":"u"}],"truncated":true}`,
			Push{Kind: PushOK, ID: []byte("5"), Topic: []byte("a")}},
		{"an error", `{"op":"error","id":2,"code":"rate_limited","message":"m","retry_after":5}`,
			Push{Kind: PushError, ID: []byte("2"), Code: []byte("rate_limited"), Message: []byte("m"), RetryAfterMs: 5}},
		{"a gap", `{"op":"gap","topic":"a","from":44,"to":60,"reason":"slow"}`,
			Push{Kind: PushGap, Topic: []byte("a"), From: 44, To: 60, Reason: []byte("slow")}},
		{"a gap of what is no longer kept", `{"op":"gap","topic":"a","from":42,"to":42,"reason":"expired"}`,
			Push{Kind: PushGap, Topic: []byte("a"), From: 42, To: 42, Reason: []byte("expired")}},
		{"goaway", `{"op":"goaway","reconnect_after":1700}`, Push{Kind: PushGoaway, ReconnectAfterMs: 1700}},
		{"pong", `{"op":"pong","id":7}`, Push{Kind: PushPong, ID: []byte("7")}},
		{"unsubscribed", `{"op":"unsubscribed","topic":"a","code":"forbidden"}`, Push{Kind: PushUnsubscribed, Topic: []byte("a"), Code: []byte("forbidden")}},
		{"an op of a later version", `{"op":"news","topic":{"not":"as we know it"}}`, Push{Kind: PushUnknown}},
	} {
		p := Push{Results: []TopicResult{{Topic: "left over"}}}
		if err := ParsePush([]byte(c.text), &p); err != nil {
			t.Errorf("%s: %v", c.about, err)
			continue
		}
		if string(p.Raw) != c.text {
			t.Errorf("%s: raw %s", c.about, p.Raw)
		}
		p.Raw, p.scratch = nil, nil
		if len(p.Results) == 0 {
			p.Results = nil
		}
		if !reflect.DeepEqual(p, c.want) {
			t.Errorf("%s: got  %+v\nwant %+v", c.about, p, c.want)
		}
	}
}

func TestParsePushFaults(t *testing.T) {
	for _, c := range []struct{ about, text string }{
		{"nothing", ""},
		{"not JSON", `{"op":"ok"`},
		{"an array", `[]`},
		{"neither op nor message", `{}`},
		{"a message without a payload", `{"topic":"a","seq":2,"ts":5}`},
		{"a message with two", `{"topic":"a","seq":2,"ts":5,"data":1,"text":""}`},
		{"a message without seq", `{"topic":"a","ts":5,"data":1}`},
		{"a seq with a fraction", `{"topic":"a","seq":2.5,"ts":5,"data":1}`},
		{"a seq of 20 digits", `{"topic":"a","seq":10000000000000000000,"ts":5,"data":1}`},
		{"a zero before seq", `{"topic":"a","seq":02,"ts":5,"data":1}`},
		{"data that is not JSON", `{"topic":"a","seq":2,"ts":5,"data":x}`},
		{"something after it", `{"topic":"a","seq":2,"ts":5,"data":1} x`},
		{"text that is no string", `{"topic":"a","seq":2,"ts":5,"text":1}`},
		{"bytes that are not base64", `{"topic":"a","seq":2,"ts":5,"bin":"?"}`},
		{"an op that is no string", `{"op":1}`},
		{"results that are no array", `{"op":"ok","topics":{}}`},
		{"a result that is no object", `{"op":"ok","topics":[1]}`},
		{"a gap from a string", `{"op":"gap","topic":"a","from":"1","to":2}`},
	} {
		var p Push
		if err := ParsePush([]byte(c.text), &p); !errors.Is(err, ErrPush) {
			t.Errorf("%s: %v as %+v", c.about, err, p)
		}
	}
}
