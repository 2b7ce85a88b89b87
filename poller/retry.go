package poller

import "golang.org/x/sys/unix"

// retry is a stalled connection for which the kernel had no memory.
type retry struct{ handle, generation uint32 }

// retriesASlice is how many connections one slice tries again to write to.
const retriesASlice = 256

// noMemory is for a write that failed with ENOBUFS or ENOMEM: the kernel has taken nothing, so the connection stalls,
// but its socket may be called writable all the while. It is not asked for until the next tick.
func (c *Conn) noMemory() {
	l := c.loop
	l.counts.WriteRetries++
	if c.marks&markRetry != 0 {
		return
	}
	c.marks |= markRetry
	l.retries = append(l.retries, retry{c.handle, c.gen})
	if c.stall != 0 { // else stallOn looks at the mark
		c.awaitRoom(0)
	}
}

// awaitRoom changes the entry of a stalled socket.
func (c *Conn) awaitRoom(events uint32) {
	if unix.EpollCtl(c.loop.writable.fd, unix.EPOLL_CTL_MOD, int(c.fd), &unix.EpollEvent{Fd: int32(c.handle), Events: events}) != nil {
		c.Close() // it would be waited for without end
	}
}

// retryWrites is called in each tick, and in the slices after it until all have been tried that the tick found: who
// fails again waits for the next one. A connection stands in either list once, and none longer than its stall and a tick.
func (l *Loop) retryWrites(tick bool) (more bool) {
	if tick && l.retried == len(l.retrying) {
		l.retrying, l.retries, l.retried = l.retries, l.retrying[:0], 0
	}
	for range retriesASlice {
		if l.retried == len(l.retrying) {
			return false
		}
		r := l.retrying[l.retried]
		l.retried++
		if c := l.Conn(r.handle, r.generation); c != nil && c.marks&markRetry != 0 {
			c.marks &^= markRetry
			if c.stall != 0 && c.alive() {
				l.serve(c, (*Conn).push, nil)
			}
			if c.stall != 0 && c.alive() && c.marks&markRetry == 0 {
				c.awaitRoom(unix.EPOLLOUT)
			}
		}
	}
	if more = l.retried < len(l.retrying); more {
		l.due.Or(dueWritable)
	}
	return more
}
