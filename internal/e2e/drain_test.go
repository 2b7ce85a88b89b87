package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/megawire/megawire/server/config"
)

// leave reads what a client of a draining server is told, up to the connection's end.
func (p *peer) leave(native bool) {
	p.t.Helper()
	if native {
		var g struct {
			Op             string
			ReconnectAfter int `json:"reconnect_after"`
		}
		p.decode(p.text(), &g)
		if g.Op != "goaway" || g.ReconnectAfter <= 0 {
			p.t.Errorf("got %+v, want a goaway", g)
		}
		if reason := p.closed(1001); reason != "" {
			p.t.Errorf("reason %q", reason)
		}
		return
	}
	after, ok := strings.CutPrefix(p.closed(1001), "reconnect_after=")
	if n, err := strconv.Atoi(after); !ok || err != nil || n <= 0 {
		p.t.Errorf("reason %q, want reconnect_after=<ms>", after)
	}
}

// A server that is told to stop lets everybody go, refuses newcomers meanwhile, and leaves nothing behind.
func TestDrain(t *testing.T) {
	r := serve(t, func(c *config.Config) { c.Drain.Spread = 100 * time.Millisecond })
	var natives, raws []*peer
	for range 20 {
		natives = append(natives, r.dial("/ws?topics=a"))
		raws = append(raws, r.dial("/raw/a"))
	}
	echo := r.dial("/echo")
	mute := r.connect() // has not asked for anything
	pr, pw := io.Pipe()
	streamed := make(chan []byte, 1)
	go func() {
		status, answer, err := r.post(typeNDJSON, pr)
		if err != nil || status != http.StatusServiceUnavailable {
			t.Errorf("the open stream: status %d, %v", status, err)
		}
		streamed <- answer
	}()
	if _, err := io.WriteString(pw, `{"topic":"a","data":1}`+"\n"); err != nil {
		t.Fatal(err)
	}
	for _, p := range natives {
		p.message("a", 1, "1")
	}
	for _, p := range raws {
		p.control(opText, "1")
	}

	r.cancel()
	for _, p := range natives[1:] {
		p.leave(true)
		p.close()
	}
	for _, p := range raws {
		p.leave(false)
		p.close()
	}
	echo.closed(1001)
	echo.close()
	a, err := mute.response()
	if err != nil || a.status != 503 || a.header["retry-after"] == "" {
		t.Errorf("who had not asked yet: status %d, %v, %v", a.status, a.header, err)
	}
	mute.close()

	// One client does not end its side, so the drain is still under way.
	for _, request := range []string{upgradeRequest("/ws"), "GET /readyz HTTP/1.1\r\nHost: test\r\n\r\n"} {
		p := r.connect()
		p.write([]byte(request))
		a, err := p.response()
		if err != nil || a.status != 503 || a.header["retry-after"] == "" || !bytes.Contains(a.body, []byte("draining")) {
			t.Errorf("a newcomer: status %d, %v, %s, %v", a.status, a.header, a.body, err)
		}
		p.close()
	}
	natives[0].leave(true)
	natives[0].close()

	r.await()
	var answer struct {
		Published int
		Line      int
		Error     struct{ Code string }
	}
	if text := <-streamed; json.Unmarshal(text, &answer) != nil || answer.Published != 1 || answer.Error.Code != "unavailable" {
		t.Errorf("the open stream was answered %s", text)
	}
	_ = pw.Close()
	goleak.VerifyNone(t, gnetPool...)
}

// Clients that do not take their close cannot hold the server for longer than drain.timeout.
func TestDrainTimeout(t *testing.T) {
	r := serve(t, func(c *config.Config) {
		c.Drain.Timeout, c.Drain.Spread = 500*time.Millisecond, 0
	})
	p := r.dialNarrow("/ws?topics=a")
	var body bytes.Buffer
	for range 64 {
		body.WriteString(`{"topic":"a","text":"` + strings.Repeat("x", 100_000) + "\"}\n")
	}
	if err := r.stream(&body, 64); err != nil {
		t.Fatal(err)
	}
	r.awaitMetricIs("megawire_connections_lagging", 1)
	r.cancel()
	r.await()
	p.close()
	goleak.VerifyNone(t, gnetPool...)
}

// SIGTERM and SIGINT let the clients of a real process go, and the process leaves with 0.
func TestSignals(t *testing.T) {
	for _, signal := range []os.Signal{os.Interrupt, nil} {
		p := launch(t, 0)
		native, raw := p.dial("/ws"), p.dial("/raw/a")
		done := make(chan struct{})
		go func() {
			defer close(done)
			if signal == nil {
				p.terminate()
			} else if err := p.cmd.Process.Signal(signal); err != nil {
				t.Error(err)
			}
		}()
		native.leave(true)
		native.close()
		raw.leave(false)
		raw.close()
		<-done
		if signal != nil {
			p.left()
		}
	}
}
