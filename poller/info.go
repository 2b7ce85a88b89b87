package poller

import (
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// Info is what the kernel and the loop know of a connection besides what a Conn holds. It takes some system calls to
// ask for: it is for who looks at connections, not for the way of a message.
type Info struct {
	Address       netip.AddrPort // not valid where the kernel knows none any more
	OpenedSecond  uint32         // the loop second in which it was accepted; 0 is not known
	ReceivedBytes uint64
	SentBytes     uint64        // as far as the peer has acknowledged them
	WaitingBytes  int           // for the peer to take: what the loop holds back, and what the kernel does
	RTT           time.Duration // smoothed
	WindowShut    bool          // bytes wait and none is under way: the peer's program does not read
}

// Info asks for what is true now. What the kernel does not tell is zero.
func (c *Conn) Info() (i Info) {
	if !c.exists() {
		return i // the descriptor may be somebody else's
	}
	i.Address = c.RemoteAddr()
	i.OpenedSecond = openedSecond(int(c.fd))
	if t, err := unix.GetsockoptTCPInfo(int(c.fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
		i.ReceivedBytes, i.SentBytes = t.Bytes_received, t.Bytes_acked
		i.RTT = time.Duration(t.Rtt) * time.Microsecond
		i.WindowShut = t.Notsent_bytes > 0 && t.Unacked == 0
	}
	if n, err := unix.IoctlGetUint32(int(c.fd), unix.SIOCOUTQ); err == nil {
		i.WaitingBytes = int(n)
	}
	if c.stall != 0 {
		s := c.loop.stalls.At(c.stall)
		i.WaitingBytes += len(s.rest) + s.waiting()
	}
	return i
}

// Scan is Each for who must not hold the loop for long: it looks at no more than so many slots, whether they hold a
// connection or not. It returns where to go on, or 0 at the end.
func (l *Loop) Scan(from uint32, slots int, yield func(c *Conn) bool) (next uint32) {
	h, end := max(from, 1), l.conns.End()
	for ; h < end && slots > 0; slots-- {
		c := l.conns.At(h)
		h++
		if c.exists() && !yield(c) {
			break
		}
	}
	if h >= end {
		return 0
	}
	return h
}

// Began is when a loop second began, by the clock as it stood when the poller was made. Any goroutine.
func (l *Loop) Began(second uint32) time.Time {
	return l.poller.born.Add(time.Duration(second-1) * time.Second)
}

// stampSecond has the sockets that this listener accepts from now on carry the second, at no cost a connection: a
// socket inherits SO_RCVTIMEO, which the kernel keeps for every socket and which nothing heeds where reads never wait.
func stampSecond(listener int, second uint32) error {
	timeout := unix.NsecToTimeval(int64(second) * int64(time.Second))
	return unix.SetsockoptTimeval(listener, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout)
}

func openedSecond(fd int) uint32 {
	timeout, err := unix.GetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO)
	if err != nil {
		return 0
	}
	return uint32(timeout.Sec)
}

// stamp keeps the listeners' second. On the loop they are open: gnet closes them when it has ended.
func (l *Loop) stamp() {
	now := l.Seconds()
	if l.stamped == now {
		return
	}
	l.stamped = now
	for _, addr := range l.poller.addrs {
		fd, err := l.engine.DupListener("tcp", addr.hostPort)
		if err != nil {
			l.stamped = 0 // perhaps no descriptor was left; the next tick tries again
			continue
		}
		_ = stampSecond(fd, now) // said in OnBoot
		_ = unix.Close(fd)
	}
}
