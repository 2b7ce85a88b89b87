package e2e

import (
	"bytes"
	"fmt"
)

// standing is where a client stands in a topic.
type standing struct {
	topic *soakTopic
	all   bool // every message; else the latest

	begun  bool   // from is known
	low    uint64 // until then: the first message is above it,
	high   uint64 // and this one at the latest
	from   uint64 // counting begins after it
	at     uint64 // up to here everything has come, or was told missing
	got    uint64 // messages that have come
	told   uint64 // messages that were told missing
	ts     int64  // of the ack that it began with
	byTime bool   // it was asked for by a pattern
}

// message takes the next message of a topic: in order, once, and what was published.
func (r *standing) message(s *soak, seq uint64, data []byte) error {
	switch {
	case seq > r.topic.sent.Load() || !bytes.Equal(data, r.topic.payload(seq)):
		return fmt.Errorf("%s %d is not what was published: %.200s", r.topic.name, seq, data)
	case !r.begun && (seq <= r.low || r.all && seq > r.high):
		return fmt.Errorf("%s begins with %d, not with one of %d to %d", r.topic.name, seq, r.low+1, r.high)
	case r.begun && (seq <= r.at || r.all && seq != r.at+1):
		return fmt.Errorf("%s %d came behind %d", r.topic.name, seq, r.at)
	}
	r.begins(seq - 1)
	r.at = seq
	r.got++
	r.topic.seen = max(r.topic.seen, seq)
	s.received++
	return nil
}

// begins says that counting begins after a number, if it has not begun.
func (r *standing) begins(after uint64) {
	if !r.begun {
		r.begun, r.from, r.at = true, after, after
	}
}

// subscribedByPattern: what is published once the ack has come, comes; what was published just before, maybe.
func (r *standing) subscribedByPattern(ts int64) {
	if r.byTime {
		return // it goes on
	}
	r.ts, r.byTime, r.high = ts, true, r.topic.sent.Load()+1
}

// owed is how a client that is to have everything is short of it, when nothing is on its way any more.
func (r *standing) owed() error {
	switch head := r.topic.sent.Load(); {
	case !r.begun && head >= r.high, r.begun && r.at != head:
		return fmt.Errorf("%s: it stands at %d, the topic at %d", r.topic.name, r.at, head)
	case r.begun && r.all && r.got+r.told != head-r.from:
		return fmt.Errorf("%s: %d came and %d were told missing, of %d", r.topic.name, r.got, r.told, head-r.from)
	}
	return nil
}
