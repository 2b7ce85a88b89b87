package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/megawire/megawire/server/config"
)

// witness is a client that must not notice what others do wrong.
type witness struct {
	r    *rig
	peer *peer
	seq  int
}

const witnessTopic = "witness"

func newWitness(r *rig) *witness {
	r.t.Helper()
	w := &witness{r: r, peer: r.dial("/ws")}
	w.peer.subscribe(witnessTopic)
	return w
}

// check publishes a message, which must come as the next one.
func (w *witness) check(t *testing.T) {
	t.Helper()
	w.seq++
	w.r.publish(fmt.Sprintf(`{"topic":%q,"data":%d}`, witnessTopic, w.seq))
	op, text, err := w.peer.next()
	m, ok := cutMessage(text)
	if err != nil || op != opText || !ok || int(m.seq) != w.seq || string(m.data) != fmt.Sprint(w.seq) {
		t.Fatalf("another client got opcode %#x, %q, %v instead of message %d", op, text, err, w.seq)
	}
}

// A bad request gets its error, and the connection goes on.
func TestBadRequests(t *testing.T) {
	r := serve(t, nil)
	w := newWitness(r)
	p := r.dial("/ws")
	long := strings.Repeat("x", 256)
	for _, row := range []struct {
		says, request, answer string
	}{
		{"no JSON", `{"op":`, `{"op":"error","code":"bad_request","message":"not valid JSON"}`},
		{"JSON that is no object", `[1]`, `{"op":"error","code":"bad_request","message":"a request must be a JSON object"}`},
		{"no op", `{"id":1}`, `{"op":"error","id":1,"code":"bad_request","message":"op is missing"}`},
		{"an unknown op", `{"op":"jump","id":2}`, `{"op":"error","id":2,"code":"bad_request","message":"unknown op \"jump\""}`},
		{"an unknown key", `{"op":"ping","id":3,"colour":1}`, `{"op":"error","id":3,"code":"bad_request","message":"unknown key \"colour\" in ping"}`},
		{"a key of another op", `{"op":"ping","id":4,"topic":"a"}`, `{"op":"error","id":4,"code":"bad_request","message":"unknown key \"topic\" in ping"}`},
		{"an id of 65 bytes", `{"op":"ping","id":"` + long[:65] + `"}`,
			`{"op":"error","code":"bad_request","message":"id must be a number or a string of at most 64 bytes"}`},
		{"an id that is an object", `{"op":"ping","id":{}}`,
			`{"op":"error","code":"bad_request","message":"id must be a number or a string of at most 64 bytes"}`},
		{"topics of the wrong type", `{"op":"subscribe","id":5,"topics":"a"}`,
			`{"op":"error","id":5,"code":"bad_request","message":"topics must be an array of strings or objects"}`},
		{"presence, which no rule has on", `{"op":"presence","id":6,"topic":"a"}`,
			`{"op":"error","id":6,"code":"forbidden","message":"presence is off for this topic"}`},
		{"presence of a pattern", `{"op":"presence","id":6,"topic":"a/#"}`,
			`{"op":"error","id":6,"code":"bad_topic","message":"presence is of one topic: + and # are wildcards, for subscribers"}`},
		{"a token, which is not built yet", `{"op":"auth","id":7,"token":"a"}`,
			`{"op":"error","id":7,"code":"bad_request","message":"this op is not built yet"}`},
		{"no payload", `{"op":"publish","id":8,"topic":"a"}`,
			`{"op":"error","id":8,"code":"bad_request","message":"publish takes exactly one of data, text and bin"}`},
		{"two payloads", `{"op":"publish","id":9,"topic":"a","data":1,"text":"1"}`,
			`{"op":"error","id":9,"code":"bad_request","message":"publish takes exactly one of data, text and bin"}`},
		{"an anonymous publication, which nobody allowed", `{"op":"publish","id":10,"topic":"a","data":1}`,
			`{"op":"error","id":10,"code":"forbidden","message":"no permission to publish to a"}`},
		{"a failed publication is answered without an id as well", `{"op":"publish","topic":"a","data":1}`,
			`{"op":"error","code":"forbidden","message":"no permission to publish to a"}`},
		{"a wildcard in a publication", `{"op":"publish","id":11,"topic":"a/+","data":1}`,
			`{"op":"error","id":11,"code":"bad_topic","message":"a message is published to one topic: + and # are wildcards, for subscribers"}`},
		{"a topic of the server's own", `{"op":"publish","id":12,"topic":"$sys/a","data":1}`,
			`{"op":"error","id":12,"code":"forbidden","message":"topics that begin with $ are the server's own: clients do not publish to them"}`},
		{"a topic of 256 bytes in a publication", `{"op":"publish","id":13,"topic":"` + long + `","data":1}`,
			`{"op":"error","id":13,"code":"bad_topic","message":"a topic has at most 255 bytes, this one has 256"}`},
		{"unsubscribing where there is nothing", `{"op":"unsubscribe","id":14,"topics":["a"]}`,
			`{"op":"ok","id":14,"topics":[{"topic":"a"}]}`},
	} {
		t.Run(row.says, func(t *testing.T) {
			p.t = t
			p.send(row.request)
			p.expect(row.answer)
			w.check(t)
		})
	}
	p.t = t
	p.send(`{"op":"ping","id":"alive"}`)
	p.expect(`{"op":"pong","id":"alive"}`)
	r.awaitMetricIs(`megawire_publish_refused_total{code="forbidden"}`, 3)
	r.awaitMetricIs(`megawire_publish_refused_total{code="bad_topic"}`, 2)
}

