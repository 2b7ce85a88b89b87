//go:build interop

package interop

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

const deflatedMessages = "megawire_deflated_messages_total"

func TestPythonWebsocketsDeflate(t *testing.T) {
	s := startServer(t, "--deflate.min_bytes", "256")
	script(t, s, "deflate_websockets.py", "none")
	script(t, s, "deflate_websockets.py", "agreed")
	off := startServer(t, "--deflate.enabled=false")
	script(t, off, "deflate_websockets.py", "declined")
}

func TestNpmWsDeflate(t *testing.T) {
	script(t, startServer(t, "--deflate.min_bytes", "256"), "deflate_ws.js", "on")
	script(t, startServer(t, "--deflate.enabled=false"), "deflate_ws.js", "off")
}

func TestABrowsersDeflate(t *testing.T) {
	s := startServer(t)
	p := browse(t, s, "deflate")
	p.expect("ok")
	p.succeed()
	if n := s.metric(deflatedMessages); n < 20 {
		t.Errorf("%v messages were compressed", n)
	}
}

// TestGoClientDeflate has each way in which coder/websocket offers compression, with messages either way.
func TestGoClientDeflate(t *testing.T) {
	s, off := startServer(t), startServer(t, "--deflate.enabled=false")
	for _, row := range []struct {
		name   string
		server *server
		mode   websocket.CompressionMode
		agreed bool
	}{
		{"without takeover", s, websocket.CompressionNoContextTakeover, true},
		{"with takeover, which the server declines to have", s, websocket.CompressionContextTakeover, true},
		{"not offered", s, websocket.CompressionDisabled, false},
		{"off at the server", off, websocket.CompressionContextTakeover, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			before := row.server.metric(deflatedMessages)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			ws, resp, err := websocket.Dial(ctx, "ws://"+row.server.public+"/ws", &websocket.DialOptions{CompressionMode: row.mode})
			if err != nil {
				t.Fatal(err)
			}
			defer ws.CloseNow()
			ws.SetReadLimit(4 << 20)
			extensions := resp.Header.Get("Sec-WebSocket-Extensions")
			if (extensions == "permessage-deflate; server_no_context_takeover; client_no_context_takeover") != row.agreed || !row.agreed && extensions != "" {
				t.Errorf("agreed on %q", extensions)
			}
			goConversation(ctx, t, ws)
			if n := row.server.metric(deflatedMessages) - before; (n >= 10) != row.agreed || !row.agreed && n != 0 {
				t.Errorf("%v messages were compressed", n)
			}
			if err := ws.Close(websocket.StatusNormalClosure, ""); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSubCompress(t *testing.T) {
	s := startServer(t)
	p := start(t, nil, megawire, "sub", "--compress", "--url", s.public, "--raw", "--count", "1", "deflate/sub", "ticker/BTC-USD/silent")
	data := `"` + strings.Repeat("seldom something new, ", 200) + `"`
	for range 50 { // until it is subscribed
		if p.hasEnded() {
			break
		}
		s.publish("deflate/sub", data)
	}
	if out := p.succeed(); out != data+"\n" {
		t.Errorf("sub --compress wrote:\n%s", out)
	}
	s.counts(deflatedMessages)
}

// goConversation publishes messages that are as long as they may be to itself.
func goConversation(ctx context.Context, t *testing.T, ws *websocket.Conn) {
	t.Helper()
	ask := func(request string) []byte {
		if err := ws.Write(ctx, websocket.MessageText, []byte(request)); err != nil {
			t.Fatal(err)
		}
		_, frame, err := ws.Read(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return frame
	}
	ask(`{"op":"subscribe","topics":["deflate/go"]}`)
	for n := range 10 {
		var data strings.Builder
		for i := range 1 << (n + 4) {
			fmt.Fprintf(&data, `,{"n":%d,"price":"%d.%d"}`, i, i*7919%9973, i*31%97)
		}
		payload := "[" + data.String()[1:] + "]"
		frame := ask(`{"op":"publish","topic":"deflate/go","data":` + payload + `}`)
		var message struct{ Data json.RawMessage }
		if err := json.Unmarshal(frame, &message); err != nil || !bytes.Equal(message.Data, []byte(payload)) {
			t.Fatalf("%d bytes were published, %d came back: %v", len(payload), len(message.Data), err)
		}
	}
}
