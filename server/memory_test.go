package server

import (
	"runtime/debug"
	"slices"
	"testing"
)

func TestHeadRoom(t *testing.T) {
	const mb = 1 << 20
	for _, c := range []struct {
		what string
		live uint64
		want int
	}{
		{"before the first collection", 0, 100},
		{"a small heap: as much as lives", 5 * mb, 100},
		{"the last heap of which garbage may be as large", garbageBytesMin, 100},
		{"a middling heap: the least room", 128 * mb, 25},
		{"from here on a share", garbageShare * garbageBytesMin, 6},
		{"a large heap", 4096 * mb, 6},
	} {
		r := headRoom{at: -oftenSeconds}
		if got := r.percent(0, c.live, 0); got != c.want {
			t.Errorf("%s: %d, want %d", c.what, got, c.want)
		}
	}
}

func TestHeadRoomGrowsWhereCollectionsComeTooClose(t *testing.T) {
	const live = 1 << 30
	r := headRoom{at: -oftenSeconds}
	for _, step := range []struct {
		second int64
		cycles uint64
		want   int
	}{
		{0, 0, 6},
		{10, 1, 6},
		{12, 2, 12},
		{13, 2, 12},
		{14, 5, 25},
		{15, 6, 50},
		{16, 7, 100},
		{17, 8, 100},
		{36, 8, 100},
		{37, 8, 50},
		{56, 8, 50},
		{57, 8, 25},
		{60, 9, 25}, // the first after long
		{64, 10, 50},
		{200, 11, 50},
	} {
		if got := r.percent(step.second, live, step.cycles); got != step.want {
			t.Errorf("second %d, %d collections: %d, want %d", step.second, step.cycles, got, step.want)
		}
	}
}

// TestHeadRoomSettles: whatever the garbage, the percent stops changing, and a server with more of it is
// collected about as often at least.
func TestHeadRoomSettles(t *testing.T) {
	const live, minutes = 4 << 30, 10
	last := 0
	for _, perSecond := range []uint64{10 << 20, 50 << 20, 100 << 20, 300 << 20, 500 << 20, 700 << 20, 1 << 30, 2 << 30} {
		var r headRoom
		garbage, cycles, changes, collections := uint64(0), uint64(0), 0, 0
		percent := r.percent(0, live, 0)
		for second := int64(1); second <= 60*minutes; second++ {
			for garbage += perSecond; garbage >= live*uint64(percent)/100; cycles++ {
				garbage -= live * uint64(percent) / 100
				if second > 60 {
					collections++
				}
			}
			p := r.percent(second, live, cycles)
			if p != percent && second > 60 {
				changes++
			}
			percent = p
		}
		if changes > 4 {
			t.Errorf("%d MiB a second: the percent changed %d times", perSecond>>20, changes)
		}
		if 2*collections < last {
			t.Errorf("%d MiB a second: %d collections, but for less garbage %d", perSecond>>20, collections, last)
		}
		last = max(last, collections)
	}
}

func TestCrowdSettles(t *testing.T) {
	steady := func(n, seconds int) (all []int) {
		for range seconds {
			all = append(all, n)
		}
		return all
	}
	for _, c := range []struct {
		what        string
		connections []int // by second
		want        []int // the seconds in which it has settled
	}{
		{"nobody", steady(0, 100), nil},
		{"too few to matter", append([]int{500}, steady(999, 100)...), nil},
		{"a crowd comes", append([]int{4000, 9000}, steady(15000, 100)...), []int{4}},
		{"and some of it goes, within its tenth", append(append([]int{}, steady(15000, 50)...), steady(13600, 50)...), []int{2}},
		{"and goes", append(steady(15000, 50), steady(0, 100)...), []int{2, 52}},
		{"and goes at once: not so soon again", append(steady(15000, 5), steady(0, 100)...), []int{2, 32}},
		{"and goes before it was quiet", append([]int{200, 200, 200, 3000, 6200, 3000}, steady(200, 100)...), []int{8}},
		{"it comes on and on", growing(1500, 100), nil},
		{"it grows by a trickle", growing(10, 120), []int{99}},
	} {
		var crowd crowd
		var got []int
		for second, n := range c.connections {
			if crowd.settled(int64(second), n) {
				got = append(got, second)
			}
		}
		if len(got) != len(c.want) || len(got) > 0 && got[0] != c.want[0] || len(got) > 1 && got[1] != c.want[1] {
			t.Errorf("%s: settled in seconds %v, want %v", c.what, got, c.want)
		}
	}
}

