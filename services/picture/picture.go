// Package picture decodes pictures that anybody may have made, bounded in memory and
// time; retouches them; and encodes them anew, without the metadata of the file that
// they came in.
package picture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/bep/imagemeta"
	"golang.org/x/image/webp"
)

// What a picture may cost. A file says how large its picture is long before the
// picture has to be held in memory, and a file of a few kilobytes can say
// 50,000 × 50,000. A photograph of 24 megapixels takes 100 MB at the most while
// it is processed; the worst that is let in, 16 bits a colour or a progressive
// JPEG without subsampling, 400 MB.
const (
	// MaxPixels bounds a picture, in pixels.
	MaxPixels = 25_000_000
	maxSide   = 30_000 // in pixels
	// maxDecode bounds the time of decoding: thousands of empty scans in a
	// progressive JPEG cost far more than their bytes tell.
	maxDecode = 30 * time.Second
)

// Error is what is wrong with a picture, or with what is to be done to it, in words
// for whoever sent it.
type Error struct{ Reason string }

func (e *Error) Error() string { return e.Reason }

func wrong(format string, args ...any) *Error { return &Error{Reason: fmt.Sprintf(format, args...)} }

// fileFormat is a kind of file that pictures come in.
type fileFormat struct {
	name   string
	known  func(head string) bool // by the file's first headSize bytes
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
	exif   imagemeta.ImageFormat
}

// headSize is as much as http.DetectContentType looks at.
const headSize = 512

// fileFormats are named here one by one, not found by package image's
// registry, which any dependency can add formats to.
var fileFormats = []fileFormat{
	{"JPEG", startsWith("\xff\xd8\xff"), jpeg.DecodeConfig, jpeg.Decode, imagemeta.JPEG},
	{"PNG", startsWith("\x89PNG\r\n\x1a\n"), png.DecodeConfig, png.Decode, imagemeta.PNG},
	{"GIF", startsWith("GIF87a", "GIF89a"), gif.DecodeConfig, decodeGIF, imagemeta.ImageFormatAuto},
	{"WebP", isWebP, webp.DecodeConfig, decodeWebP, imagemeta.WebP},
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
			return format.measure(io.MultiReader(bytes.NewReader(head), r))
		}
	}
	found, _, _ := strings.Cut(http.DetectContentType(head), ";")
	return Source{}, wrong("it is no JPEG, PNG, GIF or WebP, it looks like %s", found)
}

func (f fileFormat) measure(r io.Reader) (Source, error) {
	c, err := f.config(r)
	if err != nil {
		return Source{}, f.explain(err)
	}
	s := Source{Format: f.name, Width: c.Width, Height: c.Height, file: f}
	switch {
	case c.Width < 1 || c.Height < 1:
		return Source{}, wrong("it has no pixels")
	case c.Width > maxSide || c.Height > maxSide || int64(c.Width)*int64(c.Height) > MaxPixels:
		return Source{}, wrong("it has %d×%d pixels, at most %d million are allowed, and %d on a side",
			c.Width, c.Height, MaxPixels/1_000_000, maxSide)
	}
	return s, nil
}

// Load decodes the picture of a file, and puts it upright. An *Error says what is
// wrong with it. It holds the picture in memory, and up to 30 seconds of a core.
func (s Source) Load(ctx context.Context, data []byte) (_ image.Image, err error) {
	ctx, cancel := context.WithTimeout(ctx, maxDecode)
	defer cancel()
	defer func() {
		if p := recover(); p != nil { // decoders are large, and files can be made to hit what they overlook
			slog.Error("A decoder panicked.", "format", s.Format, "panic", p, "stack", string(debug.Stack()))
			err = wrong("the %s is damaged or cut off", s.Format)
		}
	}()
	picture, err := s.file.decode(&boundedReader{ctx, bytes.NewReader(data)})
	if err != nil {
		return nil, s.file.explain(err)
	}
	if size := picture.Bounds().Size(); size != image.Pt(s.Width, s.Height) {
		return nil, wrong("the %s is damaged or cut off", s.Format)
	}
	return turn(picture, s.orientation(data)), nil
}

// boundedReader ends with its context.
type boundedReader struct {
	ctx context.Context
	r   io.Reader
}

func (b *boundedReader) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	return b.r.Read(p)
}

// explain says in plain words what a decoder found.
func (f fileFormat) explain(err error) error {
	var jpegFeature jpeg.UnsupportedError
	var pngFeature png.UnsupportedError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return wrong("the %s takes too long to decode", f.name)
	case errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &jpegFeature), errors.As(err, &pngFeature):
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

// decodeGIF decodes the first frame, which may cover only a part of the picture.
func decodeGIF(r io.Reader) (image.Image, error) {
	var file bytes.Buffer // to read the size of the whole, and then the frame
	c, err := gif.DecodeConfig(io.TeeReader(r, &file))
	if err != nil {
		return nil, err
	}
	frame, err := gif.Decode(io.MultiReader(&file, r))
	if err != nil {
		return nil, err
	}
	whole := image.NewRGBA(image.Rect(0, 0, c.Width, c.Height))
	draw.Draw(whole, frame.Bounds(), frame, frame.Bounds().Min, draw.Src)
	return whole, nil
}
