package admin

import (
	"errors"
	"net"
	"sync"
	"syscall"
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

// Accept returns the next connection that there is room for. An error that is not of the listener itself passes.
func (l *limitListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, passingIfNotOurs(err)
		}
		select {
		case l.slots <- struct{}{}:
			return &limitConn{Conn: c, release: sync.OnceFunc(func() { <-l.slots })}, nil
		default:
			refuse(c)
		}
	}
}

// passing is an error after which net/http says so and tries again, after 5 ms to 1 s. By itself it does so where files are
// short, but ends the server where the kernel's memory is (accept(2): ENOBUFS, ENOMEM, and errors of the network).
type passing struct{ error }

func (passing) Timeout() bool   { return false }
func (passing) Temporary() bool { return true }
func (p passing) Unwrap() error { return p.error }

// passingIfNotOurs leaves errors alone that come again with every try: the listener is closed, or is none.
func passingIfNotOurs(err error) error {
	for _, ours := range []error{net.ErrClosed, syscall.EBADF, syscall.EINVAL, syscall.ENOTSOCK} {
		if errors.Is(err, ours) {
			return err
		}
	}
	return passing{err}
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