// growing is by so many connections a second.
func growing(by, seconds int) (all []int) {
	for second := range seconds {
		all = append(all, by*(second+1))
	}
	return all
}

func TestCrowdRests(t *testing.T) {
	for _, c := range []struct {
		what          string
		connections   int
		live, garbage uint64
		want          []int64 // the seconds in which garbage is given back
	}{
		{"much garbage", 2000, 64 << 20, 16 << 20, []int64{120, 240}},
		{"little of it", 2000, 64 << 20, 16<<20 - 1, nil},
		{"little beside what lives", 2000, 1 << 30, 64<<20 - 1, nil},
		{"nobody to speak of", 999, 64 << 20, 1 << 30, nil},
	} {
		var crowd crowd
		var got []int64
		for second := range int64(300) {
			n := c.connections
			if second < 50 {
				n += int(second) * 1000 // no rest before that
			}
			crowd.trimmed, crowd.peak = n, n // crowds as such are not what this is about
			crowd.settled(second, n)
			if crowd.rests(second, c.live, c.garbage) {
				got = append(got, second)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: given back in seconds %v, want %v", c.what, got, c.want)
		}
	}
}

func TestMemoryIsLeftToAnOperatorWhoSetsIt(t *testing.T) {
	const theirPercent, theirLimit = 171, 3 * gib
	percentBefore, limitBefore := debug.SetGCPercent(theirPercent), debug.SetMemoryLimit(theirLimit)
	defer func() { debug.SetGCPercent(percentBefore); debug.SetMemoryLimit(limitBefore) }()
	percent := func() int {
		p := debug.SetGCPercent(theirPercent)
		debug.SetGCPercent(p)
		return p
	}
	const ourLimit = 2*gib/100*90 - programBytes
	for _, c := range []struct {
		says, gogc, limit string
		tends             bool
		wantPercent       int
		wantLimit         int64
	}{
		{"nothing is set", "", "", true, 100, ourLimit},
		{"GOGC is", "200", "", false, theirPercent, ourLimit},
		{"GOMEMLIMIT is", "", "1GiB", false, theirPercent, theirLimit},
		{"both are", "off", "1GiB", false, theirPercent, theirLimit},
	} {
		t.Setenv("GOGC", c.gogc)
		t.Setenv("GOMEMLIMIT", c.limit)
		if got := !operatorsMemory(); got != c.tends {
			t.Errorf("%s: the server tends it: %v", c.says, got)
		}
		m := newMemory(2*gib, func() uint64 { return 0 })
		undo := m.takeOver(c.tends)
		if p, l := percent(), debug.SetMemoryLimit(-1); p != c.wantPercent || l != c.wantLimit {
			t.Errorf("%s: %d percent, a limit of %d; want %d and %d", c.says, p, l, c.wantPercent, c.wantLimit)
		}
		undo()
		if p, l := percent(), debug.SetMemoryLimit(-1); p != theirPercent || l != theirLimit {
			t.Errorf("%s: %d percent and a limit of %d are left behind", c.says, p, l)
		}
	}
}

func TestMemoryIsGivenBackAfterACrowd(t *testing.T) {
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)
	m := newMemory(gib, func() uint64 { return 0 })
	for second := range int64(10) {
		m.look(second, 5000)
	}
	if n := m.trims.Load(); n != 1 {
		t.Errorf("given back %d times", n)
	}
}
