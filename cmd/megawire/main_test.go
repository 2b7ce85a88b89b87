package main

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"megawire": main,
		"stubborn": stubborn,
		"marked":   marked,
	})
}

// TestScripts runs the command lines of testdata/script. Each script gets an
// environment of its own, so nothing of MEGAWIRE_* leaks in.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"freeport": freePort,
			"await":    await,
			"signal":   sendSignal,
			"insist":   insist,
		},
	})
}

// stubborn is a server whose drain never ends.
func stubborn() {
	ctx, _ := stopOnSignal(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})))
	must(os.WriteFile("running", nil, 0o600))
	<-ctx.Done()
	must(os.WriteFile("draining", nil, 0o600))
	select {}
}

// marked: "marked FROM TO" copies a file and puts a UTF-8 byte order mark before it.
func marked() {
	text, err := os.ReadFile(os.Args[1])
	must(err)
	must(os.WriteFile(os.Args[2], append([]byte("\xEF\xBB\xBF"), text...), 0o600))
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// freePort: "freeport NAME…" sets each variable to a port that nobody has.
func freePort(ts *testscript.TestScript, _ bool, names []string) {
	for _, name := range names {
		// Open until all are chosen, so that no two are the same.
		l, err := net.Listen("tcp", "127.0.0.1:0")
		ts.Check(err)
		defer func() { ts.Check(l.Close()) }()
		_, port, err := net.SplitHostPort(l.Addr().String())
		ts.Check(err)
		ts.Setenv(name, port)
	}
}

// awaitTimeMax is far above what any wait takes, even on a busy machine.
const awaitTimeMax = 30 * time.Second

// await: "await URL" waits for a 200, "await FILE" for the file; where it is a
// URL, what was got is in the file "awaited".
func await(ts *testscript.TestScript, _ bool, args []string) {
	ctx, cancel := context.WithTimeout(context.Background(), awaitTimeMax)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !arrived(ctx, ts, args[0]) {
		select {
		case <-ctx.Done():
			ts.Fatalf("%s did not come within %v", args[0], awaitTimeMax)
		case <-tick.C:
		}
	}
}

func arrived(ctx context.Context, ts *testscript.TestScript, what string) bool {
	if !strings.HasPrefix(what, "http") {
		_, err := os.Stat(ts.MkAbs(what))
		return err == nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, what, nil)
	ts.Check(err)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		return false
	}
	ts.Check(os.WriteFile(ts.MkAbs("awaited"), body, 0o600))
	return true
}

// sendSignal: "signal INT|TERM|HUP" goes to every command in the background.
func sendSignal(ts *testscript.TestScript, _ bool, args []string) {
	for _, cmd := range ts.BackgroundCmds() {
		ts.Check(cmd.Process.Signal(namedSignal(ts, args[0])))
	}
}

func namedSignal(ts *testscript.TestScript, name string) os.Signal {
	sig, ok := map[string]os.Signal{"INT": syscall.SIGINT, "TERM": syscall.SIGTERM, "HUP": syscall.SIGHUP}[name]
	if !ok {
		ts.Fatalf("INT, TERM and HUP are known, not %s", name)
	}
	return sig
}

// insist: "insist INT" sends it to the commands in the background again and again, until
// they have ended.
func insist(ts *testscript.TestScript, _ bool, args []string) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(awaitTimeMax); time.Now().Before(end); <-tick.C {
		left := 0
		for _, cmd := range ts.BackgroundCmds() {
			if cmd.Process.Signal(namedSignal(ts, args[0])) == nil {
				left++
			}
		}
		if left == 0 {
			return
		}
	}
	ts.Fatalf("something was still running after %v", awaitTimeMax)
}
