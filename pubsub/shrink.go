package pubsub

// wasteShare is how many times the bytes that are kept its chunks may take, beside two of the smallest, before they are packed.
const wasteShare = 3

// atOnce is how many bytes the next chunk should have room for, where loops take several messages at once: of some bursts if
// they are small, so that most stand in one chunk. Where loops take one after the other it comes to nothing: what was at
// once is halved with each message that comes alone. The caller holds mu.
func (t *topic) atOnce() int64 {
	untaken := int64(0)
	for _, l := range t.links {
		untaken = max(untaken, t.appended-l.appended)
	}
	if t.burst = max(t.burst, untaken); untaken == 0 {
		t.burst /= 2
	}
	return max(t.burst, min(chunkBursts*t.burst, chunkBurstsBytesMax))
}

// shrink gives what is kept the room that it takes, in place of the large chunks and the long ring that the topic's busy
// times have left. It takes what encoding two chunks does at most. About once a minute; the caller holds mu.
func (t *topic) shrink() {
	n := t.ring.len()
	if n == 0 {
		return
	}
	if len(t.ring.slots) >= 4*n { // at half as many it would double again with the next message
		t.ring.resize(ceil2(n))
	}
	for k := range t.logs {
		l := &t.logs[k]
		room, kept := l.takes(t.ring.tail)
		switch {
		case room <= wasteShare*kept+2*chunkBytesMin:
		case k > 0: // what is wanted of it again is encoded again
			t.countEncoded(-l.bytes)
			*l = encodedLog{}
		default:
			*l = encodedLog{}
			for pos := t.ring.tail; pos < t.ring.head; pos++ {
				t.encodeFirst(pos, t.ring.at(pos), kept)
			}
		}
	}
}

// takes is how much room the chunks take, and how many of their bytes are of messages from pos on.
func (l *encodedLog) takes(pos uint64) (room, kept int64) {
	for _, c := range l.chunks {
		room += int64(cap(c.buf))
	}
	kept = l.bytes
	if len(l.chunks) > 0 && l.chunks[0].first < pos {
		kept -= int64(l.chunks[0].start(int(pos - l.chunks[0].first)))
	}
	return room, kept
}
