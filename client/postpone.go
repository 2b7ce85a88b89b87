package client

import (
	"errors"
	"time"
)

// A renewal that the server refuses for the moment, for want of time, is asked for again. Until then the subscription
// is wanted, with its place, and does not stand; others go on, and so do the application's requests where they do not
// meet with it.

// postpone notes a result by which a filter is to be asked for again.
func (c *Client) postpone(r *Result) bool {
	var refusal *ServerError
	if !errors.As(r.Err, &refusal) || !temporary(refusal) {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.signal()
	if _, ok := c.wanted[r.Filter]; !ok {
		delete(c.postponed, r.Filter) // unsubscribed meanwhile
		return true
	}
	c.postponed[r.Filter] = false
	c.retryAfter = max(c.retryAfter, refusal.RetryAfter)
	return true
}

// unpostpone notes that the server has decided.
func (c *Client) unpostpone(filter string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.postponed[filter]; ok {
		delete(c.postponed, filter)
		c.signal()
	}
}

// postponement says whether filters are postponed, and for how long the server wants to be left alone.
func (c *Client) postponement() (asked time.Duration, any bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.retryAfter, len(c.postponed) > 0
}

// askPostponed are the subscriptions that are to be asked for now.
func (c *Client) askPostponed() (subs []Sub) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.retryAfter = 0
	for _, f := range c.order {
		if _, ok := c.postponed[f]; ok {
			c.postponed[f] = true
			subs = append(subs, c.wanted[f])
		}
	}
	return subs
}

// held reports whether a request of the application's has to wait for postponed renewals: a subscribe, since what it
// brings could come ahead of what they are owed, and an unsubscribe of what is being asked for, which could come first.
// The caller holds mu.
func (c *Client) held(op string, subs []Sub) bool {
	for f, asking := range c.postponed {
		for i := range subs {
			if op == "subscribe" && overlap(f, subs[i].Filter) || asking && f == subs[i].Filter {
				return true
			}
		}
	}
	return false
}

// overlap reports whether two filters may have a topic in common; of two patterns nobody looks closely.
func overlap(f, g string) bool {
	return isPattern(f) && isPattern(g) || matches(f, g) || matches(g, f)
}
