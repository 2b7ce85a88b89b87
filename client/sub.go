package client

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/megawire/megawire/codec/native"
)

// Mode says what a subscriber that is slow gets.
type Mode uint8

const (
	// ModeOfRule is what the server's rule for the topic says: ModeAll, unless it says otherwise.
	ModeOfRule Mode = iota
	// ModeAll is every message.
	ModeAll
	// ModeLatest is of each topic the newest: older ones may be passed over, which is no gap.
	ModeLatest
)

// Sub asks for a topic or a pattern, and says how it is to be served. All but Filter may be left out.
type Sub struct {
	Filter string

	// Last asks for so many of the newest messages that the server keeps of each topic, before what is new.
	Last int
	// Since asks for what was published after a place that Position told, before what is new. It goes without
	// Last. One without an epoch is the same as none.
	Since *Position

	Mode Mode
	// Every asks for at most one message of each topic in that time, the newest. It implies ModeLatest. The server
	// takes 10 ms and more, and rounds up; Result says to what.
	Every time.Duration
}

// Position is a place in a topic, or in the topics of a pattern, which outlives the client: it can be stored, as JSON
// for one, and handed to another client as Sub.Since.
type Position struct {
	Epoch string `json:"epoch"` // within which the numbers mean something
	Seq   uint64 `json:"seq,omitempty"`

	// Of a pattern: the number of each topic that was seen. Of others what was published since TS (Unix ms at the
	// server; 0 is all that it keeps) is yet to come.
	TS   int64             `json:"ts,omitempty"`
	Seqs map[string]uint64 `json:"seqs,omitempty"`
}

// plain asks for filters without more.
func plain(filters []string) []Sub {
	subs := make([]Sub, len(filters))
	for i, f := range filters {
		subs[i].Filter = f
	}
	return subs
}

// check finds what no server needs to be asked about.
func (s *Sub) check() error {
	switch {
	case s.Last < 0:
		return fmt.Errorf("client: Last of %s is negative", s.Filter)
	case s.Every < 0:
		return fmt.Errorf("client: Every of %s is negative", s.Filter)
	case s.Mode > ModeLatest:
		return fmt.Errorf("client: the Mode of %s is none that there is", s.Filter)
	case s.Last > 0 && s.since() != nil:
		return fmt.Errorf("client: Last and Since of %s exclude each other", s.Filter)
	case s.since() != nil && len(s.Since.Seqs) > SinceTopicsMax:
		return fmt.Errorf("client: Since of %s names more than %d topics", s.Filter, SinceTopicsMax)
	}
	return nil
}

// since is Since, nil where there is none.
func (s *Sub) since() *Position {
	if s.Since == nil || s.Since.Epoch == "" {
		return nil
	}
	return s.Since
}

// named is how many topics Since names.
func (s *Sub) named() int {
	if at := s.since(); at != nil {
		return len(at.Seqs)
	}
	return 0
}

// batch is the head of subs that fits into one request, and what the request says of it. complete, unless nil, fills in
// a copy of each first.
func (c *Client) batch(subs []Sub, complete func(*Sub)) (n int, topics []byte) {
	bytesMax := min(SubscribeBytesMax, int(c.requestBytes.Load()))
	named := 0
	for n < len(subs) && n < FiltersPerRequestMax {
		s := subs[n]
		if complete != nil {
			complete(&s)
		}
		end := len(topics)
		if n > 0 {
			topics = append(topics, ',')
		}
		topics = appendSub(topics, &s)
		named += s.named()
		if n > 0 && (len(topics) > bytesMax || named > SinceTopicsMax) {
			return n, topics[:end]
		}
		n++
	}
	return n, topics
}

func appendSub(b []byte, s *Sub) []byte {
	since := s.since()
	if s.Last == 0 && since == nil && s.Mode == ModeOfRule && s.Every == 0 {
		return native.AppendString(b, s.Filter)
	}
	b = native.AppendString(append(b, `{"topic":`...), s.Filter)
	if s.Last > 0 {
		b = strconv.AppendInt(append(b, `,"last":`...), int64(s.Last), 10)
	}
	if since != nil {
		b = appendPosition(append(b, `,"since":`...), since, isPattern(s.Filter))
	}
	switch s.Mode {
	case ModeAll:
		b = append(b, `,"mode":"all"`...)
	case ModeLatest:
		b = append(b, `,"mode":"latest"`...)
	case ModeOfRule:
	}
	if s.Every > 0 {
		// Up, so that what is too short is not taken for none.
		ms := (s.Every + time.Millisecond - 1) / time.Millisecond
		b = strconv.AppendInt(append(b, `,"every":`...), int64(ms), 10)
	}
	return append(b, '}')
}

func appendPosition(b []byte, at *Position, pattern bool) []byte {
	b = native.AppendString(append(b, `{"epoch":`...), at.Epoch)
	if !pattern {
		return append(strconv.AppendUint(append(b, `,"seq":`...), at.Seq, 10), '}')
	}
	b = strconv.AppendInt(append(b, `,"ts":`...), max(0, at.TS), 10)
	if len(at.Seqs) == 0 {
		return append(b, '}')
	}
	b = append(b, `,"seqs":`...)
	before := byte('{')
	for _, topic := range slices.Sorted(maps.Keys(at.Seqs)) {
		b = native.AppendString(append(b, before), topic)
		b = strconv.AppendUint(append(b, ':'), at.Seqs[topic], 10)
		before = ','
	}
	return append(b, "}}"...)
}
