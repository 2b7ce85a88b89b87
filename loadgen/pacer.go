package loadgen

import (
	"math"
	"math/bits"
	"time"
)

// A pacer says when each message of an open loop is planned. It is a pure function: what was sent, and when, does not
// change the plan, so a stall of the server or of the generator shows as latency and is not left out.
type pacer interface {
	// at is the planned instant of message n, counted from 0, as time since the start.
	at(n uint64) time.Duration
	// due is how many messages are planned at or before elapsed.
	due(elapsed time.Duration) uint64
}

// constant plans messages at even distances, the first at once.
type constant struct {
	n   uint64        // messages
	per time.Duration // in this time
}

// newConstant takes messages a second, to a thousandth.
func newConstant(rate float64) constant {
	return constant{n: max(1, uint64(math.Round(rate*1000))), per: 1000 * time.Second}
}

func (c constant) at(n uint64) time.Duration { return time.Duration(ceilDiv(n, uint64(c.per), c.n)) }

func (c constant) due(elapsed time.Duration) uint64 {
	if elapsed < 0 {
		return 0
	}
	high, low := bits.Mul64(uint64(elapsed), c.n)
	q, _ := bits.Div64(high, low, uint64(c.per))
	return q + 1
}

// ceilDiv is a*b/c rounded up. Only rounding up makes at and due agree: due(at(n)) is n+1 and due(at(n)-1) is n.
func ceilDiv(a, b, c uint64) uint64 {
	high, low := bits.Mul64(a, b)
	q, r := bits.Div64(high, low, c)
	if r > 0 {
		q++
	}
	return q
}
