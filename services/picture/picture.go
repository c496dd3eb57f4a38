// Package picture decodes pictures that anybody may have made, bounded in memory and
// time; retouches them; and encodes them anew, without the metadata of the file that
// they came in.
package picture

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/bep/imagemeta"

	"petstore/services/picture/jpeg"
)

// What a picture may cost. A file says how large its picture is long before the
// picture has to be held in memory, and a file of a few kilobytes can say
// 50,000 × 50,000.
const (
	// MaxPixels bounds a picture, in pixels.
	MaxPixels = 25_000_000
	maxSide   = 30_000 // in pixels
	// MaxMemory is what pictures may take, all that are in work together, in bytes. A
	// photograph of 24 megapixels takes 170 MB; the worst that is let in, a progressive
	// JPEG of 25 without subsampling, 375.
	MaxMemory = 400_000_000
	// maxDecode bounds the time of decoding: thousands of empty scans in a
	// progressive JPEG cost far more than their bytes tell.
	maxDecode = 30 * time.Second
	// lossless is what the Huffman tables of a lossless WebP can take, in bytes, however
	// small it is: 65,536 groups of 5.
	lossless = 65_536 * 5 * 536
)

// Error is what is wrong with a picture, or with what is to be done to it, in words
// for whoever sent it.
type Error struct{ Reason string }

func (e *Error) Error() string { return e.Reason }

// What decoders say that are written here.
var (
	errDamaged     = errors.New("damaged")
	errUnsupported = errors.New("not supported")
)

func wrong(format string, args ...any) *Error { return &Error{Reason: fmt.Sprintf(format, args...)} }

// fileFormat is a kind of file that pictures come in.
type fileFormat struct {
	name    string
	known   func(head string) bool // by the file's first headSize bytes
	measure func(segmentReader) (size, error)
	decode  func(ctx context.Context, data []byte) (raster, error)
	exif    imagemeta.ImageFormat
}

// segmentReader reads a file's headers.
type segmentReader interface {
	io.Reader
	io.ByteReader
}

// size is what a file says of its picture, and what decoding that takes.
type size struct {
	width, height int
	perPixel      int   // bytes of memory
	more          int64 // bytes, whatever its size
}

// headSize is as much as http.DetectContentType looks at.
const headSize = 512

// fileFormats are named here one by one, not found by package image's
// registry, which any dependency can add formats to.
var fileFormats = []fileFormat{
	{"JPEG", startsWith("\xff\xd8\xff"), measureJPEG, decodeJPEG, imagemeta.JPEG},
	{"PNG", startsWith(pngSignature), measurePNG, decodePNG, imagemeta.PNG},
	{"GIF", startsWith("GIF87a", "GIF89a"), measureGIF, decodeGIF, imagemeta.ImageFormatAuto},
	{"WebP", isWebP, measureWebP, decodeWebP, imagemeta.WebP},
}

func startsWith(magic ...string) func(string) bool {
	return func(head string) bool {
		for _, m := range magic {
			if strings.HasPrefix(head, m) {
				return true
			}
		}
		return false
	}
}

// Source is what a file says of the picture in it.
type Source struct {
	Format        string // JPEG, PNG, GIF or WebP
	Width, Height int    // as stored, in pixels
	file          fileFormat
	memory        int64
}

// Inspect reads the beginning of a file, and refuses what is no picture or too
// large a one. A file's name and its media type have no say in that. An *Error
// says what is wrong with the file; errors of reading it come back as they are.
func Inspect(file io.Reader) (Source, error) {
	watched := &watchedReader{r: file}
	s, err := inspect(watched)
	if watched.err != nil {
		return Source{}, fmt.Errorf("reading the beginning of a picture: %w", watched.err)
	}
	return s, err
}

// watchedReader keeps the error of reading, so that it isn't blamed on what was
// read.
type watchedReader struct {
	r   io.Reader
	err error
}

func (w *watchedReader) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if err != nil && err != io.EOF {
		w.err = err
	}
	return n, err
}

