package loadgen

import "encoding/binary"

// scan reads a message whose keys come in the protocol's order, without "prev", and whose data begins with the planned
// instant: {"topic":"…","seq":N,"ts":<13 digits>,"data":{"t":<19 digits>,…}}. It returns false for all else; the general
// parser then decides.
func (d *nativeDriver) scan(b []byte, ev *event) bool {
	h := len(d.head)
	i := h + d.topics.width
	// The shortest message there is; from here on only seq's digits need a look at the length.
	if len(b) < i+len(`","seq":0,"ts":0000000000000,"data":{"t":0000000000000000000`)+d.data.shortest+1 || string(b[:h]) != d.head {
		return false
	}
	topic := 0
	for _, c := range b[h:i] {
		if c < '0' || c > '9' {
			return false
		}
		topic = topic*10 + int(c-'0')
	}
	if topic >= d.topics.count || string(b[i:i+8]) != `","seq":` {
		return false
	}
	i += 8
	seq, start := uint64(0), i
	for ; i < len(b) && i-start < 16 && b[i] >= '0' && b[i] <= '9'; i++ {
		seq = seq*10 + uint64(b[i]-'0')
	}
	const ts, data = `,"ts":`, `,"data":{"t":`
	if len(b) < i+len(ts)+13+len(data)+19+d.data.shortest+1 || b[len(b)-1] != '}' {
		return false
	}
	if i == start || string(b[i:i+len(ts)]) != ts {
		return false
	}
	i += len(ts) + 13
	if string(b[i:i+len(data)]) != data {
		return false
	}
	i += len(data)
	planned, ok := instant(b[i:])
	if !ok || !d.data.holds(b[i+19:len(b)-1]) {
		return false
	}
	ev.kind, ev.topic, ev.seq, ev.prev, ev.planned, ev.damaged = evMessage, topic, seq, seq-1, planned, false
	return true
}

// dataOf reads the planned instant of a message's data; damaged: it is not what the publisher made.
func (d *nativeDriver) dataOf(payload []byte) (planned int64, damaged bool) {
	const head = `{"t":`
	if len(payload) < len(head)+19 || string(payload[:len(head)]) != head {
		return 0, true
	}
	planned, ok := instant(payload[len(head):])
	return planned, !ok || !d.data.holds(payload[len(head)+19:])
}

// instant reads 19 digits.
func instant(b []byte) (int64, bool) {
	if len(b) < 19 {
		return 0, false
	}
	high, ok1 := digits8(b)
	middle, ok2 := digits8(b[8:])
	v := high*100_000_000 + middle
	for _, c := range b[16:19] {
		if c < '0' || c > '9' {
			return 0, false
		}
		v = v*10 + uint64(c-'0')
	}
	return int64(v), ok1 && ok2 && v < 1<<63
}

// digits8 reads eight digits at once, each in a byte of a word: neighbours are added up as pairs, then fours, then eights.
func digits8(b []byte) (uint64, bool) {
	v := binary.LittleEndian.Uint64(b)
	if v&0xF0F0F0F0F0F0F0F0|(v+0x0606060606060606)&0xF0F0F0F0F0F0F0F0>>4 != 0x3333333333333333 {
		return 0, false
	}
	v &= 0x0F0F0F0F0F0F0F0F
	v = v * (10<<8 + 1) >> 8 & 0x00FF00FF00FF00FF
	v = v * (100<<16 + 1) >> 16 & 0x0000FFFF0000FFFF
	v = v * (10000<<32 + 1) >> 32
	return v, true
}
