package picture

import (
	"bytes"
	"context"
	"encoding/binary"
	"image"
	"io"
	"strings"

	"golang.org/x/image/vp8"
	"golang.org/x/image/vp8l"
	"golang.org/x/image/webp"
)

func isWebP(head string) bool {
	return strings.HasPrefix(head, "RIFF") && len(head) >= 12 && head[8:12] == "WEBP"
}

// webpChunk is a part of a WebP file, or of a frame in it (RFC 9649, section 2).
type webpChunk struct {
	kind    string
	length  int64
	content io.Reader
}

// nextChunk reads the head of the chunk after this one.
func nextChunk(r io.Reader, last *webpChunk) (*webpChunk, error) {
	if last != nil {
		if _, err := io.Copy(io.Discard, last.content); err != nil {
			return nil, err
		}
		if last.length%2 == 1 { // padded
			if _, err := io.CopyN(io.Discard, r, 1); err != nil {
				return nil, err
			}
		}
	}
	var head [8]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	length := int64(binary.LittleEndian.Uint32(head[4:]))
	return &webpChunk{kind: string(head[:4]), length: length, content: io.LimitReader(r, length)}, nil
}

// webpParts are what matters of a WebP: of an animation, its first frame.
type webpParts struct {
	whole    image.Point     // the size of the picture
	frame    image.Rectangle // where in it the frame is
	lossless bool
	flags    byte // what there is, and counts
	profile  []byte
	alpha    []byte // the ALPH chunk
	pixels   []byte // the VP8 or VP8L chunk
}

// Flags of a VP8X chunk (RFC 9649, section 2.7). Browsers heed them: a profile or alpha
// that is not announced is none.
const (
	webpProfile = 1 << 5
	webpAlpha   = 1 << 4
)

// readWebP reads chunks up to the one with the pixels, of which measuring only takes
// the beginning. What is not asked for is skipped.
func readWebP(r io.Reader, measuring bool) (*webpParts, error) {
	if _, err := io.CopyN(io.Discard, r, 12); err != nil {
		return nil, err
	}
	p := &webpParts{}
	return p, p.readChunks(r, measuring, false)
}

func (p *webpParts) readChunks(r io.Reader, measuring, inFrame bool) error {
	var chunk *webpChunk
	for {
		var err error
		if chunk, err = nextChunk(r, chunk); err != nil {
			return err
		}
		switch {
		case chunk.kind == "VP8X" && !inFrame:
			err = p.readExtended(chunk.content)
		case chunk.kind == "ICCP" && !measuring && p.flags&webpProfile != 0:
			p.profile, err = io.ReadAll(io.LimitReader(chunk.content, maxProfile+1))
		case chunk.kind == "ANMF" && !inFrame:
			return p.readFrame(chunk.content, measuring)
		case chunk.kind == "ALPH" && !measuring && p.flags&webpAlpha != 0:
			p.alpha, err = io.ReadAll(chunk.content)
		case chunk.kind == "VP8 ", chunk.kind == "VP8L":
			return p.readPixels(chunk, measuring)
		}
		if err != nil {
			return err
		}
	}
}

func (p *webpParts) readExtended(r io.Reader) error {
	var header [10]byte
	_, err := io.ReadFull(r, header[:])
	p.flags, p.whole = header[0], image.Pt(1+uint24(header[4:]), 1+uint24(header[7:]))
	return err
}

// readFrame reads an ANMF chunk: where the frame is and how large, followed by the
// chunks of a picture (RFC 9649, section 2.7.1.1).
func (p *webpParts) readFrame(r io.Reader, measuring bool) error {
	var head [16]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	at := image.Pt(2*uint24(head[:]), 2*uint24(head[3:]))
	p.frame = image.Rectangle{Min: at, Max: at.Add(image.Pt(1+uint24(head[6:]), 1+uint24(head[9:])))}
	return p.readChunks(r, measuring, true)
}

// readPixels finds how large the pixels are, which must be as large as is said before.
func (p *webpParts) readPixels(chunk *webpChunk, measuring bool) error {
	if chunk.length > 1<<31-1 {
		return errDamaged
	}
	head := make([]byte, min(10, chunk.length))
	if _, err := io.ReadFull(chunk.content, head); err != nil {
		return err
	}
	p.lossless = chunk.kind == "VP8L"
	size, err := pixelsSize(head, p.lossless)
	if err != nil {
		return err
	}
	if p.whole == (image.Point{}) {
		p.whole = size
	}
	if p.frame.Empty() {
		p.frame = image.Rectangle{Max: p.whole}
	}
	if p.frame.Size() != size || !p.frame.In(image.Rectangle{Max: p.whole}) {
		return errDamaged
	}
	if !measuring {
		p.pixels, err = io.ReadAll(io.MultiReader(bytes.NewReader(head), chunk.content))
	}
	return err
}

func pixelsSize(head []byte, lossless bool) (image.Point, error) {
	if lossless {
		c, err := vp8l.DecodeConfig(bytes.NewReader(head))
		return image.Pt(c.Width, c.Height), err
	}
	d := vp8.NewDecoder()
	d.Init(bytes.NewReader(head), len(head))
	f, err := d.DecodeFrameHeader()
	return image.Pt(f.Width, f.Height), err
}

