package admin

import (
	"net/http"
	"net/http/pprof"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/megawire/megawire/codec/codes"
)

const metricsInFlightMax = 4 // scrapes at once

// routes is the table of paths. What is not in it is 404.
func (s *Server) routes() (http.Handler, error) {
	page, err := newPage(s.o.PublicPort, s.o.Topics)
	if err != nil {
		return nil, err
	}
	metrics := promhttp.HandlerFor(s.o.Registry, promhttp.HandlerOpts{MaxRequestsInFlight: metricsInFlightMax})

	mux := http.NewServeMux()
	handle := func(path string, h http.Handler, methods ...string) { mux.Handle(path, only(h, methods)) }
	handle("/v1/publish", http.HandlerFunc(s.publish), http.MethodPost)
	handle("/v1/info", http.HandlerFunc(s.info), http.MethodGet)
	handle("/healthz", http.HandlerFunc(healthz), http.MethodGet)
	handle("/readyz", http.HandlerFunc(s.readyz), http.MethodGet)
	handle("/metrics", metrics, http.MethodGet)
	handle("/v1/topics", http.HandlerFunc(s.topics), http.MethodGet)
	handle("/v1/clients", http.HandlerFunc(s.clients), http.MethodGet)
	handle("/v1/clients/{id}", http.HandlerFunc(s.clientOrKick), http.MethodGet, http.MethodDelete)
	handle("/debug/pprof/", endless(pprof.Index), http.MethodGet)
	handle("/debug/pprof/cmdline", endless(pprof.Cmdline), http.MethodGet)
	handle("/debug/pprof/profile", endless(pprof.Profile), http.MethodGet)
	handle("/debug/pprof/symbol", endless(pprof.Symbol), http.MethodGet, http.MethodPost)
	handle("/debug/pprof/trace", endless(pprof.Trace), http.MethodGet)
	handle("/assets/", page.assets(), http.MethodGet)
	handle("/{$}", page, http.MethodGet)
	mux.HandleFunc("/", notFound)
	return s.withTopics(mux), nil
}

// only lets a path's methods through; HEAD goes where GET does (RFC 9110 §9.3.2).
func only(next http.Handler, methods []string) http.Handler {
	if slices.Contains(methods, http.MethodGet) {
		methods = append(methods, http.MethodHead)
	}
	allow := strings.Join(methods, ", ")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !slices.Contains(methods, r.Method) {
			w.Header().Set("Allow", allow)
			answerFault(w, Fault{codes.MethodNotAllowed, r.URL.Path + " takes " + allow + ", not " + quote(r.Method)})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// endless is for profiles, which take as long as they are asked to.
func endless(h http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		setDeadline(w, time.Time{})
		h(w, r)
	})
}

func notFound(w http.ResponseWriter, r *http.Request) {
	answerFault(w, Fault{codes.NotFound, "there is nothing at " + quote(r.URL.Path)})
}

func healthz(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("ok\n"))
}

func (s *Server) readyz(w http.ResponseWriter, _ *http.Request) {
	ready, why := s.o.Backend.Ready()
	if s.stopping.Err() != nil {
		ready, why = false, faultStopping.Message
	}
	if !ready {
		answerFault(w, Fault{codes.Unavailable, why})
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("ready\n"))
}

func (s *Server) info(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, s.o.Backend.Info())
}

// quote shows a caller's own words in a message, cut to a length that a log and a terminal bear.
func quote(s string) string {
	const quotedBytesMax = 100
	if len(s) > quotedBytesMax {
		s = s[:quotedBytesMax] + "…"
	}
	return strconv.Quote(s)
}
