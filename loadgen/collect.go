package loadgen

import "time"

// collect makes the result of what the loops recorded. The loops have ended.
func (r *runner) collect() {
	res := r.result
	res.Connections.Wanted = r.plan.Connections
	head := r.heads()
	var busy []float64
	for _, l := range r.loops {
		if r.plan.Workload.publishes() {
			r.collectClasses(l, head)
			l.finishLedger(head)
			r.collectVerdicts(l)
		}
		if r.plan.Workload == Echo {
			l.ledger.Lost += uint64(l.echo.waiting)
		}
		res.Verdict.add(&l.ledger.Verdict)
		res.LostAtEnd += l.ledger.tail
		res.Expected += l.expected - l.excused
		r.collectConnections(l)
		busy = append(busy, r.collectWindow(l))
	}
	w := &res.Window
	r.collectInflated()
	if w.Seconds > 0 {
		w.DeliveryRate = float64(w.Deliveries) / w.Seconds
		w.BytesPerS /= w.Seconds
	}
	if w.MessagesPerRead > 0 {
		w.MessagesPerRead = float64(w.Deliveries) / w.MessagesPerRead
	}
	res.Generator.BusyShare = busy
	r.collectBehind()
	r.collectPublished()
	r.collectServer()
}

// collectInflated says how much of what was delivered came compressed. BytesPerS is not yet a rate here.
func (r *runner) collectInflated() {
	w := &r.result.Window
	if w.Deliveries == 0 {
		return
	}
	deliveries := float64(w.Deliveries)
	w.BytesPerDelivery = w.BytesPerS / deliveries
	if !r.plan.Deflate {
		return
	}
	var all inflatedCounts
	for _, l := range r.loops {
		all.add(l.record.end.inflated.since(l.record.begin.inflated))
	}
	w.Deflate = &Deflate{
		Share: min(1, float64(all.messages)/deliveries), BytesPerDelivery: (w.BytesPerS + float64(all.plain) - float64(all.packed)) / deliveries,
		Ratio: share(all.packed, all.plain),
	}
}

// collectBehind counts those who neither ended up to date nor were cut off.
func (r *runner) collectBehind() {
	if r.result.Classes == nil {
		return
	}
	behind := 0
	for i := range r.result.Classes {
		c := &r.result.Classes[i]
		behind += max(0, c.Connections-c.UpToDate-c.Dropped)
	}
	r.result.LeftBehind = &behind
}

// collectClasses notes how the connections of each class stand, before what is missing counts as lost.
func (r *runner) collectClasses(l *loop, head func(topic int) uint64) {
	if r.plan.Workload != Slow {
		return
	}
	res := r.result
	if res.Classes == nil {
		for c, n := range r.plan.inClasses() {
			res.Classes = append(res.Classes, Class{Class: class(c).String(), Connections: n})
		}
	}
	for n := range len(l.ledger.places) / l.ledger.size {
		if l.ledger.upToDate(n, head) {
			res.Classes[l.conns[n].class].UpToDate++
		}
	}
	for c, n := range l.record.droppedOf {
		res.Classes[c].Dropped += n
	}
}

// collectVerdicts shares out what the ledger found among the classes; the loop's last message was judged.
func (r *runner) collectVerdicts(l *loop) {
	if r.result.Classes == nil {
		return
	}
	rest := l.ledger.Verdict
	for c := range l.verdicts {
		if class(c) != healthy {
			r.result.Classes[c].Verdict.add(&l.verdicts[c])
			var none Verdict
			none.addChange(&l.verdicts[c], &rest)
			rest = none
		}
	}
	r.result.Classes[healthy].Verdict.add(&rest)
}

