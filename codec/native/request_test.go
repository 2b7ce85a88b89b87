package native

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/megawire/megawire/codec/codes"
)

// show gives a request in a line, with what is set.
func show(r *Request) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s id=%s", r.Op, r.ID)
	if r.Topic != nil {
		fmt.Fprintf(&b, " topic=%q", r.Topic)
	}
	if r.Op == OpPublish {
		fmt.Fprintf(&b, " payload=%d:%q", r.Content, r.Payload)
	}
	if r.NoEcho {
		b.WriteString(" noecho")
	}
	if r.Token != nil {
		fmt.Fprintf(&b, " token=%q", r.Token)
	}
	for _, t := range r.Topics {
		fmt.Fprintf(&b, " [%s", t.Topic)
		if t.Has&HasLast != 0 {
			fmt.Fprintf(&b, " last=%d", t.Last)
		}
		if t.Has&HasSince != 0 {
			fmt.Fprintf(&b, " since=%s,%d", t.SinceEpoch, t.SinceSeq)
		}
		if t.Has&HasSinceTime != 0 {
			fmt.Fprintf(&b, " since=%s,%dms,%d:%s", t.SinceEpoch, t.SinceTS, t.SinceTopics, t.SinceSeqs)
		}
		if t.Has&HasMode != 0 {
			fmt.Fprintf(&b, " mode=%d", t.Mode)
		}
		if t.Has&HasEvery != 0 {
			fmt.Fprintf(&b, " every=%d", t.EveryMs)
		}
		if t.Err != nil {
			fmt.Fprintf(&b, " %s: %s", t.Err.Code, t.Err.Message)
		}
		b.WriteByte(']')
	}
	return b.String()
}

