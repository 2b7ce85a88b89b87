package poller

import (
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// Who comes when no descriptor is left could not even be refused; so it must never come to that.
func TestMoreConnectionsThanFiles(t *testing.T) {
	c := startChild(t, 100)
	addr, room := c.addr(t)
	if room < 20 || room > 90 {
		t.Fatalf("room for %d", room)
	}
	// The server may not have noticed yet that the peers of the attempt before have gone.
	full := 0
	for end := time.Now().Add(patience); full < 3; {
		served, refused := crowd(t, addr, 200)
		if served > room || served+refused != 200 {
			t.Fatalf("%d served, %d refused, with room for %d", served, refused, room)
		}
		if served == room {
			full++
		}
		if time.Now().After(end) {
			t.Fatalf("%d served, with room for %d", served, room)
		}
	}
	if f := c.figures(t); f.Counts.AcceptErrors != 0 {
		t.Errorf("accept failed %d times", f.Counts.AcceptErrors)
	}
	c.end(t)
}

// crowd connects so many at once, and counts who is served and who is not.
func crowd(t *testing.T, addr string, connections int) (served, refused int) {
	t.Helper()
	var peers []net.Conn
	defer func() {
		for _, nc := range peers {
			nc.Close()
		}
	}()
	for range connections {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		peers = append(peers, nc)
		_ = nc.SetDeadline(time.Now().Add(patience))
		_, _ = nc.Write([]byte("x"))
	}
	for _, nc := range peers {
		var b [8]byte
		switch n, err := nc.Read(b[:]); {
		case err == nil && string(b[:n]) == "x":
			served++
		case err == nil && strings.HasPrefix("full\n", string(b[:n])):
			refused++
		case err != nil && !os.IsTimeout(err): // closed with our byte unread, so reset
			refused++
		default:
			t.Fatalf("read %q, %v", b[:n], err)
		}
	}
	return served, refused
}

func TestTooFewFiles(t *testing.T) {
	if c := startChild(t, 24); !strings.HasPrefix(c.first, "cannot start:") || !strings.Contains(c.first, "ulimit -n") {
		t.Errorf("the server says %q", c.first)
	}
}
