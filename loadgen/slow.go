package loadgen

import "time"

const (
	slowReadEvery = 100 * time.Millisecond
	// slowReadShare is which part of what should come a slow connection reads.
	slowReadShare = 0.1
	// slowCreditBytesMax bounds what a slow connection may read at once.
	slowCreditBytesMax = 16 << 10
	// slowEnvelopeBytes is what a message has around its payload, as long as none was seen.
	slowEnvelopeBytes = 100
)

// slowReaders keeps a loop's slow and stalled connections from reading, and lets the slow ones read a little now and then.
// At the end of the load all of them read again.
type slowReaders struct {
	slow, stalled []int32 // connections
	until         int64   // from here on they read; 0: they read already, or there are none
	next          int64
	bytesPerS     func() float64 // what a slow connection may read
	credit        float64        // bytes
	allowance     int            // of the read under way; 0: no bound
}

func newSlowReaders(l *loop) slowReaders {
	s := slowReaders{}
	for n := range l.conns {
		switch l.conns[n].class {
		case slow:
			s.slow = append(s.slow, int32(n))
		case stalled:
			s.stalled = append(s.stalled, int32(n))
		}
	}
	if len(s.slow)+len(s.stalled) == 0 {
		return s
	}
	p := l.plan
	messages := p.rate() * float64(p.Subscriptions) / float64(p.Topics) // a second, to one connection
	s.until = 1<<63 - 1
	s.bytesPerS = func() float64 { return slowReadShare * messages * l.messageBytes() }
	return s
}

// messageBytes is how long a message is on the wire, by what came so far.
func (l *loop) messageBytes() float64 {
	if l.ledger.Delivered < 100 {
		return float64(l.plan.Payload + slowEnvelopeBytes)
	}
	return float64(l.record.bytesIn) / float64(l.ledger.Delivered)
}

// holds reports whether news of a connection are not to be read yet.
func (s *slowReaders) holds(c *conn) bool {
	return s.until != 0 && c.class != healthy && c.state == ready
}

// turn lets the slow connections read their share, and all of them everything once the load has ended.
func (s *slowReaders) turn(l *loop) {
	switch {
	case s.bytesPerS == nil:
	case s.until == 0 || l.now >= s.until:
		s.until, s.bytesPerS = 0, nil
		s.readAll(l, s.slow)
		s.readAll(l, s.stalled)
	case l.now >= s.next:
		s.readSome(l)
	}
}

func (s *slowReaders) readAll(l *loop, conns []int32) {
	for _, n := range conns {
		if c := &l.conns[n]; c.state == ready {
			l.read(int(n), c, true)
		}
	}
}

// readSome gives each slow connection what it may read since the last time.
func (s *slowReaders) readSome(l *loop) {
	s.next = l.now + int64(slowReadEvery)
	s.credit = min(s.credit+s.bytesPerS()*slowReadEvery.Seconds(), slowCreditBytesMax)
	s.allowance = int(s.credit)
	if s.allowance == 0 {
		return
	}
	s.credit -= float64(s.allowance)
	for _, n := range s.slow {
		if c := &l.conns[n]; c.state == ready {
			l.read(int(n), c, false)
		}
	}
	s.allowance = 0
}
