package pubsub

import (
	"bytes"
	"sync"
	"sync/atomic"

	"github.com/valyala/bytebufferpool"
)

// topic is one topic's ring, its encodings and the cursors of the loops that read it.
type topic struct {
	hub  *Hub
	name string
	rule *Rule
	born uint64 // the sequence number before its first; messages up to it may have been in a topic of that name that expired

	present *presence // nil where the rule has it off

	// Guarded by mu. Lock order: a stripe of the hub, then a topic, then a shard's mailbox.
	mu         sync.Mutex
	gone       bool   // expired: whoever holds it looks the name up again
	seq        uint64 // the newest sequence number
	ts         int64  // of the newest message, Unix ms
	used       int64  // when it last had a message or a subscriber, on Options.Steady
	evictedTS  int64  // of the newest message that is no longer kept; 0 if there is none
	generation uint64 // of the hub's patterns when they were last looked up
	ring       ring
	appended   int64        // bytes ever appended; cursors count in the same measure
	inFlight   int64        // bytes that some link has yet to take
	filled     atomic.Bool  // has a message; may be read without mu
	burst      int64        // the most bytes that a loop had yet to take when another message came, lately
	logs       []encodedLog // by Kind, from the first message on
	encoded    int64        // bytes in logs of other kinds than the first, whose bytes the ring counts
	links      []*link
	excludedTo uint64        // no message at or above this position has an exclusion
	room       chan struct{} // closed when there is room again; nil while nobody waits
}

// link is one shard's place in a topic. Guarded by the topic's lock, but for local, which is the
// shard's own.
type link struct {
	topic *topic
	shard *Shard
	local uint32 // 0 as long as the shard has not taken anything: a publisher made the link, for a pattern

	cursor   uint64 // the next position to take
	appended int64  // topic.appended at cursor
	dirty    bool   // stands in the shard's mailbox
	dead     bool   // the shard is no longer interested
	pushes   bool   // somebody there wants all: publishers wait for it. What is not waited for may be lapped

	exact atomic.Int32 // subscriptions to this very topic; changed by the shard, read by anybody
}