// Topics that cannot be had are refused one by one; the others of the same request are granted.
func TestBadTopics(t *testing.T) {
	r := serve(t, func(c *config.Config) {
		c.Anonymous.Subscribe = []string{"open/#", witnessTopic}
		c.Limits.SubscriptionsPerConnection = 3
	})
	w := newWitness(r)
	p := r.dial("/ws?topics=open/by-url")
	rows := []struct {
		says, entry   string
		code, message string
	}{
		{"a topic that is granted", `"open/a"`, "", ""},
		{"a wildcard within a level", `"open/a+"`, "bad_topic",
			`+ and # stand for whole levels, alone between slashes: not so in the level "a+"`},
		{"a # that is not last", `"open/#/a"`, "bad_topic", "# stands for all levels that are left, so it is the last one of a filter"},
		{"a pattern that matches more than is allowed", `"+/a"`, "forbidden", "no permission to subscribe to +/a"},
		{"a topic of 256 bytes", `"` + strings.Repeat("x", 256) + `"`, "bad_topic", "a topic has at most 255 bytes, this one has 256"},
		{"no bytes", `""`, "bad_topic", "a topic has at least one byte"},
		{"a NUL", `"open/\u0000"`, "bad_topic", "a topic is UTF-8 without NUL"},
		{"no permission", `"secret"`, "forbidden", "no permission to subscribe to secret"},
		{"no topic of the server's own", `"$a"`, "bad_topic",
			"the server has no such topic of its own: there are $sys/heartbeat and $presence/<topic>"},
		{"last and since", `{"topic":"open/b","last":1,"since":{"epoch":"x","seq":1}}`, "bad_request",
			"last and since contradict each other: since brings what was missed, last the newest"},
		{"since as for a pattern", `{"topic":"open/b","since":{"epoch":"x","ts":1}}`, "bad_request",
			`since for a topic is {"epoch":<string>,"seq":<number>}: ts and seqs are for patterns`},
		{"since as for a topic", `{"topic":"open/#","since":{"epoch":"x","seq":1}}`, "bad_request",
			`since for a pattern is {"epoch":<string>,"ts":<number>,"seqs":{"<topic>":<number>}}: seq is for a topic`},
		{"the mode all and every", `{"topic":"open/b","mode":"all","every":100}`, "bad_request",
			`mode "all" and every contradict each other: every implies "latest"`},
		{"an unknown option", `{"topic":"open/b","colour":1}`, "bad_request", `unknown key "colour" in an entry of topics of subscribe`},
		{"the default mode by its name", `{"topic":"open/c","mode":"all"}`, "", ""},
		{"a topic that the client has already", `"open/a"`, "", ""},
		{"one more than a connection may have", `"open/d"`, "too_many", "this connection has as many subscriptions as it may have"},
	}
	var entries []string
	for _, row := range rows {
		entries = append(entries, row.entry)
	}
	a := p.ask(`{"op":"subscribe","id":1,"topics":[` + strings.Join(entries, ",") + `]}`)
	if a.Op != "ok" || len(a.Topics) != len(rows) {
		t.Fatalf("got %+v", a)
	}
	for i, row := range rows {
		got := a.Topics[i]
		if got.Error != row.code || got.Message != row.message || (got.Seq != nil) != (row.code == "") {
			t.Errorf("%s: got %+v, want %q %q", row.says, got, row.code, row.message)
		}
	}
	if held := p.ask(`{"op":"list"}`); len(held.Topics) != 3 {
		t.Errorf("list: %+v, want the one of the URL and two", held)
	}
	r.publish(`[{"topic":"secret","data":1},{"topic":"open/b","data":2},{"topic":"open/d","data":3},{"topic":"open/c","data":4}]`)
	if m, ok := cutMessage([]byte(p.text())); !ok || string(m.data) != "4" {
		t.Errorf("got %+v, want what was granted alone", m)
	}
	w.check(t)
}

