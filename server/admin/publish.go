package admin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/megawire/megawire/codec/codes"
	"github.com/megawire/megawire/codec/native"
)

// published is the answer to one publication.
type published struct {
	Topic string `json:"topic"`
	Epoch string `json:"epoch"`
	Seq   uint64 `json:"seq"`
}

// publish is POST /v1/publish: what the content type says decides how the body is read.
func (s *Server) publish(w http.ResponseWriter, r *http.Request) {
	kind, err := mediaType(r)
	if err != nil {
		answerFault(w, s.faultOf(err))
		return
	}
	if kind == typeNDJSON {
		s.publishStream(w, r)
		return
	}
	body, release, err := s.readBody(w, r)
	if err != nil {
		answerFault(w, s.faultOf(err))
		return
	}
	defer release()

	// The body is read, and the time to write the answer begins when the wait for room is over.
	setDeadline(w, time.Now().Add(s.o.PublishWait+answerTimeout))
	ctx, cancel := s.untilStopping(r.Context())
	defer cancel()
	wait := newRoomWait(ctx, s.o.PublishWait)
	defer wait.end()
	body = bytes.TrimPrefix(body, byteOrderMark)
	value := bytes.Trim(body, blanks)
	array := bytes.HasPrefix(value, []byte("["))
	around := 1
	if array {
		around = 2
	}
	if err := checkJSON(body, around); err != nil {
		answerFault(w, s.faultOf(err))
		return
	}
	if array {
		s.publishArray(w, value, wait)
	} else {
		s.publishOne(w, value, wait)
	}
}

func (s *Server) publishOne(w http.ResponseWriter, object []byte, wait *roomWait) {
	var ps parser
	var p Publication
	if err := ps.parse(object, &p); err != nil {
		answerFault(w, s.refusal(err))
		return
	}
	receipt, err := s.o.Backend.Publish(wait, &p)
	if err != nil {
		answerFault(w, s.refusal(err))
		return
	}
	answer(w, http.StatusOK, published{p.Topic, receipt.Epoch, receipt.Seq})
}

// arrayFault is the answer to an array that was not published, or not to its end: Results holds those before the index.
type arrayFault struct {
	Error struct {
		Fault

		Index int `json:"index"`
	} `json:"error"`
	Results []published `json:"results,omitempty"`
}

// publishArray checks all before it publishes any.
func (s *Server) publishArray(w http.ResponseWriter, array []byte, wait *roomWait) {
	ps, err := s.parseArray(array)
	results := make([]published, 0, len(ps))
	index := len(ps) // where parsing stopped
	if err == nil {
		for i := range ps {
			var receipt Receipt
			receipt, err = s.o.Backend.Publish(wait, &ps[i])
			if err != nil {
				index = i
				break
			}
			results = append(results, published{ps[i].Topic, receipt.Epoch, receipt.Seq})
		}
	}
	if err == nil {
		answer(w, http.StatusOK, results)
		return
	}
	var a arrayFault
	a.Error.Fault, a.Error.Index, a.Results = s.refusal(err), index, results
	answer(w, statusOf(a.Error.Code), a)
}

// parseArray returns all entries, or those before the one that is at fault.
func (s *Server) parseArray(array []byte) ([]Publication, error) {
	var parser parser
	var ps []Publication
	for value := range native.Elements(array) {
		if len(ps) == entriesMax {
			return ps, Fault{codes.TooLarge, fmt.Sprintf("an array holds at most %d entries; stream more as %s", entriesMax, typeNDJSON)}
		}
		var p Publication
		if err := parser.parse(value, &p); err != nil {
			return ps, err
		}
		if err := s.o.Backend.Check(&p); err != nil {
			return ps, err
		}
		ps = append(ps, p)
	}
	return ps, nil
}

const (
	typeJSON   = "application/json"
	typeNDJSON = "application/x-ndjson"
)

// mediaType takes JSON types only: a page of another origin cannot send them without asking first, which nothing here grants.
func mediaType(r *http.Request) (string, error) {
	v := r.Header.Get("Content-Type")
	kind, params, err := mime.ParseMediaType(v)
	if err != nil || kind != typeJSON && kind != typeNDJSON {
		return "", Fault{codes.BadMediaType, "Content-Type must be " + typeJSON + " or " + typeNDJSON + ", not " + quote(v)}
	}
	if c, ok := params["charset"]; ok && !strings.EqualFold(c, "utf-8") {
		return "", Fault{codes.BadMediaType, "charset must be utf-8, not " + quote(c)}
	}
	if e := r.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return "", Fault{codes.BadMediaType, "Content-Encoding " + quote(e) + " is not understood; send the body as it is"}
	}
	return kind, nil
}

// readBody reads a body that is not a stream, within its bounds of length and time. Long ones need one of a few slots, so that what
// all of them hold together is bounded; release gives it back.
func (s *Server) readBody(w http.ResponseWriter, r *http.Request) (body []byte, release func(), err error) {
	bytesMax := int64(s.o.bodyBytesMax())
	tooLarge := Fault{codes.TooLarge, fmt.Sprintf("the body is longer than %d bytes; stream more as %s", bytesMax, typeNDJSON)}
	if r.ContentLength > bytesMax {
		return nil, nil, tooLarge
	}
	if release, err = s.bodySlot(r); err != nil {
		return nil, nil, err
	}
	rc := http.NewResponseController(w)
	_ = rc.SetReadDeadline(time.Now().Add(bodyTimeout))

	var buf bytes.Buffer
	buf.Grow(int(max(bytes.MinRead, min(r.ContentLength+bytes.MinRead, bodySmallBytes))))
	_, err = buf.ReadFrom(http.MaxBytesReader(w, r.Body, bytesMax))
	_ = rc.SetReadDeadline(time.Time{}) // it would otherwise end the request while it waits for room
	if err == nil {
		return buf.Bytes(), release, nil
	}
	release()
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, nil, tooLarge
	}
	return nil, nil, bodyFault(err)
}

// bodyFault is for a body that did not come whole; most often nobody is left to read it.
func bodyFault(err error) Fault {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return Fault{codes.BadRequest, "the body ended before its declared length"}
	}
	return Fault{codes.BadRequest, "the body could not be read: " + err.Error()}
}

// bodySlot waits for one of the slots that long bodies share.
func (s *Server) bodySlot(r *http.Request) (release func(), err error) {
	if r.ContentLength >= 0 && r.ContentLength <= bodySmallBytes {
		return func() {}, nil
	}
	full := time.NewTimer(s.o.PublishWait)
	defer full.Stop()
	select {
	case s.bodies <- struct{}{}:
		return func() { <-s.bodies }, nil
	case <-s.stopping.Done():
		return nil, faultStopping
	case <-r.Context().Done():
		return nil, r.Context().Err()
	case <-full.C:
		return nil, Fault{codes.Unavailable, "too many long bodies at once; try again"}
	}
}

// untilStopping is ctx, ended also by Shutdown.
func (s *Server) untilStopping(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(s.stopping, cancel)
	return ctx, func() { stop(); cancel() }
}
