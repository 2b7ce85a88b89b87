// Command loadgen puts load on a push server and reports what came through.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/megawire/megawire/internal/buildinfo"
	"github.com/megawire/megawire/loadgen"
)

// Exit codes.
const (
	exitFailed = 1 // the run found something wrong, or could not be carried out
	exitUsage  = 2 // the plan makes no sense, or this host's limits do not allow it
)

// errFailed says that the report, which is written already, tells of faults.
var errFailed = errors.New("the run failed")

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	started := false
	root := newRoot(stdout, stderr, &started)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	var plan *loadgen.PlanError
	var limit *loadgen.LimitError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errFailed):
		return exitFailed
	}
	fmt.Fprintf(stderr, "loadgen: %s\n", trimPrefix(err))
	if !started || errors.As(err, &plan) || errors.As(err, &limit) {
		return exitUsage
	}
	return exitFailed
}

func newRoot(stdout, stderr io.Writer, started *bool) *cobra.Command {
	root := &cobra.Command{
		Use:   "loadgen",
		Short: "Puts load on a push server and reports what came through",
		Long: "loadgen opens many WebSocket connections from few threads, publishes to them, and reports deliveries a second,\n" +
			"latency from the planned instant, and every message lost, doubled or out of order.\n\n" +
			"It exits with 0 when all is well, 1 when something was lost, doubled, reordered or disconnected, 2 when it could not start.",
		Version:      buildinfo.Get().Version,
		SilenceUsage: true, SilenceErrors: true,
	}
	root.SetOut(stdout)
	root.SetErr(stderr)
	for _, w := range []workload{idle, fanout, echo} {
		root.AddCommand(newCommand(w, stdout, stderr, started))
	}
	return root
}

// execute runs a plan and writes its report.
func execute(ctx context.Context, plan loadgen.Plan, asJSON bool, stdout, stderr io.Writer) error {
	var watch func(loadgen.Progress)
	line := loadgen.ProgressLine{W: stderr}
	if f, ok := stderr.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		watch = line.Show
	}
	result, err := loadgen.Run(ctx, plan, watch)
	if watch != nil {
		line.Clear()
	}
	if err != nil {
		return withReasons(err, result)
	}
	write := result.WriteText
	if asJSON {
		write = result.WriteJSON
	}
	if err := write(stdout); err != nil {
		return err
	}
	if result.Failed() {
		return errFailed
	}
	return nil
}