// hasRoom says whether the loops have taken enough for a message of size bytes to be appended. A topic
// that nobody reads, or whose readers have taken everything, has room for one message of any size.
func (t *topic) hasRoom(size int) bool {
	if !t.pushed() {
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

// pushed says that some loop is waited for.
func (t *topic) pushed() bool {
	for _, l := range t.links {
		if l.pushes {
			return true
		}
	}
	return false
}

// takenTo is the lowest position that some link that is waited for has yet to take.
func (t *topic) takenTo() uint64 {
	pos := t.ring.head
	for _, l := range t.links {
		if l.pushes {
			pos = min(pos, l.cursor)
		}
	}
	return pos
}

// append gives the publication its place in the topic and tells the loops. The caller holds mu and has seen that there
// is room.
func (t *topic) append(p *Publication, seq, prev uint64) {
	if t.ring.head == 0 {
		t.hub.name(t) // before the look for patterns: who joins by one either sees this or is seen
	}
	t.linkPatterns()
	now := t.hub.now() // after it: who joins by a pattern later is told a later time
	if t.ring.head == 0 && prev == t.born {
		prev = 0 // the first of a topic follows nothing: what expired under its name is no gap to those who had it
	}
	t.seq, t.used, t.ts = seq, t.hub.o.Steady(), max(now, t.ts)
	rec := record{seq: seq, prev: prev, ts: t.ts, kept: t.used, payload: p.Payload, content: p.Content, exclude: p.exclusion()}
	t.encodeFirst(t.ring.head, &rec, t.atOnce())
	if rec.exclude != nil {
		t.excludedTo = t.ring.head + 1
	}
	t.ring.push(rec)
	t.appended += int64(rec.size)
	t.hub.ringBytes.Add(int64(rec.size))
	t.account()
	t.mark()
	t.evict(t.used)
}

// encodeFirst appends the record of position pos to the first kind's log, makes its payload one of the
// topic's own and sets its size. room is as for encodedLog.insert.
func (t *topic) encodeFirst(pos uint64, r *record, room int64) {
	buf := bytebufferpool.Get()
	frame, payloadAt := r.appendTo(buf.B[:0], t.hub.o.Encoders[0], t.name)
	buf.B = frame
	if t.logs == nil {
		t.logs = make([]encodedLog, len(t.hub.o.Encoders))
	}
	shared := t.logs[0].add(pos, frame, room)
	bytebufferpool.Put(buf)
	again := r.size > 0
	r.size = uint32(len(shared) + recordBytes + r.exclude.bytes())
	if payloadAt < 0 {
		if !again {
			r.payload = bytes.Clone(r.payload)
		}
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
		if l.pushes {
			lag = max(lag, t.appended-l.appended)
		}
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

// evict drops what every loop has taken and the retention no longer covers, at a time of Options.Steady. The newest message
// stays.
func (t *topic) evict(now int64) {
	if t.gone {
		return // its bytes were taken off the hub's sum already
	}
	rule, r := t.rule, &t.ring
	taken, first := min(t.takenTo(), r.head-min(r.head, 1)), r.tail
	for r.tail < taken {
		over := r.len() > rule.RetainMessagesMax || r.bytes > int64(rule.RetainBytesMax) ||
			now-r.at(r.tail).kept > rule.RetainMillisMax || t.hub.ringBytes.Load() > int64(t.hub.o.RetainTotalBytesMax)
		if !over {
			break
		}
		t.evictedTS = r.at(r.tail).ts
		t.hub.ringBytes.Add(-int64(r.at(r.tail).size))
		r.pop()
	}
	if r.tail == first {
		return
	}
	for k := range t.logs {
		if bytes := t.logs[k].drop(r.tail); k > 0 {
			t.countEncoded(-bytes)
		}
	}
}

// linkTo returns the shard's link, or nil.
func (t *topic) linkTo(s *Shard) *link {
	for _, l := range t.links {
		if l.shard == s {
			return l
		}
	}
	return nil
}

// link adds a shard's interest, beginning at the head. Whether it is waited for is for the shard to say, with its
// first look at it; until then it is.
func (t *topic) link(s *Shard) *link {
	l := &link{topic: t, shard: s, cursor: t.ring.head, appended: t.appended, pushes: true}
	t.links = append(t.links, l)
	if len(t.links) == 1 {
		t.hub.broker.Interest(Filter(t.name), true)
	}
	return l
}

// linkPatterns links the shards with a pattern that matches the topic, if patterns have come or gone since it last
// did. So a pattern costs nothing at the topics that nobody publishes to, and joins at the others with their next
// message. The caller holds mu.
func (t *topic) linkPatterns() {
	generation := t.hub.generation.Load() // before the look: what comes during it will be seen next time
	if generation == t.generation {
		return
	}
	t.hub.filtersMu.RLock()
	t.hub.filters.Match(t.name, func(in []interest) bool {
		for _, i := range in {
			if l := t.linkTo(i.shard); l != nil {
				l.pushes = true // as a new link is: what the pattern's subscribers want is for the shard to say
			} else {
				t.link(i.shard)
			}
		}
		return true
	})
	t.hub.filtersMu.RUnlock()
	t.generation = generation
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
			if last == 0 {
				t.hub.broker.Interest(Filter(t.name), false)
			}
			break
		}
	}
	t.used = now
	t.generation = 0 // a pattern of that shard may have come since: the next message looks again
	t.account()
	t.evict(now)
	unused := t.unused(now)
	t.mu.Unlock()
	if unused {
		t.hub.expire(t, now)
	}
}

// unused says that nothing would be lost if the topic went. The caller holds mu.
func (t *topic) unused(now int64) bool {
	return t.free() && (t.ring.len() == 0 || now-t.used > t.rule.IdleMillis)
}

// free says that nobody is subscribed to this very topic, and that those who match it by a pattern have taken all
// there is. The caller holds mu.
func (t *topic) free() bool {
	for _, l := range t.links {
		if l.exact.Load() > 0 || l.cursor < t.ring.head {
			return false
		}
	}
	return true
}

// release tells the shards that the topic has gone: those that have it by a pattern. The caller holds mu.
func (t *topic) release() {
	t.gone = true
	t.mark()
}
