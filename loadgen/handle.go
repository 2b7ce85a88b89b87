package loadgen

import (
	"fmt"
	"strconv"
)

// consume handles the whole messages in b and returns how much that is.
func (l *loop) consume(n int, c *conn, b []byte) int {
	off := 0
	if c.state == handshaking {
		if off = l.shakes(n, c, b); c.state == handshaking {
			return off
		}
	}
	d, ev := l.driverOf(c), &l.ev
	for c.fd >= 0 && off < len(b) {
		used := d.next(b[off:], ev)
		if used == 0 {
			break
		}
		off += used
		if ev.kind == evMessage {
			l.message(n, ev)
			continue
		}
		l.rare(n, c)
	}
	return off
}

// message judges a message and takes its latency.
func (l *loop) message(n int, ev *event) {
	if ev.topic < 0 {
		l.ledger.Unexpected++
		return
	}
	if ev.damaged && l.plan.Workload.publishes() { // idle may hear what others publish
		l.ledger.Damaged++
	}
	if !l.ledger.message(n, ev.topic, ev.seq, ev.prev) {
		return
	}
	l.record.took(ev.planned, l.now)
	if ev.planned == l.board.inFlight.Load() {
		l.arrived++
	}
}

// rare handles whatever is not a message of a topic.
func (l *loop) rare(n int, c *conn) {
	ev := &l.ev
	switch ev.kind {
	case evFrame:
		l.echoed(n, c, ev)
	case evSubscribed:
		l.subscribed(n, c, ev)
	case evGap:
		l.ledger.gap(n, ev.topic, ev.from, ev.to)
	case evPing:
		l.record.pings++
		l.reply(n, c)
	case evClose:
		l.closedByServer(n, c)
	case evRefused:
		l.refused(n, c, ev.text)
	case evPublished:
		switch {
		case c.publish:
			l.publisher.answered(ev)
		case c.state == subscribing && c.answers > 0:
			if c.answers--; c.answers == 0 {
				l.subscribedBlindly(n, c)
			}
		}
	case evUnread:
		l.ledger.Unread++
		l.record.faults.count(ev.text)
	case evBroken:
		l.end(n, c, "protocol: "+ev.text)
	}
}

func (l *loop) reply(n int, c *conn) {
	l.scratch = l.driverOf(c).appendReply(l.scratch[:0], &l.ev)
	l.write(n, c, l.scratch)
}

func (l *loop) closedByServer(n int, c *conn) {
	why := "closed by the server with " + strconv.Itoa(l.ev.code)
	if l.ev.text != "" {
		why += " (" + l.ev.text + ")"
	}
	if c.state != leaving {
		l.reply(n, c)
	}
	l.end(n, c, why)
}

func (l *loop) refused(n int, c *conn, why string) {
	switch {
	case c.publish:
		l.publisher.refused(why)
	case c.state == subscribing:
		l.end(n, c, "subscribe: "+why)
	default:
		l.record.faults.count(why)
	}
}

// subscribed takes the answer to a connection's one subscribe request.
func (l *loop) subscribed(n int, c *conn, ev *event) {
	if c.state != subscribing {
		return
	}
	if len(ev.acks) != l.plan.Subscriptions {
		l.end(n, c, fmt.Sprintf("subscribe: an answer for %d topics to a request for %d", len(ev.acks), l.plan.Subscriptions))
		return
	}
	for i := range ev.acks {
		a := &ev.acks[i]
		switch {
		case a.fault != "":
			l.end(n, c, "subscribe: "+a.fault)
			return
		case a.topic < 0:
			l.end(n, c, "subscribe: an answer for a topic that was not asked for")
			return
		case a.hasSeq:
			l.ledger.acknowledge(n, a.topic, a.seq)
			raise(&l.board.heads[a.topic], a.seq)
		}
	}
	for i := range ev.acks {
		l.board.subscribers[ev.acks[i].topic].Add(1)
	}
	l.opened(c)
}

// subscribedBlindly takes it that a connection has all that it asked for, of topics that nobody published to before. So it
// is with servers that do not number their messages: the publisher does, from 1.
func (l *loop) subscribedBlindly(n int, c *conn) {
	for i := n * l.ledger.size; i < (n+1)*l.ledger.size; i++ {
		if p := &l.ledger.places[i]; p.topic > 0 {
			p.state |= seqKnown
			l.board.subscribers[p.topic-1].Add(1)
		}
	}
	l.opened(c)
}

// excuse takes a dropped connection out of what is expected: it is counted as dropped, so what it did not get is not lost
// in silence.
func (l *loop) excuse(n int) {
	if n >= len(l.ledger.places)/l.ledger.size {
		return
	}
	for i := n * l.ledger.size; i < (n+1)*l.ledger.size; i++ {
		p := &l.ledger.places[i]
		if p.topic == 0 {
			continue
		}
		topic := int(p.topic) - 1
		l.board.subscribers[topic].Add(-1)
		if head := l.board.heads[topic].Load(); p.state&seqKnown != 0 && head > p.seq {
			l.excused += head - p.seq
			if l.board.inFlight.Load() != 0 && int(l.board.inTopic.Load()) == topic {
				l.arrived++ // nobody is to wait for it
			}
		}
	}
	l.ledger.forget(n)
}
