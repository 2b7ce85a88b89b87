package client

import (
	"errors"
	"slices"
	"time"

	"github.com/megawire/megawire/codec/codes"
)

// renew asks for every subscription again after a reconnect, and then opens the
// connection to the application's requests.
func (l *link) renew() {
	c := l.client
	c.mu.Lock()
	filters := slices.Clone(c.order)
	c.mu.Unlock()
	for len(filters) > 0 {
		batch := filters[:batchLen(filters)]
		a := l.do(l.ctx, &call{op: "subscribe", filters: batch, renewal: true},
			func(id uint64) []byte { return appendFilters(id, "subscribe", batch) })
		if a.err == nil {
			filters = filters[len(batch):]
			continue
		}
		var refusal *ServerError
		if !errors.As(a.err, &refusal) {
			return // the connection is lost; the next one renews
		}
		if !l.pause(max(refusal.RetryAfter, c.options.BackoffBase)) {
			return
		}
	}
	if l.ctx.Err() == nil {
		c.setLink(l)
	}
}

func (l *link) pause(d time.Duration) bool {
	t := time.NewTimer(min(d, retryAfterMax))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-l.ctx.Done():
		return false
	}
}

// temporary reports whether a request that was refused may succeed later as it is.
func temporary(e *ServerError) bool {
	return e.Code == codes.RateLimited || e.Code == codes.Unavailable
}

// applied notes what a subscribe or unsubscribe did, before anybody is told and before
// the first message that it brings. It runs on the reading goroutine.
func (l *link) applied(c *call, results []Result) bool {
	if c.op == "unsubscribe" {
		for _, f := range c.filters {
			l.client.positions.forget(f, l.client.covered)
		}
		return true
	}
	for i := range results {
		r := &results[i]
		if r.Err != nil {
			if c.renewal && !l.unsubscribed(r.Filter, r.Err, nil) {
				return false
			}
			continue
		}
		if !c.renewal {
			l.client.want(r.Filter, r.Epoch)
		}
		if !l.counted(r) {
			return false
		}
	}
	return true
}

// counted compares where the server stands with where this client stood before a
// reconnect.
func (l *link) counted(r *Result) bool {
	ps := l.client.positions
	var h hole
	var missed bool
	if isPattern(r.Filter) {
		h, missed = ps.ackedPattern(r.Filter, r.Epoch, l.client.wants)
	} else {
		h, missed = ps.acked(r.Filter, r.Epoch, r.Seq)
	}
	l.client.setEpoch(r.Filter, r.Epoch)
	return !missed || l.missed(r.Filter, h)
}

// want adds a filter to those asked for after a reconnect.
func (c *Client) want(filter, epoch string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.wanted[filter]; !ok {
		c.order = append(c.order, filter)
	}
	c.wanted[filter] = subscription{epoch: epoch}
}

func (c *Client) unwant(filter string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.wanted[filter]; !ok {
		return
	}
	delete(c.wanted, filter)
	i := slices.Index(c.order, filter)
	c.order = slices.Delete(c.order, i, i+1)
}

func (c *Client) setEpoch(filter, epoch string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s, ok := c.wanted[filter]; ok {
		s.epoch = epoch
		c.wanted[filter] = s
	}
}

func (c *Client) wants(filter string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.wanted[filter]
	return ok
}

// covered reports whether any filter asked for matches topic.
func (c *Client) covered(topic string) bool {
	_, ok := c.covering(topic)
	return ok
}

// epochOf returns the epoch under which topic counts, "" where no ack has told.
func (c *Client) epochOf(topic string) string {
	s, _ := c.covering(topic)
	return s.epoch
}

func (c *Client) covering(topic string) (subscription, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s, ok := c.wanted[topic]; ok {
		return s, true
	}
	for f, s := range c.wanted {
		if isPattern(f) && matches(f, topic) {
			return s, true
		}
	}
	return subscription{}, false
}
