package e2e

import (
	"fmt"
	"math"
	"os"
	"testing"
	"time"
)

// sample is how the server was at one time.
type sample struct {
	at          time.Duration // since all had come in
	connections float64
	opened      float64 // ever
	out         float64 // deliveries ever
	gaps        float64
	lagging     float64
	goroutines  float64
	files       float64
	rss, heap   float64 // MiB
	held        float64 // MiB that the heap has of the system, for what lives, for garbage and in reserve
	rings       float64 // MiB
}

func (s *soak) sample() sample {
	m := s.process.metrics()
	rss, _ := s.process.memory()
	return sample{
		at: time.Since(s.began), connections: m["megawire_connections"], opened: m["megawire_connections_opened_total"],
		out: m["megawire_messages_out_total"], gaps: m["megawire_gaps_total"], lagging: m["megawire_connections_lagging"],
		goroutines: m["go_goroutines"], files: float64(s.process.files()), rss: mib(rss),
		heap: mib(int(m["go_memstats_heap_alloc_bytes"])),
		held: mib(int(m["go_memstats_heap_inuse_bytes"] + m["go_memstats_heap_idle_bytes"] - m["go_memstats_heap_released_bytes"])), rings: mib(int(m["megawire_ring_bytes"])),
	}
}

// files is how many the process has open.
func (p *process) files() int {
	p.t.Helper()
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.pid))
	if err != nil {
		p.t.Fatal(err)
	}
	return len(list)
}

// rest is what lives in the server, and what it has open beside connections.
type rest struct {
	goroutines float64
	files      float64
	heap       float64 // MiB that live after a collection
	rings      float64 // MiB that the rings are said to hold
}

func (s *soak) rest() rest {
	s.t.Helper()
	for range 2 { // what pools hold goes with the second collection
		resp, err := httpClient.Get("http://" + s.process.admin + "/debug/pprof/heap?gc=1")
		if err != nil {
			s.t.Fatal(err)
		}
		_ = resp.Body.Close()
	}
	x := s.sample()
	return rest{x.goroutines, x.files - x.connections, x.heap, x.rings}
}

const sampleHead = "     at  connections   opened  deliveries/s     gaps  lagging  goroutines    fds  rss MiB  held MiB  heap MiB  rings MiB\n"

// row is a line of the table; before is the sample before it.
func (x *sample) row(before *sample) string {
	rate := (x.out - before.out) / max(0.001, (x.at-before.at).Seconds())
	return fmt.Sprintf("%7s %12.0f %8.0f %13.0f %8.0f %8.0f %11.0f %6.0f %8.1f %9.1f %9.1f %10.1f\n", x.at.Round(time.Second), x.connections,
		x.opened, rate, x.gaps, x.lagging, x.goroutines, x.files, x.rss, x.held, x.heap, x.rings)
}

// growth is by how much a value grows over these samples, as the line of least squares has it: a single high or low sample,
// as collections make them, moves it little.
func growth(samples []sample, value func(*sample) float64) float64 {
	var at, v float64
	for i := range samples {
		at += samples[i].at.Seconds()
		v += value(&samples[i])
	}
	n := float64(len(samples))
	at, v = at/n, v/n
	var up, down float64
	for i := range samples {
		d := samples[i].at.Seconds() - at
		up += d * (value(&samples[i]) - v)
		down += d * d
	}
	if down == 0 {
		return 0
	}
	return up / down * (samples[len(samples)-1].at - samples[0].at).Seconds()
}

// bound is how much something may grow over the second half of a run.
type bound struct {
	of    string
	unit  string
	value func(*sample) float64
	share float64 // of what there is on average, and
	least float64 // so much more
}

// flat are the bounds of a run in which nothing leaks. Of connections hundreds come and go from sample to sample, so that
// they do not count among the files; those of feeds and scrapes do. Memory moves with the collections: by default garbage
// of up to 32 MiB comes and goes, of which a line through some thirty samples follows less than a quarter. In ten minutes
// some 50,000 clients come and go in the second half: 250 bytes lost by each are above the bound. What is beside the heap
// does not move so, and is judged more closely by itself.
var flat = []bound{
	{"rss", " MiB", func(x *sample) float64 { return x.rss }, 0.02, 8},
	{"rss beside the heap", " MiB", func(x *sample) float64 { return x.rss - x.held }, 0.02, 3},
	{"fds beside connections", "", func(x *sample) float64 { return x.files - x.connections }, 0, 5},
	{"goroutines", "", func(x *sample) float64 { return x.goroutines }, 0, 5},
}

// heapMax is how many MiB the heap may hold where so many live: garbage of 32 MiB or a sixteenth beside that, as the server
// lets it have, and a third for what lies between.
func heapMax(live float64) float64 { return (live + max(32, live/16)) * 4 / 3 }

// judge says by how much that grew, and whether it was too much.
func (b *bound) judge(samples []sample) (report string, ok bool) {
	mean := 0.0
	for i := range samples {
		mean += b.value(&samples[i]) / float64(len(samples))
	}
	grown, most := growth(samples, b.value), b.share*mean+b.least
	verdict := "flat"
	if grown > most {
		verdict = "IT GROWS"
	}
	return fmt.Sprintf("%s: %.1f%s on average in the second half, grown by %.1f (at most %.1f): %s",
		b.of, mean, b.unit, grown, most, verdict), grown <= most
}

// A leak is found in what the collections do to memory, and without one they are not taken for it.
func TestSoakFindsGrowth(t *testing.T) {
	const samples = 30
	for _, row := range []struct {
		says   string
		leak   float64 // MiB over all samples
		rss    bool    // whether that is taken for flat
		beside bool    // whether what is beside the heap is
	}{
		{"garbage of 32 MiB that comes and goes", 0, true, true},
		{"and 25 MiB lost beside the heap", 25, false, false},
	} {
		for phase := range samples {
			run := make([]sample, samples)
			for i := range run {
				_, saw := math.Modf(float64(i+phase) / 7.3)
				held := 120 + 32*saw
				run[i] = sample{at: time.Duration(i) * 10 * time.Second, held: held, rss: 30 + held + row.leak*float64(i)/samples}
			}
			for of, ok := range []bool{row.rss, row.beside} {
				if report, found := flat[of].judge(run); found != ok {
					t.Errorf("%s, phase %d: %s", row.says, phase, report)
				}
			}
		}
	}
}
