package native

import (
	"encoding/base64"
	"strconv"
	"unicode/utf8"
)

// Content says how a message's payload is written.
type Content uint8

// The kinds of payload; the numbers are the same in every package that has such a type.
const (
	JSON   Content = 0 // "data": the payload is JSON text, kept byte for byte
	Text   Content = 1 // "text": the payload is UTF-8
	Binary Content = 2 // "bin": base64 with padding (RFC 4648 §4)
)

// TopicResult is the answer for one filter of a request.
type TopicResult struct {
	Topic  string
	Epoch  string // left out when empty
	Seq    uint64
	HasSeq bool  // a pattern has none
	TS     int64 // of a pattern: what comes was published then or later, Unix ms; 0 is left out

	Recovered int8 // of a subscription with since: 1 or 0; -1 where there was none
	Mode      Mode // ModeAll, the default, is left out
	EveryMs   int  // 0 is left out

	Err *Error // what stands above is left out then, but for Topic
}

// AppendMessage appends a message. Its keys come in the order that PROTOCOL fixes; prev is left out when it is seq-1.
// payload is JSON text, UTF-8 or any bytes, as c says, and is not checked.
func AppendMessage(dst []byte, topic string, seq, prev uint64, ts int64, c Content, payload []byte) []byte {
	dst = AppendString(append(dst, `{"topic":`...), topic)
	dst = strconv.AppendUint(append(dst, `,"seq":`...), seq, 10)
	if prev != seq-1 {
		dst = strconv.AppendUint(append(dst, `,"prev":`...), prev, 10)
	}
	dst = strconv.AppendInt(append(dst, `,"ts":`...), ts, 10)
	switch c {
	case Text:
		dst = appendString(append(dst, `,"text":`...), payload)
	case Binary:
		dst = append(dst, `,"bin":"`...)
		dst = base64.StdEncoding.AppendEncode(dst, payload)
		dst = append(dst, '"')
	default:
		dst = append(append(dst, `,"data":`...), payload...)
	}
	return append(dst, '}')
}

// AppendSubscribed appends the answer to a subscribe. id is raw JSON, nil for none, here and below.
func AppendSubscribed(dst, id []byte, client string, rs []TopicResult) []byte {
	dst = appendOK(dst, id)
	dst = AppendString(append(dst, `,"client":`...), client)
	return append(appendResults(dst, rs), '}')
}

// AppendUnsubscribed appends the answer to an unsubscribe.
func AppendUnsubscribed(dst, id []byte, rs []TopicResult) []byte {
	return append(appendResults(appendOK(dst, id), rs), '}')
}

// AppendList appends the answer to a list: the connection's subscriptions.
func AppendList(dst, id []byte, client string, rs []TopicResult) []byte {
	return AppendSubscribed(dst, id, client, rs)
}

// AppendOK appends an answer that has nothing to say, such as that to an auth.
func AppendOK(dst, id []byte) []byte { return append(appendOK(dst, id), '}') }

// AppendPublished appends the answer to a publish.
func AppendPublished(dst, id []byte, topic, epoch string, seq uint64) []byte {
	dst = AppendString(append(appendOK(dst, id), `,"topic":`...), topic)
	dst = AppendString(append(dst, `,"epoch":`...), epoch)
	dst = strconv.AppendUint(append(dst, `,"seq":`...), seq, 10)
	return append(dst, '}')
}

// AppendPresence appends the answer to a presence: count clients have the topic, and clients are the ids of all of them or
// of some.
func AppendPresence(dst, id []byte, topic string, count int, clients []string) []byte {
	dst = AppendString(append(appendOK(dst, id), `,"topic":`...), topic)
	dst = strconv.AppendInt(append(dst, `,"count":`...), int64(count), 10)
	dst = append(dst, `,"clients":[`...)
	for i, client := range clients {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(AppendString(append(dst, `{"client":`...), client), '}')
	}
	dst = strconv.AppendBool(append(dst, `],"truncated":`...), count > len(clients))
	return append(dst, '}')
}

// AppendPong appends the answer to a ping.
func AppendPong(dst, id []byte) []byte {
	return append(appendID(append(dst, `{"op":"pong"`...), id), '}')
}

// AppendError appends the answer to a request that failed as a whole.
func AppendError(dst, id []byte, e *Error) []byte {
	dst = appendID(append(dst, `{"op":"error"`...), id)
	dst = AppendString(append(dst, `,"code":`...), e.Code)
	dst = AppendString(append(dst, `,"message":`...), e.Message)
	return append(appendRetryAfter(dst, e), '}')
}

