package picture

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/zlib"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"io"
	"slices"
)

const pngSignature = "\x89PNG\r\n\x1a\n"

// Types of colour (PNG, section 11.2.1).
const (
	pngGray, pngRGB, pngPalette, pngGrayAlpha, pngRGBA = 0, 2, 3, 4, 6
)

// measurePNG reads the header, which is the first chunk, and its checks.
func measurePNG(r segmentReader) (size, error) {
	head := make([]byte, len(pngSignature)+25)
	if _, err := io.ReadFull(r, head); err != nil {
		return size{}, err
	}
	header := head[len(pngSignature):]
	if string(header[:8]) != "\x00\x00\x00\rIHDR" || crc32.ChecksumIEEE(header[4:21]) != binary.BigEndian.Uint32(header[21:]) {
		return size{}, errDamaged
	}
	width, height := binary.BigEndian.Uint32(header[8:]), binary.BigEndian.Uint32(header[12:])
	if width > maxSide || height > maxSide {
		width, height = min(width, 1<<31-1), min(height, 1<<31-1)
	}
	perPixel := 8
	if header[16] == 16 {
		perPixel = 12
	}
	if header[20] != 0 { // interlaced: its passes are held beside it
		perPixel = perPixel * 4 / 3
	}
	return size{width: int(width), height: int(height), perPixel: perPixel}, nil
}

// pngParts is what matters of a PNG.
type pngParts struct {
	header       []byte // the content of IHDR
	palette      []byte // of PLTE
	transparency []byte // of tRNS
	pixels       []byte // of all IDAT chunks, compressed
	profile      []byte
	isSRGB       bool
	gamma        float64
	primaries    []float64
	code         []byte
}

func (p *pngParts) colorType() byte { return p.header[9] }

// readPNG takes a PNG's chunks apart. Decoders refuse a file for a wrong checksum in
// a comment, or a palette where none is needed: here it is only refused for what makes
// its pixels, or what it says cannot be ignored.
func readPNG(data []byte) (*pngParts, error) {
	p := &pngParts{}
	for at := len(pngSignature); at+12 <= len(data); {
		n := int(binary.BigEndian.Uint32(data[at:]))
		n = min(n, len(data)-at-12) // cut off: that is seen by the pixels
		kind, content := string(data[at+4:at+8]), data[at+8:at+8+n]
		intact := crc32.ChecksumIEEE(data[at+4:at+8+n]) == binary.BigEndian.Uint32(data[at+8+n:])
		at += 12 + n
		if kind == "IEND" {
			break
		}
		if err := p.take(kind, content, intact); err != nil {
			return nil, err
		}
	}
	if p.header == nil {
		return nil, errDamaged
	}
	return p, nil
}

// take takes a chunk (PNG, section 11). The checksum of pixels does not matter, if
// all of them are there.
func (p *pngParts) take(kind string, content []byte, intact bool) error {
	const critical = 'a' // is below
	switch {
	case kind == "IHDR" && p.header == nil && intact && len(content) == 13:
		p.header = content
	case kind == "PLTE":
		p.palette = content
	case kind == "IDAT":
		p.pixels = append(p.pixels, content...)
	case kind[0] < critical:
		return errUnsupported
	case intact && p.pixels == nil:
		p.takeAncillary(kind, content)
	}
	return nil
}

func (p *pngParts) takeAncillary(kind string, content []byte) {
	number := func(at int) float64 { return float64(binary.BigEndian.Uint32(content[at:])) / 100_000 }
	switch {
	case kind == "tRNS" && (p.palette != nil || p.header != nil && p.colorType() != pngPalette):
		p.transparency = content
	case kind == "iCCP":
		p.profile = inflateProfile(content)
	case kind == "sRGB":
		p.isSRGB = true
	case kind == "gAMA" && len(content) == 4:
		p.gamma = number(0)
	case kind == "cHRM" && len(content) == 32:
		p.primaries = nil
		for i := range 8 {
			p.primaries = append(p.primaries, number(4*i))
		}
	case kind == "cICP" && len(content) == 4:
		p.code = content
	}
}

