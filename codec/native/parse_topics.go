package native

import "github.com/megawire/megawire/codec/codes"

// The members of an entry of topics; entryNames has their names in this order. What an unsubscribe takes comes first.
const (
	entryTopic = iota
	entryLast
	entrySince
	entryMode
	entryEvery
)

// The members of since.
const (
	sinceEpoch = iota
	sinceSeq
	sinceTS
	sinceSeqs
)

var (
	entryNames = []string{"topic", "last", "since", "mode", "every"}
	sinceNames = []string{"epoch", "seq", "ts", "seqs"}
)

// parseTopics reads the topics of a subscribe or an unsubscribe. An entry whose topic cannot be read fails the whole
// request, as its result could not be told from others; any other fault is the entry's own.
func (r *Request) parseTopics(array []byte) *Error {
	if array == nil {
		return badRequest("topics is missing")
	}
	if array[0] != '[' {
		return badRequest("topics must be an array of strings or objects")
	}
	for element := range Elements(array) {
		if len(r.Topics) == TopicsMax {
			return &Error{Code: codes.TooMany, Message: "more than 16384 topics in one request"}
		}
		r.Topics = append(r.Topics, TopicRequest{})
		if err := r.parseEntry(element, &r.Topics[len(r.Topics)-1]); err != nil {
			return err
		}
	}
	return nil
}

func (r *Request) parseEntry(element []byte, t *TopicRequest) *Error {
	var ok bool
	switch element[0] {
	case '"':
		if t.Topic, ok = DecodeString(element, &r.scratch); !ok {
			return wrong(element, "topics")
		}
		return nil
	case '{':
		var m members
		names := entryNames
		if r.Op == OpUnsubscribe {
			names = names[:1]
		}
		scanObject(element, 0, names, &m)
		if t.Topic, ok = DecodeString(m.values[entryTopic], &r.scratch); !ok {
			return wrong(m.values[entryTopic], "topic must be a string")
		}
		t.Err = r.parseOptions(&m, t)
		return nil
	default:
		return badRequest("topics must be an array of strings or objects")
	}
}

func (r *Request) parseOptions(m *members, t *TopicRequest) *Error {
	switch {
	case m.twice != "":
		return badRequest(`the key "` + m.twice + `" appears twice in an entry of topics`)
	case m.unknown != nil:
		return badRequest("unknown key " + quoted(m.unknown) + " in an entry of topics of " + r.Op.String())
	}
	if v := m.values[entryLast]; v != nil {
		n, ok := whole(v)
		if !ok {
			return badRequest("last must be a whole number")
		}
		t.Has |= HasLast
		t.Last = int(n)
	}
	if v := m.values[entryMode]; v != nil {
		switch mode, _ := DecodeString(v, &r.scratch); string(mode) {
		case "all":
		case "latest":
			t.Mode = ModeLatest
		default:
			return badRequest(`mode must be "all" or "latest"`)
		}
		t.Has |= HasMode
	}
	if v := m.values[entryEvery]; v != nil {
		n, ok := whole(v)
		if !ok || n < EveryMsMin || n > EveryMsMax {
			return badRequest("every must be a whole number of milliseconds from 10 to 86400000")
		}
		t.Has |= HasEvery
		t.EveryMs = int(n)
	}
	if v := m.values[entrySince]; v != nil {
		if err := r.parseSince(v, t); err != nil {
			return err
		}
	}
	return t.contradiction()
}

// contradiction judges options that are right each by itself.
func (t *TopicRequest) contradiction() *Error {
	switch {
	case t.Last > 0 && t.Has&(HasSince|HasSinceTime) != 0:
		return badRequest("last and since contradict each other: since brings what was missed, last the newest")
	case t.Has&HasMode != 0 && t.Mode == ModeAll && t.Has&HasEvery != 0:
		return badRequest(`mode "all" and every contradict each other: every implies "latest"`)
	default:
		return nil
	}
}

// parseSince reads since in either of its forms. Whether the form suits the filter is not judged here.
func (r *Request) parseSince(value []byte, t *TopicRequest) *Error {
	const expected = `since must be {"epoch":<string>,"seq":<number>} or {"epoch":<string>,"ts":<number>,"seqs":{"<topic>":<number>}}`
	var m members
	if scanObject(value, 0, sinceNames, &m) < 0 || m.unknown != nil || m.twice != "" {
		return badRequest(expected)
	}
	var ok bool
	if t.SinceEpoch, ok = DecodeString(m.values[sinceEpoch], &r.scratch); !ok {
		return badRequest(expected)
	}
	seq, ts, seqs := m.values[sinceSeq], m.values[sinceTS], m.values[sinceSeqs]
	switch {
	case seq != nil && ts == nil && seqs == nil:
		if t.SinceSeq, ok = whole(seq); !ok {
			return badRequest(expected)
		}
		t.Has |= HasSince
	case seq == nil && ts != nil:
		n, ok := whole(ts)
		topics := 0
		if !ok || (seqs != nil && !EachSeq(seqs, func([]byte, uint64) bool { topics++; return topics <= SinceTopicsMax })) {
			return badRequest(expected)
		}
		if topics > SinceTopicsMax {
			return &Error{Code: codes.TooMany, Message: "since names more than 65536 topics"}
		}
		t.SinceTS, t.SinceSeqs, t.SinceTopics = int64(n), seqs, topics
		t.Has |= HasSinceTime
	default:
		return badRequest(expected)
	}
	return nil
}

// SeqsByTopic gives what SinceSeqs says, nil where there is none.
func (t *TopicRequest) SeqsByTopic() (map[string]uint64, *Error) {
	if t.SinceTopics == 0 {
		return nil, nil
	}
	seqs := make(map[string]uint64, t.SinceTopics)
	EachSeq(t.SinceSeqs, func(topic []byte, seq uint64) bool {
		seqs[string(topic)] = seq
		return true
	})
	if len(seqs) < t.SinceTopics {
		return nil, badRequest("since names a topic twice")
	}
	return seqs, nil
}

// EachSeq yields the members of a SinceSeqs until yield returns false; the topic is valid during that call. It reports
// whether seqs is an object of whole numbers, as far as it was read. seqs is valid JSON.
func EachSeq(seqs []byte, yield func(topic []byte, seq uint64) bool) (ok bool) {
	if len(seqs) == 0 || seqs[0] != '{' {
		return false
	}
	var scratch []byte
	for name, value := range Members(seqs) {
		topic, ok := DecodeString(name, &scratch)
		if !ok {
			return false
		}
		seq, ok := whole(value)
		if !ok {
			return false
		}
		if !yield(topic, seq) {
			return true
		}
		scratch = scratch[:0]
	}
	return true
}
