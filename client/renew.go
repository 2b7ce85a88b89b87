package client

import (
	"errors"
	"slices"
	"time"

	"github.com/megawire/megawire/codec/codes"
)

// renew asks for every subscription again after a reconnect, each from where it was, and
// then opens the connection to the application's requests. For those that the server has no time for it asks again and
// again.
func (l *link) renew() {
	c := l.client
	subs := c.standing()
	for tries := 0; ; tries++ {
		if !l.renewAll(subs) {
			return
		}
		if tries == 0 {
			c.setLink(l)
		}
		asked, more := c.postponement()
		if !more || !l.pause(c.backoff.delay(tries, max(asked, c.options.BackoffBase), false)) {
			return
		}
		subs = c.askPostponed()
	}
}

// renewAll asks for subscriptions in requests of bounded size, and reports whether the connection stands.
func (l *link) renewAll(subs []Sub) bool {
	c := l.client
	for len(subs) > 0 {
		n, topics := c.batch(subs, c.resume)
		a := l.do(l.ctx, &call{op: "subscribe", subs: subs[:n], renewal: true, bytes: len(topics)},
			func(id uint64) []byte { return appendFilters(id, "subscribe", topics) })
		if a.err == nil {
			subs = append(subs[n:], c.unplaced(subs[:n], a.results)...)
			continue
		}
		var refusal *ServerError
		if !errors.As(a.err, &refusal) {
			return false // the connection is lost; the next one renews
		}
		if !l.pause(max(refusal.RetryAfter, c.options.BackoffBase)) {
			return false
		}
	}
	return l.ctx.Err() == nil
}

// standing is what is subscribed to, oldest first.
func (c *Client) standing() []Sub {
	c.mu.Lock()
	defer c.mu.Unlock()
	subs := make([]Sub, len(c.order))
	for i, f := range c.order {
		subs[i] = c.wanted[f]
	}
	return subs
}

// resume has a subscription go on where it was. That goes for those too that pass messages
// over: the newest one comes if there is one that was not seen, and nothing otherwise,
// where asking for the newest would bring it again after every reconnect.
func (c *Client) resume(s *Sub) {
	bytesMax := int(c.requestBytes.Load()) - requestSpareBytes
	if at, ok := c.positions.place(s.Filter, SinceTopicsMax, bytesMax); ok {
		s.Since = &at
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

// tooMuch says that a pattern is refused because of all that was published meanwhile: it is to
// be asked for without its place, which is forgotten.
func (c *Client) tooMuch(r *Result) bool { return isTooMuch(r.Err) && c.positions.unplace(r.Filter) }

func isTooMuch(err error) bool {
	var refusal *ServerError
	return errors.As(err, &refusal) && refusal.Code == codes.TooMany
}

// unplaced are those that were refused for tooMuch.
func (c *Client) unplaced(subs []Sub, results []Result) (again []Sub) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range results {
		if !isTooMuch(results[i].Err) {
			continue
		}
		if _, ok := c.wanted[results[i].Filter]; ok {
			again = append(again, subs[i])
			continue
		}
		delete(c.postponed, results[i].Filter) // unsubscribed meanwhile
		c.signal()
	}
	return again
}

// applied notes what a subscribe or unsubscribe did, before anybody is told and before
// the first message that it brings. It runs on the reading goroutine.
func (l *link) applied(c *call, results []Result) bool {
	if c.op == "unsubscribe" {
		for i := range c.subs {
			l.client.unwant(c.subs[i].Filter) // once more: a subscribe before it may have been answered meanwhile
			l.client.forget(c.subs[i].Filter)
		}
		return true
	}
	for i := range results {
		r := &results[i]
		if r.Err != nil {
			if c.renewal && !l.client.postpone(r) && !l.client.tooMuch(r) && !l.unsubscribed(r.Filter, r.Err, nil) {
				return false
			}
			continue
		}
		if c.renewal {
			l.client.unpostpone(r.Filter)
		}
		if !c.renewal && l.client.want(&c.subs[i]) {
			l.client.forget(r.Filter) // what an Unsubscribe that was never answered left behind
		}
		if !l.counted(&c.subs[i], r) {
			return false
		}
	}
	return true
}

// counted notes from where a subscription goes on, and tells if that is not where it was.
func (l *link) counted(s *Sub, r *Result) bool {
	c := l.client
	begun, anew, after := c.positions.acked(s, &ack{epoch: r.Epoch, head: r.Seq, ts: r.began, latest: r.Latest})
	c.queue.taken.follow(s.Filter, &begun)
	return !anew || c.emit(Event{Kind: Gap, Topic: s.Filter, Epoch: r.Epoch, Reason: ReasonReconnect, after: after})
}

// want adds a filter to those asked for after a reconnect, or changes its terms. It says whether
// the filter is new.
func (c *Client) want(s *Sub) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, had := c.wanted[s.Filter]
	if !had {
		c.order = append(c.order, s.Filter)
	}
	c.wanted[s.Filter] = Sub{Filter: s.Filter, Mode: s.Mode, Every: s.Every}
	return !had
}

func (c *Client) unwant(filter string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if asking := c.postponed[filter]; !asking {
		delete(c.postponed, filter)
	}
	if _, ok := c.wanted[filter]; !ok {
		return
	}
	delete(c.wanted, filter)
	i := slices.Index(c.order, filter)
	c.order = slices.Delete(c.order, i, i+1)
}

// forget drops the place in a filter that is no longer subscribed to.
func (c *Client) forget(filter string) {
	c.positions.forget(filter)
	c.queue.taken.forget(filter)
}
