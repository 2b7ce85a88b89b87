package poller

// Held is how many bytes the loop keeps for the connection alone: input that Data has not used, and replies that the
// kernel has not taken. Buffers count as large as they are. What is left of a shared frame does not count: others have
// the same bytes, and the connection's end would set none of them free.
func (c *Conn) Held() (bytes int) {
	l := c.loop
	if c.input != 0 {
		bytes = cap(l.inputs.At(c.input).buf.B)
	}
	if c.stall != 0 {
		if replies := l.stalls.At(c.stall).replies; replies != nil {
			bytes += cap(replies.B)
		}
	}
	return bytes
}
