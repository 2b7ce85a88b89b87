package native

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/megawire/megawire/codec/codes"
)

func TestAppend(t *testing.T) {
	id := []byte("1")
	for _, c := range []struct {
		about string
		got   []byte
		want  string
	}{
		{"a message of JSON", AppendMessage(nil, "ticker/BTC-USD", 43, 42, 1763632800123, JSON, []byte(`{"price":"91234.5"}`)),
			`{"topic":"ticker/BTC-USD","seq":43,"ts":1763632800123,"data":{"price":"91234.5"}}`},
		{"a message whose predecessor is another", AppendMessage(nil, "a", 43, 40, 5, JSON, []byte(`null`)), `{"topic":"a","seq":43,"prev":40,"ts":5,"data":null}`},
		{"the first message", AppendMessage(nil, "a", 1, 0, 5, JSON, []byte(`1`)), `{"topic":"a","seq":1,"ts":5,"data":1}`},
		{"a message of text", AppendMessage(nil, "a", 2, 1, 5, Text, []byte("x \"y\"\n")), `{"topic":"a","seq":2,"ts":5,"text":"x \"y\"\n"}`},
		{"a message of bytes", AppendMessage(nil, "a", 2, 1, 5, Binary, []byte{0, 255}), `{"topic":"a","seq":2,"ts":5,"bin":"AP8="}`},
		{"subscribed", AppendSubscribed(nil, id, "7f2c", []TopicResult{
			{Topic: "ticker/BTC-USD", Epoch: "k3x9", Seq: 42, HasSeq: true, Recovered: -1},
			{Topic: "trades/ETH", Epoch: "k3x9", Seq: 57, HasSeq: true, Recovered: 1},
			{Topic: "a/#", Epoch: "k3x9", TS: 1763632800123, Recovered: 0},
			{Topic: "book", Epoch: "k3x9", Seq: 0, HasSeq: true, Recovered: -1, Mode: ModeLatest, EveryMs: 250},
			{Topic: "c/+", Epoch: "k3x9", Recovered: -1, Mode: ModeLatest},
			{Topic: "admin/#", Err: &Error{Code: codes.Forbidden, Message: "no permission to subscribe to admin/#"}},
			{Topic: "b", Err: &Error{Code: codes.RateLimited, Message: "slow down", RetryAfterMs: 90}},
		}), `{"op":"ok","id":1,"client":"7f2c","topics":[` +
			`{"topic":"ticker/BTC-USD","epoch":"k3x9","seq":42},` +
			`{"topic":"trades/ETH","epoch":"k3x9","seq":57,"recovered":true},` +
			`{"topic":"a/#","epoch":"k3x9","ts":1763632800123,"recovered":false},` +
			`{"topic":"book","epoch":"k3x9","seq":0,"mode":"latest","every":250},` +
			`{"topic":"c/+","epoch":"k3x9","mode":"latest"},` +
			`{"topic":"admin/#","error":"forbidden","message":"no permission to subscribe to admin/#"},` +
			`{"topic":"b","error":"rate_limited","message":"slow down","retry_after":90}]}`},
		{"subscribed to nothing, without an id", AppendSubscribed(nil, nil, "7f2c", nil), `{"op":"ok","client":"7f2c","topics":[]}`},
		{"unsubscribed", AppendUnsubscribed(nil, id, []TopicResult{{Topic: "a", Recovered: -1}}), `{"op":"ok","id":1,"topics":[{"topic":"a"}]}`},
		{"list", AppendList(nil, id, "7f2c", []TopicResult{{Topic: "a", Recovered: -1}}), `{"op":"ok","id":1,"client":"7f2c","topics":[{"topic":"a"}]}`},
		{"ok", AppendOK(nil, id), `{"op":"ok","id":1}`},
		{"published", AppendPublished(nil, []byte(`"x"`), "chat/lobby", "k3x9", 9), `{"op":"ok","id":"x","topic":"chat/lobby","epoch":"k3x9","seq":9}`},
		{"presence of nobody", AppendPresence(nil, id, "chat/lobby", 0, nil), `{"op":"ok","id":1,"topic":"chat/lobby","count":0,"clients":[],"truncated":false}`},
		{"presence of two", AppendPresence(nil, nil, `"a"`, 2, []string{"7f2c", "x"}),
			`{"op":"ok","topic":"\"a\"","count":2,"clients":[{"client":"7f2c"},{"client":"x"}],"truncated":false}`},
		{"presence of more than are listed", AppendPresence(nil, id, "a", 1001, []string{"7f2c"}),
			`{"op":"ok","id":1,"topic":"a","count":1001,"clients":[{"client":"7f2c"}],"truncated":true}`},
		{"pong", AppendPong(nil, id), `{"op":"pong","id":1}`},
		{"pong without an id", AppendPong(nil, nil), `{"op":"pong"}`},
		{"error", AppendError(nil, id, &Error{Code: codes.BadRequest, Message: `unknown op "fly"`}), `{"op":"error","id":1,"code":"bad_request","message":"unknown op \"fly\""}`},
		{"error with a wait", AppendError(nil, nil, &Error{Code: codes.RateLimited, Message: "m", RetryAfterMs: 5}), `{"op":"error","code":"rate_limited","message":"m","retry_after":5}`},
		{"gap", AppendGap(nil, "ticker/BTC-USD", 44, 60, "slow"), `{"op":"gap","topic":"ticker/BTC-USD","from":44,"to":60,"reason":"slow"}`},
		{"goaway", AppendGoaway(nil, 1700), `{"op":"goaway","reconnect_after":1700}`},
		{"a subscription ended", AppendUnsubscribedNotice(nil, "admin/x", codes.Forbidden), `{"op":"unsubscribed","topic":"admin/x","code":"forbidden"}`},
	} {
		if string(c.got) != c.want {
			t.Errorf("%s: got  %s\nwant %s", c.about, c.got, c.want)
		}
	}
}

func TestAppendString(t *testing.T) {
	for _, c := range []struct{ about, in, want string }{
		{"nothing", "", `""`},
		{"what needs no escape", "a/b é 世 🌍 \u2028\x7f", "\"a/b é 世 🌍 \u2028\x7f\""},
		{"the quote and the backslash", `"\`, `"\"\\"`},
		{"control characters", "\x00\n\r\t\x1f", `"\u0000\n\r\t\u001f"`},
		{"bytes that are not UTF-8", "a\xffb\xe2\x82", "\"a\uFFFDb\uFFFD\uFFFD\""},
		{"a replacement character that was there", "\uFFFD", "\"\uFFFD\""},
	} {
		got := AppendString([]byte("x"), c.in)
		if string(got) != "x"+c.want {
			t.Errorf("%s: %s, want %s", c.about, got[1:], c.want)
		}
		var back string
		if err := json.Unmarshal(got[1:], &back); err != nil || back != strings.ToValidUTF8(c.in, "\uFFFD") && !strings.Contains(c.about, "not UTF-8") {
			t.Errorf("%s: read back as %q, %v", c.about, back, err)
		}
	}
}
