package loadgen

import (
	"math/bits"
	"math/rand/v2"
	"strconv"
)

// topics names the topics of a run: a prefix and a number of fixed width, so that a reader in a hurry gets the number back
// without looking the name up.
type topics struct {
	prefix string
	count  int
	width  int // digits
}

func newTopics(p *Plan) topics {
	prefix := p.TopicPrefix
	if prefix == "" {
		prefix = "lg/" + strconv.FormatUint(rand.Uint64N(36*36*36*36*36)+36*36*36*36*36, 36) + "/"
	}
	return topics{prefix: prefix, count: p.Topics, width: len(strconv.Itoa(max(p.Topics-1, 0)))}
}

// append appends the name of topic n.
func (t *topics) append(dst []byte, n int) []byte {
	dst = append(dst, t.prefix...)
	for i := 0; i < t.width; i++ {
		dst = append(dst, '0')
	}
	for i := len(dst) - 1; n > 0; i, n = i-1, n/10 {
		dst[i] = byte('0' + n%10)
	}
	return dst
}

// number is the topic that a name stands for.
func (t *topics) number(name []byte) (int, bool) {
	if len(name) != len(t.prefix)+t.width || string(name[:len(t.prefix)]) != t.prefix {
		return 0, false
	}
	n := 0
	for _, c := range name[len(t.prefix):] {
		d := int(c) - '0'
		if d < 0 || d > 9 {
			return 0, false
		}
		n = n*10 + d
	}
	return n, n < t.count
}

// subscription is where one connection stands with one topic.
type subscription struct {
	seq   uint64 // the newest message seen, or the newest there was when the subscription was acknowledged
	topic uint32 // number + 1; 0: an empty place
	state uint32 // known, told
}

// Bits of subscription.state.
const (
	seqKnown = 1 << iota // seq is set: from here on nothing may be missing
	holed                // the ledger keeps holes of this subscription
)

// rows is a hash table a connection, all of one size and in one piece of memory: a connection's subscriptions lie together,
// and finding one is a multiplication and usually one look.
type rows struct {
	places []subscription
	size   int // places a row, a power of two
	shift  uint
}

func newRows(connections, subscriptions int) rows {
	size := 1
	if subscriptions > 1 {
		size = 1 << bits.Len(uint(subscriptions+subscriptions/2-1))
	}
	return rows{places: make([]subscription, connections*size), size: size, shift: uint(32 - bits.TrailingZeros(uint(size)))}
}

// find gives the index of a connection's place for a topic, or of the empty place where it would stand.
func (r *rows) find(row, topic int) int {
	base := row * r.size
	i := int(uint32(uint64(uint32(topic)*0x9E3779B1) >> r.shift))
	for {
		p := &r.places[base+i]
		if p.topic == uint32(topic)+1 || p.topic == 0 {
			return base + i
		}
		i = (i + 1) & (r.size - 1)
	}
}

// draw gives a connection its subscriptions: one topic in turn, all of them, or a random choice that only seed and
// connection decide. It appends the topics to dst.
func (r *rows) draw(dst []int, row, connection, subscriptions, count int, seed uint64) []int {
	add := func(topic int) bool {
		i := r.find(row, topic)
		if r.places[i].topic != 0 {
			return false
		}
		r.places[i].topic = uint32(topic) + 1
		dst = append(dst, topic)
		return true
	}
	if subscriptions == 1 {
		add(connection % count)
		return dst
	}
	// Floyd's choice without repetition: each subset is as likely as any other, at one draw a topic.
	random := rand.New(rand.NewPCG(seed, uint64(connection)))
	for j := count - subscriptions; j < count; j++ {
		if !add(random.IntN(j + 1)) {
			add(j)
		}
	}
	return dst
}