func measureWebP(r segmentReader) (size, error) {
	p, err := readWebP(r, true)
	if err != nil {
		return size{}, err
	}
	s := size{width: p.whole.X, height: p.whole.Y, perPixel: 7}
	if p.lossless {
		s.perPixel, s.more = 8, lossless
	}
	return s, nil
}

// decodeWebP decodes a picture, or the first frame of an animation. Package webp is
// given only its pixels, in a file of their own, and not its colours' conversion.
func decodeWebP(ctx context.Context, data []byte) (raster, error) {
	p, err := readWebP(bytes.NewReader(data), false)
	if err != nil {
		return raster{}, err
	}
	pixels, err := webp.Decode(boundedReader{ctx, bytes.NewReader(p.file())})
	if err != nil {
		return raster{}, err
	}
	frame, err := webpPixels(ctx, pixels)
	if err != nil {
		return raster{}, err
	}
	d := raster{picture: frame, profile: p.profile}
	if p.frame.Size() != p.whole {
		d.picture = image.NewNRGBA(image.Rectangle{Max: p.whole})
		for y := range p.frame.Dy() {
			copy(d.picture.Pix[d.picture.PixOffset(p.frame.Min.X, p.frame.Min.Y+y):], frame.Pix[y*frame.Stride:(y+1)*frame.Stride])
		}
	}
	return d, nil
}

// file is one with nothing but the pixels. It begins with a VP8X chunk, which alpha
// must follow.
func (p *webpParts) file() []byte {
	var body []byte
	if p.alpha != nil && !p.lossless {
		head := appendUint24(appendUint24([]byte{webpAlpha, 0, 0, 0}, p.frame.Dx()-1), p.frame.Dy()-1)
		body = appendChunk(body, "VP8X", head)
		body = appendChunk(body, "ALPH", p.alpha)
	}
	kind := "VP8 "
	if p.lossless {
		kind = "VP8L"
	}
	body = appendChunk(body, kind, p.pixels)
	return appendChunk(nil, "RIFF", append([]byte("WEBP"), body...))
}

func appendChunk(to []byte, kind string, content []byte) []byte {
	to = binary.LittleEndian.AppendUint32(append(to, kind...), uint32(len(content))) //nolint:gosec // G115: files are bounded
	to = append(to, content...)
	if len(content)%2 == 1 {
		to = append(to, 0)
	}
	return to
}

// webpPixels converts what package webp decodes.
func webpPixels(ctx context.Context, pixels image.Image) (*image.NRGBA, error) {
	switch p := pixels.(type) {
	case *image.NRGBA:
		return p, nil
	case *image.YCbCr:
		return limitedRange(ctx, p, nil, 0)
	case *image.NYCbCrA:
		return limitedRange(ctx, &p.YCbCr, p.A, p.AStride)
	}
	return nil, errUnsupported
}

// limitedRange converts the colours of lossy WebP, which has the range of video (16 is
// black, and 235 white), not the full range that package image takes for granted. Each
// colour stands for four pixels, and is interpolated as by libwebp.
func limitedRange(ctx context.Context, from *image.YCbCr, alpha []byte, alphaStride int) (*image.NRGBA, error) {
	w, h := from.Rect.Dx(), from.Rect.Dy()
	out := image.NewNRGBA(image.Rect(0, 0, w, h))
	columns, lines := (w+1)/2, (h+1)/2
	for y := range h {
		if y%strip == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		near, next := y/2*from.CStride, min(max(y/2-1+2*(y%2), 0), lines-1)*from.CStride
		for x := range w {
			a, b := x/2, x/2-1+2*(x%2)
			edge := b < 0 || b == columns
			if edge {
				b = a
			}
			u := interpolate(from.Cb[near+a], from.Cb[near+b], from.Cb[next+a], from.Cb[next+b], edge)
			v := interpolate(from.Cr[near+a], from.Cr[near+b], from.Cr[next+a], from.Cr[next+b], edge)
			to := out.Pix[y*out.Stride+4*x:][:4:4]
			to[0], to[1], to[2] = bt601(int(from.Y[y*from.YStride+x]), u, v)
			to[3] = 255
			if alpha != nil {
				to[3] = alpha[y*alphaStride+x]
			}
		}
	}
	return out, nil
}

// interpolate takes 9/16 of the nearest, 3/16 of those beside and above it, and 1/16 of
// the one across.
func interpolate(near, beside, above, across byte, edge bool) int {
	if edge {
		return (3*int(near) + int(above) + 2) >> 2
	}
	return ((int(near)+3*int(beside)+3*int(above)+int(across)+8)>>3 + int(near)) >> 1
}

// bt601 is the conversion of ITU-R BT.601 from limited range, in fixed point: 1 is
// 1<<14. It is rounded as libwebp does it.
func bt601(y, u, v int) (r, g, b byte) {
	luma := y * 19077 >> 8
	return clamp((luma + v*26149>>8 - 14234) >> 6), clamp((luma - u*6419>>8 - v*13320>>8 + 8708) >> 6), clamp((luma + u*33050>>8 - 17685) >> 6)
}

func clamp(v int) byte { return byte(min(max(v, 0), 255)) }

func appendUint24(to []byte, v int) []byte {
	return append(to, byte(v&255), byte(v>>8&255), byte(v>>16&255))
}

func uint24(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }
