package jpeg

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"slices"
)

// Picture is a decoded file.
type Picture struct {
	*Header
}

// decoder is what segments have defined so far.
type decoder struct {
	*Header
	quantization [4]*[64]uint16
	dc, ac       [4]*huffman
	restart      int // in units, or 0 for none
}

// Decode decodes the samples of a file. Errors are ErrDamaged, ErrUnsupported, and that
// of ctx. What follows the last scan does not matter.
func Decode(ctx context.Context, data []byte) (*Picture, error) {
	d := &decoder{Header: newHeader()}
	r := bytes.NewReader(data)
	for {
		marker, segment, err := nextSegment(r)
		cut := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		switch {
		case cut && !d.complete():
			return nil, ErrDamaged
		case cut, marker == eoi:
			return d.finish(ctx)
		case err == nil && marker == sos:
			err = d.decodeScan(ctx, segment, r, data)
		case err == nil:
			err = d.take(marker, segment)
		}
		if err != nil {
			return nil, err
		}
	}
}

// decodeScan decodes the scan that r is at the beginning of, in data.
func (d *decoder) decodeScan(ctx context.Context, segment []byte, r *bytes.Reader, data []byte) error {
	s, err := d.newScan(segment)
	if err != nil {
		return err
	}
	s.data = data[len(data)-r.Len():]
	wide, high := d.units()
	if err := s.run(ctx, d.Progressive, wide, high, d.restart); err != nil {
		return err
	}
	_, err = r.Seek(int64(s.at), io.SeekCurrent)
	return err
}

func (d *decoder) take(marker byte, segment []byte) error {
	switch marker {
	case sof0, sof1, sof2:
		if err := d.Header.take(marker, segment); err != nil {
			return err
		}
		return d.allocate()
	case dqt:
		return d.takeQuantization(segment)
	case dht:
		return d.takeHuffman(segment)
	case dri:
		if len(segment) != 2 {
			return ErrDamaged
		}
		d.restart = int(binary.BigEndian.Uint16(segment))
		return nil
	}
	return d.Header.take(marker, segment)
}

// allocate makes room for the samples, in whole blocks.
func (d *decoder) allocate() error {
	if d.Width == 0 || d.Height == 0 {
		return ErrUnsupported // the height can follow at the end; nobody writes that
	}
	maxH, maxV := d.sampling()
	wide, high := d.units()
	for i := range d.components {
		c := &d.components[i]
		c.wider, c.higher = maxH/c.h, maxV/c.v
		c.width, c.height = (d.Width*c.h+maxH-1)/maxH, (d.Height*c.v+maxV-1)/maxV
		c.blocks.wide, c.blocks.high = wide*c.h, high*c.v
		c.stride = 8 * c.blocks.wide
		c.samples = make([]byte, c.stride*8*c.blocks.high)
		if d.Progressive {
			c.coefs = make([]int16, len(c.samples))
		}
	}
	return nil
}

// units is how many units there are of blocks of all components, in each direction.
func (d *decoder) units() (wide, high int) {
	maxH, maxV := d.sampling()
	return (d.Width + 8*maxH - 1) / (8 * maxH), (d.Height + 8*maxV - 1) / (8 * maxV)
}

// takeQuantization reads tables of divisors (ITU-T T.81, B.2.4.1).
func (d *decoder) takeQuantization(segment []byte) error {
	for len(segment) > 0 {
		bytesEach, id := 1+int(segment[0]>>4), segment[0]&15
		segment = segment[1:]
		if bytesEach > 2 || id > 3 || len(segment) < 64*bytesEach {
			return ErrDamaged
		}
		var table [64]uint16
		for k := range table {
			if bytesEach == 1 {
				table[natural[k]] = uint16(segment[k])
			} else {
				table[natural[k]] = binary.BigEndian.Uint16(segment[2*k:])
			}
		}
		d.quantization[id] = &table
		segment = segment[64*bytesEach:]
	}
	return nil
}

