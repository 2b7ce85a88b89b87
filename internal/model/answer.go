package model

// judge holds the answer to a subscription against what is known of its time.
func (c *Client) judge(a *Ask, o *Answer, during Span) error {
	if o.Epoch != c.log.Epoch {
		return fault(ErrAnswer, "%s: epoch %q, it is %q", a.Filter, o.Epoch, c.log.Epoch)
	}
	if err := c.judgeTerms(a, o); err != nil {
		return err
	}
	if !Wild(a.Filter) && during != Always {
		heads := c.log.topic(a.Filter).heads(during)
		if low := heads[0]; o.Seq < low {
			return fault(ErrAnswer, "%s begins after %d, the head was %d", a.Filter, o.Seq, low)
		}
		high := heads[len(heads)-1]
		if len(c.log.topic(a.Filter).above(high, o.Seq)) > 0 {
			return fault(ErrAnswer, "%s begins after %d, the head was %d", a.Filter, o.Seq, high)
		}
	}
	if a.Since == nil && o.Recovered != -1 {
		return fault(ErrAnswer, "%s: recovered %d where nothing was to be", a.Filter, o.Recovered)
	}
	if a.Since != nil {
		if v := c.recovers(a, o, during); v == yes && o.Recovered != 1 || v == no && o.Recovered != 0 {
			return fault(ErrAnswer, "%s since %+v: recovered %d", a.Filter, *a.Since, o.Recovered)
		}
	}
	return c.judgeSnapshot(a, o, during)
}

func (c *Client) judgeTerms(a *Ask, o *Answer) error {
	s := c.log.RuleOf(a.Filter).serve(a.Terms)
	if !Wild(a.Filter) && o.Latest == s.all {
		return fault(ErrAnswer, "%s: asked for %+v, answered %+v", a.Filter, a.Terms, *o)
	}
	if over := o.Every - a.Every; o.Every%10 != 0 || over < 0 || over > max(9, a.Every/2) || a.Every == 0 && over > 0 {
		return fault(ErrAnswer, "%s: every %d ms was asked for, answered %d", a.Filter, a.Every, o.Every)
	}
	return nil
}

// verdict is an answer to a question that cannot always be told from outside.
type verdict int8

const (
	unknown verdict = iota
	yes
	no
)

// recovers says whether all that was published since is on its way.
func (c *Client) recovers(a *Ask, o *Answer, during Span) verdict {
	if a.Since.Epoch != c.log.Epoch {
		return no
	}
	all := yes
	for _, name := range c.log.Topics() {
		if !Match(a.Filter, name) {
			continue
		}
		switch c.recoversTopic(a, o, name, during) {
		case no:
			return no
		case unknown:
			all = unknown
		}
	}
	if all == yes && Wild(a.Filter) && c.log.lostSince(a) {
		return unknown // the server knows that something went, not what
	}
	if _, named := a.Since.seqOf(a.Filter, a.Filter); named && c.log.topic(a.Filter).newest() == nil && a.Since.Seq > o.Seq {
		return no // a topic without messages
	}
	return all
}

// lostSince says that some topic went away with messages from after a place.
func (l *Log) lostSince(a *Ask) bool {
	for _, name := range l.names {
		t := l.topics[name]
		for i, m := range t.messages {
			newest := i+1 == len(t.messages)
			if m.TS >= a.Since.TS && (newest && a.Kept.lacks(name) || !newest && t.messages[i+1].back) {
				return true
			}
		}
	}
	return false
}

func (c *Client) recoversTopic(a *Ask, o *Answer, name string, during Span) verdict {
	t := c.log.topic(name)
	oldest, known := a.Kept.oldest(name)
	if !known {
		return unknown
	}
	first, v := true, unknown
	for _, head := range t.headsFor(a, o, name, during) {
		for _, from := range oldest {
			w := c.recoversFrom(t, a, name, head, from)
			if !first && v != w {
				return unknown
			}
			first, v = false, w
		}
	}
	return v
}

// recoversFrom decides for a topic whose head and whose oldest kept message are known.
func (c *Client) recoversFrom(t *topic, a *Ask, name string, head, oldest uint64) verdict {
	seq, named := a.Since.seqOf(a.Filter, name)
	switch {
	case named && seq > head && (seq <= t.told || head == 0 || a.Kept.lacks(name)):
		return unknown // a topic that came back empty, or of which there is nothing
	case named && seq > head:
		return no
	}
	lost := oldest
	if oldest > 0 && oldest != None {
		lost = oldest - 1
	}
	v := yes
	for _, m := range t.above(0, min(head, lost)) {
		switch {
		case named && m.Seq <= seq, !named && m.TS < a.Since.TS:
		case m.excludes(c.ID), !named && m.TS == a.Since.TS:
			v = unknown // it is nothing lost, but the server need not know
		default:
			return no
		}
	}
	switch evicted := t.above(0, min(head, lost)); {
	case v == unknown:
	case a.Kept.lacks(name):
		return unknown // nobody can say what was in it
	case named && (!t.whole(seq, head) || oldest == None && seq < max(head, t.told)):
		return unknown // the topic went away in between: what it had cannot be told
	case !named && len(evicted) > 0 && (oldest == None || t.find(oldest).TS >= a.Since.TS):
		return unknown // when the newest that is gone was published may not be known
	}
	return v
}

// judgeSnapshot holds the number of messages that last brings against what is kept. Topics that another filter
// brings already may count or not, and so may messages that the client is excluded from.
func (c *Client) judgeSnapshot(a *Ask, o *Answer, during Span) error {
	if o.Snapshot < 0 {
		return nil
	}
	least, most := 0, 0
	for _, name := range c.log.Topics() {
		if a.Last == 0 || !Match(a.Filter, name) {
			continue
		}
		low, high := c.snapshotOf(a, o, name, during)
		if others := len(c.read(name).filters); others == 0 {
			least += low
		} else if _, again := c.read(name).filters[a.Filter]; again && others == 1 {
			least += low
		}
		most += high
	}
	if o.Snapshot < least || o.Snapshot > most {
		return fault(ErrAnswer, "%s: last %d is said to bring %d messages, there are %d to %d", a.Filter, a.Last, o.Snapshot, least, most)
	}
	return nil
}

func (c *Client) snapshotOf(a *Ask, o *Answer, name string, during Span) (low, high int) {
	t := c.log.topic(name)
	low = a.Last
	for _, p := range c.starts(a, o, name, during) {
		some := t.above(p.at, p.full)
		low, high = min(low, len(c.meant(some))), max(high, len(some))
	}
	return low, high
}
