package poller

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"sync/atomic"
	"testing"
)

// The whole stream is compared, for readers of all kinds, with input coming in all the while: it must
// neither be answered out of order nor reset the connection before the last byte is read.
func TestStalledStreamIsExact(t *testing.T) {
	for what, c := range map[string]struct {
		frames int
		reader func(nc net.Conn, random *rand.Rand) io.Reader
	}{
		"a quick reader":                        {2000, func(nc net.Conn, _ *rand.Rand) io.Reader { return nc }},
		"a reader of one byte at a time":        {120, func(nc net.Conn, _ *rand.Rand) io.Reader { smallBuffer(t, nc); return oneByte{nc} }},
		"a reader that stops for a while":       {2000, func(nc net.Conn, random *rand.Rand) io.Reader { return &stopper{nc, random} }},
		"a reader with a small receive buffer":  {600, func(nc net.Conn, _ *rand.Rand) io.Reader { smallBuffer(t, nc); return nc }},
		"a slow reader with a small buffer too": {100, func(nc net.Conn, random *rand.Rand) io.Reader { smallBuffer(t, nc); return &stopper{nc, random} }},
	} {
		t.Run(what, func(t *testing.T) {
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			f := &feeder{frames: c.frames, random: rand.New(rand.NewPCG(seed, 1))}
			var drained, ticks atomic.Int32
			p := serve(t, &hooks{
				tick:   func(*Loop) { ticks.Add(1) },
				opened: func(c *Conn) { f.feed(c) },
				data: func(c *Conn, p []byte) int {
					f.reply(c)
					return len(p)
				},
				drained: func(c *Conn) {
					drained.Add(1)
					f.blocked = false
					f.feed(c)
				},
			}, func(o *Options) { o.SendBufferBytes = 8 << 10 })
			nc := dial(t, p)
			stopSending := make(chan struct{})
			go func() { // the peer sends all the time, also when we have finished
				defer close(stopSending)
				for {
					if _, err := nc.Write([]byte("x")); err != nil {
						return
					}
				}
			}()
			var data, replies uint32
			readFrames(t, c.reader(nc, rand.New(rand.NewPCG(seed, 2))), func(kind byte, number uint32) {
				want := &data
				if kind == 'r' {
					want = &replies
				}
				if number != *want {
					t.Errorf("frame %c %d, want %d", kind, number, *want)
				}
				*want = number + 1
			})
			nc.Close()
			<-stopSending
			l := p.loops[0]
			eventually(t, l, "the connection is gone", func() bool { return l.Len() == 0 })
			onLoop(t, l, func() {
				if int(data) != c.frames || replies != f.replies {
					t.Errorf("%d data frames of %d, %d replies of %d", data, c.frames, replies, f.replies)
				}
				if f.short == 0 || drained.Load() == 0 {
					t.Errorf("%d short writes, %d times drained: the test provokes nothing", f.short, drained.Load())
				}
				if l.stalls.Len() != 0 {
					t.Error("a stall is left")
				}
				if what == "a quick reader" && drained.Load() <= ticks.Load()+1 {
					t.Errorf("%d times drained in %d ticks: only the ticker looks after stalled sockets", drained.Load(), ticks.Load())
				}
			})
		})
	}
}

// smallBuffer leaves the kernel a little of the stream. Much less than this and its own timers, of
// hundreds of milliseconds, pace the stream.
func smallBuffer(t *testing.T, nc net.Conn) {
	t.Helper()
	if err := nc.(*net.TCPConn).SetReadBuffer(64 << 10); err != nil {
		t.Error(err)
	}
}

type oneByte struct{ r io.Reader }

func (o oneByte) Read(p []byte) (int, error) { return o.r.Read(p[:min(1, len(p))]) }

// stopper reads pieces of any size, and lets others run in between.
type stopper struct {
	r      io.Reader
	random *rand.Rand
}

func (s *stopper) Read(p []byte) (int, error) {
	if s.random.IntN(20) == 0 {
		spin := 0
		for range s.random.IntN(1 << 20) {
			spin++
		}
		_ = spin
	}
	return s.r.Read(p[:min(1+s.random.IntN(4000), len(p))])
}

// fill writes until the kernel takes no more, and holds the rest of the last frame.
func fill(c *Conn) (frames uint32) {
	for ; ; frames++ {
		p := appendFrame(nil, 'd', frames, 1000)
		if n := c.TryWrite(p); n < len(p) {
			c.Hold(p[n:])
			if n > 0 {
				frames++
			}
			return frames
		}
	}
}

