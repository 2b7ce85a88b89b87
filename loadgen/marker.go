package loadgen

import "bytes"

// marker makes and reads payloads that say themselves what they are, for servers that add nothing to them that could be
// relied on: {"p":"~<19 digits: planned instant><8: topic><12: number within the topic>xxx…"}. It is found in whatever the
// server puts around it, escaped or not, by the tilde and the digits behind it.
type marker struct {
	topics topics
	filler string
	seqs   []uint64 // by topic, what the publisher numbered last
	data   []byte   // scratch
}

const (
	markerByte   = '~'
	markerDigits = 19 + 8 + 12
	markedHead   = `{"p":"` + string(markerByte)
	markedTail   = `"}`
	// markedBytesMin is the length of such a payload with no filler.
	markedBytesMin = len(markedHead) + markerDigits + len(markedTail)
)

func newMarker(p *Plan, t topics) marker {
	return marker{topics: t, filler: p.fillerOf(p.Payload - markedBytesMin)}
}

// payload makes the next message of a topic; it is good until the next call.
func (m *marker) payload(topic int, planned int64) []byte {
	if m.seqs == nil {
		m.seqs = make([]uint64, m.topics.count)
	}
	m.seqs[topic]++
	m.data = append(m.data[:0], markedHead...)
	m.data = appendInstant(m.data, planned)
	m.data = appendDigits(m.data, uint64(topic), 8)
	m.data = appendDigits(m.data, m.seqs[topic], 12)
	m.data = append(m.data, m.filler...)
	return append(m.data, markedTail...)
}

// find reads the marked message in b, if there is one.
func (m *marker) find(b []byte, ev *event) bool {
	for {
		i := bytes.IndexByte(b, markerByte)
		if i < 0 || len(b) < i+1+markerDigits {
			return false
		}
		b = b[i+1:]
		if m.read(b, ev) {
			return true
		}
	}
}

func (m *marker) read(b []byte, ev *event) bool {
	planned, ok1 := instant(b)
	topic, ok2 := digits8(b[19:])
	high, ok3 := digits8(b[27:])
	low, ok4 := digits(b[35:markerDigits])
	if !ok1 || !ok2 || !ok3 || !ok4 {
		return false
	}
	seq := high*10_000 + low
	ev.kind, ev.topic, ev.planned, ev.seq, ev.prev = evMessage, int(topic), planned, seq, seq-1
	if int(topic) >= m.topics.count {
		ev.topic = -1
	}
	rest := b[markerDigits:]
	ev.damaged = len(rest) < len(m.filler) || string(rest[:len(m.filler)]) != m.filler
	return true
}

// appendDigits appends v in a fixed width.
func appendDigits(dst []byte, v uint64, width int) []byte {
	for range width {
		dst = append(dst, '0')
	}
	for i := len(dst) - 1; v > 0 && i >= len(dst)-width; i, v = i-1, v/10 {
		dst[i] = byte('0' + v%10)
	}
	return dst
}

// digits reads a number that is all of b.
func digits(b []byte) (v uint64, ok bool) {
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		v = v*10 + uint64(c-'0')
	}
	return v, len(b) > 0
}
