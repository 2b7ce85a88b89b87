package loadgen

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/megawire/megawire/codec/native"
	"github.com/megawire/megawire/codec/ws"
)

func testDriver(payload int) *nativeDriver {
	data := newFillerPayload(strings.Repeat("x", payload-PayloadBytesMin))
	return newNativeDriver(webSocket{host: "h", path: "/ws"}, newTopics(&Plan{Topics: 1000, TopicPrefix: "lg/x/"}), data)
}

// appendData appends the data of a message of so many bytes.
func appendData(dst []byte, planned int64, size int) []byte {
	return newFillerPayload(strings.Repeat("x", size-PayloadBytesMin)).append(dst, planned)
}

func TestScanReadsWhatTheServerWrites(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 1000 {
		payload := PayloadBytesMin + random.IntN(300)
		d := testDriver(payload)
		topic, seq, at := random.IntN(1000), random.Uint64N(1<<random.UintN(53)), time.Now().UnixNano()
		text := native.AppendMessage(nil, string(d.topics.append(nil, topic)), seq, seq-1, time.Now().UnixMilli(), native.JSON, appendData(nil, at, payload))
		var ev event
		if !d.scan(text, &ev) {
			t.Fatalf("not read: %s", text)
		}
		if ev.topic != topic || ev.seq != seq || ev.prev != seq-1 || ev.planned != at || ev.damaged {
			t.Fatalf("%s is read as %+v", text, ev)
		}
	}
}

func TestTheGeneralParserDecidesWhatScanDoesNot(t *testing.T) {
	const good = `{"topic":"lg/x/007","seq":42,"ts":1763632800123,"data":{"t":1763632800123456789,"p":"xxx"}}`
	for _, c := range []struct {
		name, from, to string
		want           event
	}{
		{"as sent", "", "", event{kind: evMessage, topic: 7, seq: 42, prev: 41, planned: 1763632800123456789}},
		{"a predecessor", `42,`, `42,"prev":40,`, event{kind: evMessage, topic: 7, seq: 42, prev: 40, planned: 1763632800123456789}},
		{"an unknown key at the end", `"}}`, `"},"more":1}`, event{kind: evMessage, topic: 7, seq: 42, prev: 41, planned: 1763632800123456789}},
		{"a topic that is none of ours", "lg/x", "lg/y", event{kind: evMessage, topic: -1, seq: 42, prev: 41, planned: 1763632800123456789}},
		{"a topic past the last", "007", "0O7", event{kind: evMessage, topic: -1, seq: 42, prev: 41, planned: 1763632800123456789}},
		{"changed filler", "xxx", "xyx", event{kind: evMessage, topic: 7, seq: 42, prev: 41, planned: 1763632800123456789, damaged: true}},
		{"filler too short", "xxx", "xx", event{kind: evMessage, topic: 7, seq: 42, prev: 41, planned: 1763632800123456789, damaged: true}},
		{"somebody else's payload", `{"t":1763632800123456789,"p":"xxx"}`, `1`, event{kind: evMessage, topic: 7, seq: 42, prev: 41, damaged: true}},
		{"no JSON", "}}", "}", event{kind: evUnread}},
	} {
		d := testDriver(len(`{"t":1763632800123456789,"p":"xxx"}`))
		frame := ws.AppendFrame(nil, ws.Text, []byte(strings.Replace(good, c.from, c.to, 1)))
		var ev event
		if n := d.next(frame, &ev); n != len(frame) {
			t.Errorf("%s: %d of %d bytes taken", c.name, n, len(frame))
		}
		if c.want.kind == evUnread {
			c.want.topic = -1
		}
		same := ev.kind == c.want.kind && ev.topic == c.want.topic && ev.damaged == c.want.damaged && ev.planned == c.want.planned
		if !same || (ev.kind == evMessage && (ev.seq != c.want.seq || ev.prev != c.want.prev)) {
			t.Errorf("%s: %+v, want %+v", c.name, ev, c.want)
		}
	}
}