func inspect(r io.Reader) (Source, error) {
	head := make([]byte, headSize)
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return Source{}, err
	}
	head = head[:n]
	if n == 0 {
		return Source{}, wrong("it is empty")
	}
	for _, format := range fileFormats {
		if format.known(string(head)) {
			return format.inspect(bufio.NewReader(io.MultiReader(bytes.NewReader(head), r)))
		}
	}
	found, _, _ := strings.Cut(http.DetectContentType(head), ";")
	return Source{}, wrong("it is no JPEG, PNG, GIF or WebP, it looks like %s", found)
}

func (f fileFormat) inspect(r segmentReader) (Source, error) {
	found, err := f.measure(r)
	if err != nil {
		return Source{}, f.explain(err)
	}
	w, h := found.width, found.height
	s := Source{Format: f.name, Width: w, Height: h, file: f, memory: int64(w)*int64(h)*int64(found.perPixel) + found.more}
	switch {
	case w < 1 || h < 1:
		return Source{}, wrong("it has no pixels")
	case w > maxSide || h > maxSide || int64(w)*int64(h) > MaxPixels:
		return Source{}, wrong("it has %d×%d pixels, at most %d million are allowed, and %d on a side",
			w, h, MaxPixels/1_000_000, maxSide)
	case s.memory > MaxMemory:
		return Source{}, wrong("it has %d×%d pixels, which takes %d MB to decode as this kind of %s, at most %d are allowed",
			w, h, s.memory/1_000_000, f.name, MaxMemory/1_000_000)
	}
	return s, nil
}

// Load decodes the picture of a file, puts it upright, and gives it the colours of
// sRGB: an *image.RGBA, or an *image.NRGBA if it has transparency. An *Error says what
// is wrong with it. It takes Memory, and up to 30 seconds of a core.
func (s Source) Load(ctx context.Context, data []byte) (_ image.Image, err error) {
	ctx, cancel := context.WithTimeout(ctx, maxDecode)
	defer cancel()
	defer func() {
		if p := recover(); p != nil { // decoders are large, and files can be made to hit what they overlook
			slog.Error("A decoder panicked.", "format", s.Format, "panic", p, "stack", string(debug.Stack()))
			err = wrong("the %s is damaged or cut off", s.Format)
		}
	}()
	d, err := s.file.decode(ctx, data)
	if err == nil && d.picture.Rect.Size() != image.Pt(s.Width, s.Height) {
		err = errDamaged
	}
	if err == nil {
		err = d.toSRGB(ctx)
	}
	if err != nil {
		return nil, s.file.explain(err)
	}
	return turn(ctx, simple(d.picture), s.orientation(data))
}

// simple is a picture without its transparency, if it has none.
func simple(p *image.NRGBA) image.Image {
	if p.Opaque() {
		return &image.RGBA{Pix: p.Pix, Stride: p.Stride, Rect: p.Rect}
	}
	return p
}

// boundedReader ends with its context.
type boundedReader struct {
	ctx context.Context
	r   io.Reader
}

func (b boundedReader) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	return b.r.Read(p)
}

// explain says in plain words what a decoder found.
func (f fileFormat) explain(err error) error {
	var pngFeature png.UnsupportedError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return wrong("the %s takes too long to decode", f.name)
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, errUnsupported), errors.Is(err, jpeg.ErrUnsupported), errors.As(err, &pngFeature):
		return wrong("the %s uses a feature that is not supported", f.name)
	}
	return wrong("the %s is damaged or cut off", f.name)
}

// orientation is how the camera was held: a number from 1, upright, to 8 (Exif
// 3.0, section 4.6.5.1.1). Broken metadata doesn't make a picture unusable.
func (s Source) orientation(data []byte) int {
	if s.file.exif == imagemeta.ImageFormatAuto {
		return 1 // GIF has none
	}
	if s.file.exif == imagemeta.PNG {
		data = pngWithEXIF(data)
	}
	orientation := 1
	isOrientation := func(t imagemeta.TagInfo) bool { return t.Namespace == "IFD0" && t.Tag == "Orientation" }
	_, _ = imagemeta.Decode(imagemeta.Options{
		R: bytes.NewReader(data), ImageFormat: s.file.exif, Sources: imagemeta.EXIF, ShouldHandleTag: isOrientation,
		HandleTag: func(t imagemeta.TagInfo) error {
			if n, ok := t.Value.(uint16); ok && isOrientation(t) && n >= 1 && n <= 8 {
				orientation = int(n)
			}
			return nil
		},
	})
	return orientation
}
