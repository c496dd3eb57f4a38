package picture

import (
	"bytes"
	"compress/lzw"
	"context"
	"encoding/binary"
	"image"
	"image/color"
	"io"
)

// gifFrame is the first frame of a GIF (GIF89a, sections 18 to 22), and where it is.
type gifFrame struct {
	screen      image.Point
	at          image.Rectangle
	colors      [256]color.NRGBA
	transparent int // an index, or -1
	interlaced  bool
}

// size is that of the picture: the screen, and what of the frame is beyond it, which
// browsers show. Some files have no screen.
func (f *gifFrame) size() image.Point {
	return image.Pt(max(f.screen.X, f.at.Max.X), max(f.screen.Y, f.at.Max.Y))
}

// readGIFFrame reads up to the first frame's pixels.
func readGIFFrame(r segmentReader) (gifFrame, error) {
	f := gifFrame{transparent: -1}
	f.blacken()
	var head [13]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return f, err
	}
	f.screen = image.Pt(int(binary.LittleEndian.Uint16(head[6:])), int(binary.LittleEndian.Uint16(head[8:])))
	if err := f.readColors(r, head[10]); err != nil {
		return f, err
	}
	for {
		block, err := r.ReadByte()
		if err != nil {
			return f, err
		}
		switch block {
		case ',':
			return f, f.readDescriptor(r)
		case '!':
			if err := f.readExtension(r); err != nil {
				return f, err
			}
		default:
			return f, errDamaged
		}
	}
}

// readColors reads a colour table, if the flags say that there is one.
func (f *gifFrame) readColors(r io.Reader, flags byte) error {
	if flags&0x80 == 0 {
		return nil
	}
	table := make([]byte, 3<<(flags&7+1))
	if _, err := io.ReadFull(r, table); err != nil {
		return err
	}
	f.blacken()
	for i := range len(table) / 3 {
		f.colors[i] = color.NRGBA{R: table[3*i], G: table[3*i+1], B: table[3*i+2], A: 255}
	}
	return nil
}

// blacken makes all colours black, which those are that no table has.
func (f *gifFrame) blacken() {
	for i := range f.colors {
		f.colors[i] = color.NRGBA{A: 255}
	}
}

func (f *gifFrame) readExtension(r segmentReader) error {
	label, err := r.ReadByte()
	if err != nil {
		return err
	}
	blocks := &gifBlocks{r: r}
	content := make([]byte, 4)
	n, err := io.ReadFull(blocks, content)
	const graphicControl = 0xf9
	if err == nil && n == 4 && label == graphicControl && content[0]&1 != 0 {
		f.transparent = int(content[3])
	}
	return blocks.skip()
}

func (f *gifFrame) readDescriptor(r io.Reader) error {
	var d [9]byte
	if _, err := io.ReadFull(r, d[:]); err != nil {
		return err
	}
	number := func(at int) int { return int(binary.LittleEndian.Uint16(d[at:])) }
	f.at = image.Rect(number(0), number(2), number(0)+number(4), number(2)+number(6))
	f.interlaced = d[8]&0x40 != 0
	if err := f.readColors(r, d[8]); err != nil {
		return err
	}
	if f.transparent >= 0 {
		f.colors[f.transparent] = color.NRGBA{}
	}
	return nil
}

// gifBlocks reads the data in blocks of up to 255 bytes, each after its length.
type gifBlocks struct {
	r    segmentReader
	left int
	end  bool
}

func (b *gifBlocks) Read(p []byte) (int, error) {
	if b.left == 0 && !b.end {
		length, err := b.r.ReadByte()
		if err != nil {
			return 0, err
		}
		b.left, b.end = int(length), length == 0
	}
	if b.end {
		return 0, io.EOF
	}
	n, err := b.r.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// ReadByte is for package lzw, which would read ahead.
func (b *gifBlocks) ReadByte() (byte, error) {
	var one [1]byte
	_, err := io.ReadFull(b, one[:])
	return one[0], err
}

func (b *gifBlocks) skip() error {
	_, err := io.Copy(io.Discard, onlyReader{b})
	return err
}

type onlyReader struct{ io.Reader }

func measureGIF(r segmentReader) (size, error) {
	f, err := readGIFFrame(r)
	if err != nil {
		return size{}, err
	}
	return size{width: f.size().X, height: f.size().Y, perPixel: 5}, nil
}

// decodeGIF decodes the first frame, which may cover only a part of the picture.
// Package image/gif refuses frames that are not within the screen.
func decodeGIF(ctx context.Context, data []byte) (raster, error) {
	r := bytes.NewReader(data)
	f, err := readGIFFrame(r)
	if err != nil {
		return raster{}, err
	}
	width, err := r.ReadByte() // of a code
	if err != nil {
		return raster{}, err
	}
	if width < 2 || width > 8 {
		return raster{}, errDamaged
	}
	pixels := make([]byte, f.at.Dx()*f.at.Dy())
	codes := lzw.NewReader(&gifBlocks{r: r}, lzw.LSB, int(width))
	defer codes.Close()
	if _, err := io.ReadFull(boundedReader{ctx, codes}, pixels); err != nil {
		return raster{}, err
	}
	whole := image.NewNRGBA(image.Rectangle{Max: f.size()})
	for i, y := range f.lines() {
		from := pixels[i*f.at.Dx() : (i+1)*f.at.Dx()]
		at := whole.PixOffset(f.at.Min.X, f.at.Min.Y+y)
		lookUp(whole.Pix[at:at+4*len(from)], from, f.colors)
	}
	return raster{picture: whole}, nil
}

// lines is in which order a frame's lines are stored (GIF89a, appendix E).
func (f *gifFrame) lines() []int {
	var order []int
	passes := [][2]int{{0, 1}}
	if f.interlaced {
		passes = [][2]int{{0, 8}, {4, 8}, {2, 4}, {1, 2}}
	}
	for _, pass := range passes {
		for y := pass[0]; y < f.at.Dy(); y += pass[1] {
			order = append(order, y)
		}
	}
	return order
}
