package loadgen

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// publishBatchBytes bounds what is written at once.
const publishBatchBytes = 64 << 10

// rateLimitedCode is what a refusal of megawire.v1 begins with where one client asks for too much.
const rateLimitedCode = "rate_limited:"

// publisher sends the messages of a fanout over one connection. It belongs to the first loop.
type publisher struct {
	loop   *loop
	conn   int // the loop's number for the connection
	driver driver
	target target
	order  []uint32 // topics in the order in which they get a message

	pacer   pacer // nil: a closed loop
	running bool
	start   int64
	stop    int64 // nothing is planned from here on
	planned uint64
	sent    uint64
	batch   []byte

	// closed loop
	inFlight int64 // planned instant; 0: none
	rounds   *hdrhistogram.Histogram
	timeouts uint64

	// open loop: how far behind the plan messages were sent, where the server was not the reason
	slips     *hdrhistogram.Histogram
	heldUp    bool   // the server does not take what was sent
	heldUntil int64  // messages planned before it waited for that
	held      uint64 // how many they were
	unsent    uint64 // planned, and given up

	refusals reasons
	refusedN uint64

	rateLimited uint64 // of refusedN
	finished    bool
	awaiting    int64 // since when the answer to the stream is awaited; 0: not

	unanswered bool // it was not answered in time
}

func newPublisher(l *loop, p *Plan) *publisher {
	q := &publisher{loop: l, order: make([]uint32, p.Topics), rounds: newLatency(), slips: newLatency()}
	for i := range q.order {
		q.order[i] = uint32(i)
	}
	random := rand.New(rand.NewPCG(p.Seed, 0))
	random.Shuffle(len(q.order), func(i, j int) { q.order[i], q.order[j] = q.order[j], q.order[i] })
	if !p.closed() {
		q.pacer = newConstant(p.rate())
	}
	return q
}

// begin starts the sending; posted by the coordinator.
func (p *publisher) begin(start, stop int64) { p.running, p.start, p.stop = true, start, stop }

// halt ends the plan here.
func (p *publisher) halt(now int64) {
	p.stop = min(p.stop, now)
	p.start = min(p.start, p.stop)
}

// turn sends what is due.
func (p *publisher) turn(now int64) {
	switch {
	case p.awaiting != 0:
		if now-p.awaiting > int64(drainLongest) {
			p.awaiting, p.unanswered = 0, true
			p.end()
		}
	case !p.running || now < p.start:
	case p.pacer == nil:
		p.turnClosed(now)
	case now > p.stop+int64(p.loop.plan.DrainTimeout):
		p.abandon()
	default:
		p.turnOpen(now)
	}
}

// turnClosed sends the next message once everybody got the last one.
func (p *publisher) turnClosed(now int64) {
	b := p.loop.board
	if p.inFlight != 0 {
		switch {
		case b.remaining.Load() <= 0:
			if r := &p.loop.record; p.inFlight >= r.from && p.inFlight < r.to {
				_ = p.rounds.RecordValue(min(now-p.inFlight, latencyMax))
			}
		case now-p.inFlight > int64(p.loop.plan.ReplyTimeout):
			p.timeouts++
		default:
			return
		}
	}
	if now >= p.stop {
		p.finish()
		return
	}
	at := max(now, p.inFlight+1)
	topic, ok := p.next()
	if !ok {
		p.finish()
		return
	}
	p.inFlight = at
	b.inTopic.Store(int64(topic))
	b.remaining.Store(int64(b.subscribers[topic].Load()))
	b.inFlight.Store(at)
	p.add(topic, at)
	p.flush()
}

// next is the next topic in turn that somebody subscribed to.
func (p *publisher) next() (int, bool) {
	for range p.order {
		topic := int(p.order[p.planned%uint64(len(p.order))])
		p.planned++
		if p.loop.board.subscribers[topic].Load() > 0 {
			return topic, true
		}
	}
	return 0, false
}

