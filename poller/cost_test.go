package poller

import (
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// heapBytesMax is what an idle connection may cost on the heap, gnet's share included.
const heapBytesMax = 420

func heap() uint64 {
	var m runtime.MemStats
	for range 3 { // what pools hold goes in two
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// The peers live in this process too, so what they cost alone is measured first, with a listener that
// keeps nothing but descriptors.
func TestIdleConnectionCost(t *testing.T) {
	const connections = 3000
	p := serve(t, &hooks{data: echo})
	if p.ConnectionsMax() < 3*connections {
		t.Skipf("the limit on open files leaves room for %d connections, and this opens %d", p.ConnectionsMax(), 3*connections)
	}
	ln, plain := listenPlain(t)
	accepted := make([]int, 0, connections)
	alone := grown(t, connections, plain, func(net.Conn) { accepted = append(accepted, accept(t, ln)) })
	for _, fd := range accepted {
		unix.Close(fd)
	}
	both := grown(t, connections, p.Addr(), func(nc net.Conn) {
		send(t, nc, "x")
		expect(t, nc, "x")
	})
	l := p.loops[0]
	onLoop(t, l, func() {
		if l.Len() != connections || l.inputs.Len() != 0 || l.stalls.Len() != 0 {
			t.Errorf("%d connections, %d inputs, %d stalls", l.Len(), l.inputs.Len(), l.stalls.Len())
		}
	})
	if size := unsafe.Sizeof(Conn{}); size != 64 {
		t.Errorf("a Conn is %d bytes, and so not one line of the cache", size)
	}
	each := both - alone
	t.Logf("%.0f bytes of heap a connection, %d of them ours", each, unsafe.Sizeof(Conn{}))
	if each > heapBytesMax || each < 100 {
		t.Errorf("%.0f bytes of heap a connection, want %d at most (and not so few that the measure is in doubt)", each, heapBytesMax)
	}
}

// grown is by how much the heap grows for each of so many connections, which stay open until the test ends.
func grown(t *testing.T, connections int, addr string, then func(nc net.Conn)) float64 {
	t.Helper()
	peers := make([]net.Conn, connections)
	before := heap()
	for i := range peers {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		peers[i] = nc
		then(nc)
	}
	after := heap()
	t.Cleanup(func() {
		for _, nc := range peers {
			nc.Close()
		}
	})
	return (float64(after) - float64(before)) / float64(connections)
}

// listenPlain listens on a socket that accept takes connections from.
func listenPlain(t *testing.T) (fd int, addr string) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(fd, 16)); err != nil {
		t.Fatal(err)
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return fd, fmt.Sprintf("127.0.0.1:%d", sa.(*unix.SockaddrInet4).Port)
}

func accept(t *testing.T, ln int) (fd int) {
	t.Helper()
	fd, _, err := unix.Accept4(ln, unix.SOCK_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

func TestEchoAllocatesNothing(t *testing.T) {
	for what, data := range map[string]func(c *Conn, p []byte) int{
		"used at once": echo,
		"in two parts, the first of which is kept": func(c *Conn, p []byte) int {
			if len(p) < 128 {
				return 0
			}
			return echo(c, p)
		},
	} {
		t.Run(what, func(t *testing.T) {
			p := serve(t, &hooks{data: data})
			nc := dial(t, p)
			message, answer := payload[:128], make([]byte, 128)
			trip := func() {
				for _, part := range [][]byte{message[:100], message[100:]} {
					if _, err := nc.Write(part); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := io.ReadFull(nc, answer); err != nil {
					t.Fatal(err)
				}
			}
			// The ticker's snapshots of the counts are the only garbage, ten a second.
			if n := testing.AllocsPerRun(2000, trip); n >= 1 {
				t.Errorf("%v allocations a round trip", n)
			}
		})
	}
}

func BenchmarkEcho(b *testing.B) {
	p := serve(b, &hooks{data: echo})
	nc := dial(b, p)
	if err := nc.SetDeadline(time.Time{}); err != nil {
		b.Fatal(err)
	}
	message, answer := payload[:128], make([]byte, 128)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := nc.Write(message); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(nc, answer); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkTurn is a slice of work that a wake-up brings about.
func BenchmarkTurn(b *testing.B) {
	turned := make(chan struct{}, 1)
	p := serve(b, &hooks{turn: func(*Loop) bool {
		select {
		case turned <- struct{}{}:
		default:
		}
		return false
	}})
	b.ReportAllocs()
	for b.Loop() {
		p.loops[0].Wake()
		<-turned
	}
}