// writeFile writes a file of nothing but the pixels, without damage: their checksums are
// right, and so is their number.
func (p *pngParts) writeFile(w io.Writer) error {
	head := appendPNGChunk([]byte(pngSignature), "IHDR", p.header)
	if p.colorType() == pngPalette && len(p.palette) >= 3 {
		colors := min(1<<min(p.header[8], 8), 256)
		palette := slices.Clone(p.palette[:min(len(p.palette)/3, colors)*3])
		for len(palette) < 3*colors { // beyond it all are the last, as browsers have it
			palette = append(palette, palette[len(palette)-3:]...)
		}
		head = appendPNGChunk(head, "PLTE", palette)
		p.transparency = p.transparency[:min(len(p.transparency), colors)]
	}
	if want, ok := map[byte]int{pngGray: 2, pngRGB: 6, pngPalette: len(p.transparency)}[p.colorType()]; ok && want > 0 && len(p.transparency) == want {
		head = appendPNGChunk(head, "tRNS", p.transparency)
	}
	if _, err := w.Write(head); err != nil {
		return err
	}
	if err := p.writePixels(w); err != nil {
		return err
	}
	_, err := w.Write(appendPNGChunk(nil, "IEND", nil))
	return err
}

// writePixels writes them anew, in chunks. Package png wants a right checksum of them,
// and nothing after them.
func (p *pngParts) writePixels(w io.Writer) error {
	if len(p.pixels) < 2 || p.pixels[0]&15 != 8 || p.pixels[1]&0x20 != 0 { // zlib's header (RFC 1950)
		return errDamaged
	}
	chunks := bufio.NewWriterSize(idatWriter{w}, 64<<10)
	stored, err := zlib.NewWriterLevel(chunks, zlib.NoCompression)
	if err != nil {
		return err
	}
	if _, err := io.CopyN(stored, flate.NewReader(bytes.NewReader(p.pixels[2:])), p.size()); err != nil {
		return err
	}
	return errors.Join(stored.Close(), chunks.Flush())
}

// size is how many bytes the pixels have, each line with one more.
func (p *pngParts) size() (size int64) {
	width, height := int64(binary.BigEndian.Uint32(p.header)), int64(binary.BigEndian.Uint32(p.header[4:]))
	bits := int64(p.header[8]) * map[byte]int64{pngGray: 1, pngRGB: 3, pngPalette: 1, pngGrayAlpha: 2, pngRGBA: 4}[p.colorType()]
	passes := [][4]int64{{0, 0, 1, 1}} // the first pixel, and the steps
	if p.header[12] != 0 {
		passes = [][4]int64{{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4}, {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}}
	}
	for _, pass := range passes {
		w, h := (width-pass[0]+pass[2]-1)/pass[2], (height-pass[1]+pass[3]-1)/pass[3]
		if w > 0 && h > 0 {
			size += h * (1 + (w*bits+7)/8)
		}
	}
	return size
}

// pngWithEXIF is a file with nothing but the EXIF of another that counts, as browsers have it: intact, and before the pixels.
func pngWithEXIF(data []byte) []byte {
	file := []byte(pngSignature)
	for at := len(pngSignature); at+12 <= len(data); {
		n := min(int(binary.BigEndian.Uint32(data[at:])), len(data)-at-12)
		kind, content := string(data[at+4:at+8]), data[at+8:at+8+n]
		intact := crc32.ChecksumIEEE(data[at+4:at+8+n]) == binary.BigEndian.Uint32(data[at+8+n:])
		switch {
		case kind == "IDAT":
			return appendPNGChunk(file, "IEND", nil)
		case kind == "IHDR", kind == "eXIf" && intact:
			file = appendPNGChunk(file, kind, content)
		}
		at += 12 + n
	}
	return appendPNGChunk(file, "IEND", nil)
}

// idatWriter makes a chunk of all that is written at once.
type idatWriter struct{ w io.Writer }

func (i idatWriter) Write(p []byte) (int, error) {
	if _, err := i.w.Write(appendPNGChunk(nil, "IDAT", p)); err != nil {
		return 0, err
	}
	return len(p), nil
}

