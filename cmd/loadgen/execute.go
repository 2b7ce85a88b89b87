package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
	"strings"

	"golang.org/x/term"

	"github.com/megawire/megawire/loadgen"
)

// program is one call of the command.
type program struct {
	stdout, stderr io.Writer
	started        bool // the arguments made sense
}

// execute runs steps in turn, as far as they can be carried out, and writes what they found.
func (p *program) execute(ctx context.Context, steps []*step, to outputs) error {
	for _, s := range steps {
		if err := s.check(); err != nil {
			return err
		}
	}
	report := &loadgen.Report{}
	raw, closeRaw, err := openRaw(to.raw)
	if err != nil {
		return err
	}
	var fault error
	sink := func(l *loadgen.Line) {
		fault = errors.Join(fault, report.Add(l))
		raw.Write(l)
	}
	for _, s := range steps {
		if err = p.step(ctx, s, sink, len(steps) > 1 && !to.json); err != nil || ctx.Err() != nil {
			break
		}
	}
	if e := errors.Join(fault, closeRaw()); err == nil {
		err = e
	}
	if err != nil {
		return withReasons(err, report)
	}
	if len(steps) > 1 && !to.json {
		err = to.writeHTML(report) // the text was written after each step
	} else {
		err = to.write(report, p.stdout)
	}
	if err != nil {
		return err
	}
	return verdict(report)
}

func verdict(r *loadgen.Report) error {
	switch failed, missed := r.Outcome(); {
	case missed:
		return errMissed
	case failed:
		return errFailed
	}
	return nil
}

// openRaw gives the writer of the raw stream, and what ends it. Without a file it goes nowhere.
func openRaw(file string) (*loadgen.RawWriter, func() error, error) {
	if file == "" {
		return loadgen.NewRawWriter(io.Discard), func() error { return nil }, nil
	}
	f, err := os.Create(file)
	if err != nil {
		return nil, nil, err
	}
	w := loadgen.NewRawWriter(f)
	return w, func() error { return errors.Join(w.Flush(), f.Close()) }, nil
}

// step runs one step, and writes its text at once if more will follow.
func (p *program) step(ctx context.Context, s *step, sink func(*loadgen.Line), tell bool) error {
	var watch func(loadgen.Progress)
	line := loadgen.ProgressLine{W: p.stderr, Name: s.name}
	if f, ok := p.stderr.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		watch = line.Show
		defer line.Clear()
	}
	if s.find != "" {
		return p.search(ctx, s, watch, sink, tell)
	}
	r, err := loadgen.Record(ctx, s.name, s.plan, watch, sink)
	if watch != nil {
		line.Clear()
	}
	if err == nil && tell {
		err = r.WriteText(p.stdout)
		fmt.Fprintln(p.stdout)
	}
	return err
}

func (p *program) search(ctx context.Context, s *step, watch func(loadgen.Progress), sink func(*loadgen.Line), tell bool) error {
	bound, err := loadgen.ParseBound(s.find)
	if err != nil {
		return err
	}
	var done func(loadgen.Step)
	if watch != nil {
		done = func(one loadgen.Step) { fmt.Fprintf(p.stderr, "\r\x1b[K%s\n", one.String()) }
	}
	found, err := loadgen.Find(ctx, s.plan, bound, watch, sink, done)
	if err == nil && tell {
		err = found.WriteText(p.stdout)
		fmt.Fprintln(p.stdout)
	}
	return err
}

// withReasons adds to an error why connections failed, which is often what explains it.
func withReasons(err error, report *loadgen.Report) error {
	if len(report.Runs) == 0 {
		return err
	}
	r := report.Runs[len(report.Runs)-1].Result
	if r == nil || len(r.Connections.Failures) == 0 {
		return err
	}
	var whys []string
	for why, n := range r.Connections.Failures {
		whys = append(whys, fmt.Sprintf("%d × %s", n, why))
	}
	sort.Strings(whys)
	return fmt.Errorf("%w (%s)", err, strings.Join(whys, "; "))
}

// trimPrefix drops the package's name from an error, which the command's name already says.
func trimPrefix(err error) string { return strings.TrimPrefix(err.Error(), "loadgen: ") }
