package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Options say what to run. Fields without a default must be set.
type Options struct {
	Root       string // of the project
	Out        string // the folder for the raw results; made if it is not there
	Servers    []Server
	Workloads  []Workload
	Rounds     int       // for servers that are Always there, 1 at least
	PeerRounds int       // for the others; 0: as many
	Captures   string    // the folder of what the Deflate set sends
	Quick      bool      // short runs
	Add        bool      // Out holds results already: go on with further rounds
	Progress   io.Writer // told about every run
}

// Run is one server's turn at one workload, as it is kept.
type Run struct {
	Round    int             `json:"round"` // from 1; those of results that are added go on above the ones there are
	Server   string          `json:"server"`
	Workload string          `json:"workload"`
	Started  time.Time       `json:"started"`
	Command  string          `json:"command"` // loadgen's
	Result   json.RawMessage `json:"result,omitempty"`
	Error    string          `json:"error,omitempty"` // why the result is missing or not to be believed
}

// turn is a run to come.
type turn struct {
	round    int
	server   *Server
	workload *Workload
}

// plan lists the turns: within a round and a workload the servers follow each other, each round beginning with another one.
// Rounds are counted from first.
func plan(o *Options, first int) []turn {
	peers := o.PeerRounds
	if peers == 0 {
		peers = o.Rounds
	}
	var turns []turn
	for round := range o.Rounds {
		for w := range o.Workloads {
			workload := &o.Workloads[w]
			if o.Quick && workload.Quick == nil || workload.Rounds > 0 && round >= workload.Rounds {
				continue
			}
			for i := range o.Servers {
				s := &o.Servers[(i+round)%len(o.Servers)]
				if s.takes(workload) && (s.Always || round < peers) {
					turns = append(turns, turn{first + round, s, workload})
				}
			}
		}
	}
	return turns
}

// withoutFloor says whether something is run that the floor, to which ratios refer, does not take part in.
func withoutFloor(turns []turn) bool {
	for _, t := range turns {
		if t.server.Name == Floor {
			return false
		}
	}
	for _, t := range turns {
		if t.workload.Set == Compare {
			return true
		}
	}
	return false
}

// Do runs everything and keeps the results. What goes wrong with one server is kept as its result; the error is for what
// ends the whole.
func Do(ctx context.Context, o Options) error {
	if err := hasPrograms(o.Root); err != nil {
		return err
	}
	o.Workloads = o.withCaptures()
	o.Servers = o.present()
	if len(o.Servers) == 0 {
		return errors.New("bench: no server is left to run")
	}
	store, err := open(o.Out, o.Add)
	if err != nil {
		return err
	}
	if err := store.begin(readHost(ctx, &o)); err != nil {
		return errors.Join(err, store.close())
	}
	turns := plan(&o, store.firstRound)
	if withoutFloor(turns) {
		fmt.Fprintf(o.Progress, "without %s in the same rounds there are no ratios to it\n", Floor)
	}
	for i, t := range turns {
		run := t.do(ctx, &o)
		if ctx.Err() != nil {
			return errors.Join(ctx.Err(), store.close())
		}
		fmt.Fprintf(o.Progress, "%3d/%d  round %d  %s\n", i+1, len(turns), t.round, run.line(t.workload))
		if err := store.add(&run); err != nil {
			return errors.Join(err, store.close())
		}
	}
	return store.close()
}

// present leaves out the servers that none of the workloads is for, and those that are not installed; of these it says so.
func (o *Options) present() []Server {
	var there []Server
	for i := range o.Servers {
		if !slices.ContainsFunc(o.Workloads, func(w Workload) bool { return o.Servers[i].takes(&w) }) {
			continue
		}
		if why := o.Servers[i].Missing(o.Root); why != "" {
			fmt.Fprintf(o.Progress, "without %s: %s (make bench-deps)\n", o.Servers[i].Name, why)
			continue
		}
		there = append(there, o.Servers[i])
	}
	return there
}

// do starts the server, drives it and stops it.
func (t *turn) do(ctx context.Context, o *Options) Run {
	run := Run{Round: t.round, Server: t.server.Name, Workload: t.workload.Name, Started: time.Now().UTC()}
	p, err := t.server.start(ctx, o.Root)
	if err != nil {
		run.Error = err.Error()
		return run
	}
	out, err := t.drive(ctx, o, p, &run)
	alive := p.running()
	p.stop()
	if json.Valid(out) && len(out) > 0 {
		var compact bytes.Buffer
		if json.Compact(&compact, out) == nil {
			run.Result = compact.Bytes()
		}
	}
	if err != nil {
		run.Error = err.Error()
	}
	if !alive {
		run.Error = strings.TrimSpace("the server ended by itself: " + p.output.text() + "; " + run.Error)
	}
	return run
}

// drive has loadgen put the load on.
func (t *turn) drive(ctx context.Context, o *Options, p *process, run *Run) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, t.workload.Limit)
	defer cancel()
	args := []string{filepath.Join(o.Root, "bin", "loadgen")}
	for _, f := range t.workload.flags(o.Quick) {
		args = append(args, strings.Replace(f, captureFolder, o.Captures+"/", 1))
	}
	args = append(args, "--json", "--url", p.place.fill(t.server.URLs[t.workload.Needs]), "--pid", strconv.Itoa(p.command.Process.Pid))
	for _, f := range t.server.Driver {
		args = append(args, p.place.fill(f))
	}
	run.Command = strings.Join(append([]string{"loadgen"}, args[1:]...), " ")
	args = pinned(newPinning(t.server.Loops).client, args)
	c := exec.CommandContext(ctx, args[0], args[1:]...)
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.WaitDelay = stopTimeout
	var out, complaints bytes.Buffer
	c.Stdout, c.Stderr = &out, &complaints
	err := c.Run()
	switch {
	case err == nil:
	case ctx.Err() != nil:
		err = fmt.Errorf("loadgen was stopped after %v", t.workload.Limit)
	case out.Len() > 0:
		err = nil // its result says what went wrong
	default:
		err = fmt.Errorf("loadgen: %w: %s", err, strings.TrimSpace(complaints.String()))
	}
	return out.Bytes(), err
}