func appendPNGChunk(to []byte, kind string, content []byte) []byte {
	to = binary.BigEndian.AppendUint32(to, uint32(len(content))) //nolint:gosec // G115: files are bounded
	at := len(to)
	to = append(append(to, kind...), content...)
	return binary.BigEndian.AppendUint32(to, crc32.ChecksumIEEE(to[at:]))
}

// inflateProfile reads an iCCP chunk: a name, a zero, the method, which is zlib's.
func inflateProfile(content []byte) []byte {
	_, packed, ok := bytes.Cut(content, []byte{0})
	if !ok || len(packed) < 1 || packed[0] != 0 {
		return nil
	}
	r, err := zlib.NewReader(bytes.NewReader(packed[1:]))
	if err != nil {
		return nil
	}
	profile, _ := io.ReadAll(io.LimitReader(r, maxProfile+1)) // a broken one is refused when it is read
	return profile
}

func decodePNG(ctx context.Context, data []byte) (raster, error) {
	p, err := readPNG(data)
	if err != nil {
		return raster{}, err
	}
	r, w := io.Pipe()
	defer r.Close() // ends the goroutine, should the decoder not read all of it
	go func() { w.CloseWithError(p.writeFile(w)) }()
	picture, err := png.Decode(boundedReader{ctx, r})
	if err != nil {
		return raster{}, err
	}
	d := raster{profile: p.profile, gamma: p.gamma, primaries: p.primaries, code: p.code}
	if p.isSRGB && p.profile == nil {
		d.gamma = 0
	}
	if p.colorType() == pngGray || p.colorType() == pngGrayAlpha {
		d.kind = kindGray
	}
	d.picture, err = asNRGBA(ctx, picture)
	return d, err
}

// asNRGBA is a picture with 8 bits a channel, and colours that are not multiplied
// with their alpha.
func asNRGBA(ctx context.Context, picture image.Image) (*image.NRGBA, error) {
	switch p := picture.(type) {
	case *image.NRGBA:
		return p, nil
	case *image.RGBA: // of a PNG without alpha
		return &image.NRGBA{Pix: p.Pix, Stride: p.Stride, Rect: p.Rect}, nil
	}
	convert, err := rowConverter(picture)
	if err != nil {
		return nil, err
	}
	b := picture.Bounds()
	out := image.NewNRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	for y := range b.Dy() {
		if y%strip == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		convert(out.Pix[y*out.Stride:(y+1)*out.Stride], y)
	}
	return out, nil
}

// rowConverter is for what a PNG is raster as.
func rowConverter(picture image.Image) (func(to []byte, y int), error) {
	switch p := picture.(type) {
	case *image.Gray:
		return func(to []byte, y int) { repeatGray(to, p.Pix[y*p.Stride:], 1) }, nil
	case *image.Gray16:
		return func(to []byte, y int) { repeatGray(to, p.Pix[y*p.Stride:], 2) }, nil
	case *image.Paletted:
		colors := paletteColors(p.Palette)
		return func(to []byte, y int) { lookUp(to, p.Pix[y*p.Stride:], colors) }, nil
	case *image.NRGBA64:
		return func(to []byte, y int) { takeUpper(to, p.Pix[y*p.Stride:]) }, nil
	case *image.RGBA64: // of a PNG without alpha
		return func(to []byte, y int) { takeUpper(to, p.Pix[y*p.Stride:]) }, nil
	}
	return nil, errUnsupported
}

func repeatGray(to, from []byte, step int) {
	for i := 0; i < len(to); i += 4 {
		v := from[i/4*step]
		to[i], to[i+1], to[i+2], to[i+3] = v, v, v, 255
	}
}

// takeUpper takes the upper byte of each channel.
func takeUpper(to, from []byte) {
	for i := range to {
		to[i] = from[2*i]
	}
}

// paletteColors are those of a palette, and none for the rest.
func paletteColors(palette color.Palette) (colors [256]color.NRGBA) {
	for i, c := range palette {
		colors[i] = color.NRGBAModel.Convert(c).(color.NRGBA)
	}
	return colors
}

func lookUp(to, from []byte, colors [256]color.NRGBA) {
	for i := 0; i < len(to); i += 4 {
		c := colors[from[i/4]]
		to[i], to[i+1], to[i+2], to[i+3] = c.R, c.G, c.B, c.A
	}
}
