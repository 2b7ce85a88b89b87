package server

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
	"time"
)

// memory keeps the process as small as its connections, and below a mark. By itself Go lets garbage grow to the size of
// what lives, and holds on to most of what a collection has freed: half the memory of a million connections would be
// neither theirs nor anybody's. It looks once a second, on a goroutine of its own.
type memory struct {
	// Of any goroutine.
	trims atomic.Uint64 // how often memory was given back
	short atomic.Bool   // newcomers are refused for want of memory
	used  atomic.Uint64 // bytes, when last measured

	// Of its goroutine.
	measure  func() uint64 // the bytes that the process has now
	shortage shortage
	shedNext []uint32 // where each loop's connections are looked at next: the time for it may have been over
	room     headRoom
	crowd    crowd
	percent  int // GC percent in force
	samples  [4]metrics.Sample
}

// newMemory returns one for that mark, in bytes. measure is called on its goroutine.
func newMemory(mark uint64, measure func() uint64) *memory {
	m := &memory{percent: 100, shortage: shortage{mark: mark}, measure: measure}
	m.samples[0].Name, m.samples[1].Name = "/gc/heap/live:bytes", "/gc/cycles/automatic:gc-cycles"
	m.samples[2].Name, m.samples[3].Name = "/memory/classes/heap/objects:bytes", "/memory/classes/heap/free:bytes"
	m.used.Store(measure())
	return m
}

// operatorsMemory says that the operator has set bounds of Go's: how much garbage there may be is theirs then.
func operatorsMemory() bool { return os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" }

// keepMemory runs until ctx ends.
func (s *Server) keepMemory(ctx context.Context) {
	tends := !operatorsMemory()
	defer s.memory.takeOver(tends)()
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for second := int64(0); ; second++ {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if tends {
				s.memory.look(second, s.poller.Connections())
			}
			s.relieve(ctx, second)
		}
	}
}

// takeOver sets those bounds of Go's that the operator has not set, and returns what puts them back.
func (m *memory) takeOver(tends bool) (undo func()) {
	percent, limit := -1, int64(-1)
	if tends {
		percent = debug.SetGCPercent(m.percent)
		debug.FreeOSMemory() // what the start has left; the collector makes its tables now, not in the first crowd
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		limit = debug.SetMemoryLimit(m.shortage.goLimit())
	}
	return func() {
		if tends {
			debug.SetGCPercent(percent)
		}
		debug.SetMemoryLimit(limit) // a negative one changes nothing
	}
}

// relieve holds memory against the mark, with all that follows.
func (s *Server) relieve(ctx context.Context, second int64) {
	m := s.memory
	used := m.measure()
	if m.shortage.givesBack(second, used) {
		debug.FreeOSMemory()
		m.trims.Add(1)
		used = m.measure()
	}
	excess := m.shortage.look(used)
	m.used.Store(used)
	if refusing := m.shortage.refusing; m.short.Swap(refusing) != refusing {
		if refusing {
			s.log.Warn("memory is above the mark; new connections are refused", "bytes", used, "mark", m.shortage.mark)
		} else {
			s.log.Info("memory is below the mark again; new connections are let in", "bytes", used, "mark", m.shortage.mark)
		}
	}
	if excess == 0 {
		return
	}
	if closed, freed := s.shed(ctx, excess); closed > 0 {
		m.shortage.closed += freed
		s.log.Warn("clients that hold much memory are closed", "clients", closed, "held_bytes", freed, "bytes", used, "mark", m.shortage.mark)
	}
}

func (m *memory) look(second int64, connections int) {
	metrics.Read(m.samples[:])
	live, cycles := m.samples[0].Value.Uint64(), m.samples[1].Value.Uint64()
	if p := m.room.percent(second, live, cycles); p != m.percent {
		m.percent = p
		debug.SetGCPercent(p)
	}
	garbage := m.samples[2].Value.Uint64() + m.samples[3].Value.Uint64() - min(live, m.samples[2].Value.Uint64())
	if m.crowd.settled(second, connections) || m.crowd.rests(second, live, garbage) {
		debug.FreeOSMemory()
		m.trims.Add(1)
	}
}

const (
	// garbageBytesMin is what garbage may grow to at least, where as much lives: a small heap is cheap to
	// collect, and a busy one is not to be collected all the time.
	garbageBytesMin = 32 << 20
	// garbageShare is the part of a larger heap that it may grow to.
	garbageShare = 16
	// oftenSeconds is from when on collections come too close: each marks all that lives. After calmSeconds
	// without one half the room would do as well; so much more than twice oftenSeconds, lest it swing.
	oftenSeconds = 5
	calmSeconds  = 20
)

// headRoom decides how much garbage may grow beside what lives.
type headRoom struct {
	cycles uint64 // collections seen
	at     int64  // the second in which the last of them was
	calm   int64  // since when the room was larger than it need be: the last collection, or the last time it was halved
	factor uint64 // by which the room is larger, since collections come too close; 0 is 1
}

// percent is the GC percent for so many live bytes after so many collections.
func (r *headRoom) percent(second int64, live, cycles uint64) int {
	r.factor = max(r.factor, 1)
	switch collected := cycles != r.cycles; {
	case collected:
		if second-r.at < oftenSeconds {
			r.factor = min(2*r.factor, garbageShare)
		}
		r.cycles, r.at, r.calm = cycles, second, second
	case second-r.calm >= calmSeconds:
		r.factor, r.calm = max(r.factor/2, 1), second
	}
	room := max(live/garbageShare, garbageBytesMin) * r.factor
	if room >= live {
		return 100
	}
	return int(100 * room / live)
}

const (
	crowdMin     = 1000 // connections
	crowdShare   = 10   // of all connections: a tenth
	quietMin     = 10   // connections more or fewer in a quiet second
	quietShare   = 1000 // of all connections: a thousandth
	quietSeconds = 2
	trimSeconds  = 30 // between two

	// At rest, what is neither anybody's nor the system's goes too: the last of a crowd that came slowly, or what a busy
	// time has left. As often as Go collects anyway.
	restSeconds     = 20
	restTrimSeconds = 120 // between two
)

// crowd tells when a crowd of connections has come or gone, or both, and what it has left can be given back. Who
// comes while another goes uses what that one has left, so only their sum counts.
type crowd struct {
	connections int // a second ago
	quiet       int // seconds
	trimmed     int // connections when it was last told
	peak        int // the most since then: a crowd that has come and gone in between leaves as much
	trimmedAt   int64
	told        bool
}

func (c *crowd) settled(second int64, connections int) bool {
	if distance(connections, c.connections) > max(connections/quietShare, quietMin) {
		c.quiet = 0
	} else {
		c.quiet++
	}
	c.connections, c.peak = connections, max(c.peak, connections)
	moved := max(distance(connections, c.trimmed), c.peak-connections)
	if c.quiet < quietSeconds || c.told && second-c.trimmedAt < trimSeconds ||
		moved < max(c.peak/crowdShare, c.trimmed/crowdShare, crowdMin) {
		return false
	}
	c.trimmed, c.peak, c.trimmedAt, c.told = connections, connections, second, true
	return true
}

// rests tells when connections have rested for long enough for so much garbage beside so much that lives to be given
// back. It is asked after settled, in the same second.
func (c *crowd) rests(second int64, live, garbage uint64) bool {
	if c.quiet < restSeconds || c.connections < crowdMin || second-c.trimmedAt < restTrimSeconds ||
		garbage < max(live/garbageShare, garbageBytesMin/2) {
		return false
	}
	c.trimmedAt = second
	return true
}

func distance(a, b int) int { return max(a-b, b-a) }
