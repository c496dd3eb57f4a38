package picture

import (
	"fmt"
	"image"
	"image/color"
	"math"

	"golang.org/x/image/draw"

	"petstore/models"
)

// maxMade is how long a side may be that an operation makes, in pixels.
const maxMade = 5000

// Retouch applies operations, in their order. An *Error says which of them cannot be
// done to this picture.
func Retouch(picture image.Image, operations []models.ImageOperation) (image.Image, error) {
	for i, op := range operations {
		var err error
		switch op.Op {
		case models.OpResize:
			picture, err = resize(picture, op)
		case models.OpCrop:
			picture, err = crop(picture, image.Rect(op.X, op.Y, op.X+op.Width, op.Y+op.Height))
		case models.OpRotate:
			picture = turn(picture, map[int]int{90: 6, 180: 3, 270: 8}[op.Degrees])
		case models.OpGrayscale:
			picture = grayscale(picture)
		default:
			err = fmt.Errorf("there is no operation %q", op.Op)
		}
		if err != nil {
			return nil, wrong("operations[%d]: %s", i, err)
		}
	}
	return picture, nil
}

// crop cuts a part out, without copying it.
func crop(picture image.Image, part image.Rectangle) (image.Image, error) {
	b := picture.Bounds()
	part = part.Add(b.Min)
	if part.Empty() || !part.In(b) {
		return nil, fmt.Errorf("the part to crop is not within the picture, which has %d×%d pixels there", b.Dx(), b.Dy())
	}
	return picture.(interface {
		SubImage(part image.Rectangle) image.Image
	}).SubImage(part), nil
}

// resize scales a picture into the size that is asked for. A side that is not
// given follows the other.
func resize(picture image.Image, op models.ImageOperation) (image.Image, error) {
	size := picture.Bounds().Size()
	if op.Fit == models.FitCover && op.Width > 0 && op.Height > 0 {
		covering, err := crop(picture, middle(size, image.Pt(op.Width, op.Height)))
		if err != nil {
			return nil, err
		}
		return resample(covering, op.Width, op.Height), nil
	}
	to := contained(size, op.Width, op.Height)
	if to.X > maxMade || to.Y > maxMade {
		return nil, fmt.Errorf("it would make a picture of %d×%d pixels, at most %d on a side are allowed", to.X, to.Y, maxMade)
	}
	return resample(picture, to.X, to.Y), nil
}

// Shrink makes a picture no longer than limit on either side.
func Shrink(picture image.Image, limit int) image.Image {
	size := picture.Bounds().Size()
	if size.X <= limit && size.Y <= limit {
		return picture
	}
	to := contained(size, limit, limit)
	return resample(picture, to.X, to.Y)
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

// strip is how many rows or columns are resampled at a time.
const strip = 64

// resample scales a picture with Catmull-Rom's filter. The library keeps 32
// bytes for each row of the old times each column of the new size, a third of a
// gigabyte for a large photograph. So it is used for one direction at a time,
// and for strips, which do not depend on each other in that direction.
func resample(picture image.Image, width, height int) image.Image {
	picture = scalable(picture)
	b := picture.Bounds()
	wide := image.NewRGBA(image.Rect(0, 0, width, b.Dy()))
	rows := draw.CatmullRom.NewScaler(width, strip, b.Dx(), strip)
	for y := 0; y < b.Dy(); y += strip {
		end := min(y+strip, b.Dy())
		rows.Scale(wide, image.Rect(0, y, width, end), picture, image.Rect(b.Min.X, b.Min.Y+y, b.Max.X, b.Min.Y+end), draw.Src, nil)
	}
	out := image.NewRGBA(image.Rect(0, 0, width, height))
	columns := draw.CatmullRom.NewScaler(strip, height, strip, b.Dy())
	for x := 0; x < width; x += strip {
		end := min(x+strip, width)
		columns.Scale(out, image.Rect(x, 0, end, height), wide, image.Rect(x, 0, end, b.Dy()), draw.Src, nil)
	}
	return out
}

// scalable is the picture in a form that the scaler has a fast way for.
func scalable(picture image.Image) image.Image {
	switch p := picture.(type) {
	case *image.RGBA, *image.NRGBA, *image.Gray:
		return picture
	case *image.YCbCr:
		switch p.SubsampleRatio {
		case image.YCbCrSubsampleRatio444, image.YCbCrSubsampleRatio422, image.YCbCrSubsampleRatio420, image.YCbCrSubsampleRatio440:
			return picture
		default:
		}
	}
	return asRGBA(picture)
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
func turn(picture image.Image, orientation int) image.Image {
	if orientation == 1 {
		return picture
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
		at := from.PixOffset(start.X+y*t.down.X, start.Y+y*t.down.Y)
		row := to.Pix[y*to.Stride : y*to.Stride+4*to.Bounds().Dx()]
		for x := 0; x < len(row); x += 4 {
			copy(row[x:x+4], from.Pix[at:at+4])
			at += right
		}
	}
	return to
}

// grayscale keeps the brightness of a picture, and its transparency.
func grayscale(picture image.Image) image.Image {
	b := picture.Bounds()
	if opaque(picture) {
		gray := image.NewGray(image.Rect(0, 0, b.Dx(), b.Dy()))
		draw.Draw(gray, gray.Bounds(), picture, b.Min, draw.Src)
		return gray
	}
	from := asRGBA(picture)
	b = from.Bounds()
	gray := image.NewRGBA(b)
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			c := from.RGBAAt(x, y)
			luma := color.GrayModel.Convert(color.RGBA{R: c.R, G: c.G, B: c.B, A: 255}).(color.Gray).Y
			gray.SetRGBA(x, y, color.RGBA{R: luma, G: luma, B: luma, A: c.A})
		}
	}
	return gray
}

func opaque(picture image.Image) bool {
	p, ok := picture.(interface{ Opaque() bool })
	return ok && p.Opaque()
}
