package bench

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Names of the files that hold raw results.
const (
	runsFile = "runs.jsonl" // a Run a line
	hostFile = "host.json"
)

// store is a folder of raw results that is being written.
type store struct {
	dir        string
	runs       *os.File
	before     *Host // what is known of the results that were there; nil: none were
	firstRound int   // of those to come
}

// open makes the folder. One that holds results already is touched only to add to them.
func open(dir string, add bool) (*store, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	s := &store{dir: dir, firstRound: 1}
	flags := os.O_EXCL
	if _, err := os.Stat(filepath.Join(dir, runsFile)); err == nil && add {
		there, err := Load(dir)
		if err != nil {
			return nil, err
		}
		s.before, flags = &there.Host, os.O_APPEND
		for i := range there.Runs {
			s.firstRound = max(s.firstRound, there.Runs[i].Round+1)
		}
	}
	var err error
	s.runs, err = os.OpenFile(filepath.Join(dir, runsFile), os.O_WRONLY|os.O_CREATE|flags, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("bench: %s holds results already; choose another folder with --out, or go on with --add", dir)
	}
	return s, err
}

// begin notes where the results to come are found, behind what is known of those before.
func (s *store) begin(h Host) error {
	h.Parts[0].FirstRound = s.firstRound
	if s.before != nil {
		if err := h.continues(s.before); err != nil {
			return fmt.Errorf("bench: %s: %w", s.dir, err)
		}
	}
	text, err := json.MarshalIndent(h, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.dir, hostFile), append(text, '\n'), 0o644)
}

func (s *store) add(r *Run) error {
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	_, err = s.runs.Write(append(line, '\n'))
	return err
}

func (s *store) close() error { return s.runs.Close() }

// Results are the raw results of one folder.
type Results struct {
	Dir  string
	Host Host
	Runs []Run
}

// runBytesMax is the longest line of a runs file.
const runBytesMax = 16 << 20

// Load reads a folder.
func Load(dir string) (*Results, error) {
	r := &Results{Dir: dir}
	text, err := os.ReadFile(filepath.Join(dir, hostFile))
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	if err := json.Unmarshal(text, &r.Host); err != nil {
		return nil, fmt.Errorf("bench: %s: %w", hostFile, err)
	}
	f, err := os.Open(filepath.Join(dir, runsFile))
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, runBytesMax)
	for n := 1; lines.Scan(); n++ {
		var run Run
		if err := json.Unmarshal(lines.Bytes(), &run); err != nil {
			return nil, fmt.Errorf("bench: %s, line %d: %w", runsFile, n, err)
		}
		r.Runs = append(r.Runs, run)
	}
	return r, lines.Err()
}
