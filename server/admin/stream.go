package admin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/megawire/megawire/codec/codes"
)

// streamAnswer ends a stream. First is the first line that was skipped as bad. Error and Line say what ended the stream before its
// end, and at which line: that one and those after it were not published.
type streamAnswer struct {
	Published uint64     `json:"published"`
	Failed    uint64     `json:"failed,omitempty"`
	First     *lineFault `json:"first,omitempty"`
	Error     *Fault     `json:"error,omitempty"`
	Line      uint64     `json:"line,omitempty"`
}

type lineFault struct {
	Line  uint64 `json:"line"` // from 1, blank ones counted
	Error Fault  `json:"error"`
}

// publishStream publishes a line each for as long as the sender keeps the request open. It reads the next line only once the last is
// published: a server without room slows the sender down.
func (s *Server) publishStream(w http.ResponseWriter, r *http.Request) {
	rc := http.NewResponseController(w)
	select {
	case s.streams <- struct{}{}:
		defer func() { <-s.streams }()
	default:
		s.leaveUnread(w)
		answerFault(w, s.refusal(Fault{codes.Unavailable, fmt.Sprintf("%d streams are open, as many as may be", cap(s.streams))}))
		return
	}
	_ = rc.SetReadDeadline(time.Time{})
	_ = rc.SetWriteDeadline(time.Time{})
	// Shutdown must not wait for the sender's next line.
	unhook := context.AfterFunc(s.stopping, func() { _ = rc.SetReadDeadline(time.Unix(1, 0)) })
	defer unhook()
	ctx, cancel := s.untilStopping(r.Context())
	defer cancel()

	st := stream{server: s, ctx: ctx, parser: parser{capture: true}}
	a := st.run(newLineReader(r.Body, s.o.lineBytesMax()))
	s.log.Debug("stream ended", "remote", r.RemoteAddr, "published", a.Published, "failed", a.Failed, "error", a.Error)

	setDeadline(w, time.Now().Add(answerTimeout))
	status := http.StatusOK
	switch {
	case a.Error != nil:
		status = statusOf(a.Error.Code)
		s.leaveUnread(w)
	case a.Failed > 0:
		status = http.StatusUnprocessableEntity
	}
	answer(w, status, a)
}

// leaveUnread ends the connection after an answer that came before the body's end. net/http reads on for a while, so that the
// answer is not lost to a reset; a sender that is silent must not keep its connection by that. While the server stops, nothing
// is read any more.
func (s *Server) leaveUnread(w http.ResponseWriter) {
	w.Header().Set("Connection", "close")
	if s.stopping.Err() != nil {
		return
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(lingerTimeout))
}

// stream is one open NDJSON request.
type stream struct {
	server *Server
	ctx    context.Context
	parser parser
	wait   *roomWait

	line uint64
	out  streamAnswer
}

func (st *stream) run(lines *lineReader) streamAnswer {
	for {
		line, err := lines.next()
		st.line++
		switch {
		case err == nil:
			err = st.publish(line)
		case errors.Is(err, errLineTooLong):
			err = Fault{codes.TooLarge, fmt.Sprintf("the line is longer than %d bytes", lines.lineBytesMax)}
		case errors.Is(err, io.EOF):
			return st.out
		case st.server.stopping.Err() != nil:
			return st.broken(faultStopping)
		default:
			return st.broken(bodyFault(err))
		}
		if err == nil {
			continue
		}
		if f := st.server.refusal(err); endsStream(f.Code) {
			return st.broken(f)
		} else {
			st.bad(f)
		}
	}
}

func (st *stream) publish(line []byte) error {
	if st.line == 1 {
		line = bytes.TrimPrefix(line, byteOrderMark)
	}
	object := bytes.Trim(line, blanks)
	if len(object) == 0 {
		return nil
	}
	if err := checkJSON(line, 1); err != nil {
		return err
	}
	var p Publication
	if err := st.parser.parse(object, &p); err != nil {
		return err
	}
	if st.wait == nil {
		st.wait = newRoomWait(st.ctx, st.server.o.PublishWait)
	}
	_, err := st.server.o.Backend.Publish(st.wait, &p)
	if st.wait.end() {
		st.wait = nil
	}
	if err == nil {
		st.out.Published++
	}
	return err
}

// endsStream: a fault of the server's meets every line after it too; one of the line's does not.
func endsStream(code string) bool {
	return code == codes.Unavailable || code == codes.Internal
}

func (st *stream) bad(f Fault) {
	st.out.Failed++
	if st.out.First == nil {
		st.out.First = &lineFault{st.line, f}
	}
}

func (st *stream) broken(f Fault) streamAnswer {
	st.out.Error, st.out.Line = &f, st.line
	return st.out
}
