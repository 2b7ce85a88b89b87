package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
)

// Server is the admin listener. New, then Listen, then Serve; Shutdown ends it. Its methods may be called from any goroutine,
// Listen and Serve once each.
type Server struct {
	o    Options
	log  *slog.Logger
	http *http.Server
	ln   net.Listener

	hosts  map[string]bool // allowed names of the Host header, lower case
	bodies chan struct{}   // a slot for each long body held in memory

	streams chan struct{} // a slot for each open stream
	looks   chan struct{} // a slot for each list of topics or clients under way

	stopping context.Context // ends when Shutdown begins; streams and waits end with it
	stop     context.CancelFunc
}

// New checks the options, registers the metrics and returns a server that does not listen yet.
func New(o Options) (*Server, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Server{
		o: o, log: o.Logger, bodies: make(chan struct{}, bodiesMax), streams: make(chan struct{}, o.streamsMax()),
		looks: make(chan struct{}, looksMax),
	}
	s.stopping, s.stop = context.WithCancel(context.Background())
	s.hosts = allowedHosts(o.Listen, o.Hosts)
	if err := register(o.Registry, o.Backend); err != nil {
		return nil, err
	}
	handler, err := s.routes()
	if err != nil {
		return nil, err
	}
	s.http = &http.Server{
		Handler:           s.guard(handler),
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    headerBytesMax,
		ErrorLog:          slog.NewLogLogger(o.Logger.Handler(), slog.LevelWarn),
		// No ReadTimeout and WriteTimeout: a stream is open for hours. The other handlers set deadlines of their own.
	}
	return s, nil
}

// Handler is what Serve serves, for tests and for serving behind another listener.
func (s *Server) Handler() http.Handler { return s.http.Handler }

// Registry is where the metrics are registered.
func (s *Server) Registry() *prometheus.Registry { return s.o.Registry }

// Listen binds the address and returns it, with the port that the system chose where the option said 0.
func (s *Server) Listen() (net.Addr, error) {
	ln, err := net.Listen("tcp", s.o.Listen)
	if err != nil {
		return nil, fmt.Errorf("admin: %w", err)
	}
	s.ln = newLimitListener(ln, s.o.ConnectionsMax)
	return ln.Addr(), nil
}

// Serve answers requests until Shutdown, and then returns nil.
func (s *Server) Serve() error {
	if s.ln == nil {
		return errors.New("admin: Serve before Listen")
	}
	if err := s.http.Serve(s.ln); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("admin: %w", err)
	}
	return nil
}

// Shutdown takes no more connections, ends the streams with their counts so far and waits for the answers under way until ctx ends;
// what is left then is cut off.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stop()
	if err := s.http.Shutdown(ctx); err != nil {
		_ = s.http.Close() // the first error says more
		return fmt.Errorf("admin: shutting down: %w", err)
	}
	if s.ln != nil {
		_ = s.ln.Close() // bound, and perhaps never served; closing twice is harmless
	}
	return nil
}
