package picture

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/gif"
	"os"
	"runtime"
	"strings"
	"testing"

	"petstore/services/picture/picturetest"
)

func testFile(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// readPicture inspects and loads a file.
func readPicture(data []byte) (Source, image.Image, error) {
	src, err := Inspect(bytes.NewReader(data))
	if err != nil {
		return src, nil, err
	}
	picture, err := src.Load(context.Background(), data)
	return src, picture, err
}

func TestFormats(t *testing.T) {
	picture := picturetest.Corners(64, 48)
	for name, data := range map[string][]byte{"JPEG": picturetest.JPEG(t, picture), "PNG": picturetest.PNG(t, picture), "GIF": picturetest.GIF(t, picture)} {
		src, got, err := readPicture(data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if src.Format != name {
			t.Errorf("a %s was taken for a %s", name, src.Format)
		}
		picturetest.Upright(t, got, 64, 48)
	}
}

func TestWebP(t *testing.T) {
	none := color.RGBA{}
	red, blue := color.RGBA{255, 0, 0, 255}, color.RGBA{0, 0, 255, 255}
	tests := map[string]struct {
		w, h   int
		pixels map[image.Point]color.RGBA
	}{
		"lossy.webp":          {48, 32, map[image.Point]color.RGBA{{24, 31}: blue, {4, 4}: {255, 255, 255, 255}}},
		"lossless-alpha.webp": {48, 32, map[image.Point]color.RGBA{{0, 0}: none, {24, 16}: red}},
		"lossy-alpha.webp":    {48, 32, map[image.Point]color.RGBA{{0, 0}: none, {24, 16}: red}},
		// Of animations the first frame, at its place.
		"animated.webp":      {48, 32, map[image.Point]color.RGBA{{0, 0}: none, {24, 16}: red}},
		"animated-part.webp": {52, 38, map[image.Point]color.RGBA{{4, 6}: none, {28, 22}: red, {51, 37}: none}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, picture, err := readPicture(testFile(t, name))
			if err != nil {
				t.Fatal(err)
			}
			if size := picture.Bounds().Size(); size != image.Pt(test.w, test.h) {
				t.Fatalf("%v pixels, want %d×%d", size, test.w, test.h)
			}
			for at, want := range test.pixels {
				picturetest.Near(t, picture, at.X, at.Y, want)
			}
		})
	}
}

func TestAnimatedGIF(t *testing.T) {
	colors := color.Palette{color.Transparent, color.RGBA{200, 0, 0, 255}, color.RGBA{0, 0, 200, 255}}
	first := image.NewPaletted(image.Rect(10, 10, 20, 20), colors)
	second := image.NewPaletted(image.Rect(0, 0, 30, 30), colors)
	for i := range first.Pix {
		first.Pix[i] = 1
	}
	for i := range second.Pix {
		second.Pix[i] = 2
	}
	data := picturetest.Written(t, func(out *bytes.Buffer) error {
		return gif.EncodeAll(out, &gif.GIF{Image: []*image.Paletted{first, second}, Delay: []int{5, 5}, Config: image.Config{Width: 30, Height: 30, ColorModel: colors}})
	})
	_, picture, err := readPicture(data)
	if err != nil {
		t.Fatal(err)
	}
	if size := picture.Bounds().Size(); size != image.Pt(30, 30) {
		t.Fatalf("%v pixels, want those of the whole animation", size)
	}
	picturetest.Near(t, picture, 15, 15, color.RGBA{200, 0, 0, 255})
	picturetest.Near(t, picture, 5, 5, color.RGBA{})
}

// TestOrientations stores a picture in each of Exif's eight ways, as a camera
// would, and sees it upright again.
func TestOrientations(t *testing.T) {
	// The way back of a turn to the left is one to the right.
	stored := [...]int{1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}
	for orientation := 1; orientation <= 8; orientation++ {
		tiff := picturetest.Exif(uint16(orientation))
		picture, err := turn(t.Context(), picturetest.Corners(64, 32), stored[orientation])
		if err != nil {
			t.Fatal(err)
		}
		plain := picturetest.PNG(t, picture)
		const afterIHDR = 8 + 25
		for name, data := range map[string][]byte{
			"JPEG": picturetest.WithExif(picturetest.JPEG(t, picture), tiff),
			"PNG":  append(append(append([]byte{}, plain[:afterIHDR]...), picturetest.Chunk("eXIf", tiff)...), plain[afterIHDR:]...),
		} {
			_, got, err := readPicture(data)
			if err != nil {
				t.Fatalf("%s, orientation %d: %v", name, orientation, err)
			}
			picturetest.Upright(t, got, 64, 32)
			if t.Failed() {
				t.Fatalf("%s, orientation %d", name, orientation)
			}
		}
	}
}

// TestBrokenMetadata is no reason to refuse a picture.
func TestBrokenMetadata(t *testing.T) {
	for name, tiff := range map[string][]byte{
		"orientation 0": picturetest.Exif(0), "orientation 9": picturetest.Exif(9), "cut off": picturetest.Exif(6)[:12], "garbage": []byte("garbage"),
		"endless": append(picturetest.Exif(6)[:8], 0xff, 0xff),
	} {
		_, got, err := readPicture(picturetest.WithExif(picturetest.JPEG(t, picturetest.Corners(64, 32)), tiff))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		picturetest.Upright(t, got, 64, 32)
	}
}

// TestOrientationOfPNG (faults 34, another instance): as in Chromium, EXIF counts if it is intact, and before the pixels.
func TestOrientationOfPNG(t *testing.T) {
	plain, chunk := picturetest.PNG(t, picturetest.Corners(64, 32)), picturetest.Chunk("eXIf", picturetest.Exif(6))
	damaged := bytes.Clone(chunk)
	damaged[len(damaged)-1]++
	end := len(plain) - 12
	for name, data := range map[string][]byte{
		"damaged": picturetest.WithChunks(plain, damaged), "after the pixels": append(append(plain[:end:end], chunk...), plain[end:]...),
	} {
		_, got, err := readPicture(data)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		picturetest.Upright(t, got, 64, 32)
	}
}

func TestRefused(t *testing.T) {
	photo := picturetest.JPEG(t, picturetest.Corners(200, 200))
	drawing := picturetest.PNG(t, picturetest.Corners(200, 200))
	animation := picturetest.GIF(t, picturetest.Corners(200, 200))
	flipped := bytes.Clone(drawing)
	flipped[len(flipped)/2] ^= 0xff
	tests := map[string]struct {
		data []byte
		want string
	}{
		"empty":             {nil, "it is empty"},
		"text":              {[]byte("cat"), "it is no JPEG, PNG, GIF or WebP, it looks like text/plain"},
		"a page":            {[]byte("<!DOCTYPE html><title>404</title>"), "it looks like text/html"},
		"SVG":               {[]byte(`<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>`), "it looks like text/xml"},
		"BMP":               {[]byte("BM............"), "it looks like image/bmp"},
		"a program":         {[]byte("\x7fELF\x02\x01\x01\x00"), "it looks like application/octet-stream"},
		"only magic":        {photo[:3], "the JPEG is damaged or cut off"},
		"bomb":              {picturetest.PNGHeader(50_000, 50_000), "it has 50000×50000 pixels, at most 25 million are allowed"},
		"just too large":    {picturetest.PNGHeader(5_000, 5_001), "it has 5000×5001 pixels"},
		"too long":          {picturetest.PNGHeader(30_001, 1), "and 30000 on a side"},
		"no width":          {picturetest.PNGHeader(0, 10), "it has no pixels"},
		"JPEG cut off":      {photo[:len(photo)/2], "the JPEG is damaged or cut off"},
		"PNG cut off":       {drawing[:len(drawing)/2], "the PNG is damaged or cut off"},
		"GIF cut off":       {animation[:len(animation)/2], "the GIF is damaged or cut off"},
		"WebP cut off":      {testFile(t, "lossy.webp")[:100], "the WebP is"},
		"animation cut off": {testFile(t, "animated.webp")[:120], "the WebP is"},
		"PNG flipped":       {flipped, "the PNG is damaged or cut off"},
		"JPEG of nothing":   {append(bytes.Clone(photo[:20]), make([]byte, 1000)...), "the JPEG is damaged or cut off"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, _, err := readPicture(test.data)
			var failure *Error
			if !errors.As(err, &failure) {
				t.Fatalf("got %v, want an Error", err)
			}
			if !strings.Contains(failure.Reason, test.want) {
				t.Errorf("got %+v, want %q", failure, test.want)
			}
		})
	}
}

