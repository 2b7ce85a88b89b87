package client

import (
	"math/rand/v2"
	"time"
)

// retryAfterMax bounds how long a server can make a client wait.
const retryAfterMax = 5 * time.Minute

// steadyAfter is how long a connection has to last for the next loss to count as the
// first one again; otherwise a server that accepts and then closes would be called
// on at the shortest interval for ever.
const steadyAfter = 10 * time.Second

// backoff is full jitter under an exponential cap: clients that lost their
// server at one instant come back spread over the whole interval.
type backoff struct {
	base, cap time.Duration
	random    func() float64 // in [0, 1)
}

func newBackoff(o *Options) backoff {
	return backoff{base: o.BackoffBase, cap: o.BackoffCap, random: rand.Float64}
}

// delay returns the wait before attempt n, counted from 0. What the server asked for
// (0: nothing) is the least; the jitter is added to it, unless the server has already
// spread its clients (spread).
func (b *backoff) delay(n int, asked time.Duration, spread bool) time.Duration {
	asked = min(asked, retryAfterMax)
	if asked > 0 && spread && n == 0 {
		return asked
	}
	limit := b.base
	for range n {
		if limit *= 2; limit >= b.cap {
			break
		}
	}
	limit = min(limit, b.cap)
	return asked + time.Duration(b.random()*float64(limit))
}
