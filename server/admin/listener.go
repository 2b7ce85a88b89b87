package admin

import (
	"net"
	"sync"
	"time"
)

// fullAnswer is what a connection past the limit gets, whatever it was about to ask.
const fullAnswer = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 1\r\n" +
	"Connection: close\r\nContent-Length: 77\r\n\r\n" +
	`{"error":{"code":"unavailable","message":"too many admin connections open"}}` + "\n"

// limitListener refuses connections past a number. It refuses rather than lets them wait in the backlog, so that a probe or an
// operator learns at once what is wrong.
type limitListener struct {
	net.Listener

	slots chan struct{}
}

func newLimitListener(ln net.Listener, connectionsMax int) *limitListener {
	return &limitListener{Listener: ln, slots: make(chan struct{}, connectionsMax)}
}

// Accept returns the next connection that there is room for.
func (l *limitListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case l.slots <- struct{}{}:
			return &limitConn{Conn: c, release: sync.OnceFunc(func() { <-l.slots })}, nil
		default:
			refuse(c)
		}
	}
}

// refuse answers and closes. The answer fits a new socket's buffer, so this does not wait; the deadline is for the odd socket.
func refuse(c net.Conn) {
	_ = c.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
	_, _ = c.Write([]byte(fullAnswer)) // nobody to tell if it fails
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.CloseWrite()
	}
	_ = c.Close()
}

// limitConn gives its slot back when it is closed.
type limitConn struct {
	net.Conn

	release func()
}

func (c *limitConn) Close() error {
	defer c.release()
	return c.Conn.Close()
}

// CloseWrite lets net/http end an answer before an unread body without a reset.
func (c *limitConn) CloseWrite() error {
	if t, ok := c.Conn.(*net.TCPConn); ok {
		return t.CloseWrite()
	}
	return nil
}
