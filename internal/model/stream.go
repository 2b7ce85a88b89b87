package model

// Frame is a message as it came.
type Frame struct {
	Topic     string
	Seq, Prev uint64
	TS        int64 // 0 where the frame does not say
	Payload   string
}

// Message takes the next message of the stream.
func (c *Client) Message(f *Frame) error {
	m := c.log.topic(f.Topic).find(f.Seq)
	if err := m.is(f); err != nil {
		return err
	}
	r := c.read(f.Topic)
	switch {
	case len(r.filters) == 0:
		return fault(ErrUnasked, "%s %d", f.Topic, f.Seq)
	case m.excludes(c.ID):
		return fault(ErrExcluded, "%s %d", f.Topic, f.Seq)
	}
	if err := c.move(r, m); err != nil {
		return err
	}
	return c.timely(r, m)
}

// timely holds a message that has come against the interval, of those that were published under it. What is of a
// snapshot comes at once, and what a topic had when it went away; when it comes back it knows of no interval.
func (c *Client) timely(r *reading, m *Message) error {
	live := m.Nanos > r.since && c.log.topic(r.name).whole(r.last, m.Seq) && !c.log.Gone(m)
	for _, p := range r.places {
		live = live && m.Seq > p.full
	}
	every, now := int64(r.served.every)*1e6, c.log.Nanos()
	since := now - r.came
	if live && every > 0 && r.came > 0 && !r.changed && since < every-c.log.Slack {
		return fault(ErrEarly, "%s %d: %d ns after the one before, the interval is %d ms", m.Topic, m.Seq, since, r.served.every)
	}
	r.came, r.changed, r.last = 0, false, m.Seq
	if live {
		r.came = now
	}
	return nil
}

// is holds a frame against what was published.
func (m *Message) is(f *Frame) error {
	switch {
	case m == nil:
		return fault(ErrFalse, "%s %d %.60q: nobody published that", f.Topic, f.Seq, f.Payload)
	case m.Payload != f.Payload || m.Prev != f.Prev:
		return fault(ErrFalse, "%s %d (before it %d) %.60q: published was %.60q, before it %d", f.Topic, f.Seq, f.Prev, f.Payload, m.Payload, m.Prev)
	case m.TS == 0:
		m.TS = f.TS
	case f.TS != 0 && f.TS != m.TS:
		return fault(ErrFalse, "%s %d is of %d ms here and of %d ms elsewhere", f.Topic, f.Seq, f.TS, m.TS)
	}
	return nil
}

// move moves a reading on by a message.
func (c *Client) move(r *reading, m *Message) error {
	var places []place
	above := false
	for _, p := range r.places {
		if p.at < m.Seq {
			above = true
			if c.missing(r, p, m.after) == nil {
				p.at = m.Seq
				places = append(places, p)
			}
		}
	}
	switch {
	case !above:
		return fault(ErrTwice, "%s %d: the client stands at %v", r.name, m.Seq, r.places)
	case places == nil:
		return fault(ErrLeftOut, "%s %d: the client stands at %v", r.name, m.Seq, r.places)
	}
	r.places = merged(places)
	return nil
}

// merged leaves out what stands there twice.
func merged(places []place) (some []place) {
	if len(places) < 2 {
		return places
	}
	seen := make(map[place]bool)
	for _, p := range places {
		if !seen[p] {
			seen[p] = true
			some = append(some, p)
		}
	}
	return some
}

// missing is the first message that cannot be passed over between a place and a number, that one included.
func (c *Client) missing(r *reading, p place, to uint64) *Message {
	from := max(p.at, p.free)
	if !r.served.all {
		from, to = p.at, min(to, p.full)
	}
	if to <= from {
		return nil
	}
	for _, m := range c.log.topic(r.name).above(from, to) {
		switch {
		case m.excludes(c.ID) && (c.Mute || !r.served.all || m.Seq <= p.quiet):
		case !r.served.all && c.log.Gone(m):
		default:
			return m
		}
	}
	return nil
}

// Reasons of a notice.
const (
	Slow     = "slow"
	Expired  = "expired"
	Excluded = "excluded"
)

// Gap takes a notice that messages are missing.
func (c *Client) Gap(name string, from, to uint64, reason string) error {
	r, t := c.read(name), c.log.topic(name)
	bad := func(why string) error {
		return fault(ErrGap, "%s %d-%d %s: %s; the client stands at %v", name, from, to, reason, why, r.places)
	}
	switch {
	case len(r.filters) == 0:
		return fault(ErrUnasked, "a notice of %s", name)
	case from > to || !t.limit(to) && !c.away(t, to):
		return bad("it does not end with a message")
	case !r.served.all && from > r.noticed:
		return bad("the client reads the latest")
	}
	about := t.above(from-1, to)
	if len(about) == 0 && !t.vacant(from, to) {
		return bad("nothing was published there")
	}
	for _, m := range about {
		switch excluded := m.excludes(c.ID); {
		case reason == Excluded && !excluded:
			return bad("not all of that was published without this client")
		case reason != Excluded && reason != Slow && reason != Expired:
			return bad("there is no such reason")
		case reason != Excluded && !excluded && !c.log.Gone(m):
			return bad("not all of that is gone")
		}
	}
	var places []place
	for _, p := range r.places {
		if p.follows(from, t) {
			p.at = max(p.at, to)
			places = append(places, p)
		}
	}
	if places == nil {
		return bad("it is out of place")
	}
	r.places = merged(places)
	return nil
}

// away says that a number was never given out: it lies where a topic was away, or is still.
func (c *Client) away(t *topic, seq uint64) bool {
	newest := t.newest()
	return t.vacant(seq, seq) && (newest == nil || seq < newest.Seq || c.log.Gone(newest))
}

// follows says that a notice which begins with that number is in its place: right behind what came last.
func (p place) follows(from uint64, t *topic) bool {
	switch {
	case p.loose && from <= p.at:
		return true
	case p.at >= from: // of numbers that were never given out
		return len(t.above(from-1, p.at)) == 0
	}
	return p.at+1 == from || max(p.free, p.quiet)+1 >= from || t.vacant(p.at+1, from-1)
}
