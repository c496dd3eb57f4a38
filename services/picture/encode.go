package picture

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"image/color/palette"
	"image/draw"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
)

// Formats that pictures are written in.
const (
	JPEG = "jpeg"
	PNG  = "png"
	GIF  = "gif"
)

// defaultQuality is that of JPEG.
const defaultQuality = 85

// Suitable is the format that keeps what a picture has: photographs stay small,
// drawings sharp, and transparency what it is.
func Suitable(source string, picture image.Image) string {
	if source == "JPEG" || source == "WebP" && opaque(picture) {
		return JPEG
	}
	return PNG
}

// Write writes a picture, and nothing of the metadata of the file it came in:
// not where it was taken, nor by whom. Quality is of JPEG, 1 to 100, or 0 for 85. It
// ends with ctx.
func Write(ctx context.Context, w io.Writer, picture image.Image, format string, quality int) error {
	w = boundedWriter{ctx, w}
	switch format {
	case JPEG:
		if quality == 0 {
			quality = defaultQuality
		}
		return jpeg.Encode(w, onWhite(picture), &jpeg.Options{Quality: quality})
	case PNG:
		return png.Encode(w, picture)
	case GIF:
		return gif.Encode(w, picture, &gif.Options{NumColors: 256, Quantizer: colors{}, Drawer: strips{ctx}})
	}
	return fmt.Errorf("pictures are not written as %q", format)
}

// boundedWriter ends with its context.
type boundedWriter struct {
	ctx context.Context
	w   io.Writer
}

func (b boundedWriter) Write(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	return b.w.Write(p)
}

// strips is Floyd and Steinberg's dithering, which is most of the work of a GIF, in
// strips. Once its context has ended nothing more is drawn, nor then written.
type strips struct{ ctx context.Context } //nolint:containedctx // draw.Drawer knows none

func (s strips) Draw(to draw.Image, r image.Rectangle, picture image.Image, at image.Point) {
	for y := r.Min.Y; y < r.Max.Y && s.ctx.Err() == nil; y += strip {
		rows := image.Rect(r.Min.X, y, r.Max.X, min(y+strip, r.Max.Y))
		draw.FloydSteinberg.Draw(to, rows, picture, at.Add(image.Pt(0, y-r.Min.Y)))
	}
}

// onWhite gives a picture a white ground, since JPEG knows no transparency.
func onWhite(picture image.Image) image.Image {
	if opaque(picture) {
		return picture
	}
	b := picture.Bounds()
	out := image.NewRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	draw.Draw(out, out.Bounds(), image.White, image.Point{}, draw.Src)
	draw.Draw(out, out.Bounds(), picture, b.Min, draw.Over)
	return out
}

// colors chooses the colours of a GIF.
type colors struct{}

// Quantize implements [draw.Quantizer] with colours spread evenly, one of them
// transparent where the picture is.
func (colors) Quantize(_ color.Palette, picture image.Image) color.Palette {
	if opaque(picture) {
		return palette.Plan9
	}
	return append(color.Palette{color.Transparent}, palette.WebSafe...)
}
