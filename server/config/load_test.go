package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "m.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func parseFlags(t *testing.T, args ...string) *pflag.FlagSet {
	t.Helper()
	fs := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	RegisterFlags(fs)
	if err := fs.Parse(args); err != nil {
		t.Fatal(err)
	}
	return fs
}

func TestDefaultIsValid(t *testing.T) {
	c := Default()
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
}

func TestLaterSourcesWin(t *testing.T) {
	file := writeFile(t, "listen: :1001\nlimits:\n  message_bytes: 2MiB\n  topics: 5\nheartbeat:\n  ping_interval: 3s\nanonymous:\n  publish: [\"a,b/#\", c]\n")
	environ := []string{"MEGAWIRE_LIMITS_TOPICS=6", "MEGAWIRE_HEARTBEAT_PING_INTERVAL=4s", "MEGAWIRE_ANONYMOUS_SUBSCRIBE=x/#, y", "HOME=/"}
	flags := parseFlags(t, "--heartbeat.ping_interval=5s", "--loops=3", "--demo")

	c, origins, err := Load(flags, file, environ)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		says, key, origin string
		got, want         any
	}{
		{"the file lies over the default", "listen", "file " + file + ":1", c.Listen, ":1001"},
		{"a size has a unit", "limits.message_bytes", "file " + file + ":3", c.Limits.MessageBytes, 2 * MiB},
		{"the environment lies over the file", "limits.topics", "environment MEGAWIRE_LIMITS_TOPICS", c.Limits.Topics, 6},
		{"a flag lies over the environment", "heartbeat.ping_interval", "flag --heartbeat.ping_interval", c.Heartbeat.PingInterval, 5 * time.Second},
		{"a flag alone", "loops", "flag --loops", c.Loops, Auto(3)},
		{"a switch needs no value", "demo", "flag --demo", c.Demo, true},
		{"a list of the file keeps its commas", "anonymous.publish", "file " + file + ":8", strings.Join(c.Anonymous.Publish, "|"), "a,b/#|c"},
		{"a list of the environment is split at them", "anonymous.subscribe", "environment MEGAWIRE_ANONYMOUS_SUBSCRIBE", strings.Join(c.Anonymous.Subscribe, "|"), "x/#|y"},
		{"what nobody set is the default", "drain.timeout", "default", c.Drain.Timeout, 10 * time.Second},
	} {
		if row.got != row.want {
			t.Errorf("%s: %s = %v, want %v", row.says, row.key, row.got, row.want)
		}
		if origins[row.key] != row.origin {
			t.Errorf("%s: %s comes from %q, want %q", row.says, row.key, origins[row.key], row.origin)
		}
	}
}

func TestDemoOpensPublishing(t *testing.T) {
	for _, row := range []struct {
		says   string
		args   []string
		want   string
		origin string
	}{
		{"without demo nobody publishes", nil, "", "default"},
		{"with demo everybody does", []string{"--demo"}, "#", "default with demo"},
		{"what was set holds in a demo too", []string{"--demo", "--anonymous.publish=chat/#"}, "chat/#", "flag --anonymous.publish"},
		{"even where that is nothing", []string{"--demo", "--anonymous.publish="}, "", "flag --anonymous.publish"},
		{"a flag may be repeated", []string{"--anonymous.publish=a", "--anonymous.publish=b"}, "a,b", "flag --anonymous.publish"},
	} {
		c, origins, err := Load(parseFlags(t, row.args...), "", nil)
		if err != nil {
			t.Errorf("%s: %v", row.says, err)
		}
		if got := strings.Join(c.Anonymous.Publish, ","); got != row.want || origins["anonymous.publish"] != row.origin {
			t.Errorf("%s: got %q from %q, want %q from %q", row.says, got, origins["anonymous.publish"], row.want, row.origin)
		}
	}
}

