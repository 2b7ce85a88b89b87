package poller

// Held is how many bytes the loop keeps for the connection: input that Data has not used, and what the kernel has not
// taken. Buffers count as large as they are; of shared bytes counts what is still to be sent.
func (c *Conn) Held() (bytes int) {
	l := c.loop
	if c.input != 0 {
		bytes = cap(l.inputs.At(c.input).buf.B)
	}
	if c.stall != 0 {
		s := l.stalls.At(c.stall)
		bytes += len(s.rest)
		if s.replies != nil {
			bytes += cap(s.replies.B)
		}
	}
	return bytes
}