func TestParseRequest(t *testing.T) {
	for _, c := range []struct{ about, text, want string }{
		{"the protocol's subscribe",
			`{"op":"subscribe","id":1,"topics":["ticker/BTC-USD",{"topic":"sensors/#","last":1},{"topic":"trades/ETH","since":{"epoch":"k3x9","seq":41}},{"topic":"book/ETH","mode":"latest","every":250}]}`,
			`subscribe id=1 [ticker/BTC-USD] [sensors/# last=1] [trades/ETH since=k3x9,41] [book/ETH mode=1 every=250]`},
		{"since for a pattern", `{"op":"subscribe","topics":[{"topic":"a/#","since":{"epoch":"k","ts":17,"seqs":{"a/b":4, "a/c" : 5}}}]}`,
			`subscribe id= [a/# since=k,17ms,2:{"a/b":4, "a/c" : 5}]`},
		{"since for a pattern that names no topics", `{"op":"subscribe","topics":[{"topic":"a/#","since":{"ts":17,"seqs":{},"epoch":""}}]}`,
			`subscribe id= [a/# since=,17ms,0:{}]`},
		{"since for a pattern of which nothing came yet", `{"op":"subscribe","topics":[{"topic":"a/#","since":{"epoch":"k","ts":17}}]}`, `subscribe id= [a/# since=k,17ms,0:]`},
		{"a last of nothing beside since", `{"op":"subscribe","topics":[{"topic":"a","last":0,"since":{"epoch":"k","seq":0}}]}`, `subscribe id= [a last=0 since=k,0]`},
		{"mode latest beside every", `{"op":"subscribe","topics":[{"topic":"a","every":86400000,"mode":"latest"}]}`, `subscribe id= [a mode=1 every=86400000]`},
		{"mode all said", `{"op":"subscribe","topics":[{"topic":"a","mode":"all"}]}`, `subscribe id= [a mode=0]`},
		{"the shortest every", `{"op":"subscribe","topics":[{"topic":"a","every":10}]}`, `subscribe id= [a every=10]`},
		{"no topics at all", `{"op":"subscribe","topics":[ ]}`, `subscribe id=`},
		{"unsubscribe", `{"op":"unsubscribe","id":2,"topics":["a",{"topic":"b"}]}`, `unsubscribe id=2 [a] [b]`},
		{"publish", `{"op":"publish","id":3,"topic":"chat/lobby","data":{"any":"json"},"echo":false}`,
			`publish id=3 topic="chat/lobby" payload=0:"{\"any\":\"json\"}" noecho`},
		{"data stays byte for byte", `{"op":"publish","topic":"a","data": [ 1.50, "\u00e9" ] }`, `publish id= topic="a" payload=0:"[ 1.50, \"\\u00e9\" ]"`},
		{"null is data", `{"op":"publish","topic":"a","data":null}`, `publish id= topic="a" payload=0:"null"`},
		{"the payload before the op", `{"data":1,"topic":"a","op":"publish","echo":true}`, `publish id= topic="a" payload=0:"1"`},
		{"text", `{"op":"publish","topic":"a","text":"line\nnext \ud83c\udf0d\/\u00e9"}`, `publish id= topic="a" payload=1:"line\nnext 🌍/é"`},
		{"empty text", `{"op":"publish","topic":"a","text":""}`, `publish id= topic="a" payload=1:""`},
		{"bytes", `{"op":"publish","topic":"a","bin":"AP8="}`, `publish id= topic="a" payload=2:"\x00\xff"`},
		{"bytes by an encoder that escapes the slash", `{"op":"publish","topic":"a","bin":"\/\/8="}`, `publish id= topic="a" payload=2:"\xff\xff"`},
		{"no bytes", `{"op":"publish","topic":"a","bin":""}`, `publish id= topic="a" payload=2:""`},
		{"auth", `{"op":"auth","id":4,"token":"a.b.c"}`, `auth id=4 token="a.b.c"`},
		{"presence", `{"op":"presence","id":5,"topic":"a"}`, `presence id=5 topic="a"`},
		{"list", `{"op":"list","id":6}`, `list id=6`},
		{"ping without an id", `{"op":"ping"}`, `ping id=`},
		{"an id comes back as it came", `{"op":"ping","id":"\u0061 b"}`, `ping id="\u0061 b"`},
		{"a number as it came", `{"op":"ping","id":-1.50e3}`, `ping id=-1.50e3`},
		{"an id of 64 bytes", `{"op":"ping","id":"` + strings.Repeat("i", 64) + `"}`, `ping id="` + strings.Repeat("i", 64) + `"`},
		{"keys in escapes", `{"\u006fp":"pi\u006eg"}`, `ping id=`},
		{"blanks everywhere", " { \"op\" : \"ping\" ,\n\t\"id\" : 7 }\r\n", `ping id=7`},
		{"a topic in escapes", `{"op":"presence","topic":"a\u002fb\u0000"}`, `presence id= topic="a/b\x00"`},
	} {
		var r Request
		r.Topics = append(r.Topics, TopicRequest{Topic: []byte("left over")})
		if err := ParseRequest([]byte(c.text), &r); err != nil {
			t.Errorf("%s: %v", c.about, err)
		} else if got := show(&r); got != c.want {
			t.Errorf("%s: got  %s\nwant %s", c.about, got, c.want)
		}
	}
}

