package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/megawire/megawire/codec/http1"
	"github.com/megawire/megawire/codec/ws"
	"github.com/megawire/megawire/poller"
	"github.com/megawire/megawire/protocol/native"
	"github.com/megawire/megawire/protocol/raw"
	"github.com/megawire/megawire/pubsub"
	"github.com/megawire/megawire/server/admin"
	"github.com/megawire/megawire/server/config"
	"github.com/megawire/megawire/server/demo"
)

// sliceTime is how long a loop writes before it reads again.
const sliceTime = 2 * time.Millisecond

// Server is one push server.
type Server struct {
	cfg     config.Config
	log     *slog.Logger
	hub     *pubsub.Hub
	poller  *poller.Poller
	workers []*worker
	admin   *admin.Server
	feed    *demo.Feed // with cfg.Demo

	born      time.Time
	clock     func() int64 // nanoseconds since the server was made
	rules     *rules
	subscribe permissions
	publish   permissions
	origins   origins
	deflater  *ws.Deflater

	connectionsMax int64
	admitted       atomic.Int64 // connections that are past their upgrade, connectionsMax at most
	draining       atomic.Bool
	arrivals       *arrivals
	started        chan struct{}
	adminAddr      string // set before started is closed
	published      publishCounts
	memory         *memory
}

// New makes a server of a checked configuration. It finds out whether its addresses are free, and serves
// nothing until Run.
func New(cfg config.Config, log *slog.Logger) (*Server, error) {
	born := time.Now()
	s := &Server{
		cfg: cfg, log: log, started: make(chan struct{}), rules: newRules(&cfg), born: born,
		memory:   newMemory(memoryMark(cfg.Limits.MemoryBytes, os.DirFS("/"), log), residentMemory("/")),
		arrivals: newArrivals(cfg.Limits.ConnectsPerSecond),
		deflater: &ws.Deflater{MinBytes: int(cfg.Deflate.MinBytes)},
		clock:    func() int64 { return int64(time.Since(born)) },
	}
	if err := s.newHub(); err != nil {
		return nil, err
	}
	s.subscribe, s.publish = newPermissions(cfg.Anonymous.Subscribe), newPermissions(cfg.Anonymous.Publish)
	s.origins = newOrigins(cfg.Origins)
	adminConnections := min(256, max(8, poller.FilesMax()/8))
	var err error
	s.poller, err = poller.New(poller.Options{
		Handler: handler{s}, Logger: log,
		Listen: cfg.Listen, Loops: cfg.Loops.Or(min(runtime.GOMAXPROCS(0), poller.LoopsMax)),
		SendBufferBytes: int(cfg.Socket.SendBufferBytes), RepliesBytesMax: int(cfg.Limits.RepliesBytes),
		InputBytesMax: int(cfg.Limits.MessageBytes) + inputSlack,
		// Much later than the heartbeats give a slow reader up, so that they do and not the kernel, which takes a peer
		// with a small window for gone though it reads.
		UserTimeout:   10 * (cfg.Heartbeat.PingInterval + cfg.Heartbeat.PongTimeout),
		ReservedFiles: adminConnections + filesReserved,
		RefuseFull:    http1.AppendError(nil, refuseFull),
	})
	if err != nil {
		return nil, err
	}
	s.connectionsMax = int64(s.poller.ConnectionsMax() - politeRefusals(s.poller.ConnectionsMax()))
	if want := int64(cfg.Limits.Connections.Or(0)); want > s.connectionsMax {
		log.Warn("limits.connections is more than the limit on open files allows",
			"limits.connections", want, "allowed", s.connectionsMax, "remedy", "raise `ulimit -n` (LimitNOFILE in systemd)")
	} else if want > 0 {
		s.connectionsMax = want
	}
	for _, l := range s.poller.Loops() {
		s.workers = append(s.workers, newWorker(s, l))
	}
	return s, s.newAdmin(adminConnections)
}

// inputSlack is what may stand in front of an unfinished message: its header, and the rest of a read.
const inputSlack = 128 << 10

// filesReserved is for what the process opens besides connections: the log, modules of the runtime,
// profiles.
const filesReserved = 8

