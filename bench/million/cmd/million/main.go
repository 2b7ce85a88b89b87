// Command million proves that one megawire process holds a million subscribed connections and reaches all of them.
//
// It wants bin/megawire, bin/loadgen and bin/million-guest, all static, and keeps its report, the log and the kernel's
// settings in bench/results.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/megawire/megawire/bench/million"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	plan := million.Defaults()
	flags := flag.NewFlagSet("million", flag.ExitOnError)
	flags.IntVar(&plan.Connections, "n", plan.Connections, "connections")
	flags.DurationVar(&plan.Ping, "ping", plan.Ping, "the server's ping interval; 0: its default of 25 s, or in a guest what that can keep up with")
	flags.DurationVar(&plan.Hold, "hold", plan.Hold, "how long to hold them idle before the first broadcast; 0: until all were pinged")
	flags.IntVar(&plan.Broadcasts, "broadcasts", plan.Broadcasts, "messages to all, one after the other")
	flags.DurationVar(&plan.Give, "give", plan.Give, "how long all broadcasts may take together")
	flags.IntVar(&plan.Payload, "payload", plan.Payload, "bytes of a message")
	flags.IntVar(&plan.Connecting, "connecting", plan.Connecting, "connects in flight")
	flags.DurationVar(&plan.Open, "open", plan.Open, "how long connecting may take")
	memory := flags.Int("memory", 0, "`MB` of memory of a guest; 0: what the connections need")
	force := flags.String("where", "", "direct or guest; empty: direct where the host's limits allow it")
	limit := flags.Duration("limit", 75*time.Minute, "when to give up")
	bin := flags.String("bin", "bin", "`folder` of the programs")
	out := flags.String("out", "", "`folder` for the results; empty: bench/results/million-DATE-HOST")
	_ = flags.Parse(args) // ExitOnError
	if plan.Connections < 1 || plan.Broadcasts < 1 || flags.NArg() > 0 {
		return errors.New("million: what? See --help")
	}
	ctx, cancel := context.WithTimeout(ctx, *limit)
	defer cancel()
	if *out == "" {
		name, _ := os.Hostname()
		*out = filepath.Join("bench", "results", "million-"+time.Now().UTC().Format("2006-01-02")+"-"+name)
	}
	if err := os.MkdirAll(*out, 0o755); err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(*out, "log.txt"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return fmt.Errorf("million: %w (choose another folder with --out)", err)
	}
	defer log.Close()
	h := million.Host{
		Init: filepath.Join(*bin, "million-guest"), MemoryMB: *memory, Force: *force, Keep: io.MultiWriter(os.Stdout, log),
		Programs: million.Programs{Server: filepath.Join(*bin, "megawire"), Loadgen: filepath.Join(*bin, "loadgen")},
	}
	report, err := h.Run(ctx, plan)
	if report != nil {
		err = errors.Join(err, keep(report, *out, h.Keep))
	}
	if err == nil && !report.OK() {
		err = errors.New("million: not proved")
	}
	return err
}

// keep writes the report for programs and for people.
func keep(r *million.Report, folder string, log io.Writer) error {
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	fmt.Fprint(log, "\n", r.Text(), "\nkept in ", folder, "\n")
	return os.WriteFile(filepath.Join(folder, "report.json"), append(text, '\n'), 0o644)
}