func TestRefused(t *testing.T) {
	for _, row := range []struct {
		says, file string
		environ    []string
		want       []string // each must be in the error
	}{
		{says: "a misspelt key of the file", file: "limits:\n  mesage_bytes: 5\n", want: []string{"m.yaml:2", "did you mean limits.message_bytes?"}},
		{says: "a key without its section", file: "\nmessage_bytes: 5\n", want: []string{"m.yaml:2", "did you mean limits.message_bytes?"}},
		{says: "a key like no other", file: "zzzzzzzzzzzzzzzzzzzz: 5\n", want: []string{"unknown key", "config print"}},
		{says: "a misspelt variable", environ: []string{"MEGAWIRE_LISTN=:1"}, want: []string{"environment", "MEGAWIRE_LISTN", "did you mean MEGAWIRE_LISTEN?"}},
		{says: "a port where Kubernetes would write a URL", environ: []string{"MEGAWIRE_PORT=8081"}, want: []string{"MEGAWIRE_PORT: unknown key"}},
		{says: "a key that is to come", file: "tls:\n  cert: x\n", want: []string{"m.yaml:2", "tls.cert is not built yet"}},
		{says: "the same as a variable", environ: []string{"MEGAWIRE_TLS_CERT=x"}, want: []string{"MEGAWIRE_TLS_CERT is not built yet"}},
		{says: "two faults are both told", file: "limits:\n  topics: -1\n  fragments: many\n", want: []string{"m.yaml:2", "below the least, 1", "m.yaml:3", "not a whole number"}},
		{says: "a section as a value", file: "limits: 5\n", want: []string{"group of keys"}},
		{says: "a value as a section", file: "listen:\n  port: 5\n", want: []string{"listen.port", "unknown key"}},
		{says: "an empty value", file: "listen:\n", want: []string{"has no value"}},
		{says: "a list for one value", file: "listen: [a, b]\n", want: []string{"one value, not a list"}},
		{says: "a key twice", file: "demo: true\ndemo: false\n", want: []string{"already defined at line 1"}},
		{says: "a second document", file: "demo: true\n---\ndemo: false\n", want: []string{"m.yaml holds a second YAML document at line 2"}},
		{says: "a second document with nothing in it", file: "demo: true\n---\n", want: []string{"second YAML document"}},
		{says: "a second document that is broken", file: "demo: true\n---\n{{{", want: []string{"second YAML document"}},
		{says: "a file that is no YAML", file: "{{{", want: []string{"is not YAML"}},
		{says: "a filter that YAML read as a number", file: "anonymous: {publish: [5]}\n", want: []string{"in quotes"}},
		{says: "0 is not unlimited", file: "limits: {connections: 0}\n", want: []string{"neither auto nor"}},
		{says: "0 bytes neither", file: "limits: {message_bytes: 0}\n", want: []string{"below the least, 1KiB"}},
		{says: "a duration without a unit", file: "drain: {timeout: 10}\n", want: []string{"10s"}},
		{says: "a size in apples", file: "limits: {message_bytes: 10 apples}\n", want: []string{"64KiB"}},
		{says: "a size past every int", file: "limits: {message_bytes: 99999999999TiB}\n", want: []string{"is not a size"}},
		{says: "a number above the most", file: "loops: 5000\n", want: []string{"above the most, 256"}},
		{says: "yes is not true", file: "demo: yes\n", want: []string{"neither true nor false"}},
		{says: "a port alone", file: "listen: 8080\n", want: []string{":port"}},
		{says: "a port that is none", file: "listen: \":99999\"\n", want: []string{"no port from 0 to 65535"}},
		{says: "an unknown log level", file: "log: {level: loud}\n", want: []string{"debug, info, warn, error"}},
		{says: "a wildcard inside a level", file: "anonymous: {publish: [\"a/b#\"]}\n", want: []string{"whole last level"}},
		{says: "a message that never fits its ring", file: "limits: {message_bytes: 8MiB}\n", want: []string{"ring.inflight_bytes (4MiB) must be at least limits.message_bytes (8MiB)"}},
		{says: "a spread past the drain", file: "drain: {timeout: 1s}\n", want: []string{"drain.spread (5s) must not be longer than drain.timeout (1s)"}},
		{says: "one port for two listeners", file: "listen: 127.0.0.1:9080\n", want: []string{"give them two ports"}},
	} {
		path := ""
		if row.file != "" {
			path = writeFile(t, row.file)
		}
		_, _, err := Load(nil, path, row.environ)
		if err == nil {
			t.Errorf("%s: accepted", row.says)
			continue
		}
		for _, want := range row.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q does not say %q", row.says, err, want)
			}
		}
	}
}

func TestAccepted(t *testing.T) {
	for _, row := range []struct {
		says, file string
		environ    []string
	}{
		{says: "an empty file", file: "# nothing\n"},
		{says: "a section with everything commented out", file: "limits:\n  # topics: 5\nring: {}\n"},
		{says: "what Kubernetes sets beside a service of our name", environ: []string{"MEGAWIRE_SERVICE_HOST=10.0.0.1",
			"MEGAWIRE_SERVICE_PORT_HTTP=80", "MEGAWIRE_PORT=tcp://10.0.0.1:80", "MEGAWIRE_PORT_80_TCP_ADDR=10.0.0.1"}},
		{says: "a key with dots", file: "limits.topics: 7\n"},
		{says: "numbers as YAML writes them", file: "limits: {topics: 1_000}\n"},
	} {
		path := ""
		if row.file != "" {
			path = writeFile(t, row.file)
		}
		if _, _, err := Load(nil, path, row.environ); err != nil {
			t.Errorf("%s: %v", row.says, err)
		}
	}
}

func TestMissingFile(t *testing.T) {
	_, _, err := Load(nil, filepath.Join(t.TempDir(), "none.yaml"), nil)
	if !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("got %v", err)
	}
}
