package loadgen

import (
	"context"
	"sync"
	"time"
)

// fleet is the loops of a run and their connections.
type fleet struct {
	plan      *Plan
	clock     clock
	board     *board
	loops     []*loop
	publisher *publisher
	sources   sources
	running   sync.WaitGroup
}

// newFleet prepares a validated plan; nothing connects yet.
func newFleet(p *Plan) (*fleet, error) {
	addr, u, err := p.target()
	if err != nil {
		return nil, err
	}
	if err := checkDescriptors(p.Connections); err != nil {
		return nil, err
	}
	from, err := newSources(p, addr.Addr(), localPorts())
	if err != nil {
		return nil, err
	}
	if p.data, err = newPayload(p); err != nil {
		return nil, err
	}
	path := u.RequestURI()
	f := &fleet{plan: p, clock: newClock(), sources: from}
	t := topics{}
	if p.Workload.subscribes() {
		t = newTopics(p)
	}
	f.board = newBoard(t.count, p.Loops)
	w := webSocket{host: u.Host, path: path}
	for i := range p.Loops {
		w.seed = mix(p.Seed + uint64(i)<<32)
		if p.Deflate {
			w.inflation = newInflation()
		}
		l, err := f.newLoop(i, w, t)
		if err != nil {
			f.closePollers()
			return nil, err
		}
		l.target = target{addr: addr, host: u.Host, path: path}
		f.loops = append(f.loops, l)
	}
	f.board.first = f.loops[0]
	if p.Workload.publishes() {
		w.inflation = nil
		if err := f.addPublisher(w, t); err != nil {
			f.closePollers()
			return nil, err
		}
	}
	return f, nil
}

func (f *fleet) newLoop(id int, w webSocket, t topics) (*loop, error) {
	p := f.plan
	e, err := newEpoll()
	if err != nil {
		return nil, err
	}
	share := (p.Connections - id + p.Loops - 1) / p.Loops
	l := &loop{
		epoll: e, id: id, plan: p, board: f.board, clock: &f.clock, sources: f.sources, inflation: w.inflation, leavingFrom: -1,
		conns: make([]conn, share), buf: make([]byte, readBufferBytes), record: newRecord(p),
	}
	for i := range l.conns {
		l.conns[i].fd = -1
		l.conns[i].class = p.classOf(l.number(i))
	}
	l.driver = newDriver(p, w, t)
	switch p.Workload {
	case Echo:
		l.echo.at = make([]int64, share)
	case Connect:
		l.nextOpen = len(l.conns)
		l.shaking = newHandshakes(l)
	default:
		l.ledger = newLedger(share, p.Subscriptions)
		l.slow = newSlowReaders(l)
	}
	return l, nil
}

// newDriver makes what speaks for one loop's clients.
func newDriver(p *Plan, w webSocket, t topics) driver {
	if p.Workload == Echo {
		return newEchoDriver(w, p.Payload)
	}
	return driverNamed(p.Driver).make(p, w, t)
}

// addPublisher gives the first loop one connection more.
func (f *fleet) addPublisher(w webSocket, t topics) error {
	l := f.loops[0]
	q := newPublisher(l, f.plan)
	q.conn, q.target = len(l.conns), l.target
	l.conns = append(l.conns, conn{fd: -1, publish: true})
	q.driver = newDriver(f.plan, w, t)
	if f.plan.Via == ViaHTTP {
		addr, err := resolve(f.plan.Admin)
		if err != nil {
			return planError("admin", "%v", err)
		}
		q.target = target{addr: addr, host: f.plan.Admin}
		q.driver = newHTTPDriver(f.plan.Admin, t, f.plan.data)
	}
	l.publisher, f.publisher = q, q
	return nil
}

// start lets the loops run; they begin to connect at once.
func (f *fleet) start() {
	for _, l := range f.loops {
		f.running.Add(1)
		go func() {
			defer f.running.Done()
			l.run()
		}()
	}
}

// each runs do on every loop's goroutine, without waiting.
func (f *fleet) each(do func(l *loop)) {
	for _, l := range f.loops {
		l.post(func() { do(l) })
	}
}

// opened waits until every connection is open or given up.
func (f *fleet) opened(ctx context.Context) error {
	for range f.loops {
		select {
		case <-f.board.opened:
		case err := <-f.board.fatal:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	select {
	case err := <-f.board.fatal:
		return err
	default:
		return nil
	}
}

// close says goodbye on every connection and ends the loops. Their records may be read afterwards.
func (f *fleet) close(timeout time.Duration) {
	f.each(func(l *loop) { l.leave(timeout) })
	f.running.Wait()
	f.closePollers()
}

func (f *fleet) closePollers() {
	for _, l := range f.loops {
		l.close()
	}
}

// totals adds up what the loops show while they run.
func (f *fleet) totals() (t struct {
	open, failed, dropped          int
	delivered, accounted, expected uint64
}) {
	for _, l := range f.loops {
		t.open += int(l.live.open.Load())
		t.failed += int(l.live.failed.Load())
		t.dropped += int(l.live.dropped.Load())
		t.delivered += l.live.delivered.Load()
		t.accounted += l.live.accounted.Load()
		t.expected += l.live.expected.Load()
	}
	return t
}
