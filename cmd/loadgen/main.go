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

	"github.com/megawire/megawire/internal/buildinfo"
	"github.com/megawire/megawire/loadgen"
)

// Exit codes.
const (
	exitFailed = 1 // the run found something wrong, or could not be carried out
	exitUsage  = 2 // the plan makes no sense, or this host's limits do not allow it
	exitMissed = 3 // an objective was missed
)

// errFailed says that the report, which is written already, tells of faults.
var errFailed = errors.New("the run failed")

// errMissed says that the report tells of an objective that was missed.
var errMissed = errors.New("an objective was missed")

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	p := &program{stdout: stdout, stderr: stderr}
	root := newRoot(p)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	var plan *loadgen.PlanError
	var limit *loadgen.LimitError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errMissed):
		return exitMissed
	case errors.Is(err, errFailed):
		return exitFailed
	}
	fmt.Fprintf(stderr, "loadgen: %s\n", trimPrefix(err))
	if !p.started || errors.As(err, &plan) || errors.As(err, &limit) {
		return exitUsage
	}
	return exitFailed
}

func newRoot(p *program) *cobra.Command {
	root := &cobra.Command{
		Use:   "loadgen",
		Short: "Puts load on a push server and reports what came through",
		Long: "loadgen opens many connections from few threads, publishes to them, and reports deliveries a second, latency from the\n" +
			"planned instant, and every message lost, doubled or out of order.\n\n" +
			"Drivers (--driver):\n" + loadgen.DriversHelp() + "\n" +
			"Messages are filler, or with --payload-file the lines of a capture; with --deflate clients get them compressed (permessage-deflate).\n\n" +
			"Objectives (--slo p99=50ms,loss=0,…), at most so much unless it says otherwise:\n" + loadgen.ObjectivesHelp() + "\n" +
			"Exit codes: 0, all is well; 1, something was lost, doubled, reordered or disconnected, and no objective bounds it; 2, the run\n" +
			"could not start; 3, an objective was missed, or a search found no rate that keeps its bound.",
		Version:      buildinfo.Get().Version,
		SilenceUsage: true, SilenceErrors: true,
	}
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	for _, w := range workloads {
		root.AddCommand(newWorkloadCommand(w, p))
	}
	root.AddCommand(newRunCommand(p), newReportCommand(p))
	return root
}
