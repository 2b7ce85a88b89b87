package pubsub

import "github.com/valyala/bytebufferpool"

// piece is a run of consecutive messages as shared, immutable bytes of one kind.
type piece struct {
	buf     []byte
	ends    []uint32 // where each message ends, counted from base
	base    uint32
	notice  bool // no message of the topic, but the notice that some are missing
	expired bool // of a notice: they were gone before the reader was slow

	first uint64 // position of the first message
	prev  uint64 // the sequence number before the first message's
	lost  uint64 // how many messages a notice speaks of, where the reader's slowness is the reason
	full  uint64 // the end of the snapshot that it is of; 0 for none
	odd   *odd   // what few pieces have; else nil
}

// odd is what sets a piece apart from messages whose numbers rise by 1 and that everybody is to get.
type odd struct {
	prevs []uint64 // the sequence number before every message, and the last one's own; nil where they rise by 1
	holes []hole   // messages that somebody is not to get, in order
}

type hole struct {
	pos     uint64
	exclude *exclusion
}

func (p *piece) len() int { return len(p.ends) }

// holes are the messages that somebody is not to get, in order.
func (p *piece) holes() []hole {
	if p.odd == nil {
		return nil
	}
	return p.odd.holes
}

// forgetHoles is for whom the piece was chosen so that it has none. o may be nil.
func (o *odd) forgetHoles() {
	if o != nil {
		o.holes = nil
	}
}

// end is the offset in buf at which message i ends.
func (p *piece) end(i int) int { return int(p.ends[i] - p.base) }

// prevOf is the sequence number before message i's; prevOf(len) is the last message's own.
func (p *piece) prevOf(i int) uint64 {
	if p.odd != nil && p.odd.prevs != nil {
		return p.odd.prevs[i]
	}
	return p.prev + uint64(i)
}

// cut returns messages i to j-1 of the piece, without its holes.
func (p *piece) cut(i, j int) piece {
	from, base := 0, p.base
	if i > 0 {
		from, base = p.end(i-1), p.ends[i-1]
	}
	c := piece{
		buf: p.buf[from:p.end(j-1):p.end(j-1)], ends: p.ends[i:j:j], base: base,
		first: p.first + uint64(i), prev: p.prevOf(i), full: p.full,
	}
	if p.odd != nil && p.odd.prevs != nil {
		c.odd = &odd{prevs: p.odd.prevs[i : j+1]}
	}
	return c
}

// view appends the pieces that hold positions from to to-1, all kept, encoded as kind; it stops after
// the piece with which they exceed bytesMax. The first kind is encoded when a message is published; the others here, when
// the first loop wants them. The caller holds the topic's lock.
func (t *topic) view(dst []piece, kind Kind, from, to uint64, bytesMax int) []piece {
	log, encodeMax := &t.logs[kind], bytesMax
	for from < to && bytesMax > 0 {
		i, held := log.at(from)
		if !held {
			if encodeMax <= 0 {
				break // what it becomes may be little, but it is work by what it was
			}
			encodeMax -= t.encode(log, kind, i, from, to, encodeMax)
			continue
		}
		c := log.chunks[i]
		n, m := int(from-c.first), int(min(to, c.next())-c.first)
		base, end := c.start(n), c.ends[m-1]
		p := piece{buf: c.buf[base:end:end], ends: c.ends[n:m:m], base: base, first: from}
		t.describe(&p)
		dst = append(dst, p)
		bytesMax -= len(p.buf)
		from += uint64(p.len())
	}
	return dst
}

// encode fills the hole before the chunk at place i: from that position on, with one message at least, until it is full,
// to is reached, or so many bytes of the ring are encoded. It returns how many.
func (t *topic) encode(log *encodedLog, kind Kind, i int, from, to uint64, bytesMax int) (encoded int) {
	if i < len(log.chunks) {
		to = min(to, log.chunks[i].first)
	}
	if i > 0 && log.chunks[i-1].next() < from {
		log.pack(i - 1) // it ends at a hole
	}
	buf, bytes := bytebufferpool.Get(), 0
	for ; from < to && encoded < bytesMax; from++ {
		buf.B, _ = t.ring.at(from).appendTo(buf.B[:0], t.hub.o.Encoders[kind], t.name)
		i = log.insert(i, from, buf.B, int64(to-from)*int64(len(buf.B))) + 1
		bytes += len(buf.B)
		encoded += int(t.ring.at(from).size)
	}
	bytebufferpool.Put(buf)
	if i < len(log.chunks) && log.chunks[i].first == from {
		log.pack(i - 1) // the hole is full
	}
	if !t.gone {
		t.countEncoded(int64(bytes))
	}
	return encoded
}

// countEncoded counts bytes that the encodings of other kinds than the first have more, for the hub's bound. What a topic
// that has gone still encodes counts no more than its ring.
func (t *topic) countEncoded(bytes int64) {
	t.encoded += bytes
	t.hub.ringBytes.Add(bytes)
}

// describe fills in the sequence numbers and holes of a piece.
func (t *topic) describe(p *piece) {
	n := uint64(p.len())
	p.prev = t.ring.at(p.first).prev
	if t.ring.at(p.first+n-1).seq != p.prev+n {
		prevs := make([]uint64, 0, n+1)
		for i := range n {
			prevs = append(prevs, t.ring.at(p.first+i).prev)
		}
		p.odd = &odd{prevs: append(prevs, t.ring.at(p.first+n-1).seq)}
	}
	if p.first >= t.excludedTo {
		return
	}
	for pos := p.first; pos < p.first+n; pos++ {
		if e := t.ring.at(pos).exclude; e != nil {
			if p.odd == nil {
				p.odd = new(odd)
			}
			p.odd.holes = append(p.odd.holes, hole{pos, e})
		}
	}
}