func TestParseRequestFaults(t *testing.T) {
	long := strings.Repeat("i", 65)
	for _, c := range []struct{ about, text, op, id, want string }{
		{"nothing", "", "", "", "not valid JSON"},
		{"not JSON", `{"op":"ping","id":1`, "", "", "not valid JSON"},
		{"data that is too deep", `{"op":"publish","id":1,"topic":"a","data":` + nested(DepthMax+1) + `}`, "publish", "1", "nested deeper than 128 levels"},
		{"an array that is too deep", nested(DepthMax + 2), "", "", "nested deeper than 128 levels"},
		{"something after it", `{"op":"ping"} x`, "", "", "not valid JSON"},
		{"not UTF-8", "{\"op\":\"ping\",\"id\":\"\xff\"}", "", "", "UTF-8"},
		{"an array", `[{"op":"ping"}]`, "", "", "must be a JSON object"},
		{"a string", `"ping"`, "", "", "must be a JSON object"},
		{"no op", `{"id":1}`, "", "1", "op is missing"},
		{"an op that is no string", `{"id":1,"op":7}`, "", "1", "op must be a string"},
		{"an unknown op", `{"id":1,"op":"fly"}`, "", "1", `unknown op "fly"`},
		{"an op in capitals", `{"op":"PING"}`, "", "", `unknown op "PING"`},
		{"a long unknown op is not shown whole", `{"op":"` + strings.Repeat("é", 500) + `"}`, "", "", strings.Repeat("é", 32) + `…"`},
		{"an empty op", `{"op":""}`, "", "", `unknown op ""`},
		{"an unknown key", `{"id":1,"op":"ping","wings":2}`, "ping", "1", `unknown key "wings" in ping`},
		{"a key of another op", `{"id":1,"op":"ping","topic":"a"}`, "ping", "1", `unknown key "topic" in ping`},
		{"a key in another case", `{"op":"ping","Id":1}`, "ping", "", `unknown key "Id"`},
		{"a key that comes twice", `{"id":1,"op":"presence","topic":"a","topic":"a"}`, "presence", "1", `"topic" appears twice`},
		{"a key that comes again in escapes", `{"id":1,"op":"presence","topic":"a","t\u006fpic":"b"}`, "presence", "1", `"topic" appears twice`},
		{"two ops", `{"id":1,"op":"ping","op":"list"}`, "", "1", `"op" appears twice`},
		{"two ids", `{"id":1,"op":"ping","id":2}`, "ping", "", `"id" appears twice`},
		{"an id that is null", `{"op":"ping","id":null}`, "ping", "", "id must be a number or a string"},
		{"an id that is an object", `{"op":"ping","id":{}}`, "ping", "", "id must be a number or a string"},
		{"an id of 65 bytes", `{"op":"ping","id":"` + long + `"}`, "ping", "", "at most 64 bytes"},
		{"an id of 65 digits", `{"op":"ping","id":1` + strings.Repeat("0", 64) + `}`, "ping", "", "at most 64 bytes"},
		{"no topics", `{"op":"subscribe","id":2}`, "subscribe", "2", "topics is missing"},
		{"topics that are a string", `{"op":"subscribe","id":2,"topics":"a"}`, "subscribe", "2", "topics must be an array of strings or objects"},
		{"a topic that is a number", `{"op":"subscribe","id":2,"topics":["a",1]}`, "subscribe", "2", "topics must be an array of strings or objects"},
		{"an entry without a topic", `{"op":"subscribe","topics":[{"last":1}]}`, "subscribe", "", "topic is missing"},
		{"an entry whose topic is no string", `{"op":"subscribe","topics":[{"topic":1}]}`, "subscribe", "", "topic must be a string"},
		{"a topic with half a surrogate pair", `{"op":"subscribe","topics":["\ud800"]}`, "subscribe", "", "unpaired surrogate"},
		{"more topics than a request may have", `{"op":"subscribe","topics":[` + strings.Repeat(`"",`, TopicsMax) + `""]}`, "subscribe", "", "more than 16384 topics"},
		{"publish without a topic", `{"op":"publish","data":1}`, "publish", "", "topic is missing"},
		{"publish to a number", `{"op":"publish","topic":1,"data":1}`, "publish", "", "topic must be a string"},
		{"no payload", `{"op":"publish","topic":"a"}`, "publish", "", "exactly one of data, text and bin"},
		{"two payloads", `{"op":"publish","topic":"a","data":null,"text":""}`, "publish", "", "exactly one of data, text and bin"},
		{"text that is no string", `{"op":"publish","topic":"a","text":1}`, "publish", "", "text must be a string"},
		{"text with the second half of a pair alone", `{"op":"publish","topic":"a","text":"\udf0d"}`, "publish", "", "text has an unpaired surrogate"},
		{"text with the first half alone", `{"op":"publish","topic":"a","text":"\ud83c\u0041"}`, "publish", "", "text has an unpaired surrogate"},
		{"text that ends within a pair", `{"op":"publish","topic":"a","text":"\ud83c"}`, "publish", "", "text has an unpaired surrogate"},
		{"base64 without its padding", `{"op":"publish","topic":"a","bin":"AP8"}`, "publish", "", "base64"},
		{"base64 for URLs", `{"op":"publish","topic":"a","bin":"__8="}`, "publish", "", "base64"},
		{"base64 in lines", `{"op":"publish","topic":"a","bin":"AP\n8="}`, "publish", "", "base64"},
		{"bytes that are a number", `{"op":"publish","topic":"a","bin":1}`, "publish", "", "base64"},
		{"echo that is no boolean", `{"op":"publish","topic":"a","data":1,"echo":0}`, "publish", "", "echo must be true or false"},
		{"auth without a token", `{"op":"auth"}`, "auth", "", "token is missing"},
		{"a token that is null", `{"op":"auth","token":null}`, "auth", "", "token must be a string"},
		{"presence without a topic", `{"op":"presence"}`, "presence", "", "topic is missing"},
	} {
		var r Request
		err := ParseRequest([]byte(c.text), &r)
		if err == nil || !strings.Contains(err.Message, c.want) {
			t.Errorf("%s: %v, want %q", c.about, err, c.want)
			continue
		}
		if code := err.Code; code != codes.BadRequest && code != codes.TooMany {
			t.Errorf("%s: code %s", c.about, code)
		}
		if r.Op.String() != c.op || string(r.ID) != c.id {
			t.Errorf("%s: op %q, id %q; want %q, %q", c.about, r.Op, r.ID, c.op, c.id)
		}
	}
}

