package server

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/megawire/megawire/pubsub"
	"github.com/megawire/megawire/server/admin"
)

// What one posted function does at most for those who are behind. Each topic that they are behind in has a lock.
const (
	laggardsAStretch = 512
	behindAStretch   = 4096 // topics, and subscriptions where these are looked at
)

// lagWait is how long the metrics wait for the loops to say how far behind their clients are.
const lagWait = 500 * time.Millisecond

// laggard is a client that is behind.
type laggard struct {
	id      pubsub.ClientID
	backlog pubsub.Backlog
}

// laggards is what one posted function has found.
type laggards struct {
	found []laggard
	next  uint32 // where to go on; 0 at the end
}

// lookBehind goes over the subscribers that are behind, on the loop; filter is as in admin.ClientQuery.
func (w *worker) lookBehind(from uint32, filter string) (l laggards) {
	looks := behindAStretch
	l.next = w.shard.EachLagging(from, laggardsAStretch, func(_ pubsub.SubscriberID, owner uint32, b pubsub.Backlog) bool {
		c := w.loop.At(owner)
		looks -= b.Topics
		if b.Topics == 0 || !isClient(c) {
			return looks > 0
		}
		if filter != "" {
			looks -= w.subscriptions(c)
		}
		if filter == "" || w.has(c, filter) {
			l.found = append(l.found, laggard{w.id(c), b})
		}
		return looks > 0
	})
	return l
}

// eachLaggard hands what lookBehind finds on one loop to yield, a stretch at a time.
func eachLaggard(ctx context.Context, w *worker, filter string, yield func([]laggard)) error {
	for from := uint32(0); ; {
		l, err := ask(ctx, w, func() laggards { return w.lookBehind(from, filter) })
		if err != nil {
			return err
		}
		yield(l.found)
		if l.next == 0 {
			return nil
		}
		from = l.next
	}
}

// furthestBehind answers with the clients that have the most to get.
func (b *backend) furthestBehind(ctx context.Context, q *admin.ClientQuery) (page admin.ClientPage, err error) {
	var top []laggard
	for _, w := range b.workers {
		err := eachLaggard(ctx, w, q.Filter, func(found []laggard) {
			top = append(top, found...)
			slices.SortFunc(top, func(x, y laggard) int {
				return cmp.Or(cmp.Compare(y.backlog.Messages, x.backlog.Messages), cmp.Compare(x.backlog.OldestMillis, y.backlog.OldestMillis))
			})
			top = top[:min(len(top), q.Limit)]
		})
		if err != nil {
			return page, err
		}
	}
	for i, w := range b.workers {
		var here []laggard
		for _, x := range top {
			if placeOf(x.id).loop == i {
				here = append(here, x)
			}
		}
		for len(here) > 0 {
			n := stretchOf(here)
			clients, err := ask(ctx, w, func() []admin.Client { return w.clientsOf(here[:n]) })
			if err != nil {
				return page, err
			}
			page.Clients, here = append(page.Clients, clients...), here[n:]
		}
	}
	slices.SortStableFunc(page.Clients, func(x, y admin.Client) int { // as they are shown, which is a moment later
		return cmp.Or(cmp.Compare(y.Backlog.Messages, x.Backlog.Messages), cmp.Compare(y.Backlog.Millis, x.Backlog.Millis))
	})
	return page, nil
}

// stretchOf is how many of the laggards, one at least, are looked at again by one posted function.
func stretchOf(ls []laggard) int {
	looks := 0
	for i := range min(len(ls), clientsAStretch) {
		if looks += ls[i].backlog.Topics; i > 0 && looks > behindAStretch {
			return i
		}
	}
	return min(len(ls), clientsAStretch)
}

// clientsOf returns those of the clients that are still there and behind.
func (w *worker) clientsOf(ls []laggard) (clients []admin.Client) {
	for _, x := range ls {
		c := w.client(x.id)
		if c == nil {
			continue
		}
		if b := w.backlog(c); behind(c, b) {
			clients = append(clients, w.clientOf(c, b))
		}
	}
	return clients
}

// Lag implements admin.Views. What a loop has not told in time is left out.
func (b *backend) Lag() (sum admin.Lag) {
	ctx, cancel := context.WithTimeout(context.Background(), lagWait)
	defer cancel()
	lags := make([]admin.Lag, len(b.workers))
	var all sync.WaitGroup
	for i, w := range b.workers {
		if !w.snapshot.lagging() {
			continue
		}
		all.Go(func() {
			_ = eachLaggard(ctx, w, "", func(found []laggard) { // ends with ctx, or with all counted
				for _, x := range found {
					addLag(&lags[i], 1, int64(x.backlog.Messages), int64(x.backlog.Messages), ageOf(x.backlog))
				}
			})
		})
	}
	all.Wait()
	for _, l := range lags {
		addLag(&sum, l.Subscribers, l.Messages, l.MessagesMax, l.MillisMax)
	}
	return sum
}

func addLag(to *admin.Lag, subscribers, messages, messagesMax, millisMax int64) {
	to.Subscribers += subscribers
	to.Messages += messages
	to.MessagesMax, to.MillisMax = max(to.MessagesMax, messagesMax), max(to.MillisMax, millisMax)
}

// lagging reports whether anybody was behind when the snapshot was made.
func (s *workerSnapshot) lagging() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shard.Lagging > 0
}
