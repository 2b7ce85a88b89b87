//go:build interop

package interop

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

const jsClient = "../../client/js"

// node runs a script of testdata/jsclient while a test talks to it.
func node(t *testing.T, s string, args ...string) *process {
	t.Helper()
	return start(t, nil, "node", append([]string{filepath.Join("testdata/jsclient", s)}, args...)...)
}

func TestJSClientByItself(t *testing.T) {
	tests, err := filepath.Glob(filepath.Join(jsClient, "test/*.test.js"))
	if err != nil || len(tests) == 0 {
		t.Fatalf("%d tests, %v", len(tests), err)
	}
	run(t, nil, "node", append([]string{"--test"}, tests...)...)
}

func TestJSClientsTypes(t *testing.T) {
	run(t, nil, "node", "node_modules/typescript/bin/tsc", "-p", "testdata/jsclient")
}

func TestJSClientOnAServer(t *testing.T) {
	s := startServer(t, "--rules", `[{"filter":"js/#","presence":true}]`)
	p := node(t, "steps.mjs", "ws://"+s.public)
	if out := p.succeed(); !strings.HasSuffix(out, "ok\n") {
		t.Errorf("steps.mjs:\n%s", out)
	}
}

// TestTheJSTutorial runs the blocks of docs/javascript.md, which are one program.
func TestTheJSTutorial(t *testing.T) {
	s := startServer(t)
	doc, err := os.ReadFile("../../docs/javascript.md")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := filepath.Abs(jsClient)
	if err != nil {
		t.Fatal(err)
	}
	program := "import ws from 'ws';\nglobalThis.WebSocket ??= ws;\n"
	for _, block := range regexp.MustCompile("(?s)```js\n(.*?)```").FindAllSubmatch(doc, -1) {
		program += string(block[1])
	}
	program = strings.ReplaceAll(program, "./megawire.js", "file://"+dir+"/megawire.js")
	program = strings.ReplaceAll(program, "ws://localhost:8080", "ws://"+s.public)
	out := run(t, nil, "node", "--input-type=module", "--eval", program)
	for _, line := range []string{
		`^chat/lobby 1: hello from a page$`,
		`^published as number 1$`,
		`^3 subscriptions; \d+ ms$`,
		`^refused: forbidden presence is off for this topic$`,
		`on its way: true$`,
		`^closed$`,
	} {
		matched(t, out, line, 1)
	}
}

// numbers publishes from+1 to to, in turn on each topic, and returns to.
func numbers(t *testing.T, s *server, topics []string, from, to int) int {
	t.Helper()
	for n := from + 1; n <= to; n++ {
		var batch []map[string]any
		for _, topic := range topics {
			batch = append(batch, map[string]any{"topic": topic, "data": n})
		}
		body, err := json.Marshal(batch)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.Post("http://"+s.admin+"/v1/publish", "application/json", bytes.NewReader(body))
		if err != nil {
			t.Error(err)
			return n
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("publishing: %s", resp.Status)
			return n
		}
	}
	return to
}

// accounted sees that of each topic every number came, once and in order, or was told missing, and returns how many
// were told.
func accounted(t *testing.T, out string, topics []string, to int) (missing int) {
	t.Helper()
	last := make(map[string]int)
	for _, line := range strings.Split(out, "\n") {
		var topic, reason string
		var from, upTo int
		if n, _ := fmt.Sscanf(line, "message %s %d %d", &topic, &from, &upTo); n == 3 {
			if from != upTo {
				t.Errorf("the message was changed: %s", line)
			}
		} else if n, _ := fmt.Sscanf(line, "gap %s %d %d %s", &topic, &from, &upTo, &reason); n == 4 {
			missing += upTo - from + 1
		} else {
			continue
		}
		if from != last[topic]+1 {
			t.Errorf("after %d came: %s", last[topic], line)
		}
		last[topic] = upTo
	}
	for _, topic := range topics {
		if last[topic] != to {
			t.Errorf("%s ended at %d of %d", topic, last[topic], to)
		}
	}
	return missing
}

