package server

import (
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestArrivals(t *testing.T) {
	const ms, second = int64(time.Millisecond), int64(time.Second)
	type crowd struct {
		at    int64 // nanoseconds
		comes int
		in    int // of them, those who are let in
	}
	for _, c := range []struct {
		says      string
		perSecond int
		crowds    []crowd
	}{
		{"a second's worth at once, and no more", 100, []crowd{{0, 500, 100}, {0, 1, 0}}},
		{"then one in each hundredth", 100, []crowd{{0, 100, 100}, {10*ms - 1, 1, 0}, {10 * ms, 2, 1}, {30 * ms, 5, 2}}},
		{"a pause gives no more than a second's worth", 100, []crowd{{0, 100, 100}, {3600 * second, 500, 100}}},
		{"half a second gives half of it", 100, []crowd{{0, 100, 100}, {500 * ms, 500, 50}}},
		{"who comes at the rate is let in for ever", 2, []crowd{
			{0, 1, 1}, {500 * ms, 1, 1}, {1000 * ms, 1, 1}, {1500 * ms, 1, 1}, {2000 * ms, 1, 1}, {2500 * ms, 1, 1},
		}},
		{"who is refused takes nothing from who comes later", 1, []crowd{{0, 1, 1}, {second - 1, 1000, 0}, {second, 2, 1}}},
		{"the least rate", 1, []crowd{{0, 2, 1}, {second, 2, 1}, {2*second - 1, 1, 0}}},
		{"a rate that does not divide the second", 3, []crowd{{0, 9, 3}, {second, 9, 3}}},
		{"the highest rate", 10_000_000, []crowd{{0, 10_000_001, 10_000_000}}},
		{"a clock that has run for 290 years", 10, []crowd{{math.MaxInt64 - 2*second, 50, 10}}},
	} {
		a := newArrivals(c.perSecond)
		for _, w := range c.crowds {
			in := 0
			for range w.comes {
				if a.take(w.at) {
					in++
				}
			}
			if in != w.in {
				t.Errorf("%s: of %d at %s %d are let in, want %d", c.says, w.comes, time.Duration(w.at), in, w.in)
			}
		}
	}
}

// TestArrivalsOnManyLoops: the loops share one bucket, and none of them lets somebody in twice.
func TestArrivalsOnManyLoops(t *testing.T) {
	const loops, perSecond = 8, 1_000_000
	a := newArrivals(perSecond)
	for second := range int64(3) {
		var in atomic.Int64
		var all sync.WaitGroup
		for range loops {
			all.Go(func() {
				mine := int64(0)
				for range perSecond / 4 {
					if a.take(second * int64(time.Second)) {
						mine++
					}
				}
				in.Add(mine)
			})
		}
		all.Wait()
		if in.Load() != perSecond {
			t.Errorf("second %d: of twice as many %d are let in, want %d", second, in.Load(), perSecond)
		}
	}
}

func TestWhyNewcomersAreRefused(t *testing.T) {
	server := func() *Server {
		return &Server{memory: newMemory(gib, func() uint64 { return 0 }), connectionsMax: 2, arrivals: newArrivals(1), clock: func() int64 { return 0 }}
	}
	for _, c := range []struct {
		says    string
		make    func(s *Server)
		ready   string // the code with which /readyz refuses
		welcome string // with which an upgrade is
	}{
		{"nothing is wrong", func(*Server) {}, "", ""},
		{"it drains", func(s *Server) { s.draining.Store(true) }, "draining", "draining"},
		{"it is full", func(s *Server) { s.admitted.Store(2) }, "full", "full"},
		{"it is short of memory", func(s *Server) { s.memory.short.Store(true) }, "memory", "memory"},
		{"too many came within the second", func(s *Server) { s.welcome() }, "", "rate_limited"},
		{"asking whether it is ready is no arrival", func(s *Server) { s.unready() }, "", ""},
		{"nor is who is refused for another reason", func(s *Server) {
			s.admitted.Store(2)
			s.welcome()
			s.admitted.Store(0)
		}, "", ""},
		{"it drains and is full", func(s *Server) { s.admitted.Store(2); s.draining.Store(true) }, "draining", "draining"},
	} {
		s := server()
		c.make(s)
		ready, welcome := "", ""
		if err := s.unready(); err != nil {
			ready = err.Code
		}
		if err := s.welcome(); err != nil {
			welcome = err.Code
			if err.Status != 503 || len(err.Header) != 1 {
				t.Errorf("%s: %d %v", c.says, err.Status, err.Header)
			}
		}
		if ready != c.ready || welcome != c.welcome {
			t.Errorf("%s: /readyz says %q, an upgrade gets %q; want %q and %q", c.says, ready, welcome, c.ready, c.welcome)
		}
	}
}