// heads gives the newest seq of each topic. Where the server refused messages without saying which, the newest that any
// connection saw stands in; a loss at the very end that all share is then not seen.
func (r *runner) heads() func(topic int) uint64 {
	if r.publisher == nil || r.publisher.refusedN == 0 || r.publisher.pacer == nil {
		return func(topic int) uint64 { return r.board.heads[topic].Load() }
	}
	seen := make([]uint64, len(r.board.heads))
	for _, l := range r.loops {
		for _, p := range l.ledger.places {
			if p.topic > 0 {
				seen[p.topic-1] = max(seen[p.topic-1], p.seq)
			}
		}
	}
	return func(topic int) uint64 { return seen[topic] }
}

func (l *loop) finishLedger(head func(topic int) uint64) {
	for n := range len(l.ledger.places) / l.ledger.size {
		before := l.ledger.Verdict
		l.ledger.finish(n, head)
		if c := l.conns[n].class; c != healthy {
			l.verdicts[c].addChange(&before, &l.ledger.Verdict)
		}
	}
}

func (r *runner) collectConnections(l *loop) {
	c := &r.result.Connections
	c.Failed += l.record.failed
	c.Dropped += l.record.dropped
	c.Unanswered += l.record.unanswered
	c.Pings += l.record.pings
	c.Opened += l.record.opened
	c.Failures.add(l.record.failures)
	c.Drops.add(l.record.drops)
	c.Notices.add(l.record.faults)
}

// collectWindow adds a loop's counters and returns the share of the window that it was busy.
func (r *runner) collectWindow(l *loop) float64 {
	b, e := &l.record.begin, &l.record.end
	if b.at == 0 || e.at <= b.at {
		return 0
	}
	w := &r.result.Window
	w.Seconds = max(w.Seconds, time.Duration(e.at-b.at).Seconds())
	w.Deliveries += e.delivered - b.delivered
	w.BytesPerS += float64(e.bytesIn - b.bytesIn)
	w.MessagesPerRead += float64(e.reads - b.reads)
	return b.busyUntil(e)
}

func (r *runner) collectPublished() {
	if r.plan.Workload == Connect {
		r.result.Loop = "closed"
		if r.plan.Rate > 0 {
			r.result.Loop = "open"
		}
	}
	p := r.publisher
	if p == nil {
		return
	}
	r.result.Loop = "open"
	out := &Published{
		Sent: p.sent, Unsent: p.unsent, Refused: p.refusedN, RateLimited: p.rateLimited, Refusals: p.refusals, TimedOut: p.timeouts,
		Unanswered: p.unanswered, MeanBytes: r.plan.data.meanBytes(),
	}
	if p.pacer == nil {
		r.result.Loop = "closed"
		round := newLatencyResult(p.rounds)
		r.result.Round = &round
	} else {
		out.PlannedRate = r.plan.rate()
	}
	r.result.Published = out
	g := &r.result.Generator
	g.Held = p.held
	if p.slips.TotalCount() > 0 {
		g.SlipP99Ms = float64(p.slips.ValueAtQuantile(99)) / 1e6
		g.SlipMaxMs = float64(p.slips.Max()) / 1e6
	}
}

func (r *runner) collectServer() {
	s := r.result.Server
	if s == nil {
		return
	}
	w := &r.result.Window
	if w.Seconds == 0 {
		s.CPUSeconds = 0
		return
	}
	s.CPUShare = s.CPUSeconds / w.Seconds
	if w.Deliveries > 0 {
		s.CPUPerDelivery = s.CPUSeconds * 1e6 / float64(w.Deliveries)
		if p := r.result.Published; p != nil {
			s.CPUPerMessage = s.CPUPerDelivery * share(r.result.Expected, p.Sent)
		}
	}
	each := func(rss int64) float64 {
		return float64(rss-s.RSSBeforeBytes) / float64(max(1, r.result.Connections.Opened))
	}
	s.RSSPerConnection = each(s.RSSEndBytes)
	s.RSSGrownBytes = s.RSSLoadBytes - s.RSSOpenBytes
	for i := range s.Samples {
		s.Samples[i].PerConnection = each(s.Samples[i].Bytes)
	}
}
