//go:build interop

package interop

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	python   = "/usr/bin/python3" // the one that Debian's packages belong to
	chromium = "/usr/bin/chromium"
	examples = "../../docs/examples"
)

// megawire is the command under test, built once.
var megawire string

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	if err := requirements(); err != nil {
		fmt.Fprintf(os.Stderr, "interop: %v\ninterop: install what the tests need: internal/interop/install.sh\n", err)
		return 1
	}
	dir, err := os.MkdirTemp("", "megawire-interop-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "interop:", err)
		return 1
	}
	defer os.RemoveAll(dir)
	megawire = filepath.Join(dir, "megawire")
	if out, err := exec.Command("go", "build", "-o", megawire, "../../cmd/megawire").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "interop: building megawire: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// requirements says what is missing.
func requirements() error {
	for _, c := range [][]string{
		{python, "-c", "import websocket, websockets; websocket.WebSocketApp"},
		{chromium, "--version"},
		{"curl", "--version"},
		{"node", "-e", "require('ws'); require('playwright-core')"},
	} {
		if out, err := exec.Command(c[0], c[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%v: %w: %s", c, err, out)
		}
	}
	return nil
}

// server is megawire serve --demo in a process of its own.
type server struct {
	t       *testing.T
	public  string // host:port
	admin   string
	process *process
}

func startServer(t *testing.T, more ...string) *server {
	t.Helper()
	s := &server{t: t, public: freeAddress(t), admin: freeAddress(t)}
	s.start(more...)
	return s
}

func (s *server) start(more ...string) {
	s.t.Helper()
	args := append([]string{"serve", "--demo", "--listen", s.public, "--admin.listen", s.admin, "--drain.spread", "0s"}, more...)
	s.process = start(s.t, nil, megawire, args...)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ready(ctx, "http://"+s.admin+"/readyz") {
		if s.process.hasEnded() || ctx.Err() != nil {
			s.t.Fatalf("the server did not come up:\n%s", s.process.text())
		}
		<-tick.C
	}
}

// stop ends the server as an operator does, and sees that it leaves with 0.
func (s *server) stop() {
	s.t.Helper()
	s.process.signal(syscall.SIGTERM)
	s.process.succeed()
}

// restart is what a client lives through when the server is updated.
func (s *server) restart() {
	s.t.Helper()
	s.stop()
	s.start()
}

// env tells the examples where the server is.
func (s *server) env() []string {
	return []string{"MEGAWIRE_URL=ws://" + s.public, "MEGAWIRE_ADMIN=http://" + s.admin}
}

// publish publishes through the command line.
func (s *server) publish(topic, data string) {
	s.t.Helper()
	run(s.t, nil, megawire, "pub", "--admin", s.admin, topic, data)
}

// metric reads one of the server's metrics, named with its labels; 0 where there is none.
func (s *server) metric(name string) float64 {
	s.t.Helper()
	for line := range strings.Lines(run(s.t, nil, "curl", "-sS", "--max-time", "20", "http://"+s.admin+"/metrics")) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				s.t.Fatal(err)
			}
			return n
		}
	}
	return 0
}

// counts waits until a metric is above zero: what happens on the loops is counted there, and gathered a little later.
func (s *server) counts(name string) {
	s.t.Helper()
	deadline := time.Now().Add(patience)
	for s.metric(name) == 0 {
		if time.Now().After(deadline) {
			s.t.Fatalf("%s stays 0", name)
		}
	}
}

func ready(ctx context.Context, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
