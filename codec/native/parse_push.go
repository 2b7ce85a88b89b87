package native

// The members of what a server sends; pushNames has their names in this order.
const (
	pushOp = iota
	pushID
	pushTopic
	pushSeq
	pushPrev
	pushTS
	pushData
	pushText
	pushBin
	pushFrom
	pushTo
	pushReason
	pushCode
	pushMessage
	pushRetryAfter
	pushReconnectAfter
	pushEpoch
	pushClient
	pushTopics
)

// The members of a topic's result.
const (
	resultTopic = iota
	resultEpoch
	resultSeq
	resultTS
	resultRecovered
	resultMode
	resultEvery
	resultError
	resultMessage
	resultRetryAfter
)

var (
	pushNames = []string{
		"op", "id", "topic", "seq", "prev", "ts", "data", "text", "bin", "from", "to", "reason", "code", "message",
		"retry_after", "reconnect_after", "epoch", "client", "topics",
	}
	resultNames = []string{"topic", "epoch", "seq", "ts", "recovered", "mode", "every", "error", "message", "retry_after"}
)

// ParsePush reads a text of the server into p. Keys that are not known are passed over, as the protocol asks of clients.
// src must be valid UTF-8, as every text message of a WebSocket is.
func ParsePush(src []byte, p *Push) error {
	p.reset(src)
	if p.parseMessage(src) {
		return nil
	}
	p.reset(src)
	var m members
	end := scanObject(src, skipSpace(src, 0), pushNames, &m)
	if end < 0 || skipSpace(src, end) != len(src) {
		return ErrPush
	}
	take := p.setNotice
	if m.values[pushOp] == nil {
		take = p.setMessage
	}
	if !take(&m) {
		return ErrPush
	}
	return nil
}

func (p *Push) reset(src []byte) {
	*p = Push{Raw: src, Results: p.Results[:0], scratch: p.scratch[:0]}
}

// parseMessage reads a message whose keys stand in the order that PROTOCOL fixes, with no blanks between them and no
// escape in the topic. All others, right or wrong, are for scanObject.
func (p *Push) parseMessage(src []byte) bool {
	const head = `{"topic":"`
	if !hasWord(src, 0, head) {
		return false
	}
	at := skipPlain(src, len(head))
	p.Kind = PushMessage
	p.Topic = src[len(head):at:at]
	if p.Seq, at = uintAfter(src, at, `","seq":`); at < 0 {
		return false
	}
	p.Prev = p.Seq - 1
	if n, end := uintAfter(src, at, `,"prev":`); end >= 0 {
		p.Prev, at = n, end
	}
	ts, at := uintAfter(src, at, `,"ts":`)
	if at < 0 {
		return false
	}
	p.TS = int64(ts)
	var key int
	switch {
	case hasWord(src, at, `,"data":`):
		key, at = pushData, at+len(`,"data":`)
	case hasWord(src, at, `,"text":`):
		key, at = pushText, at+len(`,"text":`)
	case hasWord(src, at, `,"bin":`):
		key, at = pushBin, at+len(`,"bin":`)
	default:
		return false
	}
	end := skipWithin(src, at, DepthMax)
	return end == len(src)-1 && src[end] == '}' && p.setPayload(key, src[at:end:end])
}

func (p *Push) setPayload(key int, value []byte) (ok bool) {
	switch key {
	case pushText:
		p.Content = Text
		p.Payload, ok = DecodeString(value, &p.scratch)
	case pushBin:
		p.Content = Binary
		p.Payload, ok = DecodeBase64(value, &p.scratch)
	default:
		p.Content, p.Payload, ok = JSON, value, true
	}
	return ok
}

// setMessage takes a message from its members.
func (p *Push) setMessage(m *members) bool {
	p.Kind = PushMessage
	var ok, tsOK bool
	if p.Topic, ok = DecodeString(m.values[pushTopic], &p.scratch); !ok {
		return false
	}
	var ts uint64
	p.Seq, ok = uintValue(m.values[pushSeq])
	ts, tsOK = uintValue(m.values[pushTS])
	if !ok || !tsOK {
		return false
	}
	p.TS = int64(ts)
	p.Prev = p.Seq - 1
	if v := m.values[pushPrev]; v != nil {
		if p.Prev, ok = uintValue(v); !ok {
			return false
		}
	}
	payload := -1
	for key := pushData; key <= pushBin; key++ {
		if m.values[key] == nil {
			continue
		}
		if payload >= 0 {
			return false
		}
		payload = key
	}
	return payload >= 0 && p.setPayload(payload, m.values[payload])
}