// takeHuffman reads tables of codes (ITU-T T.81, B.2.4.2).
func (d *decoder) takeHuffman(segment []byte) error {
	for len(segment) > 0 {
		if len(segment) < 17 {
			return ErrDamaged
		}
		class, id, counts, total := segment[0]>>4, segment[0]&15, segment[1:17], 0
		for _, n := range counts {
			total += int(n)
		}
		if class > 1 || id > 3 || total > 256 || len(segment) < 17+total {
			return ErrDamaged
		}
		table := newHuffman(counts, segment[17:17+total])
		if class == 0 {
			d.dc[id] = table
		} else {
			d.ac[id] = table
		}
		segment = segment[17+total:]
	}
	return nil
}

// newScan reads what a scan has (ITU-T T.81, B.2.3).
func (d *decoder) newScan(segment []byte) (*scan, error) {
	if d.components == nil || len(segment) < 1 || len(segment) < 4+2*int(segment[0]) {
		return nil, ErrDamaged
	}
	count := int(segment[0])
	end := segment[1+2*count:]
	s := &scan{last: 63}
	if d.Progressive {
		s.first, s.last, s.high, s.low = int(end[0]), int(end[1]), int(end[2]>>4), int(end[2]&15)
	}
	if s.first > s.last || s.last > 63 || s.first > 0 && count > 1 || s.low > 13 {
		return nil, ErrDamaged
	}
	blocks := 0
	for i := range count {
		c, err := d.scanned(s, int(segment[1+2*i]), segment[2+2*i])
		if err != nil {
			return nil, err
		}
		blocks += c.h * c.v
		s.components = append(s.components, c)
	}
	if count == 0 || count > 1 && blocks > 10 {
		return nil, ErrDamaged
	}
	return s, nil
}

// scanned is a component in a scan, with its tables.
func (d *decoder) scanned(s *scan, id int, tables byte) (scanned, error) {
	i := slices.IndexFunc(d.components, func(c component) bool { return c.id == id })
	if i < 0 || tables>>4 > 3 || tables&15 > 3 {
		return scanned{}, ErrDamaged
	}
	c := &d.components[i]
	in := scanned{component: c, dc: d.dc[tables>>4], ac: d.ac[tables&15], quantum: d.quantization[c.quantization]}
	needsDC, needsAC := s.first == 0 && s.high == 0, s.last > 0 && (s.first > 0 || !d.Progressive)
	if needsDC && in.dc == nil || needsAC && in.ac == nil || !d.Progressive && in.quantum == nil {
		return scanned{}, ErrDamaged
	}
	c.seen = true
	for k := s.first; k <= s.last && s.low == 0; k++ {
		c.exact[k] = true
	}
	return in, nil
}

// complete reports whether all bits of all coefficients have come.
func (d *decoder) complete() bool {
	for _, c := range d.components {
		if slices.Contains(c.exact[:], false) {
			return false
		}
	}
	return true
}

// finish makes samples of the coefficients of a progressive picture.
func (d *decoder) finish(ctx context.Context) (*Picture, error) {
	if d.components == nil {
		return nil, ErrDamaged
	}
	for i := range d.components {
		c := &d.components[i]
		quantum := d.quantization[c.quantization]
		if !c.seen || quantum == nil {
			return nil, ErrDamaged
		}
		for block := range len(c.coefs) / 64 {
			x, y := block%c.blocks.wide, block/c.blocks.wide
			if x == 0 && ctx.Err() != nil {
				return nil, ctx.Err()
			}
			inverseDCT(c.coefs[64*block:64*block+64], quantum, c.samples[8*(y*c.stride+x):], c.stride)
		}
		c.coefs = nil
		c.pix = c.samples
	}
	return &Picture{d.Header}, nil
}

// Row writes the samples of a row of pixels: of each component Width bytes.
func (p *Picture) Row(y int, to [][]byte) {
	for i := range p.components {
		p.components[i].row(y, to[i])
	}
}

// Components is how many channels there are: 1, 3 or 4.
func (h *Header) Components() int { return len(h.components) }
