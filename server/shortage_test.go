package server

import "testing"

func TestShortage(t *testing.T) {
	type second struct {
		at, used uint64 // after memory was given back, if it was
		freed    uint64 // by closing, in the look before

		givesBack, refusing bool
		excess              uint64
	}
	for _, c := range []struct {
		says    string
		seconds []second
	}{
		{"a healthy server, even at the mark", []second{{at: 0, used: 10}, {at: 1, used: 999}, {at: 2, used: 1000}, {at: 3, used: 1000}, {at: 4, used: 1000}}},
		{"above it newcomers are refused at once, and the third look closes", []second{
			{at: 0, used: 1001, givesBack: true, refusing: true},
			{at: 1, used: 1001, refusing: true},
			{at: 2, used: 1001, refusing: true, excess: 51},
		}},
		{"once below the mark newcomers wait for some room", []second{
			{at: 0, used: 1100, givesBack: true, refusing: true},
			{at: 1, used: 1000, refusing: true},
			{at: 2, used: 949},
			{at: 3, used: 1000},
		}},
		{"which is made if it does not come by itself", []second{
			{at: 0, used: 1100, givesBack: true, refusing: true},
			{at: 1, used: 1000, refusing: true},
			{at: 2, used: 1000, refusing: true, excess: 50},
			{at: 3, used: 951, refusing: true, excess: 1},
			{at: 4, used: 950, refusing: true},
			{at: 5, used: 949},
		}},
		{"a shortage that has ended begins anew", []second{
			{at: 0, used: 1001, givesBack: true, refusing: true},
			{at: 1, used: 1001, refusing: true},
			{at: 2, used: 949},
			{at: 3, used: 1001, refusing: true},
			{at: 4, used: 1001, refusing: true},
			{at: 5, used: 1001, refusing: true, excess: 51},
		}},
		{"what was set free is not asked for again until it would show", []second{
			{at: 0, used: 1100, givesBack: true, refusing: true},
			{at: 1, used: 1100, refusing: true},
			{at: 2, used: 1100, refusing: true, excess: 150},
			{at: 3, used: 1100, freed: 100, refusing: true, excess: 50},
			{at: 4, used: 1100, freed: 50, refusing: true},
			{at: 5, used: 1200, refusing: true, excess: 100},
			{at: 6, used: 1200, freed: 100, refusing: true},
			{at: 9, used: 1200, refusing: true},
			{at: 10, used: 1200, givesBack: true, refusing: true, excess: 250},
		}},
		{"once it shows it is nothing that is still to come", []second{
			{at: 0, used: 1200, givesBack: true, refusing: true},
			{at: 1, used: 1200, refusing: true},
			{at: 2, used: 1200, refusing: true, excess: 250},
			{at: 3, used: 1140, freed: 100, refusing: true, excess: 150},
			{at: 4, used: 1100, refusing: true, excess: 150},
			{at: 5, used: 1060, freed: 150, refusing: true},
			{at: 6, used: 980, refusing: true},
			{at: 7, used: 949},
		}},
		{"memory is given back every ten seconds while it lasts", []second{
			{at: 5, used: 1001, givesBack: true, refusing: true},
			{at: 6, used: 990, refusing: true},
			{at: 7, used: 949},
			{at: 14, used: 1001, refusing: true},
			{at: 15, used: 949, givesBack: true},
			{at: 25, used: 1000},
			{at: 40, used: 1001, givesBack: true, refusing: true},
			{at: 50, used: 960, givesBack: true, refusing: true},
		}},
		{"once there is room nothing is remembered", []second{
			{at: 0, used: 1100, givesBack: true, refusing: true},
			{at: 1, used: 1100, refusing: true},
			{at: 2, used: 1100, refusing: true, excess: 150},
			{at: 3, used: 900, freed: 150},
			{at: 4, used: 1100, refusing: true},
			{at: 5, used: 1100, refusing: true},
			{at: 6, used: 1100, refusing: true, excess: 150},
		}},
	} {
		s := shortage{mark: 1000}
		for _, w := range c.seconds {
			s.closed += w.freed
			before := w.used
			if w.givesBack {
				before = max(before, 1001) // what it is that is given back was there before
			}
			givesBack := s.givesBack(int64(w.at), before)
			excess := s.look(w.used)
			if givesBack != w.givesBack || s.refusing != w.refusing || excess != w.excess {
				t.Errorf("%s: second %d, %d used: gives back %v, refusing %v, %d too many; want %v, %v, %d",
					c.says, w.at, w.used, givesBack, s.refusing, excess, w.givesBack, w.refusing, w.excess)
			}
		}
	}
}

func TestGoLimit(t *testing.T) {
	for mark, want := range map[uint64]int64{
		1: 16 << 20, 96 << 20: (96<<20)/100*90 - 16<<20, 100 * gib: 90*gib - 16<<20, 1 << 62: (1<<62)/100*90 - 16<<20,
	} {
		if got := (&shortage{mark: mark}).goLimit(); got != want {
			t.Errorf("mark %d: %d, want %d", mark, got, want)
		}
	}
}
