// Package picturetest makes pictures for tests, and files of them.
package picturetest

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"testing"
)

// Corners is a picture that looks different from every side: each quarter has a
// colour of its own.
func Corners(w, h int) *image.RGBA {
	picture := image.NewRGBA(image.Rect(0, 0, w, h))
	quarters := [2][2]color.RGBA{{{255, 0, 0, 255}, {0, 255, 0, 255}}, {{0, 0, 255, 255}, {255, 255, 255, 255}}}
	for y := range h {
		for x := range w {
			picture.SetRGBA(x, y, quarters[2*y/h][2*x/w])
		}
	}
	return picture
}

// JPEG is a file of a picture, in good quality.
func JPEG(t testing.TB, picture image.Image) []byte {
	t.Helper()
	return Written(t, func(out *bytes.Buffer) error { return jpeg.Encode(out, picture, &jpeg.Options{Quality: 95}) })
}

// PNG is a file of a picture.
func PNG(t testing.TB, picture image.Image) []byte {
	t.Helper()
	return Written(t, func(out *bytes.Buffer) error { return png.Encode(out, picture) })
}

// GIF is a file of a picture.
func GIF(t testing.TB, picture image.Image) []byte {
	t.Helper()
	return Written(t, func(out *bytes.Buffer) error { return gif.Encode(out, picture, nil) })
}

// Written is what write writes.
func Written(t testing.TB, write func(*bytes.Buffer) error) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := write(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// Noise is a picture with something to see in every place.
func Noise(w, h int) *image.RGBA {
	picture := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			n := uint32(x*7919+y*104729) * 2654435761 >> 16
			picture.SetRGBA(x, y, color.RGBA{uint8(128 + n%64), uint8(x * 255 / w), uint8(y * 255 / h), 255}) //nolint:gosec // G115: bytes, by their formulas
		}
	}
	return picture
}

// Exif is the metadata that says how a picture is oriented (Exif 3.0, section
// 4.5): a TIFF header and a directory with one entry.
func Exif(orientation uint16) []byte {
	tiff := []byte("MM\x00\x2a\x00\x00\x00\x08\x00\x01" + "\x01\x12\x00\x03\x00\x00\x00\x01")
	tiff = binary.BigEndian.AppendUint16(tiff, orientation)
	return append(tiff, 0, 0, 0, 0, 0, 0)
}

// WithExif puts metadata into a JPEG, right after its start.
func WithExif(file []byte, tiff []byte) []byte {
	return WithSegment(file, 0xe1, append([]byte("Exif\x00\x00"), tiff...))
}

// Chunk is one of a PNG file's.
func Chunk(kind string, data []byte) []byte {
	out := binary.BigEndian.AppendUint32(nil, uint32(len(data))) //nolint:gosec // G115: chunks are short
	out = append(append(out, kind...), data...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out[4:]))
}

// PNGHeader is the beginning of a PNG of any size.
func PNGHeader(w, h uint32) []byte {
	header := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, w), h)
	return append([]byte("\x89PNG\r\n\x1a\n"), Chunk("IHDR", append(header, 8, 2, 0, 0, 0))...)
}

// Near fails the test unless a pixel has about this colour.
func Near(t *testing.T, picture image.Image, x, y int, want color.RGBA) {
	t.Helper()
	b := picture.Bounds()
	got := color.RGBAModel.Convert(picture.At(b.Min.X+x, b.Min.Y+y)).(color.RGBA)
	for _, d := range []int{int(got.R) - int(want.R), int(got.G) - int(want.G), int(got.B) - int(want.B), int(got.A) - int(want.A)} {
		if d < -30 || d > 30 {
			t.Errorf("the pixel at %d,%d is %v, want about %v", x, y, got, want)
			return
		}
	}
}

// Upright fails the test unless picture is Corners of this size.
func Upright(t *testing.T, picture image.Image, w, h int) {
	t.Helper()
	if size := picture.Bounds().Size(); size != image.Pt(w, h) {
		t.Fatalf("the picture has %v pixels, want %d×%d", size, w, h)
	}
	want := Corners(w, h)
	for _, at := range []image.Point{{w / 4, h / 4}, {3 * w / 4, h / 4}, {w / 4, 3 * h / 4}, {3 * w / 4, 3 * h / 4}} {
		Near(t, picture, at.X, at.Y, want.RGBAAt(at.X, at.Y))
	}
}
