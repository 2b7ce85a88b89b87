package pubsub

import (
	"slices"

	"github.com/valyala/bytebufferpool"
)

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
// the piece with which they exceed bytesMax. The caller holds the topic's lock.
func (t *topic) view(dst []piece, kind Kind, from, to uint64, bytesMax int) []piece {
	for _, c := range t.encoded(kind, from, to) {
		i, j := int(max(from, c.first)-c.first), int(min(to, c.next())-c.first)
		if i >= j {
			continue
		}
		base, end := c.start(i), c.ends[j-1]
		p := piece{
			buf: c.buf[base:end:end], ends: c.ends[i:j:j], base: base,
			first: c.first + uint64(i),
		}
		t.describe(&p)
		dst = append(dst, p)
		if bytesMax -= len(p.buf); bytesMax <= 0 {
			break
		}
	}
	return dst
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

// encoded returns chunks that cover from to to-1. The first kind is encoded when a message is
// published; the others here, when the first loop wants them.
func (t *topic) encoded(kind Kind, from, to uint64) []*chunk {
	log := &t.logs[kind]
	lo, hi := log.span()
	if lo == hi || hi < from {
		log.chunks, lo, hi = nil, from, from // nothing held, or a hole in between: begin here
	}
	if hi < to {
		t.encode(log, kind, hi, to)
	}
	if from < lo {
		var older encodedLog // from before this kind's first subscriber: for this caller alone
		t.encode(&older, kind, from, min(lo, to))
		return append(older.chunks, log.chunks...)
	}
	i, _ := slices.BinarySearchFunc(log.chunks, from, func(c *chunk, pos uint64) int {
		if c.next() <= pos {
			return -1
		}
		return 1
	})
	return log.chunks[i:]
}

func (t *topic) encode(log *encodedLog, kind Kind, from, to uint64) {
	buf := bytebufferpool.Get()
	for pos := from; pos < to; pos++ {
		buf.B, _ = t.ring.at(pos).appendTo(buf.B[:0], t.hub.o.Encoders[kind], t.name)
		log.add(pos, buf.B)
	}
	bytebufferpool.Put(buf)
}
