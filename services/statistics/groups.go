package statistics

import (
	"cmp"
	"slices"
)

// maxGroups is how many groups of one kind a report tells apart: it bounds what
// a report needs of memory, and what a reader needs of patience.
const maxGroups = 10_000

// groups counts by a key. What comes after maxGroups keys goes to one group for
// all others.
type groups[K comparable, T any] struct {
	byKey  map[K]*T
	others *T // nil if there are none
}

func newGroups[K comparable, T any]() *groups[K, T] { return &groups[K, T]{byKey: map[K]*T{}} }

// at is where to count for a key.
func (g *groups[K, T]) at(key K) *T {
	if found, ok := g.byKey[key]; ok {
		return found
	}
	if len(g.byKey) < maxGroups {
		g.byKey[key] = new(T)
		return g.byKey[key]
	}
	if g.others == nil {
		g.others = new(T)
	}
	return g.others
}

// group is a key and what was counted for it.
type group[K comparable, T any] struct {
	key   K
	value *T
}

// sorted lists the groups in an order; others are not among them.
func (g *groups[K, T]) sorted(compare func(a, b group[K, T]) int) []group[K, T] {
	all := make([]group[K, T], 0, len(g.byKey))
	for key, value := range g.byKey {
		all = append(all, group[K, T]{key, value})
	}
	slices.SortFunc(all, compare)
	return all
}

// descending compares so that the larger comes first.
func descending[T cmp.Ordered](a, b T) int { return cmp.Compare(b, a) }
