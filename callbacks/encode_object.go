package callbacks

import (
	"bytes"
	"cmp"
	"math"
	"slices"
)

// member is one "name":value of an object that is being written: where it lies in the output, and the array index
// that it is named by, or notIndex.
type member struct {
	start, nameEnd, end int
	index               uint32
}

// notIndex sorts after every array index: 4294967295 is the first integer that is none.
const notIndex = math.MaxUint32

// openObject begins an object and returns the position of its first member on the stack.
func (e *encoder) openObject() int {
	e.out = append(e.out, '{')
	return len(e.members)
}

func (e *encoder) openMember(object int) {
	if len(e.members) > object {
		e.out = append(e.out, ',')
	}
	e.members = append(e.members, member{start: len(e.out)})
}

func (e *encoder) closeName() {
	m := &e.members[len(e.members)-1]
	m.nameEnd = len(e.out)
	m.index = arrayIndex(e.out[m.start+1 : m.nameEnd-1])
	e.out = append(e.out, ':')
}

func (e *encoder) closeMember() { e.members[len(e.members)-1].end = len(e.out) }

// closeObject ends the object, after bringing its members into ECMAScript's order if they are not in it already.
func (e *encoder) closeObject(object int) {
	members := e.members[object:]
	if merge := e.duplicates(members); merge || !slices.IsSortedFunc(members, byIndex) {
		begin := members[0].start
		if merge {
			members = e.merge(members)
		}
		e.rearrange(begin, members)
	}
	e.members = e.members[:object]
	e.out = append(e.out, '}')
}

func byIndex(a, b member) int { return cmp.Compare(a.index, b.index) }

func (e *encoder) memberName(m member) []byte { return e.out[m.start:m.nameEnd] }

// duplicates reports whether two members have the same name. Names are in canonical form: equal when their bytes are.
func (e *encoder) duplicates(members []member) bool {
	if len(members) > 16 {
		seen := make(map[string]struct{}, len(members))
		for _, m := range members {
			seen[string(e.memberName(m))] = struct{}{}
		}
		return len(seen) < len(members)
	}
	for i, m := range members {
		for _, other := range members[:i] {
			if bytes.Equal(e.memberName(m), e.memberName(other)) {
				return true
			}
		}
	}
	return false
}

// merge gives the first member of each name the value of the last one, and drops the others.
func (e *encoder) merge(members []member) []member {
	place := make(map[string]int, len(members))
	merged := members[:0]
	for _, m := range members {
		name := string(e.memberName(m))
		if i, seen := place[name]; seen {
			merged[i] = m
			continue
		}
		place[name] = len(merged)
		merged = append(merged, m)
	}
	return merged
}

// rearrange writes the members again from begin on: in ascending order of array index, the others after them as
// they came.
func (e *encoder) rearrange(begin int, members []member) {
	slices.SortStableFunc(members, byIndex)
	e.scratch = e.scratch[:0]
	for i, m := range members {
		if i > 0 {
			e.scratch = append(e.scratch, ',')
		}
		e.scratch = append(e.scratch, e.out[m.start:m.end]...)
	}
	e.out = append(e.out[:begin], e.scratch...)
}

// arrayIndex returns the array index that name is, in canonical decimal form (ECMA-262, array index), or notIndex.
func arrayIndex(name []byte) uint32 {
	if len(name) == 0 || len(name) > 10 || name[0] == '0' && len(name) > 1 {
		return notIndex
	}
	var n uint64
	for _, c := range name {
		if c < '0' || c > '9' {
			return notIndex
		}
		n = n*10 + uint64(c-'0')
	}
	return uint32(min(n, notIndex))
}
