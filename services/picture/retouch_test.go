package picture

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"strings"
	"testing"

	"golang.org/x/image/draw"

	"petstore/models"
	"petstore/services/picture/picturetest"
)

func TestRetouch(t *testing.T) {
	type ops = []models.ImageOperation
	tests := map[string]struct {
		ops  ops
		w, h int
	}{
		"contain":             {ops{{Op: "resize", Width: 100, Height: 100}}, 100, 50},
		"contain, upright":    {ops{{Op: "resize", Width: 300, Height: 50, Fit: "contain"}}, 100, 50},
		"width alone":         {ops{{Op: "resize", Width: 50}}, 50, 25},
		"height alone":        {ops{{Op: "resize", Height: 50}}, 100, 50},
		"enlarge":             {ops{{Op: "resize", Width: 400}}, 400, 200},
		"never nothing":       {ops{{Op: "resize", Width: 1}}, 1, 1},
		"cover":               {ops{{Op: "resize", Width: 60, Height: 60, Fit: "cover"}}, 60, 60},
		"cover, flat":         {ops{{Op: "resize", Width: 300, Height: 10, Fit: "cover"}}, 300, 10},
		"crop":                {ops{{Op: "crop", X: 10, Y: 20, Width: 30, Height: 40}}, 30, 40},
		"crop all":            {ops{{Op: "crop", Width: 200, Height: 100}}, 200, 100},
		"rotate 90":           {ops{{Op: "rotate", Degrees: 90}}, 100, 200},
		"rotate 180":          {ops{{Op: "rotate", Degrees: 180}}, 200, 100},
		"gray":                {ops{{Op: "grayscale"}}, 200, 100},
		"crop of what is cut": {ops{{Op: "crop", X: 100, Width: 100, Height: 100}, {Op: "crop", X: 50, Y: 50, Width: 50, Height: 50}}, 50, 50},
		"one after another":   {ops{{Op: "crop", X: 100, Width: 100, Height: 80}, {Op: "rotate", Degrees: 270}, {Op: "resize", Width: 40}, {Op: "grayscale"}}, 40, 50},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for _, picture := range []image.Image{picturetest.Corners(200, 100), decoded(t, picturetest.Corners(200, 100))} {
				got, err := Retouch(t.Context(), picture, test.ops)
				if err != nil {
					t.Fatal(err)
				}
				if size := got.Bounds().Size(); size != image.Pt(test.w, test.h) {
					t.Errorf("%T: %v pixels, want %d×%d", picture, size, test.w, test.h)
				}
			}
		})
	}
}

// decoded is a picture as it comes from a JPEG: YCbCr.
func decoded(t *testing.T, picture image.Image) image.Image {
	t.Helper()
	_, got, err := readPicture(picturetest.JPEG(t, picture))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestRetouchRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		op   models.ImageOperation
		want string
	}{
		"outside":      {models.ImageOperation{Op: "crop", X: 200, Width: 10, Height: 10}, "operations[1]: the part to crop is not within the picture, which has 200×100 pixels there"},
		"over an edge": {models.ImageOperation{Op: "crop", X: 195, Width: 10, Height: 10}, "not within"},
		"too large":    {models.ImageOperation{Op: "resize", Height: 5000}, "it would make a picture of 10000×5000 pixels, at most 5000"},
	} {
		_, err := Retouch(t.Context(), picturetest.Corners(200, 100), []models.ImageOperation{{Op: "grayscale"}, test.op})
		var failure *Error
		if !errors.As(err, &failure) || !strings.Contains(failure.Reason, test.want) {
			t.Errorf("%s: got %v, want %q", name, err, test.want)
		}
	}
}

