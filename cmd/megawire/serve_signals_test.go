package main

import (
	"os"
	"slices"
	"syscall"
	"testing"
	"time"
)

func TestStopping(t *testing.T) {
	const term, interrupt, hup = syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP
	for _, row := range []struct {
		says    string
		signals []os.Signal
		after   []time.Duration // since the start
		want    []verdict
	}{
		{"one", []os.Signal{term}, []time.Duration{0}, []verdict{drain}},
		{"timeout(1) sends it to the process and to the group", []os.Signal{term, term}, []time.Duration{0, time.Millisecond}, []verdict{drain, sameRequest}},
		{"Ctrl-C and a supervisor's own", []os.Signal{interrupt, term}, []time.Duration{0, sameRequestWithin - 1}, []verdict{drain, sameRequest}},
		{"somebody who asks twice", []os.Signal{interrupt, interrupt}, []time.Duration{0, sameRequestWithin}, []verdict{drain, endNow}},
		{"the second counts from the first, not from the last", []os.Signal{term, term, term},
			[]time.Duration{0, sameRequestWithin - 1, sameRequestWithin + 1}, []verdict{drain, sameRequest, endNow}},
		{"a terminal that closes", []os.Signal{hup, hup}, []time.Duration{0, time.Hour}, []verdict{nothingToReload, nothingToReload}},
		{"SIGHUP is no request to stop", []os.Signal{hup, term, hup}, []time.Duration{0, time.Hour, 2 * time.Hour}, []verdict{nothingToReload, drain, nothingToReload}},
	} {
		var st stopping
		start := time.Now()
		var got []verdict
		for i, s := range row.signals {
			got = append(got, st.on(s, start.Add(row.after[i])))
		}
		if !slices.Equal(got, row.want) {
			t.Errorf("%s: %v, want %v", row.says, got, row.want)
		}
	}
}
