package pubsub

import (
	"errors"
	"testing"

	truth "github.com/megawire/megawire/internal/model"
)

// plant is a fault that stands between the shards and their readers, or is done to the hub: what a server with
// that fault would show. A nil plant does nothing.
type plant struct {
	says    string
	noticed []error // one of these is what the account must say

	join  func(m *semantics, p *party, r *Request)                     // a subscription was granted
	frame func(m *semantics, p *party, a *arrival) (drop, double bool) // a frame is on its way to a reader
	sweep func(m *semantics)                                           // topics may have expired

	done int // how often it took effect
}

func (f *plant) joined(m *semantics, p *party, r *Request) {
	if f != nil && f.join != nil {
		f.join(m, p, r)
	}
}

func (f *plant) tamper(m *semantics, p *party, a arrival) []arrival {
	if f == nil || f.frame == nil {
		return []arrival{a}
	}
	switch drop, double := f.frame(m, p, &a); {
	case drop:
		f.done++
		return nil
	case double:
		f.done++
		return []arrival{a, a}
	}
	return []arrival{a}
}

func (f *plant) swept(m *semantics) {
	if f != nil && f.sweep != nil {
		f.sweep(m)
	}
}

var plants = []*plant{
	{
		says: "a message doubled at the join", noticed: []error{truth.ErrTwice},
		join: func(m *semantics, p *party, r *Request) {
			for _, name := range m.log.Topics() {
				if r.Last > 0 && truth.Match(r.Filter, name) {
					p.joins[name] = m.log.Newest(name)
				}
			}
		},
		frame: func(_ *semantics, p *party, a *arrival) (drop, double bool) {
			double = a.reason == "" && p.joins[a.Topic] == a.Seq
			if double {
				delete(p.joins, a.Topic)
			}
			return false, double
		},
	},
	{
		says: "a lost last value", noticed: []error{truth.ErrBehind},
		frame: func(m *semantics, p *party, a *arrival) (drop, double bool) {
			newest := a.reason == "" && a.Seq == m.log.Newest(a.Topic)
			return newest && !p.account.ReadsAll(a.Topic) && m.rnd.IntN(10) == 0, false
		},
	},
	{
		says: "a silent gap", noticed: []error{truth.ErrLeftOut, truth.ErrBehind},
		frame: func(_ *semantics, p *party, a *arrival) (drop, double bool) {
			return a.reason == truth.Slow && p.account.ReadsAll(a.Topic), false
		},
	},
	{
		says: "a seq reused after expiry", noticed: []error{truth.ErrNumber},
		sweep: func(m *semantics) {
			if m.hub.floor.Swap(0) > 0 {
				m.plant.done++
			}
		},
	},
	{
		says: "a double by overlapping filters", noticed: []error{truth.ErrTwice},
		frame: func(m *semantics, p *party, a *arrival) (drop, double bool) {
			matched := 0
			for filter := range p.has {
				if truth.Match(filter, a.Topic) {
					matched++
				}
			}
			return false, a.reason == "" && matched > 1 && m.rnd.IntN(20) == 0
		},
	},
}

// TestPlantedFaults shows that the account notices what it is there for.
func TestPlantedFaults(t *testing.T) {
	for _, f := range plants {
		t.Run(f.says, func(t *testing.T) {
			for seed := range semanticsSeeds() {
				err := runSemantics(t, seed+1, f)
				if err == nil {
					continue
				}
				for _, want := range f.noticed {
					if errors.Is(err, want) && f.done > 0 {
						t.Logf("seed %d, done %d times: %v", seed+1, f.done, err)
						return
					}
				}
				t.Fatalf("seed %d: %v; want %v", seed+1, err, f.noticed)
			}
			t.Fatalf("nobody noticed, though it was done %d times", f.done)
		})
	}
}
