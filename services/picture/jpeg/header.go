package jpeg

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
)

// What is wrong with a file.
var (
	ErrDamaged     = errors.New("jpeg: damaged or cut off")
	ErrUnsupported = errors.New("jpeg: a feature that is not supported")
)

// Markers (ITU-T T.81, table B.1).
const (
	sof0, sof1, sof2         = 0xc0, 0xc1, 0xc2 // baseline, extended, progressive
	sofLast                  = 0xcf
	dht, dac, dqt, dri       = 0xc4, 0xcc, 0xdb, 0xdd
	rst0, rst7               = 0xd0, 0xd7
	soi, eoi, sos, temporary = 0xd8, 0xd9, 0xda, 0x01
	app0, app2, app14        = 0xe0, 0xe2, 0xee
)

// Header is what a file says before its first scan.
type Header struct {
	Width, Height int
	Progressive   bool
	components    []component
	jfif          bool
	adobe         int            // the transform of Adobe's segment, or noAdobe
	profile       map[int][]byte // the parts of a colour profile, by their numbers
}

const noAdobe = -1

// component is a channel, of which there are h×v blocks in each unit of the picture.
type component struct {
	id, h, v, quantization int
	plane
	samples []byte  // stride × as many lines as blocks need
	coefs   []int16 // of a progressive picture, 64 a block
	blocks  struct{ wide, high int }
	seen    bool     // in a scan
	exact   [64]bool // the coefficients that are complete
}

// Reader reads a file's headers.
type Reader interface {
	io.Reader
	io.ByteReader
}

// ReadHeader reads the segments up to the one with the picture's size. Errors of
// reading come back as they are.
func ReadHeader(r Reader) (*Header, error) {
	h := newHeader()
	for h.components == nil {
		marker, segment, err := nextSegment(r)
		if err != nil {
			return nil, err
		}
		if marker == eoi || marker == sos {
			return nil, ErrDamaged
		}
		if err := h.take(marker, segment); err != nil {
			return nil, err
		}
	}
	return h, nil
}

func newHeader() *Header { return &Header{adobe: noAdobe, profile: map[int][]byte{}} }

// nextSegment skips what is before the next marker, as libjpeg does, and reads what
// belongs to it.
func nextSegment(r Reader) (marker byte, segment []byte, err error) {
	for marker == 0 || marker == soi || marker == temporary || marker >= rst0 && marker <= rst7 {
		for marker != 0xff {
			if marker, err = r.ReadByte(); err != nil {
				return 0, nil, err
			}
		}
		for marker == 0xff {
			if marker, err = r.ReadByte(); err != nil {
				return 0, nil, err
			}
		}
	}
	if marker == eoi {
		return marker, nil, nil
	}
	var length [2]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return 0, nil, err
	}
	n := int(binary.BigEndian.Uint16(length[:])) - len(length)
	if n < 0 {
		return 0, nil, ErrDamaged
	}
	segment = make([]byte, n)
	_, err = io.ReadFull(r, segment)
	return marker, segment, err
}

// take takes what matters of a segment, but for the decoder's tables.
func (h *Header) take(marker byte, segment []byte) error {
	const profileHead = "ICC_PROFILE\x00"
	switch {
	case marker == sof0, marker == sof1, marker == sof2:
		h.Progressive = marker == sof2
		return h.takeFrame(segment)
	case marker > sof2 && marker <= sofLast && marker != dht: // lossless, hierarchical, arithmetic
		return ErrUnsupported
	case marker == app0:
		h.jfif = h.jfif || bytes.HasPrefix(segment, []byte("JFIF\x00"))
	case marker == app2 && bytes.HasPrefix(segment, []byte(profileHead)) && len(segment) > len(profileHead)+2:
		h.profile[int(segment[len(profileHead)])] = segment[len(profileHead)+2:]
	case marker == app14 && bytes.HasPrefix(segment, []byte("Adobe")) && len(segment) >= 12:
		h.adobe = int(segment[11])
	}
	return nil
}

// takeFrame reads the size and the components (ITU-T T.81, B.2.2).
func (h *Header) takeFrame(segment []byte) error {
	if h.components != nil || len(segment) < 6 || len(segment) < 6+3*int(segment[5]) {
		return ErrDamaged
	}
	if segment[0] != 8 { // bits a sample
		return ErrUnsupported
	}
	h.Height, h.Width = int(binary.BigEndian.Uint16(segment[1:])), int(binary.BigEndian.Uint16(segment[3:]))
	count := int(segment[5])
	if count != 1 && count != 3 && count != 4 {
		return ErrUnsupported
	}
	for i := range count {
		at := segment[6+3*i:]
		h.components = append(h.components, component{id: int(at[0]), h: int(at[1] >> 4), v: int(at[1] & 15), quantization: int(at[2])})
	}
	if count == 1 {
		h.components[0].h, h.components[0].v = 1, 1 // alone it is not sampled by anything
	}
	maxH, maxV := h.sampling()
	for _, c := range h.components {
		if c.h < 1 || c.v < 1 || c.h > 4 || c.v > 4 || c.quantization > 3 {
			return ErrDamaged
		}
		if maxH%c.h != 0 || maxV%c.v != 0 {
			return ErrUnsupported // nor by libjpeg
		}
	}
	return nil
}

// sampling is the largest of all components, in each direction.
func (h *Header) sampling() (maxH, maxV int) {
	for _, c := range h.components {
		maxH, maxV = max(maxH, c.h), max(maxV, c.v)
	}
	return maxH, maxV
}

// Memory is what decoding takes for each pixel at most, in bytes. A progressive
// picture is held as coefficients until its last scan.
func (h *Header) Memory() int {
	c := len(h.components)
	if h.Progressive {
		return 3*c + 4
	}
	return c + 4
}

// Profile is the colour profile (ICC.1:2022, B.4), or nil.
func (h *Header) Profile() []byte {
	var all []byte
	for i := range len(h.profile) {
		part, ok := h.profile[i+1]
		if !ok {
			return nil
		}
		all = append(all, part...)
	}
	return all
}

// Colors are what the components of a picture mean.
type Colors int

// All that libjpeg knows.
const (
	Gray Colors = iota
	RGB
	YCbCr
	CMYK
	YCCK // CMYK, with its colours as YCbCr
)

// Colors says what the components are. The format leaves it open: it is as libjpeg
// finds it, and so all browsers.
func (h *Header) Colors() Colors {
	c := h.components
	switch {
	case len(c) == 1:
		return Gray
	case len(c) == 4 && h.adobe == 2:
		return YCCK
	case len(c) == 4:
		return CMYK
	case h.jfif:
		return YCbCr
	case h.adobe == 0, h.adobe == noAdobe && c[0].id == 'R' && c[1].id == 'G' && c[2].id == 'B':
		return RGB
	}
	return YCbCr
}
