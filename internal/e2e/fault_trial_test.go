package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"testing"
)

// How many messages the healthy clients get before a fault, at least while it lasts, and after it.
const (
	settleMessages = 80
	faultMessages  = 250 // fewer with -short
	afterMessages  = 40
)

// growthSlackBytes is what the server may grow by whatever is done to it: garbage that Go has not collected yet,
// stacks, pools.
const growthSlackBytes = 24 << 20

// trial is a server in a process of its own, clients that do nothing wrong, and a fault that these must not notice.
type trial struct {
	*process
	healthy *healthy
	log     *panicLog

	before        reading
	counted       map[string]float64 // the metrics before the fault
	growthMax     int                // bytes that the fault may cost at most
	panicsPlanted int
}

// reading is what a server holds on to.
type reading struct {
	files, goroutines          int
	connections, subscriptions int
	residentBytes              int
}

// newTrial starts a server, with a limit on open files unless that is 0, and waits until its clients are served.
// liveBytesMax is what the limits let the fault hold of memory: as much again may be garbage.
func newTrial(t *testing.T, files, liveBytesMax int, args ...string) *trial {
	t.Helper()
	log := &panicLog{}
	args = append([]string{"--loops=2", "--drain.spread=0s"}, args...)
	tr := &trial{
		process: launchAs(t, megawire(t, "faulttest"), files, log, args...), log: log,
		growthMax: growthSlackBytes + 2*liveBytesMax,
	}
	tr.healthy = newHealthy(t, &tr.site)
	tr.await("the healthy clients have settled", settleMessages)
	tr.before, tr.counted = tr.read(), tr.metrics()
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", tr.pid), []byte("5"), 0); err != nil { // VmHWM begins anew
		t.Fatal(err)
	}
	tr.healthy.from.Store(tr.healthy.sent.Load())
	return tr
}

// await waits until the healthy clients have had so many messages more than are sent now.
func (tr *trial) await(what string, messages int64) {
	tr.t.Helper()
	until := tr.healthy.sent.Load() + messages
	tr.healthy.until(tr.t, what, func() bool { return tr.healthy.covered.Load() >= until })
}

// outlast keeps the fault up for as long as the healthy clients need for their messages.
func (tr *trial) outlast() {
	tr.t.Helper()
	tr.await("the healthy clients have been served in spite of the fault", int64(size(faultMessages, faultMessages/5)))
}

func (tr *trial) read() reading {
	tr.t.Helper()
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", tr.pid))
	if err != nil {
		tr.t.Fatal(err)
	}
	m := tr.metrics()
	now, _ := tr.memory()
	return reading{
		files: len(files), goroutines: int(m["go_goroutines"]), residentBytes: now,
		connections: int(m["megawire_connections"]), subscriptions: int(m["megawire_subscriptions"]),
	}
}

// rise is by how much a metric goes up with a fault.
type rise struct {
	metric string
	by     float64
	orMore bool
}

func (r rise) String() string {
	least := ""
	if r.orMore {
		least = " at least"
	}
	return fmt.Sprintf("%s +%v%s", r.metric, r.by, least)
}

func (r rise) holds(by float64) bool { return by == r.by || r.orMore && by > r.by }

// show waits until the metrics have risen, and says by how much.
func (tr *trial) show(rises []rise) (traces []string) {
	tr.t.Helper()
	for _, r := range rises {
		was := tr.counted[r.metric]
		tr.awaitMetric(r.metric, fmt.Sprintf("%v and a rise: %v", was, r), func(v float64) bool {
			rose := v - was
			if r.holds(rose) {
				traces = append(traces, fmt.Sprintf("`%s` +%.0f", r.metric, rose))
			}
			return r.holds(rose)
		})
	}
	return traces
}

// over checks that the fault, which is over, has left nothing behind but its traces in the metrics.
func (tr *trial) over(rises ...rise) {
	tr.t.Helper()
	traces := tr.show(rises)
	tr.healthy.to.Store(tr.healthy.sent.Load())
	tr.returned()
	tr.dialEventually().close() // there is a place for a newcomer
	tr.await("the healthy clients have been served after the fault", afterMessages)
	tr.healthy.finish()
	if err := <-tr.healthy.published; err != nil {
		tr.t.Fatal(err)
	}
	tr.healthy.until(tr.t, "every message has come", func() bool { return tr.healthy.covered.Load() >= tr.healthy.sent.Load() })

	_, most := tr.memory()
	if grown := most - tr.before.residentBytes; grown > tr.growthMax {
		tr.t.Errorf("the server grew by %d KiB, want at most %d KiB", grown>>10, tr.growthMax>>10)
	}
	if n := tr.metrics()["megawire_panics_total"]; int(n) != tr.panicsPlanted || tr.log.panics() != tr.panicsPlanted {
		tr.t.Errorf("%v panics are counted, %d are in the log, %d were planted", n, tr.log.panics(), tr.panicsPlanted)
	}
	tr.record(most, traces)
}

// returned waits until the server holds what it held before the fault, and no more.
func (tr *trial) returned() {
	tr.t.Helper()
	was, is := tr.before, reading{}
	eventually(tr.t, func() bool {
		is = tr.read()
		return is.files <= was.files && is.goroutines <= was.goroutines && is.connections == was.connections && is.subscriptions == was.subscriptions
	}, func() string {
		return fmt.Sprintf("the fault has left something behind: before it %+v, now %+v", was, is)
	})
}

// panicLog counts the panics that a server writes of.
type panicLog struct {
	mu    sync.Mutex
	line  []byte
	count int
}

func (l *panicLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for rest := p; len(rest) > 0; {
		line, after, whole := bytes.Cut(rest, []byte("\n"))
		if l.line = append(l.line, line...); whole {
			l.take()
		}
		rest = after
	}
	return len(p), nil
}

func (l *panicLog) take() {
	var x struct{ Panic string }
	if json.Unmarshal(l.line, &x) != nil || x.Panic != "" { // what is no JSON is the runtime's own, at its death
		l.count++
	}
	l.line = l.line[:0]
}

func (l *panicLog) panics() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count
}
