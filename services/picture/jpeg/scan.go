package jpeg

import "context"

// scan is a pass over the picture, or over one of its components.
type scan struct {
	bits
	components []scanned
	// Of a progressive picture: which coefficients, and which bits of them.
	first, last, high, low int
	blocksLeft             int // in a row without anything in them (EOBRUN)
}

type scanned struct {
	*component
	dc, ac  *huffman
	before  int // the last DC coefficient
	quantum *[64]uint16
}

// run decodes the scan, with a restart after so many units.
func (s *scan) run(ctx context.Context, progressive bool, wide, high, restart int) error {
	decode := (*scan).sequential
	if progressive {
		decode = s.progression()
	}
	if s.single() { // a unit is a block, and blocks that only pad the others are left out
		wide, high = (s.components[0].width+7)/8, (s.components[0].height+7)/8
	}
	for unit := range wide * high {
		if unit%wide == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if restart > 0 && unit > 0 && unit%restart == 0 && !s.restart() {
			return ErrDamaged
		}
		s.unit(unit%wide, unit/wide, progressive, decode)
		if s.short {
			return ErrDamaged
		}
	}
	return nil
}

func (s *scan) single() bool { return len(s.components) == 1 }

// unit decodes the blocks of all components for one part of the picture.
func (s *scan) unit(x, y int, progressive bool, decode func(*scan, *scanned, []int16)) {
	for i := range s.components {
		c := &s.components[i]
		if s.single() {
			s.block(c, x, y, progressive, decode)
			continue
		}
		for j := range c.h * c.v {
			s.block(c, x*c.h+j%c.h, y*c.v+j/c.h, progressive, decode)
		}
	}
}

func (s *scan) restart() bool {
	s.blocksLeft = 0
	for i := range s.components {
		s.components[i].before = 0
	}
	return s.bits.restart()
}

func (s *scan) block(c *scanned, x, y int, progressive bool, decode func(*scan, *scanned, []int16)) {
	if progressive {
		at := 64 * (y*c.blocks.wide + x)
		decode(s, c, c.coefs[at:at+64])
		return
	}
	var coefs [64]int16
	decode(s, c, coefs[:])
	inverseDCT(coefs[:], c.quantum, c.samples[8*(y*c.stride+x):], c.stride)
}

// natural is where the coefficients are that are stored in zigzag (ITU-T T.81, figure
// A.6).
var natural = [64]byte{
	0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5,
	12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
	35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51,
	58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
}

// coefficient takes what fits: those of broken files may not.
func coefficient(v int) int16 { return int16(v) } //nolint:gosec // G115: see there

// sequential decodes a whole block (ITU-T T.81, F.2.2).
func (s *scan) sequential(c *scanned, coefs []int16) {
	c.before += s.signed(int(s.code(c.dc) & 15))
	coefs[0] = coefficient(c.before)
	for k := 1; k < 64; k++ {
		v := int(s.code(c.ac))
		if v == 0 {
			return
		}
		if k += v >> 4; k > 63 {
			s.short = true
			return
		}
		coefs[natural[k]] = coefficient(s.signed(v & 15))
	}
}

// progression is which part of a block the scan has (ITU-T T.81, G.1.2).
func (s *scan) progression() func(*scan, *scanned, []int16) {
	switch {
	case s.first == 0 && s.high == 0:
		return (*scan).dcFirst
	case s.first == 0:
		return (*scan).dcRefine
	case s.high == 0:
		return (*scan).acFirst
	}
	return (*scan).acRefine
}

func (s *scan) dcFirst(c *scanned, coefs []int16) {
	c.before += s.signed(int(s.code(c.dc) & 15))
	coefs[0] = coefficient(c.before << s.low)
}

func (s *scan) dcRefine(_ *scanned, coefs []int16) {
	coefs[0] |= coefficient(s.take(1) << s.low)
}

func (s *scan) acFirst(c *scanned, coefs []int16) {
	if s.blocksLeft > 0 {
		s.blocksLeft--
		return
	}
	for k := s.first; k <= s.last; k++ {
		v := int(s.code(c.ac))
		zeros, length := v>>4, v&15
		if length == 0 && zeros < 15 {
			s.blocksLeft = 1<<zeros + s.take(zeros) - 1
			return
		}
		if k += zeros; k > 63 {
			s.short = true
			return
		}
		if length > 0 {
			coefs[natural[k]] = coefficient(s.signed(length) << s.low)
		}
	}
}

// acRefine adds a bit to each coefficient that has some, and new ones between them.
func (s *scan) acRefine(c *scanned, coefs []int16) {
	k := s.first
	for s.blocksLeft == 0 && k <= s.last {
		v := int(s.code(c.ac))
		zeros, added := v>>4, int16(0)
		switch v & 15 {
		case 0:
			if zeros < 15 {
				s.blocksLeft = 1<<zeros + s.take(zeros)
			}
		case 1:
			added = -1 << s.low
			if s.take(1) == 1 {
				added = 1 << s.low
			}
		default:
			s.short = true
			return
		}
		if s.blocksLeft > 0 {
			break
		}
		if k = s.refine(coefs, k, zeros); k <= s.last && added != 0 {
			coefs[natural[k]] = added
		}
		k++
	}
	if s.blocksLeft > 0 {
		s.refine(coefs, k, 64)
		s.blocksLeft--
	}
}

// refine adds a bit to the coefficients that have some, until it has passed so many
// that have none, and returns where the next such is.
func (s *scan) refine(coefs []int16, k, zeros int) int {
	for ; k <= s.last; k++ {
		coef := &coefs[natural[k]]
		if *coef == 0 {
			if zeros == 0 {
				break
			}
			zeros--
			continue
		}
		if s.take(1) == 0 {
			continue
		}
		if *coef > 0 {
			*coef += 1 << s.low
		} else {
			*coef -= 1 << s.low
		}
	}
	return k
}
