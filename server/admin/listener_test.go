package admin

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"syscall"
	"testing"
)

// faultyListener fails with its errors, one after the other, before it accepts.
type faultyListener struct {
	net.Listener

	errs []error
}

func (l *faultyListener) Accept() (net.Conn, error) {
	if len(l.errs) == 0 {
		return l.Listener.Accept()
	}
	err := l.errs[0]
	l.errs = l.errs[1:]
	return nil, &net.OpError{Op: "accept", Net: "tcp", Err: err}
}

// TestAcceptErrors: want of memory, and whatever else is not the listener's own, does not end the server.
func TestAcceptErrors(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	faulty := &faultyListener{Listener: ln, errs: []error{
		os.NewSyscallError("accept4", syscall.ENOBUFS), os.NewSyscallError("accept4", syscall.ENOMEM), syscall.EPROTO, errors.New("unheard of"),
	}}
	srv := &http.Server{Handler: http.NotFoundHandler()}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(newLimitListener(faulty, 1)) }()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + ln.Addr().String())
	if err != nil {
		t.Fatalf("%v; the server: %v", err, <-ended)
	}
	_ = resp.Body.Close()
	_ = srv.Close()
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("it ends with %v", err)
	}
	if len(faulty.errs) != 0 {
		t.Errorf("these have not come: %v", faulty.errs)
	}
}

// TestAcceptErrorsOfTheListener: who tries again after these would do so for ever.
func TestAcceptErrorsOfTheListener(t *testing.T) {
	for _, want := range []error{net.ErrClosed, syscall.EBADF, syscall.EINVAL, syscall.ENOTSOCK} {
		l := newLimitListener(&faultyListener{errs: []error{fmt.Errorf("wrapped: %w", want)}}, 1)
		_, err := l.Accept()
		var passes net.Error
		if !errors.Is(err, want) || errors.As(err, &passes) && passes.Temporary() { //nolint:staticcheck // net/http goes by it
			t.Errorf("%v passes as %v", want, err)
		}
	}
}
