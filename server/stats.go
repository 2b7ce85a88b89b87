package server

import (
	"errors"
	"maps"
	"sync"
	"sync/atomic"

	"github.com/megawire/megawire/codec/codes"
	"github.com/megawire/megawire/codec/http1"
	"github.com/megawire/megawire/codec/ws"
	"github.com/megawire/megawire/poller"
	"github.com/megawire/megawire/protocol"
	"github.com/megawire/megawire/pubsub"
	"github.com/megawire/megawire/server/admin"
)

// Sources of messages.
const (
	sourceNative = iota
	sourceRaw
	sourceAdmin
	sourceServer
	sources
)

var sourceNames = [sources]string{"native", "raw", "admin", "server"}

// publishCounts are totals of publications that do not come through a loop.
type publishCounts struct {
	in      [sources]atomic.Uint64
	refused [refusals]atomic.Uint64
}

// refusalNames are the codes by which refused publications are counted; the last stands for all others.
var refusalNames = [...]string{
	codes.BadRequest, codes.BadTopic, codes.Forbidden, codes.TooLarge, codes.TooMany, codes.Unavailable, codes.Internal,
}

const refusals = len(refusalNames)

func refusal(code string) int {
	for i, name := range refusalNames {
		if name == code {
			return i
		}
	}
	return refusals - 1
}

// workerCounts are totals that a loop keeps for itself; others see the snapshot it makes in each tick.
type workerCounts struct {
	messages uint64
	pings    uint64
	shed     uint64 // closed since memory was short
	in       [sources]uint64
	refused  [refusals]uint64
	closes   map[int]uint64    // by close code; clients can choose among some thousands
	upgrades map[string]uint64 // refused ones, by code of ours
	told     map[string]uint64 // errors of requests, by code of ours

	throttled uint64 // times that a client was not read from, since it sent too fast
}

// workerSnapshot is what a loop last said of itself. It is written in place: ticks are to make no garbage, which
// would be all that an idle server's heap grows by.
type workerSnapshot struct {
	mu sync.Mutex
	workerCounts
	shard pubsub.Counts
}

// closeCodesMax bounds workerCounts.closes: codes that come later are counted under 0.
const closeCodesMax = 64

func (w *worker) countClose(c *poller.Conn, code ws.CloseCode) {
	if c.Kind == connHTTP || c.Flags&flagClosed != 0 {
		return
	}
	c.Flags |= flagClosed
	m := w.counts.closes
	if m == nil {
		m = map[int]uint64{}
		w.counts.closes = m
	}
	if _, known := m[int(code)]; !known && len(m) >= closeCodesMax {
		code = 0
	}
	m[int(code)]++
}

func (c *workerCounts) refuse(e *http1.Error) { count(&c.upgrades, e.Code) }

func (c *workerCounts) tell(code string) { count(&c.told, code) }

func count(of *map[string]uint64, code string) {
	if *of == nil {
		*of = map[string]uint64{}
	}
	(*of)[code]++
}

func (c *workerCounts) publication(kind uint8, err error) {
	switch {
	case err != nil && !errors.Is(err, pubsub.ErrPending):
		code, _ := protocol.Explain(err, "publish", "")
		c.refused[refusal(code)]++
	case kind == connRaw:
		c.in[sourceRaw]++
	default:
		c.in[sourceNative]++
	}
}

// tick comes ten times a second.
func (w *worker) tick() {
	w.snapshot.take(w.counts, w.shard.Counts())
	w.drainSome()
	w.makeRoom()
	w.pace.tick(w.s.clock())
	w.endpoints.sweep(func(*assembly) bool { return false }) // they are taken out with their messages
	if w.ticks++; w.ticks%ticksASecond == 0 {
		w.shard.CheckLag()
		w.pace.second()
		w.endpoints.sweepAgain()
	}
}

func (s *workerSnapshot) take(c workerCounts, shard pubsub.Counts) {
	if !s.mu.TryLock() {
		return // a loop waits for nobody; the next tick is a tenth of a second away
	}
	defer s.mu.Unlock()
	c.closes, c.upgrades, c.told = copyCounts(s.closes, c.closes), copyCounts(s.upgrades, c.upgrades), copyCounts(s.told, c.told)
	s.workerCounts, s.shard = c, shard
}

// copyCounts brings dst up to src, which has all its keys; dst is made if there is something to copy.
func copyCounts[K comparable](dst, src map[K]uint64) map[K]uint64 {
	if dst == nil && len(src) > 0 {
		dst = make(map[K]uint64, len(src))
	}
	maps.Copy(dst, src)
	return dst
}

// stats adds up the loops' snapshots, which are at most a tenth of a second old.
func (s *Server) stats() admin.Stats {
	hub := s.hub.Stats()
	st := admin.Stats{
		Connections: int64(s.poller.Connections()), ConnectionsMax: s.connectionsMax, Loops: len(s.workers),
		Topics: hub.Topics, RingBytes: hub.RingBytes, InFlightBytes: hub.InFlightBytes,
		TopicsEvicted: hub.TopicsEvicted, MemoryTrims: s.memory.trims.Load(), Filters: hub.Filters,
		MemoryBytes: s.memory.used.Load(), MemoryMarkBytes: s.memory.shortage.mark,
		ClosedByCode: map[int]uint64{}, Refused: map[string]uint64{},
		MessagesIn: map[string]uint64{}, PublishRefused: map[string]uint64{}, RequestsRefused: map[string]uint64{},
	}
	for i, name := range sourceNames {
		st.MessagesIn[name] = s.published.in[i].Load()
	}
	for i, name := range refusalNames {
		st.PublishRefused[name] = s.published.refused[i].Load()
	}
	d := &st.Deflated
	d.Messages, d.BytesIn, d.BytesOut = s.deflater.Counts()
	for _, w := range s.workers {
		addLoop(&st, w.loop.Counts())
		addWorker(&st, &w.snapshot)
	}
	return st
}

func addLoop(st *admin.Stats, c poller.Counts) {
	st.ConnectionsOpened += c.Opened
	st.ConnectionsClosed += c.Closed
	st.Lagging += c.StalledNo
	st.BytesIn += c.BytesIn
	st.BytesOut += c.BytesOut
	st.Writes += c.Writes
	st.PartialWrites += c.ShortWrites
	st.Panics += c.Panics
	st.AcceptErrors += c.AcceptErrors
	st.WriteRetries += c.WriteRetries
	st.Refused[refuseFull.Code] += c.RefusedFull
}

func addWorker(st *admin.Stats, s *workerSnapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st.Subscriptions += s.shard.Subscriptions
	st.Deliveries += s.shard.Deliveries
	st.Batches += s.shard.Batches
	st.Gaps += s.shard.Gaps
	st.GapMessages += s.shard.GapMessages
	st.Conflated += s.shard.Conflated
	st.Pings += s.pings
	st.Throttled += s.throttled
	st.Shed += s.shed
	for i, name := range sourceNames {
		st.MessagesIn[name] += s.in[i]
	}
	for i, name := range refusalNames {
		st.PublishRefused[name] += s.refused[i]
	}
	for code, n := range s.closes {
		st.ClosedByCode[code] += n
	}
	for reason, n := range s.upgrades {
		st.Refused[reason] += n
	}
	for code, n := range s.told {
		st.RequestsRefused[code] += n
	}
}
