package pubsub

import (
	"bytes"
	"sync"

	"github.com/valyala/bytebufferpool"
)

// topic is one topic's ring, its encodings and the cursors of the loops that read it.
type topic struct {
	hub  *Hub
	name string

	// Guarded by mu. Lock order: a stripe of the hub, then a topic, then a shard's mailbox.
	mu         sync.Mutex
	gone       bool   // expired: whoever holds it looks the name up again
	seq        uint64 // the newest sequence number
	ts         int64  // of the newest message, Unix ms
	used       int64  // when it last had a message or a link, Unix ms
	ring       ring
	appended   int64        // bytes ever appended; cursors count in the same measure
	inFlight   int64        // bytes that some link has yet to take
	logs       []encodedLog // by Kind, from the first message on
	links      []*link
	excludedTo uint64        // no message at or above this position has an exclusion
	room       chan struct{} // closed when there is room again; nil while nobody waits
}

// link is one shard's place in a topic. Guarded by the topic's lock, but for local, which is the
// shard's own.
type link struct {
	topic *topic
	shard *Shard
	local uint32

	cursor   uint64 // the next position to take
	appended int64  // topic.appended at cursor
	dirty    bool   // stands in the shard's mailbox
	dead     bool   // the shard is no longer interested
}

// hasRoom says whether the loops have taken enough for a message of size bytes to be appended. A topic
// that nobody reads, or whose readers have taken everything, has room for one message of any size.
func (t *topic) hasRoom(size int) bool {
	if len(t.links) == 0 {
		return true
	}
	o := &t.hub.o
	if t.inFlight == 0 {
		return t.hub.inFlight.Load() < int64(o.InFlightTotalBytesMax)
	}
	return t.ring.head-t.takenTo() < uint64(o.InFlightMessagesMax) &&
		t.inFlight+int64(size) <= int64(o.InFlightBytesMax) &&
		t.hub.inFlight.Load()+int64(size) <= int64(o.InFlightTotalBytesMax)
}

// takenTo is the lowest position that some link has yet to take.
func (t *topic) takenTo() uint64 {
	pos := t.ring.head
	for _, l := range t.links {
		pos = min(pos, l.cursor)
	}
	return pos
}

// append gives the publication its place in the topic and tells the loops. now is Unix ms. The caller
// holds mu and has seen that there is room.
func (t *topic) append(p *Publication, seq, prev uint64, now int64) {
	t.seq, t.used, t.ts = seq, now, max(now, t.ts)
	rec := record{seq: seq, prev: prev, ts: t.ts, payload: p.Payload, content: p.Content, exclude: p.exclusion()}
	t.encodeFirst(t.ring.head, &rec)
	if rec.exclude != nil {
		t.excludedTo = t.ring.head + 1
	}
	t.ring.push(rec)
	t.appended += int64(rec.size)
	t.hub.ringBytes.Add(int64(rec.size))
	t.account()
	t.mark()
	t.evict(now)
}

// encodeFirst appends the record of position pos to the first kind's log, makes its payload one of the
// topic's own and sets its size.
func (t *topic) encodeFirst(pos uint64, r *record) {
	buf := bytebufferpool.Get()
	frame, payloadAt := r.appendTo(buf.B[:0], t.hub.o.Encoders[0], t.name)
	buf.B = frame
	if t.logs == nil {
		t.logs = make([]encodedLog, len(t.hub.o.Encoders))
	}
	shared := t.logs[0].add(pos, frame)
	bytebufferpool.Put(buf)
	r.size = uint32(len(shared) + recordBytes + r.exclude.bytes())
	if payloadAt < 0 {
		r.payload = bytes.Clone(r.payload)
		r.size += uint32(len(r.payload))
		return
	}
	end := payloadAt + len(r.payload)
	r.payload = shared[payloadAt:end:end]
}

func (t *topic) mark() {
	for _, l := range t.links {
		if !l.dirty {
			l.dirty = true
			l.shard.mailbox.put(l)
		}
	}
}

// account brings inFlight and the hub's sum up to date after the head or a cursor has moved, and lets
// waiting publishers look again when there is room.
func (t *topic) account() {
	lag := int64(0)
	for _, l := range t.links {
		lag = max(lag, t.appended-l.appended)
	}
	if lag == t.inFlight {
		return
	}
	t.hub.addInFlight(lag - t.inFlight)
	fell := lag < t.inFlight
	t.inFlight = lag
	if fell && t.room != nil {
		close(t.room)
		t.room = nil
	}
}

// evict drops what every loop has taken and the retention no longer covers. The newest message stays.
func (t *topic) evict(now int64) {
	o, r := &t.hub.o, &t.ring
	taken, first := min(t.takenTo(), r.head-min(r.head, 1)), r.tail
	for r.tail < taken {
		over := r.len() > o.RetainMessagesMax || r.bytes > int64(o.RetainBytesMax) ||
			now-r.at(r.tail).ts > o.RetainMillisMax || t.hub.ringBytes.Load() > int64(o.RetainTotalBytesMax)
		if !over {
			break
		}
		t.hub.ringBytes.Add(-int64(r.at(r.tail).size))
		r.pop()
	}
	if r.tail == first {
		return
	}
	for k := range t.logs {
		t.logs[k].drop(r.tail)
	}
}

// link adds a shard's interest, beginning at the head.
func (t *topic) link(s *Shard, local uint32) *link {
	l := &link{topic: t, shard: s, local: local, cursor: t.ring.head, appended: t.appended}
	t.links = append(t.links, l)
	if len(t.links) == 1 {
		t.hub.broker.Interest(Filter(t.name), true)
	}
	return l
}

// unlink ends a shard's interest. A topic that was never published to goes with its last subscriber:
// names that somebody only asked for are not to fill the server.
func (t *topic) unlink(l *link, now int64) {
	t.mu.Lock()
	l.dead = true
	for i, other := range t.links {
		if other == l {
			last := len(t.links) - 1
			t.links[i] = t.links[last]
			t.links[last] = nil
			t.links = t.links[:last]
			break
		}
	}
	t.used = now
	t.account()
	t.evict(now)
	if len(t.links) == 0 {
		t.hub.broker.Interest(Filter(t.name), false)
	}
	unused := t.unused(now)
	t.mu.Unlock()
	if unused {
		t.hub.expire(t, now)
	}
}

// unused says that nothing would be lost if the topic went. The caller holds mu.
func (t *topic) unused(now int64) bool {
	return len(t.links) == 0 && (t.ring.len() == 0 || now-t.used > t.hub.o.TopicIdleMillis)
}
