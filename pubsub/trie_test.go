package pubsub

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// matches is what Match finds, sorted.
func (t *trie[V]) matches(topic string) (found []V) {
	t.Match(topic, func(v V) bool { found = append(found, v); return true })
	return found
}

// each is what Each finds.
func (t *trie[V]) each(f Filter) (found []V) {
	t.Each(f, math.MaxInt, func(v V) bool { found = append(found, v); return true })
	return found
}

// TestTrieRules holds both directions against the table of MQTT's rules, alone and among other keys.
func TestTrieRules(t *testing.T) {
	for _, among := range [][]string{nil, {"other", "a/b/c/d", "$x/y", "/"}} {
		for _, c := range matchRules {
			var filters, names trie[string]
			for _, key := range among {
				filters.Set(key, "other")
				names.Set(key, "other")
			}
			filters.Set(c.filter, "it")
			names.Set(c.topic, "it")
			if got := slices.Contains(filters.matches(c.topic), "it"); got != c.want {
				t.Errorf("among %d filters %q matches %q: %v: %s", len(among), c.filter, c.topic, got, c.why)
			}
			if got := slices.Contains(names.each(Filter(c.filter)), "it"); got != c.want {
				t.Errorf("among %d names %q matches %q: %v: %s", len(among), c.filter, c.topic, got, c.why)
			}
		}
	}
}

func TestTrieKeys(t *testing.T) {
	var tr trie[int]
	keys := []string{"a", "a/b", "a/b/c", "", "/", "//", "a/", "+", "#", "a/+", "a/#", "a/+/c", "+/+/#", "$s/x"}
	for i, key := range keys {
		if tr.Delete(key) {
			t.Errorf("%q was deleted before it was there", key)
		}
		tr.Set(key, -1)
		tr.Set(key, i)
	}
	if tr.Len() != len(keys) {
		t.Errorf("%d keys, %d were set", tr.Len(), len(keys))
	}
	for _, other := range []string{"b", "a/b/", "a/b/c/d", "+/+", "$s", "a//"} {
		if v, ok := tr.Get(other); ok || tr.Delete(other) {
			t.Errorf("%q has the value %d, and was not set", other, v)
		}
	}
	for i, key := range keys {
		if v, ok := tr.Get(key); !ok || v != i {
			t.Errorf("%q has %d, %v; %d was set", key, v, ok, i)
		}
		if !tr.Delete(key) {
			t.Errorf("%q was not there", key)
		}
		if _, ok := tr.Get(key); ok {
			t.Errorf("%q is still there", key)
		}
	}
	if !reflect.ValueOf(tr).IsZero() {
		t.Errorf("of an empty trie is left: %+v", tr)
	}
}

// TestTrieStops: yield's false is the last that it is asked.
func TestTrieStops(t *testing.T) {
	var filters, names trie[string]
	for _, f := range []string{"#", "+/b", "a/#", "a/b", "a/b/#", "a/+"} {
		filters.Set(f, f)
	}
	for i := range 40 {
		names.Set(fmt.Sprintf("a/%d", i/4), "name")
		names.Set(fmt.Sprintf("a/%d/%d", i/4, i), "name")
	}
	all := len(filters.matches("a/b"))
	for most := 1; most <= all; most++ {
		n := 0
		filters.Match("a/b", func(string) bool { n++; return n < most })
		if n != most {
			t.Errorf("Match went on to %d after %d of %d", n, most, all)
		}
	}
	for _, f := range []Filter{"#", "a/#", "a/+", "+/+/+", "a/+/#"} {
		all := len(names.each(f))
		for most := 1; most <= all; most++ {
			n := 0
			names.Each(f, math.MaxInt, func(string) bool { n++; return n < most })
			if n != most {
				t.Errorf("Each of %q went on to %d after %d of %d", f, n, most, all)
			}
		}
	}
}

// TestTrieLooks: it costs the nodes behind a wildcard, and none where there is none.
func TestTrieLooks(t *testing.T) {
	var names trie[int]
	for i := range 100 {
		names.Set(fmt.Sprintf("a/b/%d/c", i), i)
	}
	for _, c := range []struct {
		filter Filter
		looks  int
	}{
		{"a/b/7/c", 0}, {"a/b/7/+", 1}, {"a/b/7/#", 1}, {"a/b/+/x", 100}, {"a/b/+/c", 100}, {"a/b/#", 200}, {"#", 202},
	} {
		if looks := names.Each(c.filter, math.MaxInt, func(int) bool { return true }); looks != c.looks {
			t.Errorf("%q looked at %d nodes, want %d", c.filter, looks, c.looks)
		}
	}
}

// randomKey is a topic, or with wildcards a filter, of up to five levels out of some twenty.
func randomKey(r *rand.Rand, wildcards bool) string {
	levels := make([]string, 1+r.IntN(5))
	for i := range levels {
		switch n := r.IntN(24); {
		case wildcards && n < 6:
			levels[i] = "+"
		case wildcards && n < 9 && i == len(levels)-1:
			levels[i] = "#"
		case n < 12:
			levels[i] = "a"
		case n == 12:
			levels[i] = ""
		case n == 13:
			levels[i] = "$s"
		default:
			levels[i] = string(rune('a' + r.IntN(20)))
		}
	}
	if key := strings.Join(levels, "/"); key != "" {
		return key
	}
	return "/"
}