func TestRepliesGoAheadOfDataNotBegun(t *testing.T) {
	var frames uint32
	stalled, drained := make(chan struct{}), make(chan struct{})
	p := serve(t, &hooks{
		opened: func(c *Conn) {
			frames = fill(c)
			for i := range uint32(3) {
				if err := c.Send(appendFrame(nil, 'r', i, 10)); err != nil {
					t.Error(err)
				}
			}
			if n := c.TryWrite([]byte("data not begun")); n != 0 {
				t.Errorf("%d bytes taken from a stalled connection", n)
			}
			close(stalled)
		},
		drained: func(c *Conn) {
			c.TryWrite(appendFrame(nil, 'd', frames, 10))
			close(drained)
			c.Finish()
		},
	})
	nc := dial(t, p)
	receive(t, stalled, "the stall")
	var order []string
	readFrames(t, nc, func(kind byte, number uint32) { order = append(order, fmt.Sprintf("%c%d", kind, number)) })
	receive(t, drained, "Drained")
	want := []string{fmt.Sprintf("d%d", frames-1), "r0", "r1", "r2", fmt.Sprintf("d%d", frames)}
	if got := order[max(0, len(order)-5):]; !slices.Equal(got, want) {
		t.Errorf("the last frames are %v, want %v", got, want)
	}
}

func TestRepliesOfAStalledConnectionAreBounded(t *testing.T) {
	type result struct {
		sent int
		err  error
	}
	done := make(chan result, 1)
	p := serve(t, &hooks{
		opened: func(c *Conn) {
			fill(c)
			var r result
			for ; r.err == nil && r.sent < 10_000; r.sent++ {
				r.err = c.Send(payload[:1000])
			}
			done <- r
		},
	})
	dial(t, p)
	r := receive(t, done, "a full queue")
	if !errors.Is(r.err, ErrRepliesFull) || r.sent != (64<<10+outBytesMax)/1000+2 {
		t.Errorf("%d replies, then %v", r.sent, r.err)
	}
}

// Finish delivers what waits, while the peer still sends; and the peer's end closes the connection.
func TestFinishDeliversWhatWaits(t *testing.T) {
	var frames uint32
	finished := make(chan struct{})
	p := serve(t, &hooks{
		opened: func(c *Conn) {
			frames = fill(c)
			_ = c.Send(appendFrame(nil, 'r', 0, 60_000))
			_ = c.Send(appendFrame(nil, 'r', 1, 10))
			c.Finish()
			c.SetDue(0) // must not make it immortal
			if c.Open() || c.due == 0 {
				t.Error("a finished connection is open or has no end")
			}
			_ = c.Send([]byte("too late"))
			close(finished)
		},
		data:    func(*Conn, []byte) int { t.Error("Data after Finish"); return 0 },
		drained: func(*Conn) { t.Error("Drained after Finish") },
	})
	nc := dial(t, p)
	receive(t, finished, "Finish")
	for range 100 {
		send(t, nc, "still sending")
	}
	var order []string
	readFrames(t, nc, func(kind byte, number uint32) { order = append(order, fmt.Sprintf("%c%d", kind, number)) })
	if len(order) != int(frames)+2 || order[len(order)-1] != "r1" {
		t.Errorf("%d frames, want %d and 2 replies", len(order), frames)
	}
	nc.Close()
	l := p.loops[0]
	eventually(t, l, "the connection is gone", func() bool { return l.Len() == 0 && l.stalls.Len() == 0 })
}

// A peer that neither reads nor closes is let go after the linger time, whether something waits or not.
func TestLingeringEnds(t *testing.T) {
	for what, waits := range map[string]bool{"nothing waits": false, "bytes wait": true} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			var p *Poller
			finished := make(chan uint32, 1)
			p = serve(t, &hooks{opened: func(c *Conn) {
				if waits {
					fill(c)
				}
				c.Finish()
				finished <- c.due
				c.due = c.loop.Seconds() // instead of waiting for five seconds
			}})
			dial(t, p)
			if due := receive(t, finished, "Finish"); due < lingerSeconds || due > 2*lingerSeconds {
				t.Errorf("the linger time ends at second %d", due)
			}
			l := p.loops[0]
			eventually(t, l, "the connection is gone", func() bool { return l.Len() == 0 && l.stalls.Len() == 0 })
		})
	}
}

