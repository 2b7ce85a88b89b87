//go:build interop

package interop

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long anything may take before a test gives up. Nothing depends on it
// being short.
const patience = 60 * time.Second

// process is a program that runs while a test talks to it.
type process struct {
	t    *testing.T
	name string
	cmd  *exec.Cmd
	in   io.WriteCloser

	mu      sync.Mutex
	output  strings.Builder // both streams, as they came
	read    int             // of output: what expect has passed
	changed chan struct{}   // closed, and replaced, when output grows or ended is set
	ended   bool
	exit    error
}

// start starts a program. It is killed at the end of the test, should it still run.
func start(t *testing.T, env []string, name string, args ...string) *process {
	t.Helper()
	p := &process{t: t, name: name + " " + strings.Join(args, " "), changed: make(chan struct{})}
	p.cmd = exec.Command(name, args...)
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, err := p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.in = in
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stdout, p.cmd.Stderr = w, w
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("%s: %v", p.name, err)
	}
	_ = w.Close()
	go p.collect(r)
	t.Cleanup(func() {
		if !p.hasEnded() {
			// The whole group: a browser has children.
			_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		}
		p.wait()
		if t.Failed() {
			t.Logf("%s said:\n%s", p.name, p.text())
		}
	})
	return p
}

func (p *process) collect(r *os.File) {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		p.mu.Lock()
		p.output.WriteString(line)
		p.tell()
		p.mu.Unlock()
		if err != nil {
			break
		}
	}
	_ = r.Close()
	exit := p.cmd.Wait()
	p.mu.Lock()
	p.ended, p.exit = true, exit
	p.tell()
	p.mu.Unlock()
}

// tell wakes whoever waits. The lock is held.
func (p *process) tell() {
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *process) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.output.String()
}

func (p *process) hasEnded() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ended
}

// until waits for done, which is called with the lock held.
func (p *process) until(what string, done func() bool) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		p.mu.Lock()
		ok, ended, changed := done(), p.ended, p.changed
		p.mu.Unlock()
		switch {
		case ok:
			return
		case ended:
			p.t.Fatalf("%s ended (%v) and %s did not come:\n%s", p.name, p.exit, what, p.text())
		}
		select {
		case <-changed:
		case <-ctx.Done():
			p.t.Fatalf("%s: %s did not come within %v:\n%s", p.name, what, patience, p.text())
		}
	}
}

// expect waits until the program has written text after what was expected last.
func (p *process) expect(text string) {
	p.t.Helper()
	p.until(text, func() bool {
		i := strings.Index(p.output.String()[p.read:], text)
		if i < 0 {
			return false
		}
		p.read += i + len(text)
		return true
	})
}

// say writes a line to the program's standard input.
func (p *process) say(line string) {
	p.t.Helper()
	if _, err := io.WriteString(p.in, line+"\n"); err != nil {
		p.t.Fatalf("%s: %v", p.name, err)
	}
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Fatalf("%s: %v", p.name, err)
	}
}

// wait waits for the program's end and returns its exit code, -1 if it was killed.
func (p *process) wait() int {
	p.t.Helper()
	p.until("its end", func() bool { return p.ended })
	return p.cmd.ProcessState.ExitCode()
}

// succeed waits for the program's end, which is to be a success, and returns what it wrote.
func (p *process) succeed() string {
	p.t.Helper()
	if code := p.wait(); code != 0 {
		p.t.Fatalf("%s left with %d:\n%s", p.name, code, p.text())
	}
	return p.text()
}

// run runs a program to its success and returns what it wrote, to both streams.
func run(t *testing.T, env []string, name string, args ...string) string {
	t.Helper()
	p := start(t, env, name, args...)
	_ = p.in.Close()
	return p.succeed()
}
