package server

import (
	"math/rand/v2"
	"time"

	"github.com/megawire/megawire/codec/ws"
	"github.com/megawire/megawire/poller"
)

// drain is how far a worker has come in letting its clients go.
type drain struct {
	until time.Time // when the last one is to be told; zero while the server serves
	next  uint32    // the handle to look at next
}

// closesASecond is how fast a loop lets clients go at least: a few need no spread, a million do, or they
// come back all at once.
const closesASecond = 20_000

// drain refuses newcomers, tells every client when to come back, and closes with 1001, spread over
// drain.spread where there are many. It returns when all are gone or drain.timeout is over.
func (s *Server) drain() {
	s.draining.Store(true)
	deadline := time.Now().Add(s.cfg.Drain.Timeout)
	connections := s.poller.Connections()
	need := time.Duration(connections) * time.Second / closesASecond
	until := time.Now().Add(min(s.cfg.Drain.Spread, need))
	s.log.Info("draining", "connections", connections)
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	waits := func() bool { return s.poller.Connections() > 0 && time.Now().Before(deadline) }
	for _, w := range s.workers {
		begin := func() {
			w.drain.until = until
			w.drainSome()
		}
		for !w.loop.Post(begin) && waits() { // it has too much to do at the moment
			<-poll.C
		}
	}
	for waits() {
		<-poll.C
	}
	if left := s.poller.Connections(); left > 0 {
		s.log.Warn("clients did not take their close in time", "connections", left)
	}
}

// drainSome lets go as many clients as the time that is left asks for. Called in each tick.
func (w *worker) drainSome() {
	if w.drain.until.IsZero() {
		return
	}
	ticks := max(0, int(time.Until(w.drain.until)/tickTime)) + 1
	count := w.loop.Len()/ticks + 1
	w.loop.Each(w.drain.next, func(c *poller.Conn) bool {
		if c.Open() {
			w.letGo(c)
			count--
		}
		w.drain.next = c.Handle() + 1
		return count > 0
	})
	if count > 0 {
		w.drain.next = 1 // to the end: those that came meanwhile have low handles
	}
}

// tickTime is how often tick is called.
const tickTime = 100 * time.Millisecond

const ticksASecond = uint(time.Second / tickTime)

func (w *worker) letGo(c *poller.Conn) {
	if c.Kind == connHTTP {
		w.refuse(c, nil, refuseDraining)
		return
	}
	after := w.s.reconnectAfter()
	frames, reason := w.protocols[c.Kind].Goaway(nil, after)
	if len(frames) > 0 {
		w.send(c, frames)
	}
	w.close(c, ws.GoingAway, reason)
}

// reconnectAfter spreads the clients' return over as long as it took to let them go, and a second at
// least, which a restart takes.
func (s *Server) reconnectAfter() int {
	spread := max(int(s.cfg.Drain.Spread.Milliseconds()), 1000)
	return 500 + rand.IntN(spread)
}