func TestDeepestData(t *testing.T) {
	var r Request
	data := nested(DepthMax)
	if err := ParseRequest([]byte(`{"op":"publish","topic":"a","data":`+data+`}`), &r); err != nil || string(r.Payload) != data {
		t.Errorf("payload %q, %v", r.Payload, err)
	}
	var p Push
	if err := ParsePush(AppendMessage(nil, "a", 1, 0, 1, JSON, r.Payload), &p); err != nil || string(p.Payload) != data {
		t.Errorf("payload %q, %v", p.Payload, err)
	}
}

func TestFaultsOfOneEntry(t *testing.T) {
	const since = `since must be {"epoch"`
	for _, c := range []struct{ about, entry, want string }{
		{"last below zero", `"last":-1`, "last must be a whole number"},
		{"last with a fraction", `"last":1.0`, "last must be a whole number"},
		{"last that is a string", `"last":"1"`, "last must be a whole number"},
		{"last of 2^53", `"last":9007199254740992`, "last must be a whole number"},
		{"a mode that is not known", `"mode":"some"`, "mode must be"},
		{"a mode that is no string", `"mode":1`, "mode must be"},
		{"every below 10", `"every":9`, "every must be"},
		{"every above a day", `"every":86400001`, "every must be"},
		{"an unknown key", `"lst":1`, `unknown key "lst" in an entry of topics`},
		{"a key that comes twice", `"last":1,"last":1`, `"last" appears twice`},
		{"since that is a number", `"since":41`, since},
		{"since without an epoch", `"since":{"seq":41}`, since},
		{"since without seq and ts", `"since":{"epoch":"k"}`, since},
		{"since in both forms", `"since":{"epoch":"k","seq":41,"ts":1}`, since},
		{"seqs without ts", `"since":{"epoch":"k","seqs":{}}`, since},
		{"seqs that are an array", `"since":{"epoch":"k","ts":1,"seqs":[]}`, since},
		{"a seq that is a string", `"since":{"epoch":"k","ts":1,"seqs":{"a":1,"b":"2"}}`, since},
		{"an unknown key in since", `"since":{"epoch":"k","seq":41,"x":1}`, since},
		{"a seq below zero", `"since":{"epoch":"k","seq":-1}`, since},
		{"last and since", `"last":1,"since":{"epoch":"k","seq":1}`, "last and since contradict each other"},
		{"since and last", `"since":{"epoch":"k","ts":1},"last":5`, "last and since contradict each other"},
		{"the mode all and every", `"mode":"all","every":10`, `mode "all" and every contradict each other`},
	} {
		var r Request
		text := `{"op":"subscribe","topics":["a",{"topic":"b",` + c.entry + `},"c"]}`
		if err := ParseRequest([]byte(text), &r); err != nil || len(r.Topics) != 3 {
			t.Errorf("%s: the whole request failed: %v", c.about, err)
			continue
		}
		err := r.Topics[1].Err
		if err == nil || err.Code != codes.BadRequest || !strings.Contains(err.Message, c.want) || string(r.Topics[1].Topic) != "b" {
			t.Errorf("%s: %v for %q, want %q", c.about, err, r.Topics[1].Topic, c.want)
		}
		if r.Topics[0].Err != nil || r.Topics[2].Err != nil {
			t.Errorf("%s: the entries beside it failed too", c.about)
		}
	}
	var r Request
	if err := ParseRequest([]byte(`{"op":"unsubscribe","topics":[{"topic":"b","last":1}]}`), &r); err != nil || r.Topics[0].Err == nil {
		t.Errorf("an option in an unsubscribe: %v", r.Topics)
	}
}