func (s *Server) newHub() (err error) {
	s.hub, err = pubsub.New(pubsub.Options{
		Encoders: []pubsub.Encoder{
			kindNative: native.Encoder{}, kindNativeDeflate: native.Encoder{Deflater: s.deflater},
			kindRaw: raw.Encoder{}, kindRawDeflate: raw.Encoder{Deflater: s.deflater},
		},
		Slow:   [pubsub.KindsMax]bool{kindNativeDeflate: true, kindRawDeflate: true},
		Epoch:  strings.ToLower(rand.Text()[:8]),
		Wall:   wallMillis,
		Steady: func() int64 { return s.born.UnixMilli() + s.clock()/int64(time.Millisecond) },
		Clock:  s.clock,
		Rules:  s.rules.forHub,

		InFlightMessagesMax:   s.cfg.Ring.InflightMessages,
		InFlightBytesMax:      int(s.cfg.Ring.InflightBytes),
		InFlightTotalBytesMax: int(s.cfg.Ring.InflightTotalBytes),
		RetainMessagesMax:     s.cfg.Ring.RetainMessages,
		RetainBytesMax:        int(s.cfg.Ring.RetainBytes),
		RetainMillisMax:       s.cfg.Ring.RetainAge.Milliseconds(),
		RetainTotalBytesMax:   int(s.cfg.Ring.RetainTotalBytes),
		TopicsMax:             s.cfg.Limits.Topics + 1, // the heartbeat's takes nobody's place
		LagTopicsMax:          s.cfg.Limits.LagTopics,
		TopicIdleMillis:       s.cfg.Topics.Idle.Milliseconds(),
		SubscriptionsMax:      s.cfg.Limits.SubscriptionsPerConnection,
		SliceNanos:            int64(sliceTime),
	})
	return err
}

func (s *Server) newAdmin(connectionsMax int) (err error) {
	_, port, err := net.SplitHostPort(s.poller.Addr())
	if err != nil {
		return err
	}
	publicPort, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	o := admin.Options{
		Listen: s.cfg.Admin.Listen, Hosts: s.cfg.Admin.Hosts, Backend: (*backend)(s), Logger: s.log,
		PublishWait: s.cfg.Publishing.Wait, MessageBytesMax: int(s.cfg.Limits.MessageBytes),
		ConnectionsMax: connectionsMax, PublicPort: publicPort,
	}
	if s.cfg.Demo {
		s.feed = demo.NewFeed(uint64(time.Now().UnixNano()))
		o.Topics = s.feed.Topics()
	}
	s.admin, err = admin.New(o)
	return err
}

// Started is closed when both listeners accept connections. Addr and AdminAddr are known then.
func (s *Server) Started() <-chan struct{} { return s.started }

// Addr is the address of the public listener, with the port in use.
func (s *Server) Addr() string { return s.poller.Addr() }

// AdminAddr is that of the admin listener; it is known once Started is closed.
func (s *Server) AdminAddr() string { return s.adminAddr }

// Run serves until ctx ends, then lets the clients go and returns nil. It may be called once.
func (s *Server) Run(ctx context.Context) error {
	adminAddr, err := s.admin.Listen()
	if err != nil {
		return fmt.Errorf("admin listener: %w", err)
	}
	if err := s.poller.Start(ctx); err != nil {
		shut := s.admin.Shutdown(context.WithoutCancel(ctx))
		if ctx.Err() != nil {
			return shut // told to stop before it had begun: no fault
		}
		return errors.Join(err, shut)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go s.watch(ctx, cancel)
	adminEnded := make(chan struct{})
	go func() {
		defer close(adminEnded)
		if err := s.admin.Serve(); err != nil {
			cancel(fmt.Errorf("admin listener: %w", err))
		}
	}()
	go s.sweep(ctx)
	go s.keepMemory(ctx)
	go s.beat(ctx)
	if s.rules.presence {
		go s.tellPresence(ctx)
	}
	if s.feed != nil {
		go s.runFeed(ctx)
	}
	s.adminAddr = adminAddr.String()
	s.log.Info("serving", "listen", s.poller.Addr(), "admin", s.adminAddr,
		"loops", len(s.workers), "connections_max", s.connectionsMax)
	close(s.started)
	<-ctx.Done()
	s.drain()
	shutdown, end := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer end()
	if err := s.admin.Shutdown(shutdown); err != nil {
		s.log.Warn("admin listener did not end in time", "error", err)
	}
	<-adminEnded
	s.poller.Stop(shutdown)
	for _, w := range s.workers {
		w.alarm.stop()
	}
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

// watch ends the server when one of its loops has ended: it could not be reached by half its clients.
func (s *Server) watch(ctx context.Context, cancel context.CancelCauseFunc) {
	select {
	case err := <-s.poller.Failed():
		cancel(err)
	case <-ctx.Done():
	}
}

// sweep goes over all topics once a minute, a part at a time.
func (s *Server) sweep(ctx context.Context) {
	ticker := time.NewTicker(time.Minute / pubsub.SweepParts)
	defer ticker.Stop()
	for part := 0; ; part++ {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			s.hub.Sweep(part)
		}
	}
}

func (s *Server) runFeed(ctx context.Context) {
	err := s.feed.Run(ctx, func(topic string, data []byte) error {
		_, err := s.hub.PublishWait(ctx, &pubsub.Publication{Topic: topic, Payload: data})
		if err == nil {
			s.published.in[sourceServer].Add(1)
		}
		return err
	})
	if err != nil && ctx.Err() == nil {
		s.log.Error("demo feed ended", "error", err)
	}
}
