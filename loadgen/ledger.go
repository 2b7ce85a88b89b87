package loadgen

// HolesMax bounds the remembered holes of a loop, each 16 bytes. Past it a late message counts as a duplicate.
const HolesMax = 1 << 20

// span is a run of seqs, both ends included.
type span struct{ from, to uint64 }

// Verdict counts what the ledger found, per connection and topic.
type Verdict struct {
	Delivered  uint64 `json:"delivered"`  // messages seen for the first time
	Lost       uint64 `json:"lost"`       // neither seen nor told of
	Duplicates uint64 `json:"duplicates"` // seen again
	Reordered  uint64 `json:"reordered"`  // seen after a later one
	Told       uint64 `json:"told"`       // missing, but a gap notice said so
	Gaps       uint64 `json:"gaps"`       // gap notices
	Unexpected uint64 `json:"unexpected"` // of a topic that the connection had not subscribed to
	Damaged    uint64 `json:"damaged"`    // payload or text not as published
	Unread     uint64 `json:"unread"`     // texts that could not be parsed
}

func (v *Verdict) add(o *Verdict) {
	v.Delivered += o.Delivered
	v.Lost += o.Lost
	v.Duplicates += o.Duplicates
	v.Reordered += o.Reordered
	v.Told += o.Told
	v.Gaps += o.Gaps
	v.Unexpected += o.Unexpected
	v.Damaged += o.Damaged
	v.Unread += o.Unread
}

// addChange adds what changed between two verdicts. Lost may have fallen meanwhile; the sum then wraps back.
func (v *Verdict) addChange(before, after *Verdict) {
	v.add(after)
	for _, c := range []struct{ sum, old *uint64 }{
		{&v.Delivered, &before.Delivered}, {&v.Lost, &before.Lost}, {&v.Duplicates, &before.Duplicates}, {&v.Reordered, &before.Reordered},
		{&v.Told, &before.Told}, {&v.Gaps, &before.Gaps}, {&v.Unexpected, &before.Unexpected}, {&v.Damaged, &before.Damaged}, {&v.Unread, &before.Unread},
	} {
		*c.sum -= *c.old
	}
}

// ledger holds a loop's connections against the seqs of their topics. It belongs to the loop.
type ledger struct {
	rows
	Verdict

	tail      uint64         // of the lost ones, those after the last message seen
	holes     map[int][]span // by place: what is missing below seq, rising
	holeCount int
}

func newLedger(connections, subscriptions int) ledger {
	return ledger{rows: newRows(connections, subscriptions), holes: map[int][]span{}}
}

// acknowledge notes the newest seq there was when the subscription began; the next message must be the one after it.
func (g *ledger) acknowledge(row, topic int, seq uint64) bool {
	p := &g.places[g.find(row, topic)]
	if p.topic == 0 {
		return false
	}
	p.seq, p.state = seq, p.state|seqKnown
	return true
}

// message judges one message; true means that it was seen for the first time.
func (g *ledger) message(row, topic int, seq, prev uint64) bool {
	i := g.find(row, topic)
	p := &g.places[i]
	if p.topic != 0 && prev == p.seq && p.state&seqKnown != 0 && seq > prev {
		p.seq = seq
		g.Delivered++
		return true
	}
	return g.odd(i, p, seq, prev)
}

// odd is message for all that is not simply the next one.
func (g *ledger) odd(i int, p *subscription, seq, prev uint64) bool {
	switch {
	case p.topic == 0:
		g.Unexpected++
		return false
	case p.state&seqKnown == 0:
		p.state |= seqKnown // counting starts here
		p.seq = seq
	case seq > p.seq:
		if prev > p.seq {
			g.Lost += prev - p.seq
			g.open(i, p, span{p.seq + 1, prev})
		}
		p.seq = seq
	case g.fill(i, p, seq):
		g.Lost--
		g.Reordered++
	default:
		g.Duplicates++
		return false
	}
	g.Delivered++
	return true
}

// gap notes that the server told of missing messages.
func (g *ledger) gap(row, topic int, from, to uint64) {
	g.Gaps++
	i := g.find(row, topic)
	p := &g.places[i]
	if p.topic == 0 || to < from {
		g.Unexpected++
		return
	}
	for s := from; s <= min(to, p.seq) && p.state&holed != 0; s++ {
		if g.fill(i, p, s) {
			g.Lost--
			g.Told++
		}
	}
	if p.state&seqKnown == 0 {
		p.seq, p.state = from-1, p.state|seqKnown
	}
	if to <= p.seq {
		return
	}
	if from > p.seq+1 {
		g.Lost += from - 1 - p.seq
		g.open(i, p, span{p.seq + 1, from - 1})
	}
	g.Told += to - max(from, p.seq+1) + 1
	p.seq = to
}

// upToDate reports whether a connection that is still counted saw, or was told of, the newest message of each of its topics.
func (g *ledger) upToDate(row int, head func(topic int) uint64) bool {
	known := false
	for i := row * g.size; i < (row+1)*g.size; i++ {
		p := &g.places[i]
		if p.topic == 0 {
			continue
		}
		known = p.state&seqKnown != 0
		if !known || p.seq < head(int(p.topic)-1) {
			return false
		}
	}
	return known
}

// finish counts what never came after the last message seen. head is the newest seq of each topic.
func (g *ledger) finish(row int, head func(topic int) uint64) {
	for i := row * g.size; i < (row+1)*g.size; i++ {
		p := &g.places[i]
		if p.topic == 0 || p.state&seqKnown == 0 {
			continue
		}
		if h := head(int(p.topic) - 1); h > p.seq {
			g.Lost += h - p.seq
			g.tail += h - p.seq
			p.seq = h
		}
	}
}

func (g *ledger) open(i int, p *subscription, s span) {
	if g.holeCount == HolesMax {
		return
	}
	g.holeCount++
	g.holes[i] = append(g.holes[i], s)
	p.state |= holed
}

// fill takes seq out of the holes.
func (g *ledger) fill(i int, p *subscription, seq uint64) bool {
	if p.state&holed == 0 {
		return false
	}
	hs := g.holes[i]
	for k := len(hs) - 1; k >= 0; k-- {
		h := hs[k]
		if seq < h.from || seq > h.to {
			continue
		}
		switch {
		case h.from == h.to:
			hs = append(hs[:k], hs[k+1:]...)
			g.holeCount--
		case seq == h.from:
			hs[k].from++
		case seq == h.to:
			hs[k].to--
		default:
			hs = append(hs, span{})
			copy(hs[k+1:], hs[k:])
			hs[k].to, hs[k+1].from = seq-1, seq+1
			g.holeCount++
		}
		g.holes[i] = hs
		if len(hs) == 0 {
			delete(g.holes, i)
			p.state &^= holed
		}
		return true
	}
	return false
}

// forget ends the counting for a connection that is no more.
func (g *ledger) forget(row int) {
	for i := row * g.size; i < (row+1)*g.size; i++ {
		g.places[i].state &^= seqKnown
	}
}
