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
	dir  string
	runs *os.File
}

// create makes the folder. One that holds results already is not touched: they would be of another run.
func create(dir string) (*store, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, runsFile), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("bench: %s holds results already; choose another folder with --out", dir)
	}
	if err != nil {
		return nil, err
	}
	return &store{dir: dir, runs: f}, nil
}

func (s *store) writeHost(h Host) error {
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
