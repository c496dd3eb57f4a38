package services

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
	maxPixels = 25_000_000
	maxSide   = 30_000 // in pixels
	// maxDecode bounds the time of decoding: thousands of empty scans in a
	// progressive JPEG cost far more than their bytes tell.
	maxDecode = 30 * time.Second
)

// pictureFormat is a kind of file that pictures come in.
type pictureFormat struct {
	name   string
	known  func(head string) bool // by the file's first headSize bytes
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
	exif   imagemeta.ImageFormat
}

// headSize is as much as http.DetectContentType looks at.
const headSize = 512

// pictureFormats are named here one by one, not found by package image's
// registry, which any dependency can add formats to.
var pictureFormats = []pictureFormat{
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

// source is what a file says of the picture in it.
type source struct {
	pictureFormat
	width, height int
}

// inspect reads the beginning of a file, and refuses what is no picture or too
// large a one. A file's name and its media type have no say in that.
func inspect(r io.Reader) (source, error) {
	head := make([]byte, headSize)
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return source{}, fmt.Errorf("reading the beginning of a picture: %w", err)
	}
	head = head[:n]
	if n == 0 {
		return source{}, unprocessable("it is empty")
	}
	for _, format := range pictureFormats {
		if format.known(string(head)) {
			return format.measure(io.MultiReader(bytes.NewReader(head), r))
		}
	}
	found, _, _ := strings.Cut(http.DetectContentType(head), ";")
	return source{}, unprocessable("it is no JPEG, PNG, GIF or WebP, it looks like %s", found)
}

func (f pictureFormat) measure(r io.Reader) (source, error) {
	c, err := f.config(r)
	if err != nil {
		return source{}, f.explain(err)
	}
	s := source{pictureFormat: f, width: c.Width, height: c.Height}
	switch {
	case c.Width < 1 || c.Height < 1:
		return source{}, unprocessable("it has no pixels")
	case c.Width > maxSide || c.Height > maxSide || int64(c.Width)*int64(c.Height) > maxPixels:
		return source{}, unprocessable("it has %d×%d pixels, at most %d million are allowed, and %d on a side",
			c.Width, c.Height, maxPixels/1_000_000, maxSide)
	}
	return s, nil
}

// load decodes the picture of a file, and puts it upright.
func (s source) load(ctx context.Context, data []byte) (_ image.Image, err error) {
	ctx, cancel := context.WithTimeout(ctx, maxDecode)
	defer cancel()
	defer func() {
		if p := recover(); p != nil { // decoders are large, and files can be made to hit what they overlook
			slog.Error("A decoder panicked.", "format", s.name, "panic", p, "stack", string(debug.Stack()))
			err = unprocessable("the %s is damaged or cut off", s.name)
		}
	}()
	picture, err := s.decode(&boundedReader{ctx, bytes.NewReader(data)})
	if err != nil {
		return nil, s.explain(err)
	}
	if size := picture.Bounds().Size(); size != image.Pt(s.width, s.height) {
		return nil, unprocessable("the %s is damaged or cut off", s.name)
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
func (f pictureFormat) explain(err error) error {
	var jpegFeature jpeg.UnsupportedError
	var pngFeature png.UnsupportedError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return unprocessable("the %s takes too long to decode", f.name)
	case errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &jpegFeature), errors.As(err, &pngFeature):
		return unprocessable("the %s uses a feature that is not supported", f.name)
	}
	return unprocessable("the %s is damaged or cut off", f.name)
}

// orientation is how the camera was held: a number from 1, upright, to 8 (Exif
// 3.0, section 4.6.5.1.1). Broken metadata doesn't make a picture unusable.
func (s source) orientation(data []byte) int {
	if s.exif == imagemeta.ImageFormatAuto {
		return 1 // GIF has none
	}
	orientation := 1
	isOrientation := func(t imagemeta.TagInfo) bool { return t.Namespace == "IFD0" && t.Tag == "Orientation" }
	_, _ = imagemeta.Decode(imagemeta.Options{
		R: bytes.NewReader(data), ImageFormat: s.exif, Sources: imagemeta.EXIF, ShouldHandleTag: isOrientation,
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

// unprocessable is how all failures of images begin.
func unprocessable(format string, args ...any) *Failure {
	return &Failure{Code: CodeProcessing, Message: "Failed to process image: " + fmt.Sprintf(format, args...)}
}
