package admin

import (
	"encoding/base64"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/megawire/megawire/codec/codes"
	"github.com/megawire/megawire/codec/native"
)

// lastBytesMax is the longest payload that a list of topics shows; one topic is shown with its own, however long.
const lastBytesMax = 4 << 10

// topicPrefix is what a topic's name follows in a URL.
const topicPrefix = "/v1/topics/"

// topics is GET /v1/topics.
func (s *Server) topics(w http.ResponseWriter, r *http.Request) {
	q, err := parseQuery(r, "after", "filter", "last", "limit")
	tq := TopicQuery{After: q.values["after"]}
	if err == nil {
		tq.Limit, err = q.limit()
	}
	if err == nil {
		tq.Filter, err = q.filter()
	}
	last := true
	if err == nil {
		last, err = q.flag("last", true)
	}
	var page []Topic
	var more bool
	if err == nil {
		err = s.look(r, func() (err error) {
			page, more, err = s.o.Backend.Topics(&tq)
			return err
		})
	}
	if err != nil {
		answerFault(w, s.faultOf(err))
		return
	}
	body := append([]byte(nil), `{"topics":[`...)
	for i := range page {
		if i > 0 {
			body = append(body, ',')
		}
		if !last {
			page[i].Last = nil
		}
		body = appendTopic(body, &page[i], lastBytesMax)
	}
	body = append(body, ']')
	if more && len(page) > 0 {
		body = native.AppendString(append(body, `,"next":`...), page[len(page)-1].Name)
	}
	answerJSON(w, http.StatusOK, append(body, '}'))
}

// topic is GET /v1/topics/ and a name, which net/http has percent-decoded once.
func (s *Server) topic(w http.ResponseWriter, r *http.Request) {
	if _, err := parseQuery(r); err != nil {
		answerFault(w, s.faultOf(err))
		return
	}
	t, err := s.o.Backend.Topic(strings.TrimPrefix(r.URL.Path, topicPrefix))
	if err != nil {
		answerFault(w, s.faultOf(err))
		return
	}
	answerJSON(w, http.StatusOK, appendTopic(nil, &t, math.MaxInt))
}

// withTopics serves the paths that have a topic in them before the mux does: it would clean them, and "//" and ".." are
// levels like others there.
func (s *Server) withTopics(mux http.Handler) http.Handler {
	topic := only(http.HandlerFunc(s.topic), []string{http.MethodGet})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, topicPrefix) {
			topic.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// appendTopic appends a topic as JSON. Written by hand, for the payload of its last message: encoding/json would change
// the bytes of it.
func appendTopic(dst []byte, t *Topic, payloadBytesMax int) []byte {
	dst = native.AppendString(append(dst, `{"topic":`...), t.Name)
	dst = strconv.AppendInt(append(dst, `,"subscribers":`...), int64(t.Subscribers), 10)
	dst = strconv.AppendFloat(append(dst, `,"rate":`...), math.Round(t.RatePerSecond*1000)/1000, 'f', -1, 64)
	dst = native.AppendString(append(dst, `,"epoch":`...), t.Epoch)
	dst = strconv.AppendUint(append(dst, `,"seq":`...), t.Seq, 10)
	dst = strconv.AppendInt(append(dst, `,"messages":`...), int64(t.Messages), 10)
	dst = strconv.AppendInt(append(dst, `,"bytes":`...), t.Bytes, 10)
	dst = strconv.AppendInt(append(dst, `,"used":`...), t.UsedMillis, 10)
	if t.Last != nil {
		dst = appendLast(dst, t.Last, payloadBytesMax)
	}
	if t.Presence != nil {
		dst = appendPresence(dst, t.Presence)
	}
	return append(dst, '}')
}

func appendLast(dst []byte, m *Last, payloadBytesMax int) []byte {
	dst = strconv.AppendUint(append(dst, `,"last":{"seq":`...), m.Seq, 10)
	dst = strconv.AppendInt(append(dst, `,"ts":`...), m.TSMillis, 10)
	switch {
	case len(m.Payload) > payloadBytesMax:
		dst = append(dst, `,"truncated":true`...)
	case m.Content == ContentText:
		dst = native.AppendString(append(dst, `,"text":`...), string(m.Payload))
	case m.Content == ContentBinary:
		dst = base64.StdEncoding.AppendEncode(append(dst, `,"bin":"`...), m.Payload)
		dst = append(dst, '"')
	default:
		dst = append(append(dst, `,"data":`...), m.Payload...)
	}
	return append(dst, '}')
}

func appendPresence(dst []byte, p *Presence) []byte {
	dst = strconv.AppendInt(append(dst, `,"presence":{"count":`...), int64(p.Count), 10)
	dst = append(dst, `,"clients":[`...)
	for i, id := range p.Clients {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(native.AppendString(append(dst, `{"client":`...), id), '}')
	}
	dst = append(dst, ']')
	if len(p.Clients) < p.Count {
		dst = append(dst, `,"truncated":true`...)
	}
	return append(dst, '}')
}

// look runs what goes through all topics or all connections. Few do so at once: what one of them takes of the event loops
// is bounded, and so is what all of them take together.
func (s *Server) look(r *http.Request, fn func() error) error {
	full := time.NewTimer(lookWait)
	defer full.Stop()
	select {
	case s.looks <- struct{}{}:
		defer func() { <-s.looks }()
		return fn()
	case <-s.stopping.Done():
		return faultStopping
	case <-r.Context().Done():
		return r.Context().Err()
	case <-full.C:
		return Fault{codes.Unavailable, "too many lists are being made at once; try again"}
	}
}
