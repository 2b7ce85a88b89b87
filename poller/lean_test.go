package poller

import (
	"net"
	"net/netip"
	"reflect"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A gnet with another struct fails here: see what it does with its copies before they are dropped again.
func TestAddressIsTheKernelsAlone(t *testing.T) {
	for what, listen := range map[string]string{"IPv4": "127.0.0.1:0", "IPv6": "[::1]:0"} {
		t.Run(what, func(t *testing.T) {
			if ln, err := net.Listen("tcp", listen); err != nil {
				t.Skipf("this host cannot listen on %s: %v", listen, err)
			} else {
				ln.Close()
			}
			closed := make(chan netip.AddrPort, 1)
			p := serve(t, &hooks{closed: func(c *Conn) { closed <- c.RemoteAddr() }}, func(o *Options) { o.Listen = listen })
			nc := dial(t, p)
			l := p.loops[0]
			c := only(t, l)
			onLoop(t, l, func() {
				if l.copies.conn == nil || c.gc.RemoteAddr() != nil {
					t.Errorf("gnet keeps %v, its connections being %T", c.gc.RemoteAddr(), c.gc)
				}
				if got, want := c.RemoteAddr(), nc.LocalAddr().(*net.TCPAddr).AddrPort(); got != want {
					t.Errorf("RemoteAddr = %v, want %v", got, want)
				}
			})
			nc.Close()
			if a := receive(t, closed, "the close"); a.IsValid() {
				t.Errorf("RemoteAddr = %v in Closed", a)
			}
		})
	}
}

func TestAddressIsGoneAfterAReset(t *testing.T) {
	p := serve(t, &hooks{})
	nc := dial(t, p)
	l := p.loops[0]
	c := only(t, l)
	onLoop(t, l, func() { // the loop does not see the reset before this returns
		if err := nc.SetLinger(0); err != nil {
			t.Error(err)
		}
		nc.Close()
		for end := time.Now().Add(patience); c.RemoteAddr().IsValid(); {
			if time.Now().After(end) {
				t.Error("the kernel knows the peer of a connection that was reset")
				return
			}
		}
	})
}

// Only their fields' names and types matter.
type (
	knownConn struct {
		_          int
		remote     unix.Sockaddr
		remoteAddr net.Addr
	}
	otherConn struct {
		remote     unix.Sockaddr //nolint:unused // found by its name
		remoteAddr *net.TCPAddr  //nolint:unused // of another type
	}
)

func TestUnknownConnectionsKeepTheirAddresses(t *testing.T) {
	if a := addressCopiesOf(reflect.TypeFor[*knownConn]()); a.conn == nil || a.remote != unsafe.Offsetof(knownConn{}.remote) || a.remoteAddr != unsafe.Offsetof(knownConn{}.remoteAddr) {
		t.Errorf("the known struct: %+v", a)
	}
	for _, other := range []reflect.Type{
		reflect.TypeFor[*otherConn](), reflect.TypeFor[knownConn](), reflect.TypeFor[*struct{ remote unix.Sockaddr }](),
		reflect.TypeFor[*struct{ *knownConn }](), reflect.TypeFor[*int](),
	} {
		if a := addressCopiesOf(other); a != (addressCopies{}) {
			t.Errorf("%v: %+v", other, a)
		}
	}
}
