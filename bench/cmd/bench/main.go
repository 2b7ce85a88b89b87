// Command bench compares servers and makes tables and plots of what it found.
//
//	bench run [flags]            starts every server in turn, drives it with bin/loadgen, keeps the raw results
//	bench report FOLDER [DOCS]   writes docs/benchmarks.md and docs/img/bench-*.svg from the raw results in a folder
//	bench print FOLDER           prints the tables
//	bench list                   says which servers and workloads there are, and which servers are not installed
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/megawire/megawire/bench"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout)
	switch {
	case err == nil:
	case errors.Is(err, errUsage):
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "bench:", strings.TrimPrefix(err.Error(), "bench: "))
		os.Exit(1)
	}
}

var errUsage = errors.New("usage")

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 0 {
		fmt.Fprintln(os.Stderr, "usage: bench run [flags] | report FOLDER [DOCS] | print FOLDER | list")
		return errUsage
	}
	switch command, rest := args[0], args[1:]; {
	case command == "run":
		return runRun(ctx, rest, out)
	case command == "list" && len(rest) == 0:
		return list(out)
	case command == "report" && (len(rest) == 1 || len(rest) == 2):
		r, err := bench.Load(filepath.Clean(rest[0]))
		if err != nil {
			return err
		}
		return report(r, append(rest, "docs")[1], out)
	case command == "print" && len(rest) == 1:
		return show(rest[0], out)
	}
	fmt.Fprintf(os.Stderr, "bench: what is %q?\n", strings.Join(args, " "))
	return errUsage
}

// report writes the page, and says which notes are still to be written on it.
func report(r *bench.Results, docs string, out io.Writer) error {
	unexplained, err := r.Report(docs)
	if err != nil {
		return err
	}
	for _, goal := range unexplained {
		fmt.Fprintf(out, "missed, and no note in %s/benchmarks.md begins with: - **%s**\n", docs, goal)
	}
	return nil
}

func runRun(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("bench run", flag.ContinueOnError)
	servers := flags.String("servers", "", "which `names`, separated by commas; empty: all that are installed")
	workloads := flags.String("workloads", "", "which `names` or sets (compare, growth, deflate), separated by commas; empty: compare")
	captures := flags.String("captures", filepath.Join("bin", "captures"), "`folder` with the NDJSON captures that the set deflate sends")
	rounds := flags.Int("rounds", 7, "how often megawire, the floor and Bun go through each workload")
	peerRounds := flags.Int("peer-rounds", 3, "how often the others do")
	quick := flags.Bool("quick", false, "short runs: a first impression")
	add := flags.Bool("add", false, "the folder holds results already: add further rounds to them")
	folder := flags.String("out", "", "`folder` for the raw results; empty: bench/results/DATE-HOST")
	if err := flags.Parse(args); err != nil || flags.NArg() > 0 || *rounds < 1 {
		return errUsage
	}
	o := bench.Options{Out: *folder, Rounds: *rounds, PeerRounds: *peerRounds, Captures: *captures, Quick: *quick, Add: *add, Progress: out}
	var err error
	if o.Servers, err = bench.FindServers(split(*servers)); err != nil {
		return err
	}
	if o.Workloads, err = bench.FindWorkloads(split(*workloads)); err != nil {
		return err
	}
	if o.Root, err = os.Getwd(); err != nil {
		return err
	}
	if o.Out == "" {
		host, _ := os.Hostname()
		o.Out = filepath.Join("bench", "results", time.Now().UTC().Format("2006-01-02")+"-"+host)
	}
	if err := bench.Do(ctx, o); err != nil {
		return err
	}
	if err := show(o.Out, out); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nraw results: %s\n", o.Out)
	return nil
}

// split splits a flag.
func split(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
}

func show(folder string, out io.Writer) error {
	r, err := bench.Load(folder)
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(out, r.Text())
	return err
}

func list(out io.Writer) error {
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	for i := range bench.Servers {
		s := &bench.Servers[i]
		state := "there"
		if why := s.Missing(root); why != "" {
			state = "missing: " + why
		}
		fmt.Fprintf(out, "%-16s %-32s %s\n", s.Name, s.Title, state)
	}
	fmt.Fprintln(out)
	for _, w := range bench.Workloads() {
		fmt.Fprintf(out, "%-28s %s\n", w.Name, w.Title)
	}
	return nil
}
