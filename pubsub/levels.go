package pubsub

import (
	"iter"
	"slices"
)

// levels are the nodes below one, by the text of their level.
type levels[V any] struct {
	few  []named[V]         // while there are no more than fewMax, in no order
	many map[string]node[V] // and when there are; nil before
	one  *node[V]           // "+"
	rest *node[V]           // "#"
}

type named[V any] struct {
	level string
	node[V]
}

// fewMax is up to how many nodes are looked through one by one: for so few that is no slower than hashing.
const fewMax = 8

// nodes are those of levels without wildcards.
func (l *levels[V]) nodes() iter.Seq2[string, node[V]] {
	return func(yield func(string, node[V]) bool) {
		for i := range l.few {
			if !yield(l.few[i].level, l.few[i].node) {
				return
			}
		}
		for level, n := range l.many {
			if !yield(level, n) {
				return
			}
		}
	}
}

// wild is where the node of a wildcard stands, nil for other levels.
func (l *levels[V]) wild(level string) **node[V] {
	switch level {
	case "+":
		return &l.one
	case "#":
		return &l.rest
	}
	return nil
}

// get returns the node of a level, a zero one if there is none.
func (l *levels[V]) get(level string) (n node[V]) {
	if w := l.wild(level); w != nil {
		if *w != nil {
			n = **w
		}
		return n
	}
	if l.many != nil {
		return l.many[level]
	}
	if i := l.find(level); i >= 0 {
		n = l.few[i].node
	}
	return n
}

func (l *levels[V]) find(level string) int {
	for i := range l.few {
		if l.few[i].level == level {
			return i
		}
	}
	return -1
}

// put sets the node of a level; a zero one removes the one that is there.
func (l *levels[V]) put(level string, n node[V]) {
	none := !n.held && n.below == nil
	switch w := l.wild(level); {
	case w != nil && none:
		*w = nil
	case w != nil:
		kept := n
		*w = &kept
	case none:
		l.remove(level)
	case l.many != nil:
		l.many[level] = n
	default:
		l.putFew(level, n)
	}
}

func (l *levels[V]) putFew(level string, n node[V]) {
	if i := l.find(level); i >= 0 {
		l.few[i].node = n
		return
	}
	if len(l.few) < fewMax {
		l.few = append(l.few, named[V]{level, n})
		return
	}
	l.many = make(map[string]node[V], 2*fewMax)
	for i := range l.few {
		l.many[l.few[i].level] = l.few[i].node
	}
	l.few, l.many[level] = nil, n
}

func (l *levels[V]) remove(level string) {
	if l.many == nil {
		i := l.find(level)
		if l.few = slices.Delete(l.few, i, i+1); len(l.few) == 0 {
			l.few = nil
		}
		return
	}
	delete(l.many, level)
	if len(l.many) > fewMax/2 { // half, so that it does not go to and fro
		return
	}
	for level, n := range l.many {
		l.few = append(l.few, named[V]{level, n})
	}
	l.many = nil
}

func (l *levels[V]) empty() bool {
	return len(l.few) == 0 && l.many == nil && l.one == nil && l.rest == nil
}
