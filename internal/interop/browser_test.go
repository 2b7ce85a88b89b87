//go:build interop

package interop

import (
	"net/url"
	"os"
	"path/filepath"
	"testing"
)

// browse starts testdata/browser.js with a scenario; it drives Chromium and writes "ok" last.
func browse(t *testing.T, s *server, scenario string, args ...string) *process {
	t.Helper()
	command := append([]string{"testdata/browser.js", chromium, t.TempDir(), scenario, "http://" + s.admin, "ws://" + s.public}, args...)
	return start(t, nil, "node", command...)
}

func TestThePageShowsTheFeed(t *testing.T) {
	s := startServer(t)
	shot := filepath.Join(t.TempDir(), "page.png")
	p := browse(t, s, "page", shot)
	p.expect("live")
	p.expect("messages grow")
	p.expect("prices change")
	p.expect("no gaps")
	p.expect("ok")
	p.succeed()
	if info, err := os.Stat(shot); err != nil || info.Size() < 10_000 {
		t.Errorf("the screenshot: %v, %v", info, err)
	}
}

func TestThePageComesBackAfterARestart(t *testing.T) {
	s := startServer(t)
	p := browse(t, s, "restart")
	p.expect("live")
	s.restart()
	p.say("restarted")
	p.expect("live again")
	p.expect("ok")
	p.succeed()
}

func TestABrowsersOwnWebSocket(t *testing.T) {
	s := startServer(t)
	p := browse(t, s, "websocket")
	for _, step := range []string{"subscribed", "message", "echoed text", "echoed bytes", "echoed a megabyte", "published raw", "closed 1000", "refused", "ok"} {
		p.expect(step)
	}
	p.succeed()
}

func TestAChatBetweenBrowserAndTerminal(t *testing.T) {
	s := startServer(t)
	page, err := filepath.Abs(filepath.Join(examples, "browser/chat.html"))
	if err != nil {
		t.Fatal(err)
	}
	query := url.Values{"name": {"bob"}, "room": {"the kitchen"}, "server": {"ws://" + s.public}}
	bob := browse(t, s, "chat", "file://"+page+"?"+query.Encode())
	bob.expect("open")
	ann := start(t, s.env(), python, "-u", filepath.Join(examples, "python/chat.py"), "--name", "ann", "--room", "the kitchen", "--count", "1")
	ann.expect("you are in the kitchen as ann")
	bob.say("hello from a <b>browser</b>")
	ann.expect("bob: hello from a <b>browser</b>")
	bob.expect("bob: hello from a <b>browser</b>") // echo=1
	ann.succeed()
	ann = start(t, s.env(), python, "-u", filepath.Join(examples, "python/chat.py"), "--name", "ann", "--room", "the kitchen")
	ann.expect("you are in the kitchen as ann")
	ann.say("hello from a terminal")
	bob.expect("ann: hello from a terminal")
	_ = bob.in.Close()
	bob.expect("ok")
	bob.succeed()
}
