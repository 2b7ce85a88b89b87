package server

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/megawire/megawire/poller"
	"github.com/megawire/megawire/server/config"
)

// shedServer runs a server with one loop.
func shedServer(t *testing.T, options ...func(c *config.Config)) *Server {
	t.Helper()
	c := config.Default()
	c.Listen, c.Admin.Listen, c.Loops = "127.0.0.1:0", "127.0.0.1:0", 1
	c.Limits.RepliesBytes = config.MiB
	for _, set := range options {
		set(&c)
	}
	s, err := New(c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	select {
	case <-s.Started():
	case err := <-ended:
		ended <- nil
		t.Fatal(err)
	}
	return s
}

// shedClient is on /echo, and ends with the test.
func shedClient(t *testing.T, s *Server) (net.Conn, *bufio.Reader) {
	t.Helper()
	return shedClientOf(t, s, "/echo")
}

func shedClientOf(t *testing.T, s *Server, target string) (net.Conn, *bufio.Reader) {
	t.Helper()
	nc, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(time.Minute))
	_, _ = io.WriteString(nc, "GET "+target+" HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	r := bufio.NewReader(nc)
	for line := ""; line != "\r\n"; {
		if line, err = r.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	return nc, r
}

// binaryFrame is masked with zeros.
func binaryFrame(bytesLong int) []byte {
	f := binary.BigEndian.AppendUint64([]byte{0x82, 0x80 | 127}, uint64(bytesLong))
	return append(f, make([]byte, 4+bytesLong)...)
}

// until looks at a condition until it holds.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(time.Minute); !holds(); <-tick.C {
		if time.Now().After(end) {
			t.Fatal("it never came to this: " + what)
		}
	}
}

// awaitHolders waits until so many connections hold so much at least.
func awaitHolders(t *testing.T, s *Server, count, bytes int) {
	t.Helper()
	until(t, fmt.Sprintf("%d connections hold %d bytes", count, bytes), func() bool {
		l, _ := ask(t.Context(), s.workers[0], func() holding { return s.workers[0].lookForHolders(0) })
		n := 0
		for _, h := range l.found {
			if h.bytes >= bytes {
				n++
			}
		}
		return n >= count
	})
}

// closedWith reads the close frame that must come next.
func closedWith(r *bufio.Reader) (string, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil || head[0] != 0x88 || head[1] < 2 {
		return "", fmt.Errorf("%x instead of a close frame, %w", head, err)
	}
	reason := make([]byte, head[1]-2)
	_, err := io.ReadFull(r, reason)
	return fmt.Sprintf("%d %s", binary.BigEndian.Uint16(head[2:]), reason), err
}

// TestShedTakesTheHeaviest: as many as are needed, and of them those who hold the most.
func TestShedTakesTheHeaviest(t *testing.T) {
	const clients, whole = 7, 512 << 10
	held := func(i int) int { return 4 << 10 << i } // buffers are larger, but not twice as large
	s := shedServer(t)
	readers := make([]*bufio.Reader, clients)
	conns := make([]net.Conn, clients)
	for i := range clients {
		conns[i], readers[i] = shedClient(t, s)
		_, _ = conns[i].Write(binaryFrame(whole)[:held(i)])
	}
	for i := range clients {
		awaitHolders(t, s, clients-i, held(i))
	}
	if closed, freed := s.shed(t.Context(), 1); closed != 1 || freed < uint64(held(6)) {
		t.Errorf("for one byte %d are closed that held %d", closed, freed)
	}
	need := uint64(held(5) + held(4)) // more than a buffer of the heaviest that is left, not more than the next one's too
	if closed, freed := s.shed(t.Context(), need); closed != 2 || freed < need {
		t.Errorf("for %d bytes %d are closed that held %d", need, closed, freed)
	}
	for i := clients - 3; i < clients; i++ {
		if how, err := closedWith(readers[i]); how != "1013 the server is short of memory" {
			t.Errorf("client %d is closed with %q, %v", i, how, err)
		}
	}
	for i := range clients - 3 { // they may end what they have begun, and it comes back
		_, _ = conns[i].Write(binaryFrame(whole)[held(i):])
		if _, err := readers[i].Discard(10 + whole); err != nil {
			t.Errorf("client %d: %v", i, err)
		}
	}
}

