package pubsub

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// account is what a reader has been sent so far, and what it is owed.
type account struct {
	*reader
	sink   *fakeSink
	kind   Kind
	owner  uint32
	parsed int               // bytes of got
	at     map[string]uint64 // the seq up to which each of its topics is accounted for
	late   map[string]uint64 // the same for topics it left while a frame was under way, until that is there
}

// parse reads what has come whole since last time.
func (m *model) parse(a *account) {
	for {
		frame, _, ok := bytes.Cut(a.got[a.parsed:], []byte("\n"))
		if !ok {
			return
		}
		a.parsed += len(frame) + 1
		if err := m.frame(a, string(frame)); err != nil && a.overruns == 0 {
			m.t.Fatalf("reader %d of kind %d: %.80q: %v", a.owner, a.kind, frame, err)
		}
		clear(a.late)
	}
}

func (m *model) frame(a *account, frame string) error {
	if a.kind == kindBare {
		x := m.sent[frame]
		if x == nil {
			return errors.New("nobody has published that")
		}
		return m.account(a, x.topic, x.seq, func(missed *published) bool { return m.leftOut(a, missed) })
	}
	if a.kind == kindUpper {
		var ok bool
		if frame, ok = strings.CutPrefix(frame, "! "); !ok {
			return errors.New("a frame of another kind")
		}
	}
	words := strings.Fields(frame)
	if words[1] == "gap" {
		return m.gap(a, words)
	}
	payload := words[len(words)-1]
	if a.kind == kindUpper {
		payload = strings.ToLower(payload)
	}
	x := m.sent[payload]
	if x == nil || x.topic != words[0] || strconv.FormatUint(x.seq, 10) != words[1] ||
		(len(words) == 4) != (x.prev != x.seq-1) || len(words) == 4 && words[2] != fmt.Sprint("^", x.prev) {
		return fmt.Errorf("published was %+v", x)
	}
	if m.leftOut(a, x) {
		return errors.New("it was not for this one")
	}
	return m.account(a, x.topic, x.seq, func(*published) bool { return false })
}

func (m *model) leftOut(a *account, x *published) bool { return slices.Contains(x.excluded, a.client) }

func (m *model) gap(a *account, words []string) error {
	from, to, _ := strings.Cut(words[2], "-")
	f, _ := strconv.ParseUint(from, 10, 64)
	n, _ := strconv.ParseUint(to, 10, 64)
	at, ok := a.late[words[0]]
	if !ok {
		at = a.at[words[0]]
	}
	if f != at+1 {
		return fmt.Errorf("a gap where %d are accounted for", at)
	}
	if n > m.head[words[0]] {
		return fmt.Errorf("the head is %d", m.head[words[0]])
	}
	return m.account(a, words[0], n, func(x *published) bool {
		if Reason(words[3]) == ReasonExcluded {
			return m.leftOut(a, x)
		}
		tp := m.topic(words[0])
		return x.seq < tp.ring.at(tp.ring.tail).seq
	})
}

// account moves a reader on to seq. What lies between is to be explained; seq itself too, if a message
// has just come of it.
func (m *model) account(a *account, topic string, seq uint64, explained func(*published) bool) error {
	in := a.at
	if _, ok := a.late[topic]; ok {
		in = a.late
	}
	at, ok := in[topic]
	if !ok {
		return errors.New("it has no such subscription")
	}
	i, _ := slices.BinarySearchFunc(m.log[topic], at+1, func(x *published, seq uint64) int { return int(x.seq) - int(seq) })
	for _, x := range m.log[topic][i:] {
		if x.seq > seq {
			break
		}
		if x.prev != at && x.prev != 0 {
			return fmt.Errorf("%d stood after %d, it follows %d", x.seq, x.prev, at)
		}
		if at = x.seq; at < seq && !explained(x) {
			return fmt.Errorf("%d was left out silently", at)
		}
	}
	if at != seq || seq == in[topic] {
		return fmt.Errorf("%d follows %d, accounted for was %d", seq, at, in[topic])
	}
	in[topic] = seq
	return nil
}
