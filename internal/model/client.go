package model

import "slices"

// Client is one connection: what it asked for and what it was sent, in the order of its stream. What does not
// take place at once with its answer (a frame is under way) comes after that frame.
type Client struct {
	ID   uint64
	Mute bool // it cannot be told of gaps, and is closed rather; it passes over what it is excluded from

	log    *Log
	ops    []op
	topics map[string]*reading
}

// op is one change of a client's subscriptions.
type op struct {
	ask    Ask
	answer *Answer // nil ends the subscription, or nothing is known of it
	on     bool
	during Span
	nanos  int64
}

// reading is where a client stands in one topic.
type reading struct {
	name    string
	applied int // of the client's ops
	filters map[string]Terms
	served  served
	places  []place // one of them is where it stands; several until a frame tells
	noticed uint64  // notices that begin up to here are in place although it does not read all
	came    int64   // ns, of the last message; 0 if that was of a snapshot
	last    uint64  // the number of the last message
	changed bool    // its subscriptions were, since the last message
	since   int64   // ns, when they were
}

// place is a number up to which all has come, or was told missing.
type place struct {
	at    uint64
	free  uint64 // numbers up to this one may be passed over
	quiet uint64 // no notice is due of what the client is excluded from up to this one: it got the latest then
	full  uint64 // numbers up to this one are of a snapshot: all that is kept comes at once, whatever the mode
	loose bool   // a notice may begin before it: the server does not know what the client has
}

// NewClient returns a client without subscriptions.
func (l *Log) NewClient(id uint64) *Client {
	return &Client{ID: id, log: l, topics: make(map[string]*reading)}
}

// Subscribed tells of a subscription that was granted.
func (c *Client) Subscribed(a Ask, o Answer, during Span) error {
	err := c.judge(&a, &o, during)
	if !Wild(a.Filter) {
		t := c.log.topic(a.Filter)
		t.told = max(t.told, o.Seq)
	}
	a.Every = o.Every // what holds
	c.ops = append(c.ops, op{ask: a, answer: &o, on: true, during: during, nanos: c.log.Nanos()})
	return err
}

// SubscribedByURL tells of a subscription without an answer.
func (c *Client) SubscribedByURL(a Ask, during Span) {
	c.ops = append(c.ops, op{ask: a, on: true, during: during, nanos: c.log.Nanos()})
}

// Unsubscribed tells of the end of a subscription, whether it was there or not.
func (c *Client) Unsubscribed(filter string, during Span) {
	c.ops = append(c.ops, op{ask: Ask{Filter: filter}, during: during, nanos: c.log.Nanos()})
}

// read is where the client stands in a topic by now.
func (c *Client) read(name string) *reading {
	r := c.topics[name]
	if r == nil {
		r = &reading{name: name, filters: make(map[string]Terms)}
		c.topics[name] = r
	}
	for ; r.applied < len(c.ops); r.applied++ {
		if o := &c.ops[r.applied]; Match(o.ask.Filter, name) {
			c.apply(r, o)
		}
	}
	return r
}

// apply moves a reading on by one change of the client's subscriptions.
func (c *Client) apply(r *reading, o *op) {
	before, wasOn := r.served, len(r.filters) > 0
	if o.on {
		r.filters[o.ask.Filter] = o.ask.Terms
	} else {
		delete(r.filters, o.ask.Filter)
	}
	var by string
	r.served, by = deciding(c.log.RuleOf(r.name), r.name, r.filters)
	r.changed, r.since = true, o.nanos
	if wasOn && before.all && !r.served.all {
		r.noticed = max(r.noticed, c.head(r.name, o))
	}
	if wasOn && !before.all && r.served.all {
		c.free(r, c.head(r.name, o))
	}
	switch {
	case by == "":
		r.places = nil
	case !wasOn:
		r.places = c.starts(&o.ask, o.answer, r.name, o.during)
	case o.on && o.ask.replays():
		alone := by == o.ask.Filter && (!Wild(by) || len(r.filters) == 1)
		r.places = again(r.places, c.starts(&o.ask, o.answer, r.name, o.during), alone)
	}
	if o.on && o.ask.Since != nil {
		r.noticed = max(r.noticed, c.head(r.name, o))
	}
}

// head is the highest number that the topic may have reached when a change was made.
func (c *Client) head(name string, o *op) uint64 {
	heads := c.log.topic(name).headsFor(&o.ask, o.answer, name, o.during)
	return heads[len(heads)-1]
}

// free lets a reading that got the latest, and gets all from now on, pass over what it was not owed: all but the
// newest, and that too if it is gone.
func (c *Client) free(r *reading, head uint64) {
	t := c.log.topic(r.name)
	for i := range r.places {
		p := &r.places[i]
		p.free, p.quiet = head, head
		for _, m := range c.meant(t.above(p.at, head)) {
			if m == t.newest() || !c.log.Gone(m) {
				p.free = m.after
			}
		}
	}
}

// again is where a reading may go on that was asked to begin anew. It may also go on where it was if that was
// further back, or if the request was not alone in asking for the topic.
func again(old, anew []place, alone bool) []place {
	places := slices.Clone(anew)
	for _, p := range old {
		if p.loose { // a notice that is on its way because of an earlier request
			for i := range anew {
				places[i].loose = true
			}
		}
		further := slices.ContainsFunc(anew, func(n place) bool { return p.at < n.at })
		if !alone || further {
			places = append(places, p)
		}
	}
	return merged(places)
}

// ReadsAll says that the client is to get every message of a topic, as it stands.
func (c *Client) ReadsAll(topic string) bool {
	r := c.read(topic)
	return len(r.filters) > 0 && r.served.all
}

// Held is what the client has of each topic: the number up to which everything came or was told missing. Topics
// of which that is not certain are left out.
func (c *Client) Held() map[string]uint64 {
	held := make(map[string]uint64)
	for _, name := range c.log.Topics() {
		if r := c.read(name); len(r.places) == 1 {
			held[name] = r.places[0].at
		}
	}
	return held
}
