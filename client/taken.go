package client

// follow notes that the application has subscribed to filter; one that it had already stays where it is.
func (ps *positions) follow(filter string, begun *start) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	ps.begin(filter, begun)
}

// took notes an event that the application gets.
func (ps *positions) took(e *Event) {
	if e.Kind != Message && e.Kind != Gap {
		return
	}
	ps.mu.Lock()
	defer ps.mu.Unlock()
	switch {
	case e.Kind == Message:
		ps.tookTo(e, e.Seq, e.Time.UnixMilli())
	case e.To > 0:
		ps.tookTo(e, e.To, ps.newest)
	case isPattern(e.Topic):
		ps.tookAnew(e)
	default:
		if p := ps.topics[e.Topic]; p != nil {
			p.epoch, p.seq = e.Epoch, e.after
		}
	}
}

func (ps *positions) tookTo(e *Event, seq uint64, ts int64) {
	p := ps.topics[e.Topic]
	if p == nil {
		if !ps.covered(e.Topic) {
			return // unsubscribed meanwhile
		}
		p = &position{}
		ps.add(e.Topic, p)
		ps.date(e.Topic, ts)
	}
	if p.epoch != e.Epoch {
		p.epoch, p.seq = e.Epoch, seq
	}
	p.seq, p.ts = max(p.seq, seq), ts
	ps.newest = max(ps.newest, ts)
}

// tookAnew notes that the topics of a pattern are counted anew: in another epoch, or because it goes on without its place.
func (ps *positions) tookAnew(e *Event) {
	s := ps.scopes[e.Topic]
	switch {
	case s == nil:
		return
	case s.epoch != e.Epoch:
		ps.forsake(e.Topic, e.Epoch)
		ps.newest = 0
	case e.after > 0:
		ps.forsake(e.Topic, "")
	default:
		return
	}
	s.epoch, s.from, s.dated = e.Epoch, int64(e.after), true
}