func TestCloseWhileStalled(t *testing.T) {
	for what, end := range map[string]func(c *Conn){
		"by Close":               func(c *Conn) { c.Close() },
		"by Close after Finish":  func(c *Conn) { c.Finish(); c.Close() },
		"by a panic":             func(*Conn) { panic("provoked") },
		"by the peer's reset":    nil,
		"by the end of the loop": nil,
	} {
		t.Run(what, func(t *testing.T) {
			checkFiles(t)
			stalled := make(chan struct{})
			p := serve(t, &hooks{
				opened: func(c *Conn) {
					fill(c)
					_ = c.Send(payload[:1000])
					close(stalled)
				},
				data: func(c *Conn, p []byte) int {
					end(c)
					return len(p)
				},
				drained: func(c *Conn) { fill(c) }, // the peer's kernel took it
			})
			l := p.loops[0]
			nc := dial(t, p)
			receive(t, stalled, "the stall")
			switch {
			case end != nil:
				send(t, nc, "x")
			case what == "by the peer's reset":
				_ = nc.SetLinger(0)
				nc.Close()
			default:
				stop(t, p)
				return
			}
			eventually(t, l, "the connection is gone", func() bool { return l.Len() == 0 && l.stalls.Len() == 0 && p.Connections() == 0 })
			nc.Close()
		})
	}
}

// While the peer takes nothing there is neither a sign of life nor Drained, nor is the loop kept busy.
func TestStalledPeerThatTakesNothing(t *testing.T) {
	p := serve(t, &hooks{opened: fillUp, drained: fillUp})
	l := p.loops[0]
	dial(t, p)
	c := only(t, l)
	// The peer's kernel takes some after ours was full for the first time; then all is still.
	var writes uint64
	ticksOfSilence := 0
	for ticksOfSilence < 5 {
		onLoop(t, l, func() {
			if writes != l.counts.Writes {
				writes, ticksOfSilence = l.counts.Writes, 0
			}
			c.seen = 77
		})
		turns := l.Counts().Turns
		eventually(t, l, "a tick", func() bool { return l.Counts().Turns != turns })
		ticksOfSilence++
	}
	onLoop(t, l, func() {
		if c.Seen() != 77 || l.counts.Writes != writes || !c.Stalled() {
			t.Errorf("Seen = %d, %d writes, stalled: %v", c.Seen(), l.counts.Writes-writes, c.Stalled())
		}
	})
}

// fillUp writes until the kernel is full just where a frame ends.
func fillUp(c *Conn) {
	for c.TryWrite(payload[:1]) == 1 {
	}
	c.Hold(nil)
}

// Many stalled connections, all of which read at last: more than one look at the set gives.
func TestManyStalledConnections(t *testing.T) {
	const connections = 300
	var reading atomic.Bool
	drained := 0
	p := serve(t, &hooks{
		opened: func(c *Conn) { fill(c) },
		drained: func(c *Conn) {
			if !reading.Load() { // the peer's kernel took it
				fill(c)
				return
			}
			drained++
			c.Finish()
		},
	}, func(o *Options) { o.SendBufferBytes = 4 << 10 })
	l := p.loops[0]
	var peers []net.Conn
	for range connections {
		peers = append(peers, dial(t, p))
	}
	eventually(t, l, "all stalled", func() bool { return l.stalls.Len() == connections })
	reading.Store(true)
	for _, nc := range peers {
		go func() { _, _ = io.Copy(io.Discard, nc) }()
	}
	eventually(t, l, "all drained and finished", func() bool { return drained == connections && l.stalls.Len() == 0 })
	for _, nc := range peers {
		nc.Close()
	}
	eventually(t, l, "all gone", func() bool { return l.Len() == 0 })
}

// A client that sends requests without reading the replies is not read from while they wait, and gets every
// one of them once it reads.
func TestSenderThatDoesNotReadIsPaused(t *testing.T) {
	const frames, size = 2000, 8 << 10
	var paused atomic.Bool
	p := serve(t, &hooks{data: func(c *Conn, in []byte) (used int) {
		for len(in)-used >= size && !c.Congested() {
			_ = c.Send(in[used : used+size])
			used += size
		}
		if c.Congested() {
			paused.Store(true)
		}
		return used
	}})
	nc := dial(t, p)
	sent := make(chan error, 1)
	go func() {
		frame := make([]byte, size)
		for i := range frames {
			binary.BigEndian.PutUint32(frame, uint32(i))
			if _, err := nc.Write(frame); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	l := p.loops[0]
	eventually(t, l, "the connection is paused", func() bool {
		paused := false
		l.Each(0, func(c *Conn) bool { paused = c.marks&markPaused != 0; return true })
		return paused
	})
	got := make([]byte, size)
	for i := range frames {
		if _, err := io.ReadFull(nc, got); err != nil || binary.BigEndian.Uint32(got) != uint32(i) {
			t.Fatalf("reply %d: %v, number %d", i, err, binary.BigEndian.Uint32(got))
		}
	}
	if err := <-sent; err != nil || !paused.Load() {
		t.Errorf("sender: %v, congested %v", err, paused.Load())
	}
	nc.Close()
	eventually(t, l, "the connection is gone", func() bool { return l.Len() == 0 && l.stalls.Len() == 0 })
}
