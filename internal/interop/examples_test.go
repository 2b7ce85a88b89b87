//go:build interop

package interop

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// matched fails unless the output has exactly want lines that match.
func matched(t *testing.T, output, pattern string, want int) {
	t.Helper()
	if got := len(regexp.MustCompile("(?m)"+pattern).FindAllString(output, -1)); got != want {
		t.Errorf("%d lines match %s, want %d:\n%s", got, pattern, want, output)
	}
}

func TestExamplesThatEndByThemselves(t *testing.T) {
	s := startServer(t)
	nodeModules, err := filepath.Abs("node_modules")
	if err != nil {
		t.Fatal(err)
	}
	env := append(s.env(), "NODE_PATH="+nodeModules)
	ticker := `^ticker/(BTC|ETH)-USD \d+ \{"symbol": ?"(BTC|ETH)-USD", ?"price": ?[\d.]+`
	for _, row := range []struct {
		name    string
		command []string
		pattern string
		lines   int
	}{
		{"short-lived echo and publish", []string{python, "python/short_lived.py", "good day"}, `^(echo: good day|published: chat/lobby seq 1)$`, 2},
		{"long-lived callbacks", []string{python, "python/long_lived.py", "--count", "5"}, ticker, 5},
		{"async for", []string{python, "python/subscribe.py", "--count", "3", "ticker/ETH-USD"}, ticker, 3},
		{"one to one", []string{python, "python/one_to_one.py", "--count", "4"}, `^bob: QUESTION [1-4]$`, 4},
		{"one to many", []string{python, "python/one_to_many.py", "--readers", "30", "--count", "40"}, `^40 messages published, 1200 received by 30 readers$`, 1},
		{"npm ws", []string{"node", "node/subscribe.js", "--count", "5"}, ticker, 5},
		{"Go", []string{"go", "run", "./" + examples + "/go/subscribe", "-count", "5"}, ticker, 5},
		{"curl", []string{"bash", "curl/publish.sh"},
			`^(\{"topic":"chat/lobby","epoch":"\w+","seq":2\}|\[\{"topic":"sensors/kitchen",.*,"seq":1\},\{.*"seq":3\}\]|\{"published":3\})$`, 3},
	} {
		t.Run(row.name, func(t *testing.T) {
			command := append([]string(nil), row.command...)
			if command[0] != "go" {
				command[1] = filepath.Join(examples, command[1])
			}
			matched(t, run(t, env, command[0], command[1:]...), row.pattern, row.lines)
		})
	}
}

func TestTwoPeopleChat(t *testing.T) {
	s := startServer(t)
	chat := filepath.Join(examples, "python/chat.py")
	ann := start(t, s.env(), python, "-u", chat, "--name", "ann", "--room", "the kitchen", "--count", "2")
	ann.expect("you are in the kitchen as ann")
	bob := start(t, s.env(), python, "-u", chat, "--name", "bob", "--room", "the kitchen", "--count", "1")
	bob.expect("you are in the kitchen as bob")
	other := start(t, s.env(), python, "-u", chat, "--name", "eve", "--room", "elsewhere")
	other.expect("you are in elsewhere as eve")

	ann.say("is anybody here?")
	bob.expect("ann: is anybody here?")
	bob.succeed()

	bob = start(t, s.env(), python, "-u", chat, "--name", "bob", "--room", "the kitchen")
	bob.expect("you are in the kitchen as bob")
	bob.say("yes, me")
	ann.expect("bob: yes, me")
	bob.say("und tschüß ☕")
	ann.expect("bob: und tschüß ☕")
	if out := ann.succeed(); strings.Contains(out, "ann: ") {
		t.Errorf("ann heard herself, without echo=1:\n%s", out)
	}
	if out := other.text(); strings.Contains(out, "bob") || strings.Contains(out, "ann") {
		t.Errorf("the other room heard:\n%s", out)
	}
}

func TestTheLongLivedExampleComesBack(t *testing.T) {
	s := startServer(t)
	p := start(t, s.env(), python, "-u", filepath.Join(examples, "python/long_lived.py"), "ticker/BTC-USD")
	p.expect("ticker/BTC-USD ")
	s.restart()
	p.expect("closed: 1001")
	p.expect("reconnecting in")
	p.expect("subscribed")
	p.expect("ticker/BTC-USD ")
}

func TestTheNodeExampleComesBack(t *testing.T) {
	s := startServer(t)
	nodeModules, err := filepath.Abs("node_modules")
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, append(s.env(), "NODE_PATH="+nodeModules), "node", filepath.Join(examples, "node/subscribe.js"), "ticker/BTC-USD")
	p.expect("ticker/BTC-USD ")
	s.restart()
	p.expect("closed: 1001")
	p.expect("ticker/BTC-USD ")
}

// TestEveryExampleIsRun sees that nobody adds a program that no test runs.
func TestEveryExampleIsRun(t *testing.T) {
	tests, err := os.ReadFile("examples_test.go")
	if err != nil {
		t.Fatal(err)
	}
	browser, err := os.ReadFile("browser_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, pattern := range []string{"*/*.py", "*/*.js", "*/*.sh", "*/*.html", "go/*"} {
		files, err := filepath.Glob(filepath.Join(examples, pattern))
		if err != nil || len(files) == 0 {
			t.Errorf("%s: %d files, %v", pattern, len(files), err)
		}
		for _, f := range files {
			name, err := filepath.Rel(examples, f)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(tests)+string(browser), name) {
				t.Errorf("no test runs %s", name)
			}
		}
	}
}
