package e2e

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// builtDir is where megawire was built for this run, or "" if no test asked for it.
func builtDir() string {
	built.Lock()
	defer built.Unlock()
	return built.dir
}

var built struct {
	sync.Mutex
	dir string
}

// megawire builds the command, once for each build tag, as it is shipped: without the race detector.
func megawire(t *testing.T, tag string) string {
	t.Helper()
	built.Lock()
	defer built.Unlock()
	if built.dir == "" {
		dir, err := os.MkdirTemp("", "megawire-e2e-")
		if err != nil {
			t.Fatal(err)
		}
		built.dir = dir
	}
	binary := filepath.Join(built.dir, "megawire"+tag)
	if _, err := os.Stat(binary); err == nil {
		return binary
	}
	out, err := exec.Command("go", "build", "-tags", tag, "-o", binary, "github.com/megawire/megawire/cmd/megawire").CombinedOutput()
	if err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return binary
}

// process is a server in a process of its own.
type process struct {
	site

	cmd *exec.Cmd
	pid int

	logged chan struct{} // closed at the log's end
}

// launch runs "megawire serve" on free ports of the loopback. files, unless 0, is the limit on open files. The
// process is sent SIGTERM when the test ends, and must leave with 0.
func launch(t *testing.T, files int, args ...string) *process {
	t.Helper()
	return launchAs(t, megawire(t, ""), files, io.Discard, args...)
}

// launchAs is launch for one of the binaries, with somebody who reads the log.
func launchAs(t *testing.T, binary string, files int, log io.Writer, args ...string) *process {
	t.Helper()
	args = append([]string{"serve", "--listen=127.0.0.1:0", "--admin.listen=127.0.0.1:0", "--log.format=json"}, args...)
	cmd := exec.Command(binary, args...)
	if files > 0 {
		script := fmt.Sprintf(`ulimit -n %d; exec "$0" "$@"`, files)
		cmd = exec.Command("bash", append([]string{"-c", script, binary}, args...)...)
	}
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "MEGAWIRE_") {
			cmd.Env = append(cmd.Env, e)
		}
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{site: site{t: t}, cmd: cmd, pid: cmd.Process.Pid, logged: make(chan struct{})}
	t.Cleanup(p.terminate)
	p.followLog(io.TeeReader(stderr, log))
	return p
}

// followLog waits for the line that tells the addresses, and drains what follows. The process logs in JSON.
func (p *process) followLog(stderr io.Reader) {
	p.t.Helper()
	serving := make(chan error, 1)
	go func() {
		defer close(p.logged)
		lines := bufio.NewScanner(stderr)
		for lines.Scan() {
			var l struct{ Level, Msg, Listen, Admin string }
			_ = json.Unmarshal(lines.Bytes(), &l) // a line of the runtime's, at its death, is no JSON
			if l.Msg == "serving" {
				p.addr, p.admin = l.Listen, l.Admin
				serving <- nil
			} else if l.Level != "INFO" {
				p.t.Logf("server: %s", lines.Text())
			}
		}
		serving <- errors.New("the log ended")
	}()
	select {
	case err := <-serving:
		if err != nil {
			p.t.Fatal(err)
		}
	case <-time.After(patience):
		p.t.Fatal("the process does not serve")
	}
}

// terminate ends the process by SIGTERM and waits for it. A second call does nothing.
func (p *process) terminate() {
	p.t.Helper()
	if p.cmd == nil {
		return
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Errorf("SIGTERM: %v", err)
	}
	p.left()
}

// left waits for the end of a process that was sent a signal. It must leave with 0.
func (p *process) left() {
	p.t.Helper()
	cmd := p.cmd
	p.cmd = nil
	select {
	case <-p.logged:
	case <-time.After(patience):
		p.t.Error("the process did not end; it is killed")
		_ = cmd.Process.Kill()
		<-p.logged
	}
	if err := cmd.Wait(); err != nil {
		p.t.Errorf("the process ended with %v", err)
	}
}

var memoryLine = regexp.MustCompile(`(?m)^(VmRSS|VmHWM):\s+(\d+) kB$`)

// memory is how many bytes of memory the process holds now, and held at most.
func (p *process) memory() (now, most int) {
	p.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid))
	if err != nil {
		p.t.Fatal(err)
	}
	for _, m := range memoryLine.FindAllSubmatch(status, -1) {
		kib, err := strconv.Atoi(string(m[2]))
		if err != nil {
			p.t.Fatal(err)
		}
		if string(m[1]) == "VmRSS" {
			now = kib << 10
		} else {
			most = kib << 10
		}
	}
	if now == 0 || most == 0 {
		p.t.Fatalf("no VmRSS and VmHWM in %s", status)
	}
	return now, most
}
