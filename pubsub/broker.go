package pubsub

import "errors"

// ErrPending says that a broker will answer later.
var ErrPending = errors.New("pubsub: the broker answers later")

// Broker gives publications their place: sequence number, predecessor and epoch. It is the seam to
// other nodes: one that spans several will hand every publication to the hub of each of them, which
// then cannot refuse it. What only a node can know (rings, cursors, lag) stays out of it.
//
// Publish is called on event loops, so it must not wait. It either decides on the spot (then done is
// not called), or returns ErrPending and calls done once, from any goroutine. p is the caller's again when
// Publish returns: a broker copies what it keeps of it, the payload's bytes included. ErrNoRoom may only be
// returned on the spot.
//
// Interest says that this node has begun, or ceased, to have subscribers of a filter. It is called under
// a topic's lock and must not call back into the hub.
//
// brokertest holds a broker to this.
//
// A broker with a history that outlives this process will answer for it here as well; the in-process
// one has none beyond the hub's rings.
type Broker interface {
	Publish(p *Publication, done func(Receipt, error)) (Receipt, error)
	Interest(f Filter, on bool)
}

// inProcess is the broker of a single node: sequence numbers rise by 1 under the topic's lock.
type inProcess struct{ hub *Hub }

func (b *inProcess) Publish(p *Publication, _ func(Receipt, error)) (Receipt, error) {
	b.hub.makeRoom(cost(p))
	t, err := b.hub.hold(p.Topic, true)
	if err != nil {
		return Receipt{}, err
	}
	defer t.mu.Unlock()
	if b.hub.over(cost(p)) && t.ring.bytes+envelopeBytes < int64(cost(p)) {
		return Receipt{}, ErrFull // with more, there is room by what it replaces
	}
	if !t.hasRoom(cost(p)) {
		return Receipt{}, ErrNoRoom
	}
	t.append(p, t.seq+1, t.seq)
	return Receipt{Epoch: b.hub.o.Epoch, Seq: t.seq}, nil
}

func (b *inProcess) Interest(Filter, bool) {}