func TestJSClientMissesNothingOverBrokenConnections(t *testing.T) {
	topics := []string{"n/0", "n/1", "n/2", "exact"}
	for _, row := range []struct {
		name    string
		server  []string
		missing bool
	}{
		{"everything is kept", nil, false},
		{"little is kept", []string{"--ring.retain_messages", "16"}, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := startServer(t, row.server...)
			cable := startProxy(t, s.public)
			p := node(t, "follow.mjs", cable.url(), "exact", "n/+")
			p.expect("subscribed n/+")
			n := 0
			for range 10 {
				n = numbers(t, s, topics, n, n+20) // the client is there
				cable.cut(true)
				n = numbers(t, s, topics, n, n+50) // it is not
				cable.up()
				p.expect("state connected")
				var enough atomic.Bool
				var publishing sync.WaitGroup
				publishing.Go(func() {
					for !enough.Load() && !t.Failed() {
						n = numbers(t, s, topics, n, n+1)
					}
				})
				for range 3 { // it is, now and then
					p.expect("message ")
					cable.cut(false)
					p.expect("state connected")
				}
				enough.Store(true)
				publishing.Wait()
			}
			for _, topic := range topics {
				p.until("the last of "+topic, func() bool {
					return strings.Contains(p.output.String(), fmt.Sprintf("message %s %d %d\n", topic, n, n))
				})
			}
			_ = p.in.Close()
			missing := accounted(t, p.succeed(), topics, n)
			if (missing > 0) != row.missing {
				t.Errorf("%d of %d messages were told missing", missing, n*len(topics))
			}
		})
	}
}

func TestJSClientOverARestart(t *testing.T) {
	s := startServer(t)
	p := node(t, "follow.mjs", "ws://"+s.public, "exact", "n/+")
	p.expect("subscribed n/+")
	numbers(t, s, []string{"exact", "n/0"}, 0, 3)
	p.expect("message exact 3 3")
	s.restart()
	p.expect("goaway")
	p.expect("state disconnected 1001")
	p.expect("gap exact 0 0 reconnect")
	p.expect("gap n/+ 0 0 reconnect")
	numbers(t, s, []string{"exact", "n/0"}, 0, 1)
	p.expect("message exact 1 1")
	p.expect("message n/0 1 1")
	_ = p.in.Close()
	p.succeed()
}

// TestJSClientInABrowser has a page load it as the module that it is.
func TestJSClientInABrowser(t *testing.T) {
	s := startServer(t)
	cable := startProxy(t, s.public)
	files := http.NewServeMux()
	files.Handle("/", http.FileServer(http.Dir(jsClient)))
	files.HandleFunc("/page.html", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, "testdata/jsclient/page.html")
	})
	pages := httptest.NewServer(files)
	t.Cleanup(pages.Close)

	p := node(t, "browser.mjs", chromium, t.TempDir(), pages.URL+"/page.html?server="+cable.url())
	p.expect("state connected")
	p.expect("subscribed page/+")
	p.expect("message page/bytes 1 0,128,255")
	p.expect("pinged true")
	numbers(t, s, []string{"page/a", "page/b"}, 0, 100)
	p.expect("message page/b 100 100")
	cable.cut(true)
	p.expect("state disconnected")
	numbers(t, s, []string{"page/a", "page/b"}, 100, 200)
	cable.up()
	p.expect("message page/a 101 101")
	p.until("the last of both", func() bool {
		out := p.output.String()
		return strings.Contains(out, "message page/a 200 200\n") && strings.Contains(out, "message page/b 200 200\n")
	})
	_ = p.in.Close()
	for _, line := range []string{`^message page/a `, `^message page/b `} {
		// page/a is heard by the listeners of page/a and of page/+.
		want := 200
		if strings.Contains(line, "/a") {
			want = 400
		}
		matched(t, p.succeed(), line, want)
	}
	matched(t, p.text(), "^gap", 0)
}
