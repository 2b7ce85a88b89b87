package loadgen

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/megawire/megawire/codec/ws"
)

// compressed has the library, which is not ours, agree on permessage-deflate where it is offered, and compress every message.
var compressed = &websocket.AcceptOptions{CompressionMode: websocket.CompressionNoContextTakeover, CompressionThreshold: 1}

func compressing(s *testServer) { s.accepting = compressed }

func TestCompressedMessagesAreReadAndCounted(t *testing.T) {
	for _, c := range []struct {
		name    string
		how     misbehaviour
		deflate bool
	}{
		{"compressed", correct, true},
		{"damage shows in what is compressed too", damages, true},
		{"a server that would compress is not asked to", correct, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newTestServer(t, c.how, compressing)
			p := testPlan(Fanout, s.url("/ws"))
			p.Deflate, p.Rate, p.Duration, p.Payload, p.Loops = c.deflate, 1000, time.Second, 400, 2
			r := mustRun(t, p)
			if r.Verdict.Delivered != r.Expected || r.Verdict.Damaged != s.faulted() || r.Verdict.Unread > 0 {
				t.Fatalf("%+v of %d, the server damaged %d", r.Verdict, r.Expected, s.faulted())
			}
			w := &r.Window
			const frame = 400 // and the envelope around it
			if !c.deflate {
				if w.Deflate != nil || w.BytesPerDelivery < frame {
					t.Errorf("%+v", w)
				}
				return
			}
			if w.Deflate == nil || w.Deflate.Share < 0.99 || w.Deflate.BytesPerDelivery < frame || w.BytesPerDelivery > frame/2 || w.Deflate.Ratio > 0.5 {
				t.Errorf("%+v, %+v", w, w.Deflate)
			}
			var text strings.Builder
			if err := r.WriteText(&text); err != nil || !strings.Contains(text.String(), "100 % came compressed") {
				t.Errorf("%v\n%s", err, text.String())
			}
		})
	}
}

func TestCompressedEchoes(t *testing.T) {
	s := newTestServer(t, correct, compressing)
	p := testPlan(Echo, s.url("/echo"))
	p.Deflate, p.Payload, p.Duration = true, 5000, 200*time.Millisecond
	r := mustRun(t, p)
	if r.Failed() || r.Verdict.Delivered == 0 || r.Window.Deflate == nil || r.Window.Deflate.Share < 0.99 {
		t.Errorf("faults %v, %+v", r.Faults, r.Window)
	}
}

func TestAServerThatDoesNotCompress(t *testing.T) {
	s := newTestServer(t, correct)
	p := testPlan(Fanout, s.url("/ws"))
	p.Deflate = true
	r, err := Run(t.Context(), p, nil)
	if err == nil || r.Connections.Failed != 10 {
		t.Fatalf("%v, %+v", err, r.Connections)
	}
	want := "handshake: " + strings.TrimPrefix(s.URL, "http://") + ": no agreement on permessage-deflate: its answer has no Sec-WebSocket-Extensions"
	if r.Connections.Failures[want] != 10 {
		t.Errorf("the reasons are %v, want %q", r.Connections.Failures, want)
	}
}

func TestAgreements(t *testing.T) {
	for _, c := range []struct {
		answer string
		kept   bool
	}{
		{"permessage-deflate; server_no_context_takeover; client_no_context_takeover", true},
		{"permessage-deflate; server_no_context_takeover", true}, // the client may do without being told (RFC 7692 §7.1.1.2)
		{"PerMessage-Deflate;Server_No_Context_Takeover", true},
		{"permessage-deflate; server_no_context_takeover; server_max_window_bits=12", true},
		{`permessage-deflate; server_no_context_takeover; server_max_window_bits="12"`, true},
		{"", false},
		{"permessage-deflate", false}, // it would keep its context
		{"permessage-deflate; client_no_context_takeover", false},
		{"permessage-deflate; server_no_context_takeover; client_max_window_bits=12", false}, // which was not offered
		{"permessage-deflate; server_no_context_takeover; speed=9", false},
		{"permessage-deflate; server_no_context_takeover, permessage-deflate", false},
		{"x-webkit-deflate-frame; server_no_context_takeover", false},
	} {
		if err := checkAgreement(c.answer); (err == nil) != c.kept || err != nil && !errors.Is(err, errNotDeflating) {
			t.Errorf("%q: %v", c.answer, err)
		}
	}
}

