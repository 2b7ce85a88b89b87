package poller

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

// A turn that always has more to do lets the reads of connections through in between.
func TestTurnsDoNotKeepReadsOut(t *testing.T) {
	var turns atomic.Int64
	p := serve(t, &hooks{data: echo, turn: func(*Loop) bool { turns.Add(1); return true }})
	p.loops[0].Wake()
	nc := dial(t, p)
	send(t, nc, "first")
	expect(t, nc, "first")
	before := turns.Load()
	const trips = 200
	for range trips {
		send(t, nc, "x")
		expect(t, nc, "x")
	}
	if n := turns.Load() - before; n == 0 {
		t.Error("no turn came while connections were read")
	}
}

// Wake-ups that come while one is under way are one.
func TestWakeUpsCoalesce(t *testing.T) {
	var turns atomic.Int64
	entered, leave := make(chan struct{}), make(chan struct{})
	var once sync.Once
	p := serve(t, &hooks{turn: func(*Loop) bool {
		turns.Add(1)
		once.Do(func() {
			close(entered)
			<-leave
		})
		return false
	}})
	l := p.loops[0]
	l.Wake()
	receive(t, entered, "a turn")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 10_000 {
				l.Wake()
			}
		})
	}
	wg.Wait()
	close(leave)
	eventually(t, l, "another turn", func() bool { return turns.Load() > 1 })
	// One for all those wake-ups; the rest are the ticker's and eventually's own.
	if n := turns.Load(); n > 100 {
		t.Errorf("%d turns", n)
	}
}

// No wake-up is lost: what was marked before Wake is seen by a turn that begins after it.
func TestNoWakeUpIsLost(t *testing.T) {
	var marked, seen atomic.Int64
	told := make(chan int64, 1)
	p := serve(t, &hooks{turn: func(*Loop) bool {
		n := marked.Load()
		if seen.Swap(n) != n {
			select {
			case told <- n:
			default:
			}
		}
		return false
	}})
	l := p.loops[0]
	for i := range int64(20_000) {
		marked.Store(i + 1)
		l.Wake()
		for seen.Load() < i+1 {
			receive(t, told, "a turn")
		}
	}
}

func TestPostFromManyGoroutinesIsInOrder(t *testing.T) {
	p := serve(t, &hooks{}, func(o *Options) { o.Loops = 2 })
	const posters, each = 8, 3 * postsASlice
	var wg sync.WaitGroup
	for _, l := range p.loops {
		next := make([]int, posters) // of the loop's goroutine
		for poster := range posters {
			wg.Go(func() {
				for i := range each {
					l.Post(func() {
						if next[poster] != i {
							t.Errorf("poster %d: %d came when %d was due", poster, i, next[poster])
						}
						next[poster]++
					})
				}
			})
		}
		wg.Wait()
		eventually(t, l, "all were run", func() bool {
			for _, n := range next {
				if n != each {
					return false
				}
			}
			return true
		})
	}
}

// Many posted functions are run in several slices, between which the loop reads.
func TestManyPostsAreSeveralSlices(t *testing.T) {
	p := serve(t, &hooks{})
	l := p.loops[0]
	var first, last uint64
	onLoop(t, l, func() {
		for i := range 4 * postsASlice {
			l.Post(func() {
				if last = l.counts.Turns; i == 0 {
					first = last
				}
			})
		}
	})
	eventually(t, l, "all were run", func() bool { return last >= first+3 })
}

// A loop that does not come to them takes so many and no more, runs those, and takes others then.
func TestPostsAreBounded(t *testing.T) {
	p := serve(t, &hooks{})
	l := p.loops[0]
	entered, leave := make(chan struct{}), make(chan struct{})
	l.Post(func() {
		close(entered)
		<-leave
	})
	receive(t, entered, "the function that holds the loop")
	ran, taken := 0, 0
	for range PostsMax + 10 {
		if l.Post(func() { ran++ }) {
			taken++
		}
	}
	close(leave)
	if taken != PostsMax {
		t.Errorf("%d were taken", taken)
	}
	done := make(chan struct{})
	for !l.Post(func() { close(done) }) { // until the loop has taken the others
		runtime.Gosched()
	}
	receive(t, done, "one more")
	onLoop(t, l, func() {
		if ran != PostsMax {
			t.Errorf("%d were run", ran)
		}
	})
	stop(t, p)
	if l.Post(func() {}) {
		t.Error("taken after the end")
	}
}

// A function may post the next one for ever; the loop still reads.
func TestPostsOfPostsDoNotKeepReadsOut(t *testing.T) {
	p := serve(t, &hooks{data: echo})
	l := p.loops[0]
	var again func()
	again = func() { l.Post(again) }
	l.Post(again)
	nc := dial(t, p)
	for range 100 {
		send(t, nc, "x")
		expect(t, nc, "x")
	}
}

func TestCountsAreForAnyGoroutine(t *testing.T) {
	p := serve(t, &hooks{data: echo})
	l := p.loops[0]
	nc := dial(t, p)
	send(t, nc, "12345")
	expect(t, nc, "12345")
	for { // as another goroutine would read it
		if c := l.Counts(); c.BytesIn == 5 {
			if c.Opened != 1 || c.Connections != 1 || c.BytesOut != 5 || c.Writes != 1 || c.Turns == 0 || c.Panics != 0 {
				t.Errorf("%+v", c)
			}
			break
		}
		eventually(t, l, "a tick", func() bool { return l.Counts().Turns > 0 })
	}
	stop(t, p)
	if c := l.Counts(); c.Closed != 1 || c.Connections != 0 {
		t.Errorf("after the end: %+v", c)
	}
}
