package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/megawire/megawire/loadgen"
)

// check says what is wrong with a step, before any of a scenario runs.
func (s *step) check() error {
	if s.find != "" {
		if _, err := loadgen.ParseBound(s.find); err != nil {
			return err
		}
	}
	return s.plan.Validate()
}

// newWorkloadCommand runs one workload.
func newWorkloadCommand(w workload, p *program) *cobra.Command {
	s, flags := newStep(w)
	var to outputs
	c := &cobra.Command{
		Use: string(w.kind), Short: w.short, Long: w.long, Example: w.usage, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			p.started = true
			s.settle(flags.Changed)
			return p.execute(c.Context(), []*step{s}, to)
		},
	}
	c.Flags().SortFlags = false
	c.Flags().AddFlagSet(flags)
	to.flags(c.Flags())
	return c
}

// newRunCommand runs a scenario.
func newRunCommand(p *program) *cobra.Command {
	var to outputs
	var url string
	var pid int
	c := &cobra.Command{
		Use: "run SCENARIO", Short: "Runs the steps of a scenario file", Args: cobra.ExactArgs(1),
		Long: "Runs the steps of a YAML file one after the other. Each step has a workload, and the same keys as that workload has flags;\n" +
			"defaults are for all steps that have such a key. Examples are in loadgen/scenarios.",
		Example: "  loadgen run loadgen/scenarios/daily.yaml --pid $(pgrep -x megawire) --html report.html",
		RunE: func(c *cobra.Command, args []string) error {
			override := map[string]string{}
			for _, name := range []string{"url", "pid"} {
				if f := c.Flags().Lookup(name); f.Changed {
					override[name] = f.Value.String()
				}
			}
			steps, err := readScenario(args[0], override)
			if err != nil {
				return err
			}
			p.started = true
			return p.execute(c.Context(), steps, to)
		},
	}
	c.Flags().SortFlags = false
	c.Flags().StringVar(&url, "url", "", "goes before the url of every step")
	c.Flags().IntVar(&pid, "pid", 0, "goes before the pid of every step")
	to.flags(c.Flags())
	return c
}

// newReportCommand makes reports of a raw stream.
func newReportCommand(p *program) *cobra.Command {
	var to outputs
	c := &cobra.Command{
		Use: "report RAW", Short: "Makes text, JSON and HTML of what --raw wrote", Args: cobra.ExactArgs(1),
		Long:    "Reads a raw stream (- is standard input) and writes the report that the run itself wrote, or another one.",
		Example: "  loadgen report run.ndjson --html run.html",
		RunE: func(_ *cobra.Command, args []string) error {
			in := io.Reader(os.Stdin)
			if args[0] != "-" {
				f, err := os.Open(args[0])
				if err != nil {
					return err
				}
				defer f.Close()
				in = f
			}
			p.started = true
			report, err := loadgen.ReadRaw(in)
			if err != nil {
				return err
			}
			return to.write(report, p.stdout)
		},
	}
	c.Flags().StringVar(&to.html, "html", "", "write an HTML page to this file")
	c.Flags().BoolVar(&to.json, "json", false, "write JSON instead of text")
	return c
}

// outputs says where results go.
type outputs struct {
	json      bool
	raw, html string
}

func (o *outputs) flags(f *pflag.FlagSet) {
	f.BoolVar(&o.json, "json", false, "write the result as JSON")
	f.StringVar(&o.raw, "raw", "", "write the raw stream, NDJSON, to this file; \"loadgen report\" reads it")
	f.StringVar(&o.html, "html", "", "write an HTML page to this file")
}

// write writes the report of all runs.
func (o *outputs) write(r *loadgen.Report, stdout io.Writer) error {
	write := r.WriteText
	if o.json {
		write = r.WriteJSON
	}
	if err := write(stdout); err != nil {
		return err
	}
	return o.writeHTML(r)
}

func (o *outputs) writeHTML(r *loadgen.Report) error {
	if o.html == "" {
		return nil
	}
	f, err := os.Create(o.html)
	if err != nil {
		return err
	}
	if err := r.WriteHTML(f); err != nil {
		_ = f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("%s: %w", o.html, err)
	}
	return nil
}