// TestTrieAgainstMatch holds a trie in either direction against a map of the same keys and Filter.Match.
func TestTrieAgainstMatch(t *testing.T) {
	for _, filters := range []bool{true, false} {
		seed := rand.Uint64()
		r := rand.New(rand.NewPCG(seed, 0))
		var tr trie[string]
		model := make(map[string]bool)
		for step := range 20_000 {
			key := randomKey(r, filters)
			if was := model[key]; step%4000 < 2500 { // it grows and it shrinks
				tr.Set(key, key)
				model[key] = true
			} else if delete(model, key); tr.Delete(key) != was {
				t.Fatalf("seed %d: step %d: Delete(%q), was there: %v", seed, step, key, was)
			}
			if _, ok := tr.Get(key); ok != model[key] || tr.Len() != len(model) {
				t.Fatalf("seed %d: step %d: %q is there: %v; %d keys of %d", seed, step, key, ok, tr.Len(), len(model))
			}
			if step%20 != 0 {
				continue
			}
			var got, want []string
			other := randomKey(r, !filters)
			for key := range model {
				if filters && Filter(key).Match(other) || !filters && Filter(other).Match(key) {
					want = append(want, key)
				}
			}
			if filters {
				got = tr.matches(other)
			} else {
				got = tr.each(Filter(other))
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Fatalf("seed %d: step %d: filters %v: for %q\ngot  %q\nwant %q", seed, step, filters, other, got, want)
			}
		}
		for key := range model {
			tr.Delete(key)
		}
		if !reflect.ValueOf(tr).IsZero() {
			t.Errorf("seed %d: of an empty trie is left: %+v", seed, tr)
		}
	}
}

// someFilters are n filters of the sort that devices and desks have.
func someFilters(n int) *trie[int] {
	tr := new(trie[int])
	for i := range n {
		switch i % 4 {
		case 0:
			tr.Set(fmt.Sprintf("device/%d/#", i), i)
		case 1:
			tr.Set(fmt.Sprintf("device/%d/+/temperature", i), i)
		case 2:
			tr.Set(fmt.Sprintf("+/%d/state", i), i)
		default:
			tr.Set(fmt.Sprintf("ticker/%d", i), i)
		}
	}
	return tr
}

func TestTrieMatchDoesNotAllocate(t *testing.T) {
	tr, found := someFilters(1000), 0
	for _, topic := range []string{"device/4/sensor/temperature", "device/8/state", "a/6/state", "$sys/x"} {
		n := testing.AllocsPerRun(100, func() { tr.Match(topic, func(int) bool { found++; return true }) })
		if n != 0 {
			t.Errorf("Match(%q) allocates %v times", topic, n)
		}
	}
	if found == 0 {
		t.Error("nothing matched")
	}
}

// TestTrieBytes bounds what a name costs beside its own bytes, as a leaf among many and below a node of its own.
func TestTrieBytes(t *testing.T) {
	const names = 100_000
	for _, c := range []struct {
		format   string
		bytesMax float64
	}{
		{"ticker/%d", 95},
		{"device/%d/state", 95 + 48 + 48 + 8}, // levels, a slice of one, the text of the level
	} {
		keys := make([]string, names)
		for i := range keys {
			keys[i] = fmt.Sprintf(c.format, i)
		}
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		var tr trie[*int]
		for _, key := range keys {
			tr.Set(key, nil)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		each := float64(after.HeapAlloc-before.HeapAlloc) / names
		t.Logf("%s: %.1f bytes a name", c.format, each)
		if each > c.bytesMax {
			t.Errorf("%s: %.1f bytes a name, at most %.0f are meant", c.format, each, c.bytesMax)
		}
		runtime.KeepAlive(tr)
		runtime.KeepAlive(keys)
	}
}

func BenchmarkTrieMatch(b *testing.B) {
	tr := someFilters(100_000)
	for _, topic := range []string{"device/4000/sensor/temperature", "device/4002/state", "ticker/5", "$sys/heartbeat"} {
		b.Run(topic, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				tr.Match(topic, func(int) bool { return true })
			}
		})
	}
}

func BenchmarkTrieEach(b *testing.B) {
	const names = 1_000_000
	tr := new(trie[int])
	for i := range names {
		tr.Set(fmt.Sprintf("device/%d/%d", i/10, i%10), i)
	}
	for _, f := range []Filter{"device/777/3", "device/777/+", "device/777/#", "device/+/3", "+/777/3", "device/#"} {
		b.Run(string(f), func(b *testing.B) {
			b.ReportAllocs()
			found := 0
			for b.Loop() {
				tr.Each(f, math.MaxInt, func(int) bool { found++; return true })
			}
			b.ReportMetric(float64(found)/float64(b.N), "names/op")
		})
	}
}

func BenchmarkTrieSetDelete(b *testing.B) {
	tr := someFilters(100_000)
	b.ReportAllocs()
	for b.Loop() {
		tr.Set("device/4000/sensor/+", 1)
		tr.Delete("device/4000/sensor/+")
	}
}

// TestTrieGetOfLongerKey: a key that is not held has no value, not that of the one it begins with.
func TestTrieGetOfLongerKey(t *testing.T) {
	var tr trie[int]
	tr.Set("+/1", 7)
	if v, ok := tr.Get("+/1/#"); ok || v != 0 {
		t.Errorf("got %d, %v", v, ok)
	}
}