// setNotice takes all that is no message from its members. What is missing stays zero; of an op that is not known nothing
// is taken.
func (p *Push) setNotice(m *members) bool {
	var op []byte
	ok := p.take(&op, m.values[pushOp])
	switch string(op) {
	case "ok":
		p.Kind = PushOK
	case "error":
		p.Kind = PushError
	case "gap":
		p.Kind = PushGap
	case "goaway":
		p.Kind = PushGoaway
	case "pong":
		p.Kind = PushPong
	case "unsubscribed":
		p.Kind = PushUnsubscribed
	default:
		return ok
	}
	p.ID = m.values[pushID]
	ok = ok && p.take(&p.Topic, m.values[pushTopic]) && p.take(&p.Reason, m.values[pushReason]) &&
		p.take(&p.Code, m.values[pushCode]) && p.take(&p.Message, m.values[pushMessage]) &&
		p.take(&p.Epoch, m.values[pushEpoch]) && p.take(&p.Client, m.values[pushClient])
	ok = ok && takeUint(&p.Seq, m.values[pushSeq]) && takeUint(&p.From, m.values[pushFrom]) &&
		takeUint(&p.To, m.values[pushTo]) && takeInt(&p.RetryAfterMs, m.values[pushRetryAfter]) &&
		takeInt(&p.ReconnectAfterMs, m.values[pushReconnectAfter])
	return ok && p.setResults(m.values[pushTopics])
}

func (p *Push) setResults(array []byte) bool {
	if array == nil {
		return true
	}
	if array[0] != '[' {
		return false
	}
	for element := range Elements(array) {
		var m members
		if scanObject(element, 0, resultNames, &m) < 0 || !p.addResult(&m) {
			return false
		}
	}
	return true
}

func (p *Push) addResult(m *members) bool {
	r := TopicResult{Recovered: -1, HasSeq: m.values[resultSeq] != nil}
	var topic, epoch, mode, code, message []byte
	var ts uint64
	ok := p.take(&topic, m.values[resultTopic]) && p.take(&epoch, m.values[resultEpoch]) &&
		p.take(&mode, m.values[resultMode]) && p.take(&code, m.values[resultError]) &&
		p.take(&message, m.values[resultMessage]) &&
		takeUint(&r.Seq, m.values[resultSeq]) && takeUint(&ts, m.values[resultTS]) && takeInt(&r.EveryMs, m.values[resultEvery])
	r.Topic, r.Epoch, r.TS = string(topic), string(epoch), int64(ts)
	if string(mode) == "latest" {
		r.Mode = ModeLatest
	}
	if v := m.values[resultRecovered]; v != nil {
		on, isBool := boolean(v)
		ok = ok && isBool
		if r.Recovered = 0; on {
			r.Recovered = 1
		}
	}
	if m.values[resultError] != nil {
		r.Err = &Error{Code: string(code), Message: string(message)}
		ok = ok && takeInt(&r.Err.RetryAfterMs, m.values[resultRetryAfter])
	}
	p.Results = append(p.Results, r)
	return ok
}

// take decodes a string that may be missing.
func (p *Push) take(dst *[]byte, value []byte) (ok bool) {
	if value == nil {
		return true
	}
	*dst, ok = DecodeString(value, &p.scratch)
	return ok
}

// takeUint reads a number that may be missing.
func takeUint(dst *uint64, value []byte) (ok bool) {
	if value == nil {
		return true
	}
	*dst, ok = uintValue(value)
	return ok
}

func takeInt(dst *int, value []byte) bool {
	var n uint64
	ok := takeUint(&n, value) && n <= IntMax
	*dst = int(n)
	return ok
}

// uintValue reads a JSON number that is a whole number below 10^19, written without fraction and exponent.
func uintValue(value []byte) (uint64, bool) {
	n, end := skipUint(value, 0)
	return n, end >= 0 && end == len(value)
}

// uintAfter reads a whole number that has word before it at src[at]; end is -1 when there is none.
func uintAfter(src []byte, at int, word string) (n uint64, end int) {
	if !hasWord(src, at, word) {
		return 0, -1
	}
	return skipUint(src, at+len(word))
}

// skipUint reads a whole number of at most 19 digits and gives its end, -1 when there is none.
func skipUint(src []byte, at int) (n uint64, end int) {
	const digitsMax = 19
	for end = at; end < len(src) && src[end]-'0' <= 9; end++ {
		if end == at+digitsMax {
			return 0, -1
		}
		n = n*10 + uint64(src[end]-'0')
	}
	if end == at || (src[at] == '0' && end > at+1) {
		return 0, -1
	}
	return n, end
}

func hasWord(src []byte, at int, word string) bool {
	return len(src)-at >= len(word) && string(src[at:at+len(word)]) == word
}
