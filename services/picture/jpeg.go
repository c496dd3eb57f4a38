package picture

import (
	"context"
	"image"

	"petstore/services/picture/jpeg"
)

// measureJPEG reads the size, and what decoding will take.
func measureJPEG(r segmentReader) (size, error) {
	h, err := jpeg.ReadHeader(r)
	if err != nil {
		return size{}, err
	}
	return size{width: h.Width, height: h.Height, perPixel: h.Memory()}, nil
}

func decodeJPEG(ctx context.Context, data []byte) (raster, error) {
	p, err := jpeg.Decode(ctx, data)
	if err != nil {
		return raster{}, err
	}
	out := image.NewNRGBA(image.Rect(0, 0, p.Width, p.Height))
	rows, convert := make([][]byte, p.Components()), rowOf(p.Colors())
	for i := range rows {
		rows[i] = make([]byte, p.Width)
	}
	for y := range p.Height {
		if y%strip == 0 && ctx.Err() != nil {
			return raster{}, ctx.Err()
		}
		p.Row(y, rows)
		convert(out.Pix[y*out.Stride:(y+1)*out.Stride], rows)
	}
	d := raster{picture: out, profile: p.Profile()}
	switch p.Colors() {
	case jpeg.Gray:
		d.kind = kindGray
	case jpeg.CMYK, jpeg.YCCK:
		d.kind = kindCMYK
	default:
	}
	return d, nil
}

// rowOf converts a row of samples. All programs write ink inverted: 0 is full.
func rowOf(colors jpeg.Colors) func(to []byte, rows [][]byte) {
	switch colors {
	case jpeg.Gray:
		return func(to []byte, rows [][]byte) { repeatGray(to, rows[0], 1) }
	case jpeg.RGB:
		return func(to []byte, rows [][]byte) {
			for x := range rows[0] {
				to[4*x], to[4*x+1], to[4*x+2], to[4*x+3] = rows[0][x], rows[1][x], rows[2][x], 255
			}
		}
	case jpeg.CMYK:
		return func(to []byte, rows [][]byte) {
			for x := range rows[0] {
				to[4*x], to[4*x+1], to[4*x+2], to[4*x+3] = 255-rows[0][x], 255-rows[1][x], 255-rows[2][x], 255-rows[3][x]
			}
		}
	case jpeg.YCCK:
		return func(to []byte, rows [][]byte) {
			fromYCbCr(to, rows)
			for x, black := range rows[3] {
				to[4*x+3] = 255 - black
			}
		}
	default:
		return fromYCbCr
	}
}

// fromYCbCr converts as libjpeg does (JFIF 1.02), in fixed point: 1 is 1<<16. A level
// more or less here could be several once a profile is applied.
func fromYCbCr(to []byte, rows [][]byte) {
	const half = 1 << 15
	for x := range rows[0] {
		luma, blue, red := int(rows[0][x]), int(rows[1][x])-128, int(rows[2][x])-128
		to[4*x] = clamp(luma + (91881*red+half)>>16)
		to[4*x+1] = clamp(luma + (-22554*blue-46802*red+half)>>16)
		to[4*x+2] = clamp(luma + (116130*blue+half)>>16)
		to[4*x+3] = 255
	}
}
