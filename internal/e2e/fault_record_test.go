package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// faultTable gets a row for each trial of a run, for docs/operations.md.
const faultTable = "../../bin/faults.md"

const faultTableHead = "| fault | p99 before, ms | p99 during | longest during | resident before, MiB | at most | metric |\n" +
	"| --- | --- | --- | --- | --- | --- | --- |\n"

var beginFaultTable sync.Once

// record writes down what the healthy clients noticed, and what the server held.
func (tr *trial) record(mostBytes int, traces []string) {
	tr.t.Helper()
	tr.healthy.close() // the histograms are its goroutine's
	before, during := tr.healthy.latency[beforeFault], tr.healthy.latency[duringFault]
	row := fmt.Sprintf("| %s | %s | %s | %s | %.1f | %.1f | %s |\n", strings.TrimPrefix(tr.t.Name(), "TestFault"),
		p99(before), p99(during), millis(during.Max()), mib(tr.before.residentBytes), mib(mostBytes), strings.Join(traces, ", "))
	tr.t.Log(row)
	beginFaultTable.Do(func() { tr.write(os.O_TRUNC, faultTableHead) })
	tr.write(os.O_APPEND, row)
}

func (tr *trial) write(mode int, text string) {
	tr.t.Helper()
	if err := os.MkdirAll(filepath.Dir(faultTable), 0o755); err != nil {
		tr.t.Error(err)
	}
	f, err := os.OpenFile(faultTable, os.O_CREATE|os.O_WRONLY|mode, 0o644)
	if err == nil {
		_, err = f.WriteString(text)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		tr.t.Error(err)
	}
}

func p99(h *hdrhistogram.Histogram) string { return millis(h.ValueAtQuantile(99)) }

func millis(micros int64) string { return fmt.Sprintf("%.1f", float64(micros)/1000) }

func mib(bytes int) float64 { return float64(bytes) / (1 << 20) }
