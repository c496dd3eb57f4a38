package contract

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
)

// candidates are what r may be, grouped by their rules, the likeliest first.
func (c *Contract) candidates(r Request, pointers []string) [][]*sent {
	var known, possible []*sent
	for _, s := range c.sent {
		switch {
		case s.method != r.Method:
		case slices.Contains(pointers, s.Pointer):
			known = append(known, s)
		case s.path.matches(r.Path):
			possible = append(possible, s)
		}
	}
	if len(known) > 0 {
		possible = known
	}
	hints := words(r.Path + " " + r.Type)
	slices.SortStableFunc(possible, func(a, b *sent) int { return cmp.Compare(b.namedBy(hints), a.namedBy(hints)) })
	return grouped(possible)
}

// namedBy counts the words that are in the name.
func (s *sent) namedBy(words []string) int {
	name, count := strings.ToLower(s.Name), 0
	for _, word := range words {
		if strings.Contains(name, word) {
			count++
		}
	}
	return count
}

// words are those of a text that say something: order and status of "/callbacks/order-status".
func words(text string) []string {
	all := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) })
	return slices.DeleteFunc(all, func(word string) bool { return len(word) < 3 })
}

func grouped(all []*sent) [][]*sent {
	var groups [][]*sent
	place := map[string]int{}
	for _, s := range all {
		i, seen := place[s.rules]
		if !seen {
			i = len(groups)
			place[s.rules] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], s)
	}
	return groups
}
