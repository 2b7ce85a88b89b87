package poller

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// childVariable makes the test binary an echo server that says where it listens and serves until its
// standard input ends.
const childVariable = "MEGAWIRE_POLLER_CHILD"

// runChild reports whether this process is such a server, and was one until now.
func runChild() bool {
	if os.Getenv(childVariable) == "" {
		return false
	}
	o := options(&hooks{data: echo})
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
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, os.Stdin)
	}()
	select {
	case <-ended:
		fmt.Println("served")
	case err := <-p.Failed():
		fmt.Println("failed:", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	p.Stop(ctx)
	return true
}

// startChild runs such a server under a limit on open files, and returns its first line of output.
func startChild(t *testing.T, limit int) (first string, lines *bufio.Scanner, stdin io.Closer) {
	t.Helper()
	cmd := exec.Command("sh", "-c", fmt.Sprintf(`ulimit -n %d && exec "$0"`, limit), os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
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
		in.Close()
		_, _ = io.Copy(io.Discard, out)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the server process: %v", err)
		}
	})
	lines = bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatalf("the server process says nothing: %v", lines.Err())
	}
	return lines.Text(), lines, in
}

// Running out of descriptors in accept ends gnet's loop; so it must never come to that.
func TestMoreConnectionsThanFiles(t *testing.T) {
	first, lines, stdin := startChild(t, 100)
	var addr string
	var room int
	if _, err := fmt.Sscan(first, &addr, &room); err != nil || room < 20 || room > 90 {
		t.Fatalf("the server says %q", first)
	}
	// The server may not have noticed yet that the peers of the attempt before have gone.
	full := 0
	for end := time.Now().Add(patience); full < 3; {
		served, refused := crowd(t, addr, 200)
		if served > room || served+refused != 200 {
			t.Fatalf("%d served, %d refused, with room for %d", served, refused, room)
		}
		if served == room {
			full++
		}
		if time.Now().After(end) {
			t.Fatalf("%d served, with room for %d", served, room)
		}
	}
	stdin.Close()
	if !lines.Scan() || lines.Text() != "served" {
		t.Errorf("the server says %q, not that it served to the end", lines.Text())
	}
}

// crowd connects so many at once, and counts who is served and who is not.
func crowd(t *testing.T, addr string, connections int) (served, refused int) {
	t.Helper()
	var peers []net.Conn
	defer func() {
		for _, nc := range peers {
			nc.Close()
		}
	}()
	for range connections {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		peers = append(peers, nc)
		_ = nc.SetDeadline(time.Now().Add(patience))
		_, _ = nc.Write([]byte("x"))
	}
	for _, nc := range peers {
		var b [8]byte
		switch n, err := nc.Read(b[:]); {
		case err == nil && string(b[:n]) == "x":
			served++
		case err == nil && strings.HasPrefix("full\n", string(b[:n])):
			refused++
		case err != nil && !os.IsTimeout(err): // closed with our byte unread, so reset
			refused++
		default:
			t.Fatalf("read %q, %v", b[:n], err)
		}
	}
	return served, refused
}

func TestTooFewFiles(t *testing.T) {
	first, _, _ := startChild(t, 24)
	if !strings.HasPrefix(first, "cannot start:") || !strings.Contains(first, "ulimit -n") {
		t.Errorf("the server says %q", first)
	}
}
