package bench

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Server is one of those compared: how it is started and driven. In its texts {port}, {admin} and {extra} stand for free ports,
// {dir} for an empty folder of this run, {bin} for where make puts programs, {peers} for bench/peers.
type Server struct {
	Name  string
	Title string // with what it is made of
	How   string // how it broadcasts here, in a few words

	Command []string
	Env     []string
	Config  string   // a file below bench/peers that is filled in and put into {dir} as "config", its extension kept
	Version []string // prints its version, in the first line that has a digit
	Files   []string // what must be there for it to run, patterns allowed; a name without a slash is looked for on the PATH

	URLs   map[string]string // by what a workload needs; a workload whose need is missing is left out
	Driver []string          // further flags of loadgen
	Loops  int               // cores it is given; 0: one
	Always bool              // takes part in every round, not only in those of the peers

	Variant bool // of another, for the workloads that name it
}

// Floor is the server that ratios refer to.
const Floor = "floor"

// place is where a server's texts point to in one run.
type place struct {
	root string // of the project
	dir  string
	port [3]int
}

func (p *place) fill(text string) string {
	return strings.NewReplacer(
		"{port}", strconv.Itoa(p.port[0]), "{admin}", strconv.Itoa(p.port[1]), "{extra}", strconv.Itoa(p.port[2]), "{dir}", p.dir,
		"{bin}", filepath.Join(p.root, "bin"), "{peers}", filepath.Join(p.root, "bench", "peers"),
	).Replace(text)
}

// command fills in a command; a pattern in its first word is resolved.
func (p *place) command(words []string) ([]string, error) {
	filled := make([]string, len(words))
	for i, w := range words {
		filled[i] = p.fill(w)
	}
	program, err := resolve(filled[0])
	filled[0] = program
	return filled, err
}

// resolve finds a program by a pattern, or by name on the PATH.
func resolve(pattern string) (string, error) {
	if !strings.Contains(pattern, "/") {
		return exec.LookPath(pattern)
	}
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) == 0 {
		return "", fmt.Errorf("%s is not there", pattern)
	}
	return found[0], nil
}

// Missing says what keeps a server from being run here; "" is nothing.
func (s *Server) Missing(root string) string {
	p := place{root: root}
	for _, f := range append([]string{s.Command[0]}, s.Files...) {
		if _, err := resolve(p.fill(f)); err != nil {
			return strings.TrimPrefix(err.Error(), root+"/")
		}
	}
	return ""
}

// version asks a server for its version.
func (s *Server) version(ctx context.Context, root string) string {
	if len(s.Version) == 0 {
		return ""
	}
	p := place{root: root}
	command, err := p.command(s.Version)
	if err != nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, _ := exec.CommandContext(ctx, command[0], command[1:]...).CombinedOutput() // some leave with 3 after it
	for line := range strings.Lines(string(out)) {
		if strings.ContainsAny(line, "0123456789") {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

// configure writes the server's configuration.
func (s *Server) configure(p *place) error {
	if s.Config == "" {
		return nil
	}
	text, err := os.ReadFile(filepath.Join(p.root, "bench", "peers", s.Config))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(p.dir, "config"+filepath.Ext(s.Config)), []byte(p.fill(string(text))), 0o644)
}

// takes says whether a server goes through a workload.
func (s *Server) takes(w *Workload) bool {
	chosen := w.Servers == nil && !s.Variant || slices.Contains(w.Servers, s.Name)
	if w.Set == Growth {
		chosen = s.Name == us
	}
	return chosen && s.URLs[w.Needs] != ""
}

// FindServers gives the servers of these names, all for none.
func FindServers(names []string) ([]Server, error) {
	return pick(Servers, names, "server", func(s *Server) string { return s.Name })
}

// FindWorkloads gives the workloads of these names or sets, those of Compare for none.
func FindWorkloads(names []string) ([]Workload, error) {
	if len(names) == 0 {
		names = []string{string(Compare)}
	}
	all := Workloads()
	var expanded []string
	for _, n := range names {
		before := len(expanded)
		for i := range all {
			if string(all[i].Set) == n {
				expanded = append(expanded, all[i].Name)
			}
		}
		if len(expanded) == before {
			expanded = append(expanded, n)
		}
	}
	return pick(all, expanded, "workload", func(w *Workload) string { return w.Name })
}

// pick gives those of all that have a name, in the order of all.
func pick[T any](all []T, names []string, what string, name func(*T) string) ([]T, error) {
	known := make([]string, len(all))
	var picked []T
	for i := range all {
		known[i] = name(&all[i])
		if len(names) == 0 || slices.Contains(names, known[i]) {
			picked = append(picked, all[i])
		}
	}
	for _, n := range names {
		if !slices.Contains(known, n) {
			return nil, fmt.Errorf("bench: no %s is called %q; there are %s", what, n, strings.Join(known, ", "))
		}
	}
	return picked, nil
}
