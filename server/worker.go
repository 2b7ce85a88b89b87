package server

import (
	"github.com/megawire/megawire/codec/http1"
	"github.com/megawire/megawire/codec/ws"
	"github.com/megawire/megawire/poller"
	"github.com/megawire/megawire/protocol"
	"github.com/megawire/megawire/protocol/echo"
	"github.com/megawire/megawire/protocol/native"
	"github.com/megawire/megawire/protocol/raw"
	"github.com/megawire/megawire/pubsub"
)

// Kinds of encoding, as indexes into the hub's encoders.
const (
	kindNative pubsub.Kind = iota
	kindRaw
	kindNativeDeflate
	kindRawDeflate
)

// What Conn.Kind says of a connection: no upgrade yet, or its protocol as an index into
// worker.protocols.
const (
	connHTTP uint8 = iota
	connNative
	connRaw
	connEcho
	connKinds
)

// What Conn.User holds.
const (
	userSubscriber = iota // pubsub.SubscriberID, 0 before the first subscription
	userWord              // the protocol's own
)

// What Conn.Flags says.
const (
	flagPinged    uint8 = 1 << iota // a ping is out
	flagClosed                      // the close was counted, with its code
	flagBroken                      // the peer broke a rule: where its next frame begins is not known
	flagFragments                   // a fragmented message is under way: worker.endpoints has what came of it
	flagDeflate                     // permessage-deflate was agreed on
)

// worker is one event loop's part of the server. All its methods belong to that loop.
type worker struct {
	s     *Server
	loop  *poller.Loop
	shard *pubsub.Shard

	protocols [connKinds]protocol.Protocol
	peer      peer         // the one connection being served; reused
	serving   *poller.Conn // whose input is being dealt with
	request   http1.Request
	pace      pace

	limits, deflateLimits ws.Limits         // without and with permessage-deflate
	unfinishedMax         int               // bytes of all unfinished messages of this loop
	messageSeconds        uint32            // that a message may take to come
	endpoints             sparse[*assembly] // of few connections, so they have no place in Conn
	fresh                 *assembly         // of connections without one of their own
	held                  int               // bytes of unfinished fragmented messages, and of those that are inflated
	census                census            // of who holds unfinished messages, where there are too many
	out                   []byte
	answer                *answer // for the next publication
	alarm                 *alarm  // for subscribers with an interval

	ticks    uint
	counts   workerCounts
	snapshot workerSnapshot
	drain    drain
}

func newWorker(s *Server, l *poller.Loop) *worker {
	limits := &s.cfg.Limits
	w := &worker{
		s: s, loop: l, unfinishedMax: int(limits.UnfinishedBytes) / len(s.poller.Loops()),
		fresh:          new(assembly),
		limits:         ws.Limits{MessageBytesMax: int(limits.MessageBytes), FragmentsMax: limits.Fragments},
		messageSeconds: seconds(limits.MessageTimeout),
		pace:           newPace(limits.MessagesPerSecond, int(limits.BytesPerSecond)),
		protocols: [connKinds]protocol.Protocol{
			connNative: &native.Protocol{}, connRaw: &raw.Protocol{}, connEcho: &echo.Protocol{Deflater: s.deflater},
		},
	}
	w.request.HeadBytesMax = int(limits.HeadBytes)
	w.deflateLimits = w.limits
	w.deflateLimits.Inflater = ws.NewInflater(s.cfg.Deflate.RatioMax)
	w.peer.w = w
	w.shard = s.hub.NewShard(w, l.Wake)
	w.alarm = newAlarm(s.clock, l.Wake)
	return w
}

func (w *worker) turn() (more bool) {
	if more = w.shard.Turn(); !more { // else there is another one soon
		w.lookAhead()
	}
	return more
}

// lookAhead sees to it that the loop is woken when the shard next wants a turn for somebody with an interval. It
// follows on everything that may bring such a time nearer.
func (w *worker) lookAhead() {
	if at, ok := w.shard.Due(); ok {
		w.alarm.set(at)
	}
}

// handler routes the poller's events to the workers.
type handler struct{ s *Server }

func (h handler) of(c *poller.Conn) *worker         { return h.s.workers[c.Loop().Index()] }
func (h handler) Opened(c *poller.Conn)             { h.of(c).opened(c) }
func (h handler) Data(c *poller.Conn, p []byte) int { return h.of(c).data(c, p) }
func (h handler) Late(c *poller.Conn, p []byte)     { h.of(c).late(c, p) }
func (h handler) Due(c *poller.Conn)                { h.of(c).due(c) }
func (h handler) Drained(c *poller.Conn)            { h.of(c).drained(c) }
func (h handler) Closed(c *poller.Conn)             { h.of(c).closed(c) }
func (h handler) Turn(l *poller.Loop) bool          { return h.s.workers[l.Index()].turn() }
func (h handler) Tick(l *poller.Loop)               { h.s.workers[l.Index()].tick() }
