package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// checkBooks holds what the server says of itself against what clients and publishers have counted.
func (s *soak) checkBooks() {
	s.t.Helper()
	byClients := map[string]uint64{}
	for name, f := range s.topics {
		if f.data == nil {
			prefix, _, _ := strings.Cut(name, "/")
			byClients[prefix+"/"] += f.sent.Load()
		}
	}
	s.process.awaitMetricIs(`megawire_messages_in_total{source="admin"}`, float64(s.publishedByAdmin))
	s.process.awaitMetricIs(`megawire_messages_in_total{source="native"}`, float64(byClients[chatPrefix]))
	s.process.awaitMetricIs(`megawire_messages_in_total{source="raw"}`, float64(byClients[rawPrefix]))
	s.process.awaitMetricIs("megawire_connections", float64(len(s.places)))
	s.process.awaitMetricIs("megawire_connections_opened_total", float64(s.opened))
	s.process.awaitMetricIs("megawire_connections_closed_total", float64(s.opened-len(s.places)))
	s.process.awaitMetricAtLeast("megawire_messages_out_total", float64(s.received))
	s.process.awaitMetricAtLeast("megawire_gap_messages_total", float64(s.told["slow"]))
	for _, fault := range s.faults() {
		s.t.Error(fault)
	}
	s.checkHeads()
}

// unwanted are the metrics that are 0 where no client does anything wrong, and none is worse than slow for seconds.
var unwanted = []string{
	"megawire_panics_total", "megawire_publish_refused_total", "megawire_connections_refused_total", "megawire_websocket_closes_total",
	"megawire_topics_evicted_total",
}

// closesWanted are how clients leave.
var closesWanted = []string{`megawire_websocket_closes_total{code="1000"}`, `megawire_websocket_closes_total{code="1006"}`}

