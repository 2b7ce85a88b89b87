package admin

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/megawire/megawire/codec/codes"
)

// statusOf is the HTTP status of a fault's code.
func statusOf(code string) int {
	switch code {
	case codes.BadRequest, codes.BadTopic:
		return http.StatusBadRequest
	case codes.Unauthorized:
		return http.StatusUnauthorized
	case codes.Forbidden:
		return http.StatusForbidden
	case codes.NotFound:
		return http.StatusNotFound
	case codes.MethodNotAllowed:
		return http.StatusMethodNotAllowed
	case codes.TooLarge:
		return http.StatusRequestEntityTooLarge
	case codes.BadMediaType:
		return http.StatusUnsupportedMediaType
	case codes.TooMany, codes.RateLimited:
		return http.StatusTooManyRequests
	case codes.Unavailable:
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}

// answer writes v as the JSON body of an answer.
func answer(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"error":{"code":"internal","message":"the answer could not be written as JSON"}}`)
	}
	answerJSON(w, status, body)
}

// answerJSON writes a body that is JSON.
func answerJSON(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	if status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests {
		h.Set("Retry-After", "1")
	}
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // a client that has gone is not told
}

// errorAnswer is the body of every refusal.
type errorAnswer struct {
	Error Fault `json:"error"`
}

func answerFault(w http.ResponseWriter, f Fault) {
	answer(w, statusOf(f.Code), errorAnswer{f})
}

// refusal is faultOf for a publication, which is counted.
func (s *Server) refusal(err error) Fault {
	f := s.faultOf(err)
	s.o.Backend.Refused(f.Code)
	return f
}

// faultOf turns what the Backend returned into what the caller is told. What it does not know is logged, and not told.
func (s *Server) faultOf(err error) Fault {
	var f Fault
	var p *Fault
	switch {
	case errors.As(err, &f):
		return f
	case errors.As(err, &p):
		return *p
	case s.stopping.Err() != nil:
		return faultStopping
	case errors.Is(err, context.DeadlineExceeded):
		return Fault{codes.Unavailable, "no room within " + s.o.PublishWait.String() + ": the server is behind with earlier messages; try again"}
	case errors.Is(err, context.Canceled):
		return Fault{codes.Unavailable, "the request was given up while it waited for room"}
	}
	s.log.Error("a request to the admin API failed", "error", err)
	return Fault{codes.Internal, "internal error; the server's log has more"}
}

var faultStopping = Fault{codes.Unavailable, "the server is shutting down"}
