package jpeg

// plane is a channel of which one sample may stand for several pixels.
type plane struct {
	pix           []byte
	stride        int   // from a sample to the one below
	width, height int   // in samples
	wider, higher int   // the pixels of a sample
	sums          []int // of a line that is interpolated
}

// row writes the pixels of a row. Those of a sample that stands for two are
// interpolated as libjpeg does it ("fancy upsampling"), and with it all browsers: a
// quarter of each is the next sample's. Others repeat it.
func (p *plane) row(y int, to []byte) {
	at := y / p.higher
	if p.wider == 1 && p.higher == 1 || p.wider > 2 || p.higher > 2 || p.wider == 2 && p.width <= 2 {
		p.repeat(at, to)
		return
	}
	if p.sums == nil {
		p.sums = make([]int, p.width)
	}
	near := p.pix[at*p.stride:][:p.width]
	if p.higher == 1 {
		for x, sample := range near {
			p.sums[x] = int(sample)
		}
		spread(to, p.sums, 1, 2, 2)
		return
	}
	next := p.pix[min(max(at-1+2*(y%2), 0), p.height-1)*p.stride:][:p.width]
	if p.wider == 1 {
		for x := range to {
			to[x] = low((3*int(near[x]) + int(next[x]) + 1 + y%2) >> 2)
		}
		return
	}
	for x := range p.sums {
		p.sums[x] = 3*int(near[x]) + int(next[x])
	}
	spread(to, p.sums, 8, 7, 4)
}

// spread makes two pixels of each sample. Rounding is the left's and the right's in
// turn, so that it evens out; a pixel's weights add up to 1<<shift.
func spread(to []byte, samples []int, left, right, shift int) {
	for x := range to {
		s := x / 2
		if x%2 == 0 {
			to[x] = low((3*samples[s] + samples[max(s-1, 0)] + left) >> shift)
		} else {
			to[x] = low((3*samples[s] + samples[min(s+1, len(samples)-1)] + right) >> shift)
		}
	}
}

// repeat writes each sample as often as it has pixels.
func (p *plane) repeat(y int, to []byte) {
	line := p.pix[y*p.stride:]
	for x := range to {
		to[x] = line[x/p.wider]
	}
}

func low(v int) byte { return byte(v & 0xff) }
