package jpeg

// lookup is how many bits of a code are looked up at once.
const lookup = 9

// huffman is a table of codes (ITU-T T.81, annex C).
type huffman struct {
	values []byte
	quick  [1 << lookup]struct{ value, length byte } // length 0: the code is longer
	last   [17]int                                   // the largest code of each length, or -1
	first  [17]int                                   // the index of a length's first value, less its code
}

// newHuffman builds a table of how many codes there are of each length, and their
// values.
func newHuffman(counts, values []byte) *huffman {
	h := &huffman{values: values}
	code, index := 0, 0
	for length := 1; length <= 16; length++ {
		h.first[length], h.last[length] = index-code, -1
		for range int(counts[length-1]) {
			if length <= lookup && code < 1<<length {
				for i := range 1 << (lookup - length) {
					e := &h.quick[code<<(lookup-length)|i]
					e.value, e.length = values[index], byte(length)
				}
			}
			h.last[length] = code
			code, index = code+1, index+1
		}
		code <<= 1
	}
	return h
}

// bits reads the coded data of a scan, up to the next marker.
type bits struct {
	data  []byte
	at    int
	acc   uint64 // the bits that are read ahead, in its lowest n
	n     int
	short bool // more was asked for than there is, or what is no code
}

func (b *bits) fill() {
	for b.n <= 48 && b.at < len(b.data) {
		v := b.data[b.at]
		if v == 0xff {
			if b.at+1 == len(b.data) || b.data[b.at+1] != 0 {
				return // a marker, or the end
			}
			b.at++
		}
		b.at++
		b.acc, b.n = b.acc<<8|uint64(v), b.n+8
	}
}

// peek returns the next 16 bits, with zeros for those that are missing.
func (b *bits) peek() int {
	if b.n < 16 {
		b.fill()
	}
	if b.n < 16 {
		return int(uint16(b.acc << (16 - b.n))) //nolint:gosec // G115: the lowest 16 are meant
	}
	return int(uint16(b.acc >> (b.n - 16))) //nolint:gosec // G115: the lowest 16 are meant
}

func (b *bits) skip(count int) {
	if b.n < count {
		b.short = true
		count = b.n
	}
	b.n -= count
}

// take returns the next bits, up to 16.
func (b *bits) take(count int) int {
	v := b.peek() >> (16 - count)
	b.skip(count)
	return v
}

// code decodes a value.
func (b *bits) code(h *huffman) byte {
	next := b.peek()
	if e := h.quick[next>>(16-lookup)]; e.length > 0 {
		b.skip(int(e.length))
		return e.value
	}
	for length := lookup + 1; length <= 16; length++ {
		if code := next >> (16 - length); code <= h.last[length] {
			if index := code + h.first[length]; index < len(h.values) {
				b.skip(length)
				return h.values[index]
			}
		}
	}
	b.short = true
	return 0
}

// signed takes a number of so many bits (ITU-T T.81, F.2.2.1).
func (b *bits) signed(count int) int {
	if count == 0 {
		return 0
	}
	v := b.take(count)
	if v < 1<<(count-1) {
		v -= 1<<count - 1
	}
	return v
}

// restart goes on after a restart marker.
func (b *bits) restart() bool {
	b.acc, b.n = 0, 0
	for b.at+1 < len(b.data) && b.data[b.at] == 0xff && b.data[b.at+1] == 0xff {
		b.at++
	}
	if b.at+1 >= len(b.data) || b.data[b.at] != 0xff || b.data[b.at+1] < rst0 || b.data[b.at+1] > rst7 {
		return false
	}
	b.at += 2
	return true
}
