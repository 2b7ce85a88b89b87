package e2e

import (
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// cutter is a proxy that cuts each connection after some bytes of the server's, wherever that is.
type cutter struct {
	t        *testing.T
	listener net.Listener
	target   atomic.Pointer[string]
	cutting  atomic.Bool
	cuts     atomic.Int64
	copying  sync.WaitGroup

	mu    sync.Mutex
	r     *rand.Rand
	conns map[net.Conn]struct{}
}

const cutAfterBytesMax = 6 << 10

func newCutter(t *testing.T, target string) *cutter {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed of the cuts %d", seed)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{t: t, listener: l, r: rand.New(rand.NewPCG(seed, 0)), conns: map[net.Conn]struct{}{}}
	c.target.Store(&target)
	c.copying.Go(c.accept)
	t.Cleanup(c.stop)
	return c
}

func (c *cutter) url() string { return "ws://" + c.listener.Addr().String() + "/ws" }

func (c *cutter) accept() {
	for {
		near, err := c.listener.Accept()
		if err != nil {
			return
		}
		c.copying.Go(func() { c.join(near) })
	}
}

func (c *cutter) join(near net.Conn) {
	defer near.Close()
	far, err := net.Dial("tcp", *c.target.Load())
	if err != nil {
		return // nobody is there just now
	}
	defer far.Close()
	if !c.keep(near, far) {
		return
	}
	var both sync.WaitGroup
	both.Go(func() {
		_, _ = io.Copy(far, near)
		_ = far.Close()
	})
	c.copyAndCut(near, far)
	_ = near.Close()
	both.Wait()
	c.mu.Lock()
	delete(c.conns, near)
	delete(c.conns, far)
	c.mu.Unlock()
}

// copyAndCut copies up to where the connection is to break. What comes while nothing is to break does not count.
func (c *cutter) copyAndCut(near, far net.Conn) {
	c.mu.Lock()
	left := int64(c.r.IntN(cutAfterBytesMax))
	c.mu.Unlock()
	buf := make([]byte, 4096)
	for {
		n, err := far.Read(buf)
		if c.cutting.Load() {
			if left -= int64(n); left < 0 {
				_, _ = near.Write(buf[:int64(n)+left])
				c.cuts.Add(1)
				return
			}
		}
		if _, failed := near.Write(buf[:n]); err != nil || failed != nil {
			return
		}
	}
}

// keep remembers the ends of a connection for stop, and says whether there is still need for it.
func (c *cutter) keep(ends ...net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conns == nil {
		return false
	}
	for _, end := range ends {
		c.conns[end] = struct{}{}
	}
	return true
}

func (c *cutter) breakAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for end := range c.conns {
		_ = end.Close()
	}
}

func (c *cutter) stop() {
	_ = c.listener.Close()
	c.breakAll()
	c.mu.Lock()
	c.conns = nil
	c.mu.Unlock()
	c.copying.Wait()
}
