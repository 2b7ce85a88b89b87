package client

// position is how far this client has come in one topic.
type position struct {
	epoch string // "" while unknown
	seq   uint64 // the newest one seen, told missing, or acknowledged as the head
	// counting is false until the first message on this connection: the head that an ack
	// names is known, but counting starts with what is seen.
	counting bool
	// stale: from before this connection; whatever came since is missing.
	stale bool
}

// positions are those of all topics seen. They belong to the goroutine that reads.
//
// They are also what a subscription with "since" would be asked to resume from.
type positions struct {
	max int
	m   map[string]*position
}

// hole is a run of messages that this client will not get, both ends included; both
// are 0 where counting began anew.
type hole struct {
	from, to uint64
	reason   string
}

func newPositions(limit int) *positions {
	return &positions{max: limit, m: make(map[string]*position)}
}

// disconnected makes every position one of an earlier connection.
func (ps *positions) disconnected() {
	for _, p := range ps.m {
		p.stale, p.counting = true, false
	}
}

// acked notes what the ack of an exact subscription says, and returns what was missed
// since an earlier connection.
func (ps *positions) acked(topic, epoch string, head uint64) (h hole, missed bool) {
	p, known := ps.m[topic]
	switch {
	case !known:
		ps.add(topic, &position{epoch: epoch, seq: head})
		return hole{}, false
	case !p.stale:
		// Subscribed again on the same connection: the head may be ahead of messages
		// that are still on their way.
		p.epoch = epoch
		return hole{}, false
	}
	before := *p
	*p = position{epoch: epoch, seq: head}
	switch {
	case before.epoch != "" && before.epoch != epoch, head < before.seq:
		return hole{reason: ReasonReconnect}, true
	case head > before.seq:
		return hole{from: before.seq + 1, to: head, reason: ReasonReconnect}, true
	}
	return hole{}, false
}

// ackedPattern does the same for a pattern, whose ack names an epoch and no seq: topics
// of another epoch are forgotten, which is one gap; those of the same one are
// compared when their next message comes.
func (ps *positions) ackedPattern(filter, epoch string, exact func(topic string) bool) (h hole, missed bool) {
	for topic, p := range ps.m {
		if !p.stale || p.epoch == epoch || exact(topic) || !matches(filter, topic) {
			continue
		}
		delete(ps.m, topic)
		missed = true
	}
	return hole{reason: ReasonReconnect}, missed
}

// saw notes a message, or the first message after a gap that the server told of, and
// returns what is missing before it. epoch is asked for topics that are new.
func (ps *positions) saw(topic string, seq, prev uint64, epoch func() string) (h hole, missed bool) {
	p, known := ps.m[topic]
	if !known {
		ps.add(topic, &position{epoch: epoch(), seq: seq, counting: true})
		return hole{}, false
	}
	if (p.counting || p.stale) && prev > p.seq {
		h, missed = hole{from: p.seq + 1, to: prev, reason: ReasonLost}, true
		if p.stale {
			h.reason = ReasonReconnect
		}
	}
	p.seq = max(p.seq, seq)
	p.counting, p.stale = true, false
	return h, missed
}

// forget drops the topics that filter matches and covered is false for.
func (ps *positions) forget(filter string, covered func(topic string) bool) {
	if !isPattern(filter) {
		if !covered(filter) {
			delete(ps.m, filter)
		}
		return
	}
	for topic := range ps.m {
		if matches(filter, topic) && !covered(topic) {
			delete(ps.m, topic)
		}
	}
}

func (ps *positions) add(topic string, p *position) {
	if len(ps.m) >= ps.max {
		for other := range ps.m {
			delete(ps.m, other)
			break
		}
	}
	ps.m[topic] = p
}
