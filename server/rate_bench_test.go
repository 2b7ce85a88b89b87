package server

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// BenchmarkPaceRead is what it costs to count one read of a connection's, of so many that send all the time.
func BenchmarkPaceRead(b *testing.B) {
	for _, connections := range []int{1, 10_000, 100_000, 500_000} {
		b.Run(fmt.Sprint(connections), func(b *testing.B) {
			p := crowdedPace(connections)
			handles := rand.New(rand.NewPCG(1, 2)).Perm(connections)
			for i := 0; b.Loop(); i++ {
				handle := uint32(handles[i%connections]) + 1
				p.begin(handle)
				p.messages(1)
				p.end(handle)
			}
		})
	}
}

// BenchmarkPaceTick is what one tick costs that goes over tallies, of which none is paid for.
func BenchmarkPaceTick(b *testing.B) {
	for _, connections := range []int{0, 10_000, 100_000, 500_000} {
		b.Run(fmt.Sprint(connections), func(b *testing.B) {
			b.ReportAllocs()
			p := crowdedPace(connections)
			for b.Loop() {
				p.second()
				p.tick(p.now)
			}
		})
	}
}

// crowdedPace has a tally for each of so many connections.
func crowdedPace(connections int) *pace {
	p := newPace(100, 1<<20)
	for handle := range uint32(connections) {
		p.served(handle+1, func() { p.messages(300) })
	}
	p.now = int64(time.Second)
	return &p
}