// TestBombIsCheap refuses a picture of 2.5 gigapixels without memory for it.
func TestBombIsCheap(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, _, err := readPicture(picturetest.PNGHeader(50_000, 50_000)); err == nil {
		t.Fatal("the bomb was accepted")
	}
	runtime.ReadMemStats(&after)
	if taken := after.TotalAlloc - before.TotalAlloc; taken > 1<<20 {
		t.Errorf("it took %d bytes to refuse it", taken)
	}
}

// TestHiddenBomb has a frame that is larger than what the file says of it.
func TestHiddenBomb(t *testing.T) {
	pixels := []byte{0x2f, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0, 0, 0} // 16,384 × 16,384
	frame := appendChunk(nil, "VP8L", pixels)
	size := []byte{9, 0, 0, 9, 0, 0} // 10 × 10
	animation := appendChunk(nil, "ANMF", append(append(append(make([]byte, 6), size...), 0, 0, 0, 0), frame...))
	file := func(flags byte, chunks []byte) []byte {
		vp8x := appendChunk([]byte("WEBP"), "VP8X", append([]byte{flags, 0, 0, 0}, size...))
		return appendChunk(nil, "RIFF", append(vp8x, chunks...))
	}
	for name, file := range map[string][]byte{"still": file(0, frame), "animated": file(1<<1, animation)} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, _, err := readPicture(file); err == nil {
			t.Errorf("%s: the bomb was accepted", name)
		}
		runtime.ReadMemStats(&after)
		if taken := after.TotalAlloc - before.TotalAlloc; taken > 1<<20 {
			t.Errorf("%s: it took %d bytes to refuse it", name, taken)
		}
	}
}