// TestAnswersToAnOffer has a server answer byte by byte: an offer is in the request, and the rest of the answer is still checked.
func TestAnswersToAnOffer(t *testing.T) {
	const key = 7
	d := webSocket{host: "h", path: "/ws", inflation: newInflation()}
	request := string(d.appendOpen(nil, key))
	if !strings.HasSuffix(request, "\r\n"+deflateOffer+"\r\n") {
		t.Fatalf("the request is %q", request)
	}
	good := upgradeAnswer(t, request)
	for _, c := range []struct {
		name, from, to string
		ok             bool
	}{
		{"as it should be", "", "", true},
		{"a wrong accept", "Accept: ", "Accept: x", false},
		{"two extensions", "\r\n\r\n", "\r\nSec-WebSocket-Extensions: other\r\n\r\n", false},
		{"a refusal", "101", "403", false},
	} {
		answer := []byte(strings.Replace(good, c.from, c.to, 1))
		for i := range answer {
			if n, _, done, err := d.opened(answer[:i], key, 0, nil); n > 0 || done || err != nil {
				t.Fatalf("%s: %d of the first %d bytes taken, %v", c.name, n, i, err)
			}
		}
		n, _, done, err := d.opened(append(answer, "more"...), key, 0, nil)
		if done != c.ok || (err == nil) != c.ok || c.ok && n != len(answer) {
			t.Errorf("%s: %d of %d taken, done %v, %v", c.name, n, len(answer), done, err)
		}
	}
}

// upgradeAnswer is what the library answers to a request.
func upgradeAnswer(t *testing.T, request string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := websocket.Accept(w, r, compressed); err == nil {
			_ = c.CloseNow()
		}
	}))
	defer s.Close()
	c, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte(request)); err != nil {
		t.Fatal(err)
	}
	var answer []byte
	for b := make([]byte, 1); !strings.HasSuffix(string(answer), "\r\n\r\n"); answer = append(answer, b[0]) {
		if _, err := c.Read(b); err != nil {
			t.Fatalf("%v after %q", err, answer)
		}
	}
	return string(answer)
}

func TestCompressedFramesThatAreBroken(t *testing.T) {
	hello := []byte{0xC1, 7, 0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00} // RFC 7692 §7.2.3.1
	d := webSocket{inflation: newInflation()}
	var ev event
	for range 2 { // the second time it is known
		for i := range hello {
			if n := d.frame(hello[:i], &ev); n != 0 {
				t.Fatalf("%d of the first %d bytes taken", n, i)
			}
		}
		if n := d.frame(hello, &ev); n != len(hello) || ev.kind != evFrame || string(ev.payload) != "Hello" {
			t.Fatalf("%d, %+v", n, ev)
		}
	}
	if got := d.inflation.inflatedCounts; got != (inflatedCounts{2, 14, 10}) {
		t.Errorf("%+v", got)
	}
	for _, c := range []struct {
		name  string
		frame []byte
	}{
		{"not deflate", []byte{0xC1, 3, 0xff, 0xff, 0xff}},
		{"a compressed ping", []byte{0xC9, 1, 0}},
		{"another reserved bit", []byte{0xA1, 1, 0}},
		{"two reserved bits", []byte{0xE1, 1, 0}},
		{"a fragment", []byte{0x41, 1, 0}},
	} {
		if n := d.frame(c.frame, &ev); n == 0 || ev.kind != evBroken {
			t.Errorf("%s: %d taken, %+v", c.name, n, ev)
		}
	}
	plain := webSocket{}
	if n := plain.frame(hello, &ev); n == 0 || ev.kind != evBroken {
		t.Errorf("compressed without an agreement: %d taken, %+v", n, ev)
	}
}

func TestHeadersOfOthersAreReadAsEver(t *testing.T) {
	d := webSocket{inflation: newInflation()}
	frame := ws.AppendFrame(nil, ws.Text, []byte("plain beside the compressed"))
	var ev event
	if n := d.frame(frame, &ev); n != len(frame) || ev.kind != evFrame || d.inflation.messages != 0 {
		t.Errorf("%d, %+v", n, ev)
	}
}