// faults are the unwanted metrics that are not 0.
func (s *soak) faults() (some []string) {
	for name, v := range s.process.metrics() {
		unwanted := slices.ContainsFunc(unwanted, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
		if unwanted && !slices.Contains(closesWanted, name) && v != 0 {
			some = append(some, fmt.Sprintf("%s is %v", name, v))
		}
	}
	return some
}

// checkHeads holds the number of each topic's newest message against how many were published.
func (s *soak) checkHeads() {
	s.t.Helper()
	resp, err := httpClient.Get("http://" + s.process.admin + "/v1/topics?last=0&limit=1000")
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	var page struct {
		Topics []struct {
			Topic string
			Seq   uint64
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&page); err != nil || resp.StatusCode != http.StatusOK {
		s.t.Fatalf("/v1/topics: status %d, %v", resp.StatusCode, err)
	}
	found := 0
	for _, x := range page.Topics {
		if f := s.topics[x.Topic]; f != nil {
			found++
			if sent := f.sent.Load(); x.Seq != sent {
				s.t.Errorf("%s is at %d, %d were published", x.Topic, x.Seq, sent)
			}
		}
	}
	if found != len(s.topics) {
		s.t.Errorf("%d topics are there, %d were published to", found, len(s.topics))
	}
}

// checkDeliveries publishes to all topics once more, while everybody reads and nobody leaves: only then do clients count
// all that the server does.
func (s *soak) checkDeliveries() {
	s.t.Helper()
	const out = "megawire_messages_out_total"
	before, received := s.process.metrics()[out], s.received
	for same := time.Now(); time.Since(same) < time.Second; s.round(100) { // loops tell of their counts ten times a second
		if v := s.process.metrics()[out]; v != before {
			before, same = v, time.Now()
		}
	}
	s.publishRound()
	s.complete()
	if s.received == received {
		s.t.Error("nobody got the last messages: nothing is tested")
	}
	s.process.awaitMetricIs(out, before+float64(s.received-received))
}

// checkKinds sees to it that the run was what it is meant to be. With -short it is too short for that.
func (s *soak) checkKinds(plan *soakPlan) {
	s.t.Helper()
	first := s.topics[s.exchange.topics[0]]
	for fault, found := range map[string]bool{
		"one in a hundred close frames had no answer":             s.unanswered*3*100 > s.left,
		"nobody who did not read was told of a gap":               s.told["slow"] == 0,
		"nothing came compressed":                                 s.inflated == 0,
		"nobody who was away was told of what had expired":        s.told["expired"] == 0 && plan.wantsStale,
		"the capture did not come to its end, to be played again": first.sent.Load() <= uint64(len(first.data)),
	} {
		if found && !testing.Short() {
			s.t.Error(fault)
		}
	}
}

// comesToRest waits until there are so many connections, and beside them nothing that was not there when there were none.
func (s *soak) comesToRest(when string, idle *rest, connections int) rest {
	s.t.Helper()
	for end := time.Now().Add(patience); ; s.round(100) {
		x := s.sample()
		files := x.files - x.connections
		switch {
		case x.connections == float64(connections) && files <= idle.files && x.goroutines <= idle.goroutines:
			return s.rest()
		case time.Now().After(end):
			s.t.Errorf("%s: %v connections, %v files beside them, %v goroutines; want %d, %v, %v at most",
				when, x.connections, files, x.goroutines, connections, idle.files, idle.goroutines)
			return s.rest()
		}
	}
}

// heapGrowthMax is by how many MiB, beside a fiftieth, what lives after a collection may have grown from a third of the
// run to its end. It is exact, but for what was under way at that time.
const heapGrowthMax = 2

// leftMax is how many MiB may live when all have left, more than before anybody came: what is kept of messages, with the room
// at the ends of its chunks, and tables of connections, a few hundred bytes each, which are kept for those who come next.
func leftMax(places int, rings float64) float64 { return 4 + float64(places)/1000 + 1.5*rings }

// judge prints what was found, and fails where something grows.
func (s *soak) judge(plan *soakPlan, idle, early, late, full, empty *rest) {
	out := s.t.Output()
	fmt.Fprintf(out, "%d connections, a third of which offered compression; %d messages published, %d received (%d frames compressed)\n",
		s.opened, s.published(), s.received, s.inflated)
	fmt.Fprintf(out, "%d clients left, a third of them each by a reset, a FIN and a close frame; %d close frames had no answer\n", s.left, s.unanswered)
	fmt.Fprintf(out, "told missing, by reason: %v; all other messages came, in order, once\n", s.told)
	judgement := func(line string, ok bool) {
		fmt.Fprintln(out, line)
		if !ok {
			s.t.Error(line)
		}
	}
	for i := range flat {
		if line, ok := flat[i].judge(s.samples[len(s.samples)/2:]); plan.wantsFlat {
			judgement(line, ok)
		}
	}
	grown, most := late.heap-early.heap, heapGrowthMax+early.heap/50
	if plan.wantsFlat {
		judgement(fmt.Sprintf("live heap: %.1f MiB after a third of the time, %.1f in the end, grown by %.1f (at most %.1f)",
			early.heap, late.heap, grown, most), grown <= most)
	}
	held := 0.0
	for i := range s.samples {
		held = max(held, s.samples[i].held)
	}
	most = heapMax(max(early.heap, late.heap))
	judgement(fmt.Sprintf("the heap held %.1f MiB at most (%.1f may be)", held, most), held <= most)
	most = idle.heap + leftMax(plan.places, empty.rings)
	judgement(fmt.Sprintf("live heap after all have left: %.1f MiB, %.1f before anybody came (at most %.1f)",
		empty.heap, idle.heap, most), empty.heap <= most)
	fmt.Fprintf(out, "goroutines: %.0f before anybody came, %.0f with everybody there, %.0f after all have left; fds beside connections: %.0f, %.0f, %.0f\n",
		idle.goroutines, full.goroutines, empty.goroutines, idle.files, full.files, empty.files)
}

// published is how many messages were published altogether.
func (s *soak) published() (n uint64) {
	for _, f := range s.topics {
		n += f.sent.Load()
	}
	return n
}