// TestDecodingEndsWithItsContext, however long it would take.
func TestDecodingEndsWithItsContext(t *testing.T) {
	data := picturetest.JPEG(t, picturetest.Corners(200, 200))
	src, err := Inspect(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := src.Load(ctx, data); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
	ctx, cancel = context.WithTimeout(context.Background(), 0)
	defer cancel()
	var failure *Error
	if _, err := src.Load(ctx, data); !errors.As(err, &failure) || !strings.Contains(failure.Reason, "takes too long") {
		t.Errorf("too late: got %v", err)
	}
}

func shrinkAndWrite(picture image.Image, source string) error {
	small, err := Shrink(context.Background(), picture, 20)
	if err != nil {
		return err
	}
	return Write(context.Background(), new(bytes.Buffer), small, Suitable(source, picture), 0)
}

// FuzzPicture: whatever a file holds, it is a picture or an Error, and no
// decoder panics.
func FuzzPicture(f *testing.F) {
	f.Add(picturetest.WithExif(picturetest.JPEG(f, picturetest.Corners(16, 8)), picturetest.Exif(6)))
	f.Add(picturetest.PNG(f, picturetest.Corners(16, 8)))
	f.Add(picturetest.GIF(f, picturetest.Corners(16, 8)))
	for _, name := range []string{"uneven-progressive.jpg", "420-restart.jpg", "cmyk.jpg", "min_badcrc.png", "min_oob.gif", "lossy.webp", "lossless-alpha.webp", "lossy-alpha.webp", "animated.webp", "animated-part.webp"} {
		f.Add(testFile(f, name))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		src, err := Inspect(bytes.NewReader(data))
		if err == nil && src.Width*src.Height < 1_000_000 {
			var picture image.Image
			if picture, err = src.Load(context.Background(), data); err == nil {
				if err := shrinkAndWrite(picture, src.Format); err != nil {
					t.Errorf("a picture that cannot be written: %v", err)
				}
			}
		}
		var failure *Error
		if err != nil && !errors.As(err, &failure) {
			t.Errorf("got %v, want an Error", err)
		}
	})
}
