package poller

import (
	"net"
	"net/netip"
	"reflect"
	"strconv"
	"unsafe"

	"github.com/panjf2000/gnet/v2"
	"golang.org/x/sys/unix"
)

// addressCopies says where gnet's connections keep their peer's address: once as the system gave it and once
// as a net.Addr, 80 bytes together, more than all we keep of an idle connection. The kernel has the address
// too, and of a stream gnet itself never asks for it; but there is no option to do without. So the two fields
// are cleared in gnet's unexported struct, through offsets that are only used where the struct is the known one.
type addressCopies struct {
	conn               reflect.Type // gnet's pointer to a connection; nil where it is not the known one
	remote, remoteAddr uintptr      // offsets
}

// findAddressCopies is called for the loop's first connection.
func (l *Loop) findAddressCopies(gc gnet.Conn) {
	if l.copies = addressCopiesOf(reflect.TypeOf(gc)); l.copies.conn == nil && l.index == 0 { // one word for all loops
		l.poller.o.Logger.Warn("gnet's connections are not the known ones: they keep their peers' addresses, 80 bytes each")
	}
}

// addressCopiesOf looks at the type behind a gnet.Conn.
func addressCopiesOf(conn reflect.Type) addressCopies {
	if conn.Kind() != reflect.Pointer || conn.Elem().Kind() != reflect.Struct {
		return addressCopies{}
	}
	remote, ok := conn.Elem().FieldByName("remote")
	if !ok || remote.Type != reflect.TypeFor[unix.Sockaddr]() || len(remote.Index) != 1 {
		return addressCopies{}
	}
	remoteAddr, ok := conn.Elem().FieldByName("remoteAddr")
	if !ok || remoteAddr.Type != reflect.TypeFor[net.Addr]() || len(remoteAddr.Index) != 1 {
		return addressCopies{}
	}
	return addressCopies{conn: conn, remote: remote.Offset, remoteAddr: remoteAddr.Offset}
}

// drop lets a stream's copies go to the garbage collector. gnet meets nil where it would free an IPv6 zone's
// name, and passes over it.
func (a addressCopies) drop(gc gnet.Conn) {
	if reflect.TypeOf(gc) != a.conn {
		return
	}
	conn := reflect.ValueOf(gc).UnsafePointer()
	*(*unix.Sockaddr)(unsafe.Add(conn, a.remote)) = nil
	*(*net.Addr)(unsafe.Add(conn, a.remoteAddr)) = nil
}

// RemoteAddr asks the kernel for the peer's address. It is not valid where the kernel knows none any more: after
// a reset, and in Handler.Closed.
func (c *Conn) RemoteAddr() netip.AddrPort {
	if !c.exists() {
		return netip.AddrPort{} // the descriptor may be somebody else's
	}
	sa, err := unix.Getpeername(int(c.fd))
	if err != nil {
		return netip.AddrPort{}
	}
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		ip := netip.AddrFrom16(sa.Addr)
		if sa.ZoneId != 0 {
			ip = ip.WithZone(strconv.FormatUint(uint64(sa.ZoneId), 10))
		}
		return netip.AddrPortFrom(ip, uint16(sa.Port))
	default:
		return netip.AddrPort{}
	}
}