// TestQuarters follows the quarters of a picture through what is done to it.
func TestQuarters(t *testing.T) {
	picture := picturetest.Corners(200, 100)
	red, green, blue := picture.RGBAAt(0, 0), picture.RGBAAt(199, 0), picture.RGBAAt(0, 99)
	right, _ := Retouch(t.Context(), picture, []models.ImageOperation{{Op: "rotate", Degrees: 90}})
	picturetest.Near(t, right, 10, 10, blue)
	picturetest.Near(t, right, 90, 10, red)
	left, _ := Retouch(t.Context(), picture, []models.ImageOperation{{Op: "rotate", Degrees: 270}})
	picturetest.Near(t, left, 10, 10, green)
	picturetest.Near(t, left, 10, 190, red)
	covered, _ := Retouch(t.Context(), picture, []models.ImageOperation{{Op: "resize", Width: 50, Height: 50, Fit: "cover"}})
	picturetest.Near(t, covered, 5, 5, red)
	picturetest.Near(t, covered, 45, 5, green)
	cut, _ := Retouch(t.Context(), picture, []models.ImageOperation{{Op: "crop", X: 110, Y: 10, Width: 20, Height: 20}, {Op: "grayscale"}})
	y := color.GrayModel.Convert(green).(color.Gray).Y
	picturetest.Near(t, cut, 10, 10, color.RGBA{y, y, y, 255})
}

// TestResample holds strips in two directions against the library's own way,
// which takes all at once.
func TestResample(t *testing.T) {
	for _, picture := range []image.Image{picturetest.Noise(317, 211), decoded(t, picturetest.Noise(317, 211))} {
		for _, size := range []image.Point{{100, 70}, {317, 20}, {20, 211}, {500, 400}, {1, 1}} {
			want := image.NewRGBA(image.Rectangle{Max: size})
			draw.CatmullRom.Scale(want, want.Bounds(), picture, picture.Bounds(), draw.Src, nil)
			resampled, err := resample(t.Context(), picture, size.X, size.Y)
			if err != nil {
				t.Fatal(err)
			}
			got := resampled.(*image.RGBA)
			for i := range want.Pix {
				// Between the directions, values are cut to 0 to 255.
				if d := int(got.Pix[i]) - int(want.Pix[i]); d < -40 || d > 40 {
					t.Fatalf("%T to %v: byte %d is %d, want %d", picture, size, i, got.Pix[i], want.Pix[i])
				}
			}
		}
	}
}

func TestTransparency(t *testing.T) {
	picture := image.NewNRGBA(image.Rect(0, 0, 20, 20))
	for x := range 10 {
		for y := range 20 {
			picture.SetNRGBA(x, y, color.NRGBA{0, 0, 200, 255})
		}
	}
	if got := Suitable("WebP", picture); got != PNG {
		t.Errorf("a WebP with transparency becomes %s", got)
	}
	if got := Suitable("WebP", picturetest.Corners(2, 2)); got != JPEG {
		t.Errorf("a WebP without becomes %s", got)
	}
	for _, op := range []models.ImageOperation{{Op: "grayscale"}, {Op: "rotate", Degrees: 180}, {Op: "resize", Width: 10}} {
		changed, err := Retouch(t.Context(), picture, []models.ImageOperation{op})
		if err != nil {
			t.Fatal(err)
		}
		if opaque(changed) {
			t.Errorf("%s loses transparency", op.Op)
		}
	}
	for format, want := range map[string]color.RGBA{PNG: {}, GIF: {}, JPEG: {255, 255, 255, 255}} {
		file := picturetest.Written(t, func(out *bytes.Buffer) error { return Write(t.Context(), out, picture, format, 0) })
		_, got, err := readPicture(file)
		if err != nil {
			t.Fatal(err)
		}
		picturetest.Near(t, got, 18, 10, want)
		picturetest.Near(t, got, 2, 10, color.RGBA{0, 0, 200, 255})
	}
}

func TestQuality(t *testing.T) {
	size := func(quality int) int {
		return len(picturetest.Written(t, func(out *bytes.Buffer) error {
			return Write(t.Context(), out, picturetest.Noise(200, 200), JPEG, quality)
		}))
	}
	if low, high := size(10), size(95); low*3 > high {
		t.Errorf("quality 10 takes %d bytes, and 95 %d", low, high)
	}
	if size(0) != size(85) {
		t.Error("the default is not 85")
	}
}