// A client that breaks the rules of WebSocket is closed with the code for it, and nobody else notices.
func TestBrokenFrames(t *testing.T) {
	r := serve(t, nil)
	w := newWitness(r)
	masked := func(head byte, lengthByte byte, more ...byte) []byte {
		return append([]byte{head, lengthByte}, more...)
	}
	tooLong := frame(final(opText), make([]byte, 17<<20))
	for _, row := range []struct {
		says string
		path string
		sent []byte
		code int
	}{
		{"a message of 17 MB", "/ws", tooLong, 1009},
		{"a message of 17 MB on /raw", "/raw/a", tooLong, 1009},
		{"a message of 17 MB of which only the header comes", "/ws", masked(0x81, 0xFF, 0, 0, 0, 0, 1, 0x10, 0, 0, 1, 2, 3, 4), 1009},
		{"fragments that come to more than a message may have", "/echo",
			append(frame(opText, make([]byte, 1<<20)), frame(final(opContinuation), make([]byte, 1))...), 1009},
		{"a binary frame on /ws", "/ws", frame(final(opBinary), []byte{1, 2, 3}), 1003},
		{"a frame that is not masked", "/ws", []byte{0x81, 2, '{', '}'}, 1002},
		{"a reserved bit", "/ws", frame(0x40|final(opText), []byte("{}")), 1002},
		{"a reserved opcode", "/ws", frame(final(0x3), nil), 1002},
		{"a reserved control opcode", "/ws", frame(final(0xB), nil), 1002},
		{"text that is not UTF-8", "/ws", frame(final(opText), []byte{'"', 0xFF, '"'}), 1007},
		{"text on /raw that is not UTF-8", "/raw/a", frame(final(opText), []byte{0xC0, 0x80}), 1007},
		{"a close code that may not be sent", "/ws", frame(final(opClose), []byte{1005 >> 8, 1005 & 0xFF}), 1002},
		{"a close code that nobody defined", "/ws", frame(final(opClose), []byte{0, 42}), 1002},
		{"a close frame with one byte", "/ws", frame(final(opClose), []byte{3}), 1002},
		{"a close reason that is not UTF-8", "/ws", frame(final(opClose), []byte{1000 >> 8, 1000 & 0xFF, 0xFF}), 1007},
		{"a control frame that is too long", "/ws", frame(final(opPing), make([]byte, 126)), 1002},
		{"a control frame in fragments", "/ws", frame(opPing, nil), 1002},
		{"a continuation of nothing", "/ws", frame(final(opContinuation), nil), 1002},
		{"a message within a message", "/ws", append(frame(opText, []byte("{")), frame(final(opText), []byte("}"))...), 1002},
		{"a length that is not in its shortest form", "/ws", masked(0x81, 0x80|126, 0, 2, 1, 2, 3, 4, '{', '}'), 1002},
		{"a length with its top bit set", "/ws", masked(0x81, 0x80|127, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4), 1002},
	} {
		t.Run(row.says, func(t *testing.T) {
			p := r.dial(row.path)
			p.t = t
			wrote := make(chan struct{})
			go func() {
				defer close(wrote)
				_, _ = p.nc.Write(row.sent) // a server that has read enough may close before all is written
			}()
			p.closed(row.code)
			p.close()
			<-wrote
			w.check(t)
		})
	}
	r.awaitMetricIs(`megawire_websocket_closes_total{code="1002"}`, 13)
	r.awaitMetricIs(`megawire_websocket_closes_total{code="1003"}`, 1)
	r.awaitMetricIs(`megawire_websocket_closes_total{code="1007"}`, 3)
	r.awaitMetricIs(`megawire_websocket_closes_total{code="1009"}`, 4)
	r.awaitMetricIs("megawire_connections", 1)
}

