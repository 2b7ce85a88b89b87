package poller

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// childVariable makes the test binary an echo server that says where it listens, and a line of figures for each line
// of its standard input, until that ends.
const childVariable = "MEGAWIRE_POLLER_CHILD"

// figures are what such a server says of itself.
type figures struct {
	Counts  Counts // of all loops together
	Ticks   uint64
	Seconds uint32
	Files   int
}

// runChild reports whether this process is such a server, and was one until now.
func runChild() bool {
	if os.Getenv(childVariable) == "" {
		return false
	}
	var ticks atomic.Uint64
	o := options(&hooks{data: echo, tick: func(*Loop) { ticks.Add(1) }})
	o.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	o.Loops, o.ReservedFiles = 2, 0
	p, err := New(o)
	if err == nil {
		err = p.Start(context.Background())
	}
	if err != nil {
		fmt.Println("cannot start:", err)
		return true
	}
	fmt.Println(p.Addr(), p.ConnectionsMax())
	asked, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			asked <- struct{}{}
		}
	}()
	for serving := true; serving; {
		select {
		case <-asked:
			_ = json.NewEncoder(os.Stdout).Encode(p.figures(ticks.Load()))
		case <-ended:
			fmt.Println("served")
			serving = false
		case err := <-p.Failed():
			fmt.Println("failed:", err)
			serving = false
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	p.Stop(ctx)
	return true
}

func (p *Poller) figures(ticks uint64) (f figures) {
	f.Ticks, f.Seconds = ticks, p.second.Load()
	for _, l := range p.loops {
		c := l.Counts()
		f.Counts.Opened += c.Opened
		f.Counts.Closed += c.Closed
		f.Counts.AcceptErrors += c.AcceptErrors
		f.Counts.WriteRetries += c.WriteRetries
		f.Counts.Connections += c.Connections
		f.Counts.StalledNo += c.StalledNo
	}
	open, _ := os.ReadDir("/proc/self/fd") // fails where there is no descriptor left
	f.Files = len(open)
	return f
}

// child is such a server.
type child struct {
	first string // its first line of output
	lines *bufio.Scanner
	stdin io.WriteCloser
	log   *syncBuffer
	pid   int
}

// startChild runs such a server under a limit on open files.
func startChild(t *testing.T, limit int) *child {
	t.Helper()
	cmd := exec.Command("sh", "-c", fmt.Sprintf(`ulimit -n %d && exec "$0"`, limit), os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"=1")
	c := &child{log: new(syncBuffer)}
	cmd.Stderr = c.log
	var err error
	if c.stdin, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.stdin.Close()
		_, _ = io.Copy(io.Discard, out)
		if err := cmd.Wait(); err != nil || t.Failed() {
			t.Errorf("the server process: %v\n%s", err, c.log)
		}
	})
	c.lines, c.pid = bufio.NewScanner(out), cmd.Process.Pid
	if !c.lines.Scan() {
		t.Fatalf("the server process says nothing: %v", c.lines.Err())
	}
	c.first = c.lines.Text()
	return c
}

// addr is where it listens, and room how many connections it takes.
func (c *child) addr(t *testing.T) (addr string, room int) {
	t.Helper()
	if _, err := fmt.Sscan(c.first, &addr, &room); err != nil {
		t.Fatalf("the server says %q", c.first)
	}
	return addr, room
}

// figures asks for them.
func (c *child) figures(t *testing.T) (f figures) {
	t.Helper()
	if _, err := c.stdin.Write([]byte("?\n")); err != nil || !c.lines.Scan() {
		t.Fatalf("the server says nothing: %v, %v", err, c.lines.Err())
	}
	if err := json.Unmarshal(c.lines.Bytes(), &f); err != nil {
		t.Fatalf("the server says %q", c.lines.Text())
	}
	return f
}

// until waits for figures of that kind.
func (c *child) until(t *testing.T, what string, holds func(figures) bool) (f figures) {
	t.Helper()
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for end := time.Now().Add(patience); ; <-poll.C {
		if f = c.figures(t); holds(f) {
			return f
		}
		if time.Now().After(end) {
			t.Fatalf("never: %s; %+v", what, f)
		}
	}
}

// dial connects to it.
func (c *child) dial(t *testing.T) net.Conn {
	t.Helper()
	addr, _ := c.addr(t)
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	if err := nc.SetDeadline(time.Now().Add(2 * patience)); err != nil {
		t.Fatal(err)
	}
	return nc
}

// end has it end, and checks that it served until then.
func (c *child) end(t *testing.T) {
	t.Helper()
	c.stdin.Close()
	if !c.lines.Scan() || c.lines.Text() != "served" {
		t.Errorf("the server says %q, not that it served to the end", c.lines.Text())
	}
}

// syncBuffer is a buffer that one goroutine fills and another looks into.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
