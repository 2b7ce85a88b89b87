//go:build interop

package interop

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// script runs one of testdata, which asserts by itself and writes "ok" last.
func script(t *testing.T, s *server, name string, args ...string) {
	t.Helper()
	interpreter := python
	if strings.HasSuffix(name, ".js") {
		interpreter = "node"
	}
	out := run(t, s.env(), interpreter, append([]string{filepath.Join("testdata", name)}, args...)...)
	if !strings.HasSuffix(out, "ok\n") {
		t.Errorf("%s:\n%s", name, out)
	}
}

func TestPythonWebsocketClient(t *testing.T) {
	s := startServer(t)
	script(t, s, "websocket_client.py")
	if n := s.metric(deflatedMessages); n != 0 {
		t.Errorf("%v messages were compressed for a client that never offers it", n)
	}
}

func TestPythonWebsockets(t *testing.T) { script(t, startServer(t), "websockets_client.py") }

func TestNpmWs(t *testing.T) { script(t, startServer(t), "ws_client.js") }

// TestPythonWebSocketAppKeepsAlive has a client that stays: callbacks, its own pings, and a restart
// of the server.
func TestPythonWebSocketAppKeepsAlive(t *testing.T) {
	s := startServer(t)
	p := start(t, s.env(), python, "-u", "testdata/websocket_app.py")
	p.expect("open 1")
	p.expect("message ")
	p.expect("pong 1")
	p.expect("pong 2")
	s.restart()
	p.expect("close 1001")
	p.expect("open 2")
	p.expect("message ")
	p.say("enough")
	p.succeed()
}

func TestSubReconnectsAndLeavesOnInterrupt(t *testing.T) {
	s := startServer(t)
	p := start(t, nil, megawire, "sub", "--url", s.public, "ticker/BTC-USD", "chat/lobby")
	p.expect(`ticker/BTC-USD {"symbol":"BTC-USD",`)
	s.publish("chat/lobby", "before")
	p.expect("chat/lobby before")
	s.restart()
	p.expect("megawire: the server is going away; coming back in ")
	p.expect("megawire: disconnected: ")
	p.expect("megawire: connected again")
	p.expect("megawire: gap on ")
	s.publish("chat/lobby", "after")
	p.expect("chat/lobby after")
	p.signal(syscall.SIGINT)
	if code := p.wait(); code != 0 {
		t.Errorf("sub left with %d on Ctrl-C", code)
	}
}

func TestSubGivesUpOnNothingButTheCount(t *testing.T) {
	s := startServer(t)
	p := start(t, nil, megawire, "sub", "--url", s.public, "--raw", "--count", "2", "chat/lobby", "ticker/BTC-USD/silent")
	for range 50 { // until it is subscribed and has seen two
		if p.hasEnded() {
			break
		}
		s.publish("chat/lobby", `{"n": 1}`)
	}
	if out := p.succeed(); out != "{\"n\": 1}\n{\"n\": 1}\n" {
		t.Errorf("sub --raw wrote:\n%s", out)
	}
}
