package poller

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// inject has a system call fail in a process, all its threads, until it is stopped: what the kernel says when the host
// has run out of something, which no test can bring about.
func inject(t *testing.T, pid int, call, errno string) (stop func()) {
	t.Helper()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not installed")
	}
	cmd := exec.Command(strace, "-f", "-o", "/dev/null", "-p", strconv.Itoa(pid), "-e", "trace="+call, "-e", "inject="+call+":error="+errno)
	says, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(says)
	for lines.Scan() && !strings.Contains(lines.Text(), "attached") {
		if strings.Contains(lines.Text(), "not permitted") {
			_ = cmd.Wait()
			t.Skip(lines.Text())
		}
	}
	go func() {
		for lines.Scan() { // until its end, or it would wait for a reader
		}
	}()
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			_ = cmd.Process.Signal(os.Interrupt) // it lets go of the process
			_ = cmd.Wait()
		}
	}
	t.Cleanup(stop)
	return stop
}

// No memory for what is to be sent: it is kept, tried again with each tick and no more often, and arrives.
func TestKernelHasNoMemoryToSend(t *testing.T) {
	for _, errno := range []string{"ENOBUFS", "ENOMEM"} {
		t.Run(errno, func(t *testing.T) {
			c := startChild(t, 200)
			var peers []net.Conn
			for range 4 {
				nc := c.dial(t)
				send(t, nc, "x")
				expect(t, nc, "x")
				peers = append(peers, nc)
			}
			stop := inject(t, c.pid, "sendto", errno)
			for _, nc := range peers {
				send(t, nc, "kept")
			}
			began := c.until(t, "all wait", func(f figures) bool { return f.Counts.StalledNo == 4 })
			f := c.until(t, "more ticks", func(f figures) bool { return f.Ticks > began.Ticks+30 })
			if tries, ticks := f.Counts.WriteRetries-began.Counts.WriteRetries, f.Ticks-began.Ticks; tries < 4 || tries > 4*ticks {
				t.Errorf("%d tries for 4 connections in %d ticks of two loops", tries, ticks)
			}
			stop()
			for _, nc := range peers {
				expect(t, nc, "kept")
			}
			c.until(t, "nothing waits", func(f figures) bool { return f.Counts.StalledNo == 0 && f.Counts.Connections == 4 })
			c.end(t)
		})
	}
}

// Nor for whom it would accept, or no descriptor in the whole host.
func TestKernelHasNoMemoryToAccept(t *testing.T) {
	for _, errno := range []string{"ENOBUFS", "ENOMEM", "ENFILE"} {
		t.Run(errno, func(t *testing.T) {
			c := startChild(t, 200)
			early := c.dial(t)
			send(t, early, "x")
			expect(t, early, "x")
			stop := inject(t, c.pid, "accept4", errno)
			nc := c.dial(t)
			send(t, nc, "waited")
			c.until(t, "accept fails twice", func(f figures) bool { return f.Counts.AcceptErrors >= 2 })
			send(t, early, "served")
			expect(t, early, "served")
			stop()
			expect(t, nc, "waited")
			c.end(t)
		})
	}
}

// No room in the epoll set (fs.epoll.max_user_watches): gnet closes who came, which nobody can be told of; nothing is
// left of it, and the others are served.
func TestKernelHasNoWatchLeft(t *testing.T) {
	c := startChild(t, 200)
	early := c.dial(t)
	send(t, early, "x")
	expect(t, early, "x")
	before := c.figures(t)
	stop := inject(t, c.pid, "epoll_ctl", "ENOSPC")
	for range 20 {
		expectClosed(t, c.dial(t))
	}
	send(t, early, "served")
	expect(t, early, "served")
	stop()
	nc := c.dial(t)
	send(t, nc, "x")
	expect(t, nc, "x")
	f := c.until(t, "the new one is counted", func(f figures) bool { return f.Counts.Connections == 2 })
	if f.Files != before.Files+1 || f.Counts.Opened != 2 {
		t.Errorf("%d descriptors, %d before, and one is new; %d opened", f.Files, before.Files, f.Counts.Opened)
	}
	c.end(t)
}
