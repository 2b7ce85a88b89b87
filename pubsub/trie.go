package pubsub

import (
	"strings"
)

// trie keeps values by key, a topic's name or a filter, as a tree of the key's levels. It serves both ways
// round: of filters Match finds those that match a topic, of names Each finds those that a filter matches.
//
// A zero trie is empty and ready. It locks nothing: that is its owner's, and yield must not change the trie.
// Keys have TopicBytesMax bytes at most and so at most as many levels, which is why the walks recurse.
//
// What it costs: a leaf is 40 bytes in its parent, in a slice that doubles up to fewMax places or in a slot of
// a map, which is 47 to 94 bytes. A node with something below it has 48 bytes more, beside that slice or map.
type trie[V any] struct {
	root levels[V]
	size int
}

// node is what stands at one level of a key. A zero node is none: it holds nothing and leads nowhere.
type node[V any] struct {
	value V
	held  bool       // a key ends here, and value is its
	below *levels[V] // nil of a leaf
}

// Len is how many keys there are.
func (t *trie[V]) Len() int { return t.size }

// Get returns the value of just this key, without regard to wildcards.
func (t *trie[V]) Get(key string) (V, bool) {
	l := &t.root
	for {
		level, rest, more := strings.Cut(key, "/")
		n := l.get(level)
		if !more {
			return n.value, n.held
		}
		if n.below == nil {
			var zero V
			return zero, false
		}
		l, key = n.below, rest
	}
}

// Set puts the value of a key, in place of one that is there. The key, valid as a filter, is kept.
func (t *trie[V]) Set(key string, v V) {
	l := &t.root
	for {
		level, rest, more := strings.Cut(key, "/")
		n := l.get(level)
		if !more {
			if !n.held {
				t.size++
			}
			n.value, n.held = v, true
			l.put(level, n)
			return
		}
		if n.below == nil {
			n.below = new(levels[V])
			l.put(strings.Clone(level), n) // it may outlive this key by long
		}
		l, key = n.below, rest
	}
}

// Delete takes a key out, with every node that only it needed. It reports whether it was there.
func (t *trie[V]) Delete(key string) bool {
	if !t.root.delete(key) {
		return false
	}
	t.size--
	return true
}

func (l *levels[V]) delete(key string) bool {
	level, rest, more := strings.Cut(key, "/")
	n := l.get(level)
	switch {
	case !more && n.held:
		n = node[V]{below: n.below}
	case !more || n.below == nil || !n.below.delete(rest):
		return false
	case n.below.empty():
		n.below = nil
	default:
		return true // the node is as it was
	}
	l.put(level, n)
	return true
}

// Match calls yield with the value of every key that, as a filter, matches the topic, until yield returns
// false. It does not allocate, and walks no further than filters agree with the topic.
func (t *trie[V]) Match(topic string, yield func(V) bool) {
	l := &t.root
	if !Reserved(topic) {
		l.match(topic, yield)
		return
	}
	level, rest, more := strings.Cut(topic, "/") // MQTT 4.7.2: not for a wildcard in front
	n := l.get(level)
	n.match(rest, more, yield)
}

func (l *levels[V]) match(topic string, yield func(V) bool) bool {
	level, rest, more := strings.Cut(topic, "/")
	if l.rest != nil && !yield(l.rest.value) {
		return false
	}
	if l.one != nil && !l.one.match(rest, more, yield) {
		return false
	}
	n := l.get(level)
	return n.match(rest, more, yield)
}

// match goes on below a node that agrees with a level of the topic; rest follows it if there is more.
func (n *node[V]) match(rest string, more bool, yield func(V) bool) bool {
	if more {
		return n.below == nil || n.below.match(rest, yield)
	}
	if n.held && !yield(n.value) {
		return false
	}
	return n.below == nil || n.below.rest == nil || yield(n.below.rest.value) // MQTT 4.7.1.2: the parent too
}

// Each calls yield with the value of every key that, as a topic, the filter matches, in no order, until yield
// returns false. It looks only where the filter leads, at so many nodes behind wildcards, and returns at how many it did:
// one more than it may, if it did not come to the end. No key may have a wildcard.
func (t *trie[V]) Each(f Filter, looksMax int, yield func(V) bool) (looks int) {
	s := search[V]{yield: yield, looksMax: looksMax}
	t.root.each(string(f), true, &s)
	return s.looks
}

// search is one call of Each.
type search[V any] struct {
	yield    func(V) bool
	looks    int
	looksMax int
}

// each walks the nodes that a filter's next level agrees with. At the top a wildcard leaves out what is
// reserved (MQTT 4.7.2).
func (l *levels[V]) each(filter string, top bool, s *search[V]) bool {
	level, rest, more := strings.Cut(filter, "/")
	if level != "+" && level != "#" {
		n := l.get(level)
		return n.each(rest, more, s)
	}
	for name, n := range l.nodes() {
		if s.looks++; s.looks > s.looksMax {
			return false
		}
		switch {
		case top && Reserved(name):
		case level == "+" && !n.each(rest, more, s):
			return false
		case level == "#" && !n.all(s):
			return false
		}
	}
	return true
}

// each goes on below a node that agrees with a level of the filter; rest follows it if there is more.
func (n *node[V]) each(rest string, more bool, s *search[V]) bool {
	if (!more || rest == "#") && n.held && !s.yield(n.value) {
		return false
	}
	return !more || n.below == nil || n.below.each(rest, false, s)
}

// all calls yield for a node and everything below it.
func (n *node[V]) all(s *search[V]) bool {
	if n.held && !s.yield(n.value) {
		return false
	}
	return n.below == nil || n.below.each("#", false, s)
}
