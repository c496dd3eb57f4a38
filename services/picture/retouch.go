package picture

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"math"

	"golang.org/x/image/draw"

	"petstore/models"
)

// maxMade is how long a side may be that an operation makes, in pixels.
const maxMade = 5000

// maxWork bounds the pixels that all operations on a picture read and write: ten on
// a small file could take a core for minutes.
const maxWork = 200_000_000

// bytesPerPixel is of a picture in memory.
const bytesPerPixel = 4

// Retouch applies operations, in their order. An *Error says which of them cannot be
// done to this picture, before any is done. It ends with ctx.
func Retouch(ctx context.Context, picture image.Image, operations []models.ImageOperation) (image.Image, error) {
	if _, err := plan(picture.Bounds().Size(), operations); err != nil {
		return nil, err
	}
	for _, op := range operations {
		var err error
		switch op.Op {
		case models.OpResize:
			picture, err = resize(ctx, picture, op)
		case models.OpCrop:
			picture = crop(picture, cropped(op))
		case models.OpRotate:
			picture, err = turn(ctx, picture, map[int]int{90: 6, 180: 3, 270: 8}[op.Degrees])
		case models.OpGrayscale:
			picture, err = grayscale(ctx, picture)
		}
		if err != nil {
			return nil, err
		}
	}
	return picture, nil
}

// Memory is how much it takes to decode the picture of a file of so many bytes, and then
// for the operations: at most MaxMemory.
func (s Source) Memory(file int64, operations []models.ImageOperation) int64 {
	upright, _ := plan(image.Pt(s.Width, s.Height), operations)
	turned, _ := plan(image.Pt(s.Height, s.Width), operations) // it may be stored on its side
	const copies = 3                                           // of the file: as it is, its pixels, and those in a file of their own
	return min(max(copies*file+s.memory, upright, turned), MaxMemory)
}

// plan follows the size of a picture through operations. It returns the most memory
// that one of them takes, or writing what they make.
func plan(size image.Point, operations []models.ImageOperation) (memory int64, err error) {
	area := func(width, height int) int64 { return int64(width) * int64(height) }
	work := int64(0)
	for i, op := range operations {
		to, err := outcome(size, op)
		if err != nil {
			return memory, wrong("operations[%d]: %s", i, err)
		}
		taken := area(size.X, size.Y) + area(to.X, to.Y)
		if op.Op != models.OpCrop {
			work += taken
		}
		if work > maxWork {
			return memory, wrong("operations[%d]: the operations so far read and write %d million pixels, at most %d are allowed; make the picture smaller first",
				i, work/1_000_000, maxWork/1_000_000)
		}
		if op.Op == models.OpResize {
			taken += area(to.X, size.Y)
		}
		memory, size = max(memory, bytesPerPixel*taken), to
	}
	return max(memory, 2*bytesPerPixel*area(size.X, size.Y)), nil
}

// outcome is the size that an operation makes of this one.
func outcome(size image.Point, op models.ImageOperation) (image.Point, error) {
	switch op.Op {
	case models.OpCrop:
		part := cropped(op)
		if part.Empty() || !part.In(image.Rectangle{Max: size}) {
			return size, fmt.Errorf("the part to crop is not within the picture, which has %d×%d pixels there", size.X, size.Y)
		}
		return part.Size(), nil
	case models.OpRotate:
		if op.Degrees != 180 {
			size.X, size.Y = size.Y, size.X
		}
		return size, nil
	case models.OpGrayscale:
		return size, nil
	case models.OpResize:
		to := image.Pt(op.Width, op.Height)
		if !covers(op) {
			to = contained(size, op.Width, op.Height)
		}
		if to.X > maxMade || to.Y > maxMade {
			return size, fmt.Errorf("it would make a picture of %d×%d pixels, at most %d on a side are allowed", to.X, to.Y, maxMade)
		}
		return to, nil
	}
	return size, fmt.Errorf("there is no operation %q", op.Op)
}

func cropped(op models.ImageOperation) image.Rectangle {
	return image.Rect(op.X, op.Y, op.X+op.Width, op.Y+op.Height)
}

func covers(op models.ImageOperation) bool {
	return op.Fit == models.FitCover && op.Width > 0 && op.Height > 0
}

// crop cuts a part out, without copying it.
func crop(picture image.Image, part image.Rectangle) image.Image {
	return picture.(interface {
		SubImage(part image.Rectangle) image.Image
	}).SubImage(part.Add(picture.Bounds().Min))
}

// resize scales a picture into the size that is asked for. A side that is not
// given follows the other.
func resize(ctx context.Context, picture image.Image, op models.ImageOperation) (image.Image, error) {
	size := picture.Bounds().Size()
	if covers(op) {
		return resample(ctx, crop(picture, middle(size, image.Pt(op.Width, op.Height))), op.Width, op.Height)
	}
	to := contained(size, op.Width, op.Height)
	return resample(ctx, picture, to.X, to.Y)
}

// Shrink makes a picture no longer than limit on either side.
func Shrink(ctx context.Context, picture image.Image, limit int) (image.Image, error) {
	size := picture.Bounds().Size()
	if size.X <= limit && size.Y <= limit {
		return picture, nil
	}
	to := contained(size, limit, limit)
	return resample(ctx, picture, to.X, to.Y)
}

