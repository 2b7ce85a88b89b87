package loadgen

// echoes is a loop's side of the echo workload: one message in flight on each connection.
type echoes struct {
	at      []int64 // planned instant of what a connection waits for; 0: nothing
	until   int64
	waiting int
}

// startEcho sends the first message of each connection; posted by the coordinator.
func (l *loop) startEcho(until int64) {
	l.echo.until = until
	for n := range l.conns {
		if c := &l.conns[n]; c.state == ready {
			l.now = l.clock.now()
			l.sendEcho(n, c)
		}
	}
}

func (l *loop) sendEcho(n int, c *conn) {
	l.echo.at[n] = l.now
	l.echo.waiting++
	l.expected++
	l.scratch = l.driver.appendPublish(l.scratch[:0], l.number(n), l.now)
	l.write(n, c, l.scratch)
}

// echoed compares a frame with what the connection sent, to the byte, and sends the next.
func (l *loop) echoed(n int, c *conn, ev *event) {
	at := l.echo.at[n]
	switch {
	case at == 0:
		l.ledger.Unexpected++
		return
	case ev.damaged || ev.topic != l.number(n) || ev.planned != at:
		l.ledger.Damaged++
	}
	l.echo.at[n] = 0
	l.echo.waiting--
	l.ledger.Delivered++
	l.record.took(at, l.now)
	if l.now < l.echo.until && c.state == ready {
		l.sendEcho(n, c)
	}
}

// forgetEcho ends the waiting of a connection that was dropped.
func (l *loop) forgetEcho(n int) {
	if l.echo.at[n] != 0 {
		l.echo.at[n] = 0
		l.echo.waiting--
		l.excused++
	}
}