// A request that cannot become a WebSocket gets an HTTP error that says why, in JSON.
func TestBadUpgrades(t *testing.T) {
	r := serve(t, func(c *config.Config) {
		c.Anonymous.Subscribe = []string{"open/#", witnessTopic}
		c.Origins = []string{"https://app.example"}
	})
	p := r.connect()
	p.write([]byte(strings.Replace(upgradeRequest("/ws"), "Upgrade:", "Origin: https://APP.example\r\nUpgrade:", 1)))
	p.upgraded()
	w := newWitness(r)
	good := upgradeRequest("/ws")
	without := func(line string) string { return strings.Replace(good, line+"\r\n", "", 1) }
	instead := func(line, other string) string { return strings.Replace(good, line, other, 1) }
	for _, row := range []struct {
		says, request string
		status        int
		code          string
		header, value string // one that must stand in the answer
		hint          string // what the message must contain
	}{
		{"an unknown path", upgradeRequest("/wss"), 404, "not_found", "", "", "/ws, /raw/<topic>"},
		{"a path that would need cleaning", upgradeRequest("//ws"), 404, "not_found", "", "", ""},
		{"another method", instead("GET", "POST"), 405, "method_not_allowed", "allow", "GET", ""},
		{"a request line over 8 KiB", upgradeRequest("/ws?" + strings.Repeat("x", 9000)), 414, "too_large", "", "", ""},
		{"headers over 8 KiB", instead("Upgrade:", "X: "+strings.Repeat("x", 9000)+"\r\nUpgrade:"), 431, "too_large", "", "", ""},
		{"plain HTTP", "GET /ws HTTP/1.1\r\nHost: test\r\n\r\n", 426, "upgrade_required", "upgrade", "websocket", ""},
		{"plain HTTP on /raw", "GET /raw/a HTTP/1.1\r\nHost: test\r\n\r\n", 426, "upgrade_required", "upgrade", "websocket", ""},
		{"another version of the protocol", instead("Version: 13", "Version: 8"), 426, "upgrade_required", "sec-websocket-version", "13", ""},
		{"no Host", without("Host: test"), 400, "bad_request", "", "", "Host"},
		{"two Hosts", instead("Host: test", "Host: test\r\nHost: test"), 400, "bad_request", "", "", "Host"},
		{"no key", without("Sec-WebSocket-Key: " + nonce), 400, "bad_request", "", "", "Sec-WebSocket-Key"},
		{"a key that is too short", instead(nonce, "c2hvcnQ="), 400, "bad_request", "", "", "16 bytes"},
		{"a subprotocol that is not spoken", instead("Upgrade:", "Sec-WebSocket-Protocol: mqtt\r\nUpgrade:"), 400, "bad_request", "", "", "megawire.v1"},
		{"HTTP/1.0", instead("HTTP/1.1", "HTTP/1.0"), 400, "bad_request", "", "", "HTTP/1.1"},
		{"HTTP/2.0", instead("HTTP/1.1", "HTTP/2.0"), 505, "bad_request", "", "", "HTTP/1.1"},
		{"a body", instead("Upgrade:", "Content-Length: 2\r\nUpgrade:"), 400, "bad_request", "", "", "body"},
		{"binary garbage", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x9a\x11", 400, "bad_request", "", "", ""},
		{"a topic without permission", upgradeRequest("/ws?topics=open/a,secret"), 403, "forbidden", "", "", "secret"},
		{"a topic without permission on /raw", upgradeRequest("/raw/secret"), 403, "forbidden", "", "", "secret"},
		{"a topic of 256 bytes", upgradeRequest("/raw/open/" + strings.Repeat("x", 251)), 400, "bad_topic", "", "", "255 bytes"},
		{"no pattern", upgradeRequest("/ws?topics=open/%23/a"), 400, "bad_topic", "", "", "# stands for all levels"},
		{"a pattern without permission", upgradeRequest("/ws?topics=%23"), 403, "forbidden", "", "", "#"},
		{"a pattern on /raw", upgradeRequest("/raw/open/+"), 400, "bad_topic", "", "", ""},
		{"what is left of a # that was not escaped", upgradeRequest("/ws?topics=open/"), 400, "bad_topic", "", "", "%23"},
		{"a page of an origin that is not named", instead("Upgrade:", "Origin: https://evil.example\r\nUpgrade:"), 403, "forbidden", "", "", "origin"},
		{"what is left of a # at the end of a list", upgradeRequest("/ws?topics=open/a,"), 400, "bad_topic", "", "", "%23"},
		{"last without topics", upgradeRequest("/ws?last=1"), 400, "bad_request", "", "", "last"},
		{"a token on /echo, which is not built yet", upgradeRequest("/echo?token=x"), 400, "bad_request", "", "", "token"},
		{"what is left of a single # that was not escaped", upgradeRequest("/ws?topics="), 400, "bad_topic", "", "", "%23"},
		{"a topic that is not UTF-8", upgradeRequest("/ws?topics=open/%FF"), 400, "bad_topic", "", "", "UTF-8"},
		{"a wrong escape", upgradeRequest("/raw/open/%zz"), 400, "bad_topic", "", "", ""},
		{"an empty topic", upgradeRequest("/raw/"), 400, "bad_topic", "", "", "at least one byte"},
		{"a bad last", upgradeRequest("/ws?topics=open/a&last=-1"), 400, "bad_request", "", "", "last must be a whole number, 0 or more"},
		{"a bad mode on /raw", upgradeRequest("/raw/open/a?mode=newest"), 400, "bad_request", "", "", "mode must be all or latest"},
		{"an every out of its range", upgradeRequest("/raw/open/a?every=9"), 400, "bad_request", "", "", "from 10 to 86400000"},
		{"a token, which is not built yet", upgradeRequest("/ws?token=abc"), 400, "bad_request", "", "", "token"},
	} {
		t.Run(row.says, func(t *testing.T) {
			p := r.connect()
			p.t = t
			p.write([]byte(row.request))
			a, err := p.response()
			if err != nil || a.status != row.status {
				t.Fatalf("status %d, want %d; %s, %v", a.status, row.status, a.body, err)
			}
			var body struct {
				Error struct{ Code, Message string }
			}
			p.decode(string(a.body), &body)
			if body.Error.Code != row.code || body.Error.Message == "" || !strings.Contains(body.Error.Message, row.hint) {
				t.Errorf("body %s, want the code %s and a message with %q", a.body, row.code, row.hint)
			}
			if a.header["content-type"] != typeJSON || a.header[row.header] != row.value {
				t.Errorf("headers %v, want JSON and %s: %s", a.header, row.header, row.value)
			}
			p.close()
			w.check(t)
		})
	}
	r.awaitMetricIs(`megawire_connections_refused_total{reason="forbidden"}`, 4)
	r.awaitMetricIs("megawire_subscriptions", 1) // those of refused requests were taken back
}

// Bad publications by HTTP are refused; the stream skips them and names the first.
func TestBadPublications(t *testing.T) {
	r := serve(t, nil)
	w := newWitness(r)
	big := strings.Repeat("x", 1<<20)
	for _, row := range []struct {
		says, kind, body string
		status           int
		answer           string
	}{
		{"no JSON", typeJSON, `{`, 400, `"code":"bad_request"`},
		{"an unknown key", typeJSON, `{"topic":"a","data":1,"colour":2}`, 400, `unknown key \"colour\"`},
		{"a wildcard", typeJSON, `{"topic":"a/#","data":1}`, 400, `"code":"bad_topic"`},
		{"too long a topic", typeJSON, `{"topic":"` + big[:256] + `","data":1}`, 400, `"code":"bad_topic"`},
		{"a topic of the server's own", typeJSON, `{"topic":"$sys/a","data":1}`, 403, `"code":"forbidden"`},
		{"a payload of more than 1 MiB", typeJSON, `{"topic":"a","text":"x` + big + `"}`, 413, `"code":"too_large"`},
		{"a body of 17 MB", typeJSON, `{"topic":"a","text":"` + strings.Repeat(big, 17) + `"}`, 413, `"code":"too_large"`},
		{"text that is not UTF-8", typeJSON, "{\"topic\":\"a\",\"data\":\"\xff\"}", 400, `"code":"bad_request"`},
		{"an array is checked whole before any of it is published", typeJSON,
			`[{"topic":"` + witnessTopic + `","data":0},{"topic":"+","data":1}]`, 400, `"index":1`},
		{"a stream skips bad lines and names the first", typeNDJSON,
			"{\"topic\":\"b\",\"data\":1}\n\n{\"topic\":\"b\"\n{\"topic\":\"b\",\"data\":2}\n{\"topic\":\"#\",\"data\":3}\n",
			422, `{"published":2,"failed":2,"first":{"line":3,`},
		{"a line of 17 MB in a stream", typeNDJSON, `{"topic":"b","text":"` + strings.Repeat(big, 17) + "\"}\n" + `{"topic":"b","data":3}`,
			422, `{"published":1,"failed":1,"first":{"line":1,"error":{"code":"too_large"`},
		{"a type that a web page could send", "text/plain", `{"topic":"a","data":1}`, 415, `"code":"bad_media_type"`},
	} {
		t.Run(row.says, func(t *testing.T) {
			status, answer, err := r.post(row.kind, strings.NewReader(row.body))
			if err != nil || status != row.status || !bytes.Contains(answer, []byte(row.answer)) {
				t.Errorf("status %d, %s, %v; want %d (%s) and %s", status, answer, err, row.status, http.StatusText(row.status), row.answer)
			}
			w.check(t)
		})
	}
}