// contained is the largest size of the same shape within width × height, of
// which one may be 0: no limit.
func contained(size image.Point, width, height int) image.Point {
	scale := math.Inf(1)
	if width > 0 {
		scale = float64(width) / float64(size.X)
	}
	if height > 0 {
		scale = min(scale, float64(height)/float64(size.Y))
	}
	side := func(n int) int { return max(1, int(math.Round(float64(n)*scale))) }
	return image.Pt(side(size.X), side(size.Y))
}

// middle is the largest part in the middle of a picture of this size that has
// the given shape.
func middle(size, shape image.Point) image.Rectangle {
	part := contained(shape, size.X, size.Y)
	at := size.Sub(part).Div(2)
	return image.Rectangle{Min: at, Max: at.Add(part)}
}

// strip is how many rows or columns are worked on at a time, without looking whether
// it is still wanted.
const strip = 64

// resample scales a picture with Catmull-Rom's filter. The library keeps 32
// bytes for each row of the old times each column of the new size, a third of a
// gigabyte for a large photograph. So it is used for one direction at a time,
// and for strips, which do not depend on each other in that direction.
func resample(ctx context.Context, picture image.Image, width, height int) (image.Image, error) {
	b := picture.Bounds()
	wide := image.NewRGBA(image.Rect(0, 0, width, b.Dy()))
	rows := draw.CatmullRom.NewScaler(width, strip, b.Dx(), strip)
	for y := 0; y < b.Dy(); y += strip {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		end := min(y+strip, b.Dy())
		rows.Scale(wide, image.Rect(0, y, width, end), picture, image.Rect(b.Min.X, b.Min.Y+y, b.Max.X, b.Min.Y+end), draw.Src, nil)
	}
	out := image.NewRGBA(image.Rect(0, 0, width, height))
	columns := draw.CatmullRom.NewScaler(strip, height, strip, b.Dy())
	for x := 0; x < width; x += strip {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		end := min(x+strip, width)
		columns.Scale(out, image.Rect(x, 0, end, height), wide, image.Rect(x, 0, end, b.Dy()), draw.Src, nil)
	}
	return out, nil
}

func asRGBA(picture image.Image) *image.RGBA {
	if rgba, ok := picture.(*image.RGBA); ok {
		return rgba
	}
	b := picture.Bounds()
	rgba := image.NewRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	draw.Draw(rgba, rgba.Bounds(), picture, b.Min, draw.Src)
	return rgba
}

// turns says for each orientation of Exif (2 to 8) where one goes in the picture
// as it is stored when one goes right, and down, in the picture as it is seen.
var turns = [...]struct{ right, down image.Point }{
	2: {image.Pt(-1, 0), image.Pt(0, 1)},
	3: {image.Pt(-1, 0), image.Pt(0, -1)},
	4: {image.Pt(1, 0), image.Pt(0, -1)},
	5: {image.Pt(0, 1), image.Pt(1, 0)},
	6: {image.Pt(0, -1), image.Pt(1, 0)},
	7: {image.Pt(0, -1), image.Pt(-1, 0)},
	8: {image.Pt(0, 1), image.Pt(-1, 0)},
}

// turn puts a picture upright that was stored in one of Exif's orientations.
func turn(ctx context.Context, picture image.Image, orientation int) (image.Image, error) {
	if orientation == 1 {
		return picture, nil
	}
	from, t := asRGBA(picture), turns[orientation]
	size := from.Bounds().Size()
	to := image.NewRGBA(image.Rect(0, 0, size.X, size.Y))
	if orientation >= 5 { // it lies on its side
		to = image.NewRGBA(image.Rect(0, 0, size.Y, size.X))
	}
	start := from.Bounds().Min
	if t.right.X+t.down.X < 0 {
		start.X += size.X - 1
	}
	if t.right.Y+t.down.Y < 0 {
		start.Y += size.Y - 1
	}
	right := from.PixOffset(start.X+t.right.X, start.Y+t.right.Y) - from.PixOffset(start.X, start.Y)
	for y := range to.Bounds().Dy() {
		if y%strip == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		at := from.PixOffset(start.X+y*t.down.X, start.Y+y*t.down.Y)
		row := to.Pix[y*to.Stride : y*to.Stride+4*to.Bounds().Dx()]
		for x := 0; x < len(row); x += 4 {
			copy(row[x:x+4], from.Pix[at:at+4])
			at += right
		}
	}
	return to, nil
}

// grayscale keeps the brightness of a picture, and its transparency.
func grayscale(ctx context.Context, picture image.Image) (image.Image, error) {
	b := picture.Bounds()
	var gray draw.Image = image.NewRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	if opaque(picture) {
		gray = image.NewGray(image.Rect(0, 0, b.Dx(), b.Dy()))
	}
	for y := 0; y < b.Dy(); y += strip {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		rows := image.Rect(0, y, b.Dx(), min(y+strip, b.Dy()))
		draw.Draw(gray, rows, picture, b.Min.Add(rows.Min), draw.Src)
		if rgba, ok := gray.(*image.RGBA); ok {
			grayRows(rgba.Pix[y*rgba.Stride : rows.Max.Y*rgba.Stride])
		}
	}
	return gray, nil
}

// grayRows takes the colour out of pixels that are multiplied with their alpha.
func grayRows(pix []byte) {
	for i := 0; i < len(pix); i += 4 {
		luma := color.GrayModel.Convert(color.RGBA{R: pix[i], G: pix[i+1], B: pix[i+2], A: 255}).(color.Gray).Y
		pix[i], pix[i+1], pix[i+2] = luma, luma, luma
	}
}

func opaque(picture image.Image) bool {
	p, ok := picture.(interface{ Opaque() bool })
	return ok && p.Opaque()
}