func TestSeqsByTopic(t *testing.T) {
	numbered := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"%d":%d`, i, i)
		}
		return `{` + strings.TrimPrefix(b.String(), ",") + `}`
	}
	for _, c := range []struct {
		about, seqs, fault string
		want               int
	}{
		{"none", `{ }`, "", 0},
		{"two, one in escapes", `{"0":0,"\u0031":1}`, "", 2},
		{"as many as there may be", numbered(SinceTopicsMax), "", SinceTopicsMax},
		{"one more", numbered(SinceTopicsMax + 1), "too_many: since names more than 65536 topics", 0},
		{"one twice", `{"0":0,"1":1,"\u0031":1}`, "bad_request: since names a topic twice", 0},
	} {
		var r Request
		text := `{"op":"subscribe","topics":[{"topic":"#","since":{"epoch":"k","ts":1,"seqs":` + c.seqs + `}}]}`
		if err := ParseRequest([]byte(text), &r); err != nil {
			t.Fatal(c.about, err)
		}
		seqs, fault := map[string]uint64(nil), r.Topics[0].Err
		if fault == nil {
			seqs, fault = r.Topics[0].SeqsByTopic()
		}
		if fault != nil && fault.Code+": "+fault.Message != c.fault || fault == nil && c.fault != "" {
			t.Errorf("%s: %v, want %q", c.about, fault, c.fault)
		}
		if len(seqs) != c.want {
			t.Errorf("%s: %d topics, want %d", c.about, len(seqs), c.want)
		}
		for topic, seq := range seqs {
			if topic != fmt.Sprint(seq) {
				t.Errorf("%s: %q is at %d", c.about, topic, seq)
			}
		}
	}
}

func TestEachSeq(t *testing.T) {
	var got []string
	ok := EachSeq([]byte(`{ "a/b":4 ,"\u00e9\"":9007199254740991}`), func(topic []byte, seq uint64) bool {
		got = append(got, fmt.Sprintf("%s %d", topic, seq))
		return true
	})
	if want := `[a/b 4 é" 9007199254740991]`; !ok || fmt.Sprint(got) != want {
		t.Errorf("%v %v, want %s", got, ok, want)
	}
	calls := 0
	EachSeq([]byte(`{"a":1,"b":2}`), func([]byte, uint64) bool { calls++; return false })
	if calls != 1 {
		t.Errorf("%d calls after the first said stop", calls)
	}
}

// TestScratchGrowsUnderEarlierSlices: what was decoded first must outlive the scratch buffer's growth.
func TestScratchGrowsUnderEarlierSlices(t *testing.T) {
	var topics []string
	for i := range 200 {
		topics = append(topics, fmt.Sprintf(`"\u0061%d"`, i))
	}
	text := []byte(`{"op":"subscribe","topics":[` + strings.Join(topics, ",") + `]}`)
	var r Request
	for range 2 {
		if err := ParseRequest(bytes.Clone(text), &r); err != nil {
			t.Fatal(err)
		}
		for i, topic := range r.Topics {
			if want := fmt.Sprintf("a%d", i); string(topic.Topic) != want {
				t.Fatalf("topic %d is %q, want %q", i, topic.Topic, want)
			}
		}
	}
}
