package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// No descriptor is left for anything at all: newcomers wait until there are some again.
func TestFaultNoFiles(t *testing.T) {
	const newcomers = 200
	tr := newTrial(t, 0, newcomers*bytesPerConnection, quietHeartbeat...)
	var before unix.Rlimit
	tr.limitFiles(nil, &before)
	tr.limitFiles(&unix.Rlimit{Cur: 3, Max: before.Max}, nil)
	g := tr.gang(newcomers, []byte(upgradeRequest("/ws?topics=a")))
	tr.outlast()
	for _, b := range g.bare {
		if n, _, err := unix.Recvfrom(b.fd, make([]byte, 1), unix.MSG_DONTWAIT|unix.MSG_PEEK); n > 0 || err == nil {
			t.Error("somebody was accepted or turned away")
		}
	}
	tr.limitFiles(&before, nil)
	for _, b := range g.bare {
		if head, err := b.head(); err != nil || !bytes.HasPrefix(head, []byte("HTTP/1.1 101")) {
			t.Fatalf("a newcomer who has waited: %.200q, %v", head, err)
		}
	}
	g.cut()
	tr.over(rise{metric: "megawire_accept_errors_total", by: 2, orMore: true}, rise{metric: "megawire_connections_opened_total", by: newcomers})
}

// limitFiles sets and reads the server's limit on open files.
func (tr *trial) limitFiles(set, was *unix.Rlimit) {
	tr.t.Helper()
	if err := unix.Prlimit(tr.pid, unix.RLIMIT_NOFILE, set, was); err != nil {
		tr.t.Fatal(err)
	}
}

// The kernel has no memory for what is sent, time and again.
func TestFaultNoMemoryToSend(t *testing.T) {
	tr := newTrial(t, 0, 0, quietHeartbeat...)
	detach := tr.inject("sendto:error=ENOBUFS:when=1+5")
	tr.outlast()
	detach()
	tr.over(rise{metric: "megawire_write_retries_total", by: 10, orMore: true})
}

// Nor for newcomers.
func TestFaultNoMemoryToAccept(t *testing.T) {
	const newcomers = 20
	tr := newTrial(t, 0, newcomers*bytesPerConnection, quietHeartbeat...)
	detach := tr.inject("accept4:error=ENOBUFS:when=1+2")
	for range newcomers {
		tr.upgraded(1, "/ws?topics=a").cut()
		tr.metrics() // the admin listener's newcomers
	}
	tr.outlast()
	detach()
	tr.over(rise{metric: "megawire_accept_errors_total", by: 1, orMore: true}, rise{metric: "megawire_connections_opened_total", by: newcomers})
}

// inject has some of the server's system calls fail, as strace(1) has it in its option inject, until detach is called.
func (tr *trial) inject(what string) (detach func()) {
	tr.t.Helper()
	call, _, _ := strings.Cut(what, ":")
	program, err := exec.LookPath("strace")
	if err != nil {
		tr.t.Skip("strace is not installed")
	}
	var said bytes.Buffer
	strace := exec.Command(program, "-f", "-o", "/dev/null", "-e", "trace="+call, "-e", "inject="+what, "-p", strconv.Itoa(tr.pid))
	strace.Stderr = &said
	if err := strace.Start(); err != nil {
		tr.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- strace.Wait() }()
	stop := sync.OnceFunc(func() {
		// Of a call that it is about to have fail when it is told to go strace leaves ENOSYS, which no kernel says: so the
		// server has to be outside of all calls.
		_ = unix.Kill(tr.pid, unix.SIGSTOP)
		looks := time.NewTicker(10 * time.Millisecond)
		defer looks.Stop()
		for seen, end := 0, time.Now().Add(patience); seen < 3 && time.Now().Before(end); <-looks.C {
			if seen++; !tr.stopped() {
				seen = 0
			}
		}
		_ = strace.Process.Signal(os.Interrupt)
		<-ended
		_ = unix.Kill(tr.pid, unix.SIGCONT)
	})
	tr.t.Cleanup(stop)
	eventually(tr.t, func() bool {
		select {
		case err := <-ended:
			ended <- err
			if strings.Contains(said.String(), "Operation not permitted") {
				tr.t.Skipf("this system lets nobody trace the server: %s", said.String())
			}
			tr.t.Fatalf("strace: %v: %s", err, said.String())
		default:
		}
		return tr.traced()
	}, func() string { return "strace does not trace the server" })
	return stop
}

// traced reports whether all threads of the server are traced.
func (tr *trial) traced() bool {
	return tr.allThreads(func(status []byte) bool { return !bytes.Contains(status, []byte("\nTracerPid:\t0\n")) })
}

// stopped reports whether all of them stand still; for a moment they do at each traced call.
func (tr *trial) stopped() bool {
	return tr.allThreads(func(status []byte) bool {
		_, state, _ := bytes.Cut(status, []byte("\nState:\t"))
		return len(state) > 0 && (state[0] == 't' || state[0] == 'T')
	})
}

// allThreads reports whether all threads of the server are so, by their status in /proc.
func (tr *trial) allThreads(are func(status []byte) bool) bool {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", tr.pid))
	if err != nil || len(threads) == 0 {
		return false
	}
	for _, name := range threads {
		if status, err := os.ReadFile(name); err != nil || !are(status) {
			return false
		}
	}
	return true
}