// TestNoMetadata: of what a file says beside its picture, nothing is kept.
func TestNoMetadata(t *testing.T) {
	secret := []byte("52.5163N 13.3777E")
	tiff := append(picturetest.Exif(1), secret...)
	_, picture, err := readPicture(picturetest.WithExif(picturetest.JPEG(t, picturetest.Corners(64, 32)), tiff))
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{JPEG, PNG, GIF} {
		file := picturetest.Written(t, func(out *bytes.Buffer) error { return Write(t.Context(), out, picture, format, 0) })
		if bytes.Contains(file, secret) || bytes.Contains(file, []byte("Exif")) {
			t.Errorf("%s keeps metadata", format)
		}
	}
}

// endingContext ends when it has been asked for so many times.
type endingContext struct {
	context.Context //nolint:containedctx // it is one
	left, after     int
}

func (e *endingContext) Err() error {
	if e.left--; e.left >= 0 {
		return nil
	}
	e.after++
	return context.Canceled
}

// TestWorkEndsWithItsContext: between operations and within each, and while a picture is
// decoded or written.
func TestWorkEndsWithItsContext(t *testing.T) {
	picture := picturetest.Noise(300, 300)
	decode := func(file []byte) func(context.Context) error {
		src, err := Inspect(bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		return func(ctx context.Context) error { _, err := src.file.decode(ctx, file); return err }
	}
	retouch := func(op models.ImageOperation) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := Retouch(ctx, picture, []models.ImageOperation{op, op})
			return err
		}
	}
	write := func(format string) func(context.Context) error {
		return func(ctx context.Context) error { return Write(ctx, new(bytes.Buffer), picture, format, 0) }
	}
	for name, work := range map[string]func(context.Context) error{
		"resize": retouch(models.ImageOperation{Op: "resize", Width: 250}), "rotate": retouch(models.ImageOperation{Op: "rotate", Degrees: 90}),
		"grayscale": retouch(models.ImageOperation{Op: "grayscale"}), "PNG": write(PNG), "JPEG": write(JPEG), "GIF": write(GIF),
		"decode JPEG": decode(picturetest.JPEG(t, picture)), "decode PNG": decode(picturetest.PNG(t, picture)), "decode GIF": decode(picturetest.GIF(t, picture)),
	} {
		ctx := &endingContext{Context: t.Context(), left: 3}
		if err := work(ctx); !errors.Is(err, context.Canceled) || ctx.after > 2 {
			t.Errorf("%s: got %v, and it went on %d times", name, err, ctx.after)
		}
	}
}

// TestWorkIsBounded (security 3) in all operations together, before any is done (a file of 73 KB took
// a core for 19 seconds).
func TestWorkIsBounded(t *testing.T) {
	large := models.ImageOperation{Op: "resize", Width: maxMade, Height: maxMade}
	most := []models.ImageOperation{large, large, large, large}
	if memory, err := plan(image.Pt(5000, 5000), most); err != nil || memory > MaxMemory {
		t.Errorf("four times: %d bytes, %v", memory, err)
	}
	_, err := Retouch(t.Context(), image.NewGray(image.Rect(0, 0, 5000, 5000)), append(most, large))
	var failure *Error
	if !errors.As(err, &failure) || !strings.Contains(failure.Reason, "operations[4]: the operations so far read and write 250 million pixels") {
		t.Errorf("once more: got %v", err)
	}
}

// TestMemoryIsCounted for what a file says of itself, whatever is done to it.
func TestMemoryIsCounted(t *testing.T) {
	for name, test := range map[string]struct {
		source   Source
		atLeast  int64
		file     int64
		whatToDo []models.ImageOperation
	}{
		"decoding":  {Source{Width: 5000, Height: 5000, memory: 300_000_000}, 330_000_000, 10_000_000, nil},
		"a resize":  {Source{Width: 1000, Height: 1000, memory: 8_000_000}, 200_000_000, 1000, []models.ImageOperation{{Op: "resize", Width: 5000}}},
		"not above": {Source{Width: 5000, Height: 5000, memory: MaxMemory}, MaxMemory, 20 << 20, nil},
	} {
		if got := test.source.Memory(test.file, test.whatToDo); got < test.atLeast || got > MaxMemory {
			t.Errorf("%s: %d bytes, want %d to %d", name, got, test.atLeast, MaxMemory)
		}
	}
}