// TestShedIsBounded: a second closes a few of very many.
func TestShedIsBounded(t *testing.T) {
	const clients = shedMin + 20
	s := shedServer(t)
	for range clients {
		nc, _ := shedClient(t, s)
		_, _ = nc.Write(binaryFrame(64 << 10)[:8<<10])
	}
	awaitHolders(t, s, clients, 8<<10)
	for _, want := range []int{shedMin, clients - shedMin, 0} {
		if closed, _ := s.shed(t.Context(), 1<<40); closed != want {
			t.Errorf("%d are closed, want %d", closed, want)
		}
	}
}

// TestShedCutsWhoDoesNotGo: who is told to go, and does not take it, is there no more the next time.
func TestShedCutsWhoDoesNotGo(t *testing.T) {
	s := shedServer(t)
	nc, _ := shedClient(t, s)
	go func() { _, _ = nc.Write(bytes.Repeat(binaryFrame(64<<10), 200)) }() // and reads nothing
	awaitHolders(t, s, 1, 1<<20)
	if closed, freed := s.shed(t.Context(), 1); closed != 1 || freed < 1<<20 {
		t.Errorf("%d are closed that held %d", closed, freed)
	}
	if n := s.poller.Connections(); n != 1 {
		t.Errorf("%d connections: what was to be sent may still be taken", n)
	}
	s.shed(t.Context(), 1)
	until(t, "it is gone", func() bool { return s.poller.Connections() == 0 })
}

// TestShedGoesOn: who was given up in the second before and does not go is cut, and is nothing that was set free once more.
func TestShedGoesOn(t *testing.T) {
	const held = 100 << 10
	s := shedServer(t)
	deaf, _ := shedClient(t, s)
	go func() { _, _ = deaf.Write(bytes.Repeat(binaryFrame(64<<10), 200)) }()
	awaitHolders(t, s, 1, 1<<20)
	nc, r := shedClient(t, s)
	_, _ = nc.Write(binaryFrame(2 * held)[:held])
	awaitHolders(t, s, 2, held)
	if closed, freed := s.shed(t.Context(), 1); closed != 1 || freed < 1<<20 {
		t.Errorf("%d are closed that held %d", closed, freed)
	}
	if closed, freed := s.shed(t.Context(), 1); closed != 1 || freed < held || freed > 2*held {
		t.Errorf("then %d are closed that held %d, want one more that held %d", closed, freed, held)
	}
	if how, err := closedWith(r); how != "1013 the server is short of memory" {
		t.Errorf("closed with %q, %v", how, err)
	}
	if closed, freed := s.shed(t.Context(), 1); closed != 0 || freed != 0 {
		t.Errorf("at last %d are closed that held %d", closed, freed)
	}
}

// TestShedPassesOverSlowReaders: what is left for them of a message that others get too would be there without them.
func TestShedPassesOverSlowReaders(t *testing.T) {
	const readers, held = 3, 100 << 10
	s := shedServer(t, func(c *config.Config) { c.Socket.SendBufferBytes = 4 * config.KiB })
	for range readers {
		nc, _ := shedClientOf(t, s, "/ws?topics=a")
		_ = nc.(*net.TCPConn).SetReadBuffer(4 << 10)
	}
	resp, err := http.Post("http://"+s.AdminAddr()+"/v1/publish", "application/json",
		strings.NewReader(`{"topic":"a","data":"`+strings.Repeat("x", 1000_000)+`"}`))
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp, err)
	}
	_ = resp.Body.Close()
	stalled := func() (n int) {
		n, _ = ask(t.Context(), s.workers[0], func() (n int) {
			s.workers[0].loop.Each(0, func(c *poller.Conn) bool {
				if c.Open() && c.Stalled() {
					n++
				}
				return true
			})
			return n
		})
		return n
	}
	until(t, "all readers are stalled", func() bool { return stalled() == readers })
	nc, r := shedClient(t, s)
	_, _ = nc.Write(binaryFrame(2 * held)[:held])
	awaitHolders(t, s, 1, held)
	if closed, freed := s.shed(t.Context(), 10*held); closed != 1 || freed < held {
		t.Errorf("%d are closed that held %d, want the one that does not end its message", closed, freed)
	}
	if how, err := closedWith(r); how != "1013 the server is short of memory" {
		t.Errorf("closed with %q, %v", how, err)
	}
	if n := stalled(); n != readers {
		t.Errorf("%d slow readers of %d are left", n, readers)
	}
}
