package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// Bounds of what a run waits for.
const (
	readyTimeout = 30 * time.Second // from a server's start until its port answers
	stopTimeout  = 5 * time.Second  // from SIGTERM to SIGKILL
	logBytesMax  = 4096             // of a server's output, kept for an error
)

// pinning says which cores the server and the load client get. On a host with one core, or without taskset, both are nil.
type pinning struct{ server, client []int }

func newPinning(loops int) pinning {
	if _, err := exec.LookPath("taskset"); err != nil || runtime.NumCPU() < 2 {
		return pinning{}
	}
	p := pinning{client: []int{1}}
	for core := range min(max(loops, 1), runtime.NumCPU()) {
		p.server = append(p.server, core)
	}
	if last := runtime.NumCPU() - 1; len(p.server) <= last {
		p.client = []int{last}
	}
	return p
}

// pinned puts a command on cores.
func pinned(cores []int, command []string) []string {
	if len(cores) == 0 {
		return command
	}
	list := strconv.Itoa(cores[0])
	for _, c := range cores[1:] {
		list += "," + strconv.Itoa(c)
	}
	return append([]string{"taskset", "-c", list}, command...) // which becomes the command: its process is the server's
}

// process is a server that runs. It leads a process group of its own, so that what it starts ends with it.
type process struct {
	command *exec.Cmd
	ended   chan struct{}
	output  tail
	place   place
}

// start starts a server and waits until it takes connections.
func (s *Server) start(ctx context.Context, root string) (*process, error) {
	p := &process{ended: make(chan struct{}), place: place{root: root}}
	var err error
	if p.place.dir, err = os.MkdirTemp("", "megawire-bench-"); err != nil {
		return nil, err
	}
	if err := p.prepare(s); err != nil {
		_ = os.RemoveAll(p.place.dir)
		return nil, err
	}
	if err := p.command.Start(); err != nil {
		_ = os.RemoveAll(p.place.dir)
		return nil, fmt.Errorf("bench: %s: %w", s.Name, err)
	}
	go func() {
		_ = p.command.Wait()
		close(p.ended)
	}()
	if err := p.ready(ctx); err != nil {
		p.stop()
		return nil, fmt.Errorf("bench: %s: %w; it said: %s", s.Name, err, p.output.text())
	}
	return p, nil
}

// prepare fills in everything that a server needs to start.
func (p *process) prepare(s *Server) error {
	var err error
	if p.place.port, err = freePorts(); err != nil {
		return err
	}
	if err := s.configure(&p.place); err != nil {
		return err
	}
	command, err := p.place.command(s.Command)
	if err != nil {
		return err
	}
	loops := max(s.Loops, 1)
	command = pinned(newPinning(loops).server, command)
	p.command = exec.Command(command[0], command[1:]...)
	p.command.Dir = p.place.dir
	p.command.Env = append(os.Environ(), "GOMAXPROCS="+strconv.Itoa(loops), "NODE_ENV=production")
	for _, e := range s.Env {
		p.command.Env = append(p.command.Env, p.place.fill(e))
	}
	p.command.Stdout, p.command.Stderr = &p.output, &p.output
	p.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return nil
}

// ready waits until the port answers.
func (p *process) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		c, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(p.place.port[0])), time.Second)
		if err == nil {
			return c.Close()
		}
		select {
		case <-p.ended:
			return errors.New("it ended at once")
		case <-ctx.Done():
			return fmt.Errorf("it took no connection: %w", ctx.Err())
		case <-again.C:
		}
	}
}

// stop ends the server and removes its folder.
func (p *process) stop() {
	_ = p.command.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(stopTimeout):
	}
	_ = syscall.Kill(-p.command.Process.Pid, syscall.SIGKILL) // what is left of its group
	<-p.ended
	_ = os.RemoveAll(p.place.dir)
}

// running says whether it has not ended by itself.
func (p *process) running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// freePorts finds ports of the loopback address that nobody listens on.
func freePorts() (ports [3]int, err error) {
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return ports, err
		}
		defer l.Close() // held until all are found, so that they differ
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	return ports, nil
}

// tail keeps the end of what is written to it. A process's two outputs share one writer, so it is never called twice at a time.
type tail struct{ kept []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.kept = append(t.kept, p...)
	if extra := len(t.kept) - logBytesMax; extra > 0 {
		t.kept = append(t.kept[:0], t.kept[extra:]...)
	}
	return len(p), nil
}

// text may be read once the process has ended.
func (t *tail) text() string { return string(bytes.TrimSpace(t.kept)) }

// hasPrograms says which of the project's own programs are missing.
func hasPrograms(root string) error {
	for _, name := range []string{"loadgen", "megawire"} {
		if _, err := os.Stat(filepath.Join(root, "bin", name)); err != nil {
			return fmt.Errorf("bench: bin/%s is not there; make build", name)
		}
	}
	return nil
}