// AppendGap appends the notice that the messages from seq from to seq to, both included, will not come.
func AppendGap(dst []byte, topic string, from, to uint64, reason string) []byte {
	dst = AppendString(append(dst, `{"op":"gap","topic":`...), topic)
	dst = strconv.AppendUint(append(dst, `,"from":`...), from, 10)
	dst = strconv.AppendUint(append(dst, `,"to":`...), to, 10)
	dst = AppendString(append(dst, `,"reason":`...), reason)
	return append(dst, '}')
}

// AppendGoaway appends the notice that the server is draining and when to connect again.
func AppendGoaway(dst []byte, afterMs int) []byte {
	dst = strconv.AppendInt(append(dst, `{"op":"goaway","reconnect_after":`...), int64(afterMs), 10)
	return append(dst, '}')
}

// AppendUnsubscribedNotice appends the notice that the server ended a subscription.
func AppendUnsubscribedNotice(dst []byte, topic, code string) []byte {
	dst = AppendString(append(dst, `{"op":"unsubscribed","topic":`...), topic)
	dst = AppendString(append(dst, `,"code":`...), code)
	return append(dst, '}')
}

func appendOK(dst, id []byte) []byte { return appendID(append(dst, `{"op":"ok"`...), id) }

func appendID(dst, id []byte) []byte {
	if id == nil {
		return dst
	}
	return append(append(dst, `,"id":`...), id...)
}

func appendRetryAfter(dst []byte, e *Error) []byte {
	if e.RetryAfterMs <= 0 {
		return dst
	}
	return strconv.AppendInt(append(dst, `,"retry_after":`...), int64(e.RetryAfterMs), 10)
}

func appendResults(dst []byte, rs []TopicResult) []byte {
	dst = append(dst, `,"topics":[`...)
	for i := range rs {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendResult(dst, &rs[i])
	}
	return append(dst, ']')
}

func appendResult(dst []byte, r *TopicResult) []byte {
	dst = AppendString(append(dst, `{"topic":`...), r.Topic)
	if r.Err != nil {
		dst = AppendString(append(dst, `,"error":`...), r.Err.Code)
		dst = AppendString(append(dst, `,"message":`...), r.Err.Message)
		return append(appendRetryAfter(dst, r.Err), '}')
	}
	if r.Epoch != "" {
		dst = AppendString(append(dst, `,"epoch":`...), r.Epoch)
	}
	if r.HasSeq {
		dst = strconv.AppendUint(append(dst, `,"seq":`...), r.Seq, 10)
	}
	if r.TS > 0 {
		dst = strconv.AppendInt(append(dst, `,"ts":`...), r.TS, 10)
	}
	switch r.Recovered {
	case 0:
		dst = append(dst, `,"recovered":false`...)
	case 1:
		dst = append(dst, `,"recovered":true`...)
	}
	if r.Mode == ModeLatest {
		dst = append(dst, `,"mode":"latest"`...)
	}
	if r.EveryMs > 0 {
		dst = strconv.AppendInt(append(dst, `,"every":`...), int64(r.EveryMs), 10)
	}
	return append(dst, '}')
}

// AppendString appends s as a JSON string (RFC 8259 §7): the quote, the backslash and control characters are escaped,
// all else stands as it is. Bytes that are not UTF-8 become U+FFFD.
func AppendString(dst []byte, s string) []byte { return appendString(dst, s) }

func appendString[T string | []byte](dst []byte, s T) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		b := s[i]
		if plain[b] {
			i++
			continue
		}
		size := 1
		if b >= utf8.RuneSelf {
			var r rune
			if r, size = decodeRune(s, i); r != utf8.RuneError || size != 1 {
				i += size
				continue
			}
		}
		dst = append(dst, s[start:i]...)
		switch b {
		case '"', '\\':
			dst = append(dst, '\\', b)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			if b >= utf8.RuneSelf {
				dst = append(dst, "\uFFFD"...)
			} else {
				dst = append(dst, '\\', 'u', '0', '0', hex[b>>4], hex[b&0xF])
			}
		}
		i += size
		start = i
	}
	return append(append(dst, s[start:]...), '"')
}

func decodeRune[T string | []byte](s T, i int) (rune, int) {
	return utf8.DecodeRuneInString(string(s[i:min(i+utf8.UTFMax, len(s))]))
}

// plain marks the ASCII bytes that stand in a JSON string as they are.
var plain = func() (t [256]bool) {
	for b := 0x20; b < utf8.RuneSelf; b++ {
		t[b] = b != '"' && b != '\\'
	}
	return t
}()