func TestNextTakesNothingOfAPart(t *testing.T) {
	d := testDriver(128)
	message := native.AppendMessage(nil, "lg/x/001", 1, 0, 1763632800123, native.JSON, appendData(nil, 1763632800123456789, 128))
	for _, frame := range [][]byte{
		ws.AppendFrame(nil, ws.Text, message), ws.AppendFrame(nil, ws.Text, []byte(`{"op":"pong"}`)), ws.AppendFrame(nil, ws.Ping, []byte("x")),
		ws.AppendClose(nil, 1001, "bye"), ws.AppendFrame(nil, ws.Text, append([]byte(`{"op":"pong","id":"`+strings.Repeat("x", 70000)), `"}`...)),
	} {
		var ev event
		for i := 0; i < len(frame); i += 1 + i/100 {
			if n := d.next(frame[:i], &ev); n != 0 {
				t.Fatalf("%d of the first %d bytes of %d taken", n, i, len(frame))
			}
		}
		if n := d.next(append(frame, 0x81), &ev); n != len(frame) || ev.kind == evBroken {
			t.Errorf("%d of %d taken: %+v", n, len(frame), ev)
		}
	}
}

func TestBrokenFrames(t *testing.T) {
	for _, c := range []struct {
		name  string
		frame []byte
	}{
		{"reserved bits", []byte{0xC1, 0}},
		{"a masked frame", ws.AppendMaskedFrame(nil, ws.Text, [4]byte{1, 2, 3, 4}, []byte("{}"))},
		{"a fragment", []byte{0x01, 1, '{'}},
		{"a length in more bytes than it needs", append([]byte{0x81, 126, 0, 5}, "{   }"...)},
		{"longer than anything we read", []byte{0x81, 127, 0, 0, 0, 1, 0, 0, 0, 0}},
	} {
		var ev event
		if n := testDriver(128).next(c.frame, &ev); n == 0 || ev.kind != evBroken {
			t.Errorf("%s: %d taken, %+v", c.name, n, ev)
		}
	}
}

func TestDigits(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for range 100000 {
		var b [8]byte
		want, good := uint64(0), true
		for i := range b {
			b[i] = byte('0' + random.IntN(10))
			if random.IntN(200) == 0 {
				b[i] = byte(random.IntN(256))
			}
			good = good && b[i] >= '0' && b[i] <= '9'
			want = want*10 + uint64(b[i]-'0')
		}
		if v, ok := digits8(b[:]); ok != good || (ok && v != want) {
			t.Fatalf("%q: %d, %v", b, v, ok)
		}
	}
}

func TestReceivingAllocatesNothing(t *testing.T) {
	d, g, r := testDriver(128), newLedger(1, 20), newRecord(&Plan{Workload: Fanout, Connections: 1})
	r.from = 0
	g.draw(nil, 0, 0, 20, 1000, 1)
	topic := int(g.places[0].topic) - 1
	for i := 0; topic < 0; i++ {
		topic = int(g.places[i].topic) - 1
	}
	var frame, text, data []byte
	data = appendData(data, 1763632800123456789, 128)
	name := string(d.topics.append(nil, topic))
	seq, ev := uint64(0), event{}
	if n := testing.AllocsPerRun(1000, func() {
		seq++
		text = native.AppendMessage(text[:0], name, seq, seq-1, 1763632800123, native.JSON, data)
		frame = ws.AppendFrame(frame[:0], ws.Text, text)
		if d.next(frame, &ev) != len(frame) || !g.message(0, ev.topic, ev.seq, ev.prev) {
			t.Fatal("not taken")
		}
		r.took(ev.planned, ev.planned+1e6)
	}); n > 0 {
		t.Errorf("%v allocations a message", n)
	}
}

func BenchmarkJudge(b *testing.B) {
	d, g, r := testDriver(128), newLedger(1, 20), newRecord(&Plan{Workload: Fanout, Connections: 1})
	r.from = 0
	topics := g.draw(nil, 0, 0, 20, 1000, 1)
	var frames []byte
	for _, t := range topics {
		text := native.AppendMessage(nil, string(d.topics.append(nil, t)), 9_000_000, 8_999_999, 1763632800123, native.JSON, appendData(nil, 1763632800123456789, 128))
		frames = ws.AppendFrame(frames, ws.Text, text)
	}
	ev, off := event{}, 0
	b.ReportAllocs()
	for b.Loop() {
		if off == len(frames) {
			off = 0
			for i := range g.places {
				g.places[i].seq, g.places[i].state = 8_999_999, seqKnown
			}
		}
		off += d.next(frames[off:], &ev)
		g.message(0, ev.topic, ev.seq, ev.prev)
		r.took(ev.planned, ev.planned+1e6)
	}
}