// turnOpen sends all that is planned up to now, unless the server does not take what was sent before.
func (p *publisher) turnOpen(now int64) {
	c := &p.loop.conns[p.conn]
	last := p.pacer.due(time.Duration(p.stop - p.start - 1))
	due := min(p.pacer.due(time.Duration(now-p.start)), last)
	if p.heldUp && len(c.out) == 0 {
		p.heldUp, p.heldUntil = false, now
	}
	for p.planned < due && p.running {
		if p.heldUp = len(c.out) > 0; p.heldUp {
			return
		}
		at := p.start + int64(p.pacer.at(p.planned))
		if at < p.heldUntil {
			p.held++
		} else {
			_ = p.slips.RecordValue(min(now-at, latencyMax))
		}
		p.add(int(p.order[p.planned%uint64(len(p.order))]), at)
		p.planned++
		if len(p.batch) >= publishBatchBytes {
			p.flush()
		}
	}
	p.flush()
	p.heldUp = len(c.out) > 0
	if p.planned >= last {
		p.finish()
	}
}

// abandon gives up on messages that should have gone out long ago: a server that reads too slowly would hold the run up.
func (p *publisher) abandon() {
	last := p.pacer.due(time.Duration(p.stop - p.start - 1))
	p.unsent = max(last, p.planned) - p.planned
	p.running = false
	p.end() // a barrier would wait behind all that is not read either
}

// add plans one message into the batch.
func (p *publisher) add(topic int, at int64) {
	b := p.loop.board
	p.batch = p.driver.appendPublish(p.batch, topic, at)
	p.sent++
	b.heads[topic].Add(1)
	p.loop.expected += uint64(b.subscribers[topic].Load())
}

func (p *publisher) flush() {
	p.loop.write(p.conn, &p.loop.conns[p.conn], p.batch)
	p.batch = p.batch[:0]
}

// finish ends the stream.
func (p *publisher) finish() {
	p.running = false
	p.loop.board.inFlight.Store(0)
	var reply bool
	if p.batch, reply = p.driver.appendFinish(p.batch); reply {
		p.awaiting = p.loop.now
	}
	p.flush()
	if !reply {
		p.end()
	}
}

func (p *publisher) end() {
	if !p.finished {
		p.finished = true
		close(p.loop.board.published)
	}
}

// refused counts a message that the server did not take. Without an id it does not say which.
func (p *publisher) refused(why string) {
	p.refusedN++
	if strings.HasPrefix(why, rateLimitedCode) {
		p.rateLimited++
	}
	p.refusals.count(why)
	if p.pacer == nil && p.inFlight != 0 {
		b := p.loop.board
		b.remaining.Store(0)
		topic := b.inTopic.Load()
		b.heads[topic].Add(^uint64(0))
		p.loop.expected -= uint64(b.subscribers[topic].Load())
	}
}

// answered takes the answer to a stream.
func (p *publisher) answered(ev *event) {
	switch {
	case p.awaiting == 0:
		p.loop.fatal(fmt.Errorf("loadgen: the admin API ended the stream early: %s", ev.text))
	case !ev.counted:
	case ev.accepted == 0 && ev.text != "":
		p.loop.fatal(fmt.Errorf("loadgen: the admin API refused the stream: %s", ev.text))
	case ev.accepted < p.sent:
		p.refusedN += p.sent - ev.accepted
		p.refusals.counts(cmp.Or(ev.text, "not counted by the admin API"), p.sent-ev.accepted)
	}
	p.awaiting, p.running = 0, false
	p.end()
}

// lost ends a run whose publishing connection was dropped.
func (p *publisher) lost(why string) {
	p.running, p.awaiting = false, 0
	if !p.finished {
		p.loop.fatal(fmt.Errorf("loadgen: the publishing connection was lost: %s", why))
		p.end()
	}
}

// patience is how long the loop may sleep for the publisher's sake.
func (p *publisher) patience(now int64) time.Duration {
	switch {
	case !p.running:
		return idleWait
	case now < p.start:
		return min(idleWait, time.Duration(p.start-now))
	case p.pacer == nil:
		return max(0, min(idleWait, time.Duration(p.inFlight+int64(p.loop.plan.ReplyTimeout)-now)))
	case len(p.loop.conns[p.conn].out) > 0:
		return idleWait
	}
	return max(0, min(idleWait, time.Duration(p.start+int64(p.pacer.at(p.planned))-now)))
}
