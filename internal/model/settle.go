package model

// Settled says whether the client has all that it is owed, when nothing is on its way any more. It has kept up since
// that time (ns, on the clock of intervals).
func (c *Client) Settled(since int64) error {
	for _, name := range c.log.Topics() {
		if err := c.settled(c.read(name), since); err != nil {
			return err
		}
	}
	return nil
}

func (c *Client) settled(r *reading, since int64) (err error) {
	for _, p := range r.places {
		m := c.owed(r, p, max(since, r.since))
		if m == nil {
			return nil
		}
		err = fault(ErrBehind, "%s %d: the client stands at %v", r.name, m.Seq, r.places)
	}
	return err
}

// owed is a message that a client which stands at that place is owed: of all any that is missing, else the
// newest that it is to get, an interval after it was published. A topic's very newest is kept for those who were
// there when it was published.
func (c *Client) owed(r *reading, p place, since int64) *Message {
	t := c.log.topic(r.name)
	if m := c.missing(r, p, t.newest().seq()); m != nil || r.served.all {
		return m
	}
	every := int64(r.served.every) * 1e6
	for _, m := range c.meant(t.above(p.at, None)) {
		if c.log.Gone(m) && (m != t.newest() || m.Seq <= p.full) {
			continue
		}
		if every == 0 || max(m.Nanos, since)+every+c.log.Slack <= c.log.Nanos() {
			return m
		}
	}
	return nil
}
