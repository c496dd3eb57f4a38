package picture

import (
	"bytes"
	"context"
	"image"
	"math"

	"github.com/kovidgoyal/imaging/prism/meta"
	"github.com/kovidgoyal/imaging/prism/meta/icc"
)

// maxProfile bounds a colour profile, in bytes. Those of printers have up to 3 MB.
const maxProfile = 4 << 20

// colorKind is what the channels of a picture are.
type colorKind int

const (
	kindRGB  colorKind = iota
	kindGray           // three channels alike
	kindCMYK           // ink: 0 is none
)

// raster is a picture as its file has it, and what that says about its colours.
type raster struct {
	picture   *image.NRGBA
	kind      colorKind
	profile   []byte    // ICC, if there is one
	gamma     float64   // of the samples, or 0: PNG's way to say it without a profile
	primaries []float64 // x and y of white, red, green and blue (CIE 1931), or nil
	code      []byte    // of PNG, too: four numbers that name all of it
}

// conversion makes red, green and blue of sRGB, of 0 to 1, of a picture's channels.
type conversion func(channels [4]float64) (r, g, b float64)

// toSRGB converts a picture in place to the colours of sRGB, which is what all that
// is written here is in. A profile that is broken, or of another kind of picture, says
// nothing.
func (d raster) toSRGB(ctx context.Context) error {
	convert := codedConversion(d.code)
	if d.code == nil {
		convert = profileConversion(d.profile, d.kind)
	}
	if d.code == nil && d.profile == nil && d.gamma > 0 {
		convert = gammaConversion(d.gamma, d.primaries)
	}
	if convert == nil && d.kind == kindCMYK {
		convert = func(ink [4]float64) (r, g, b float64) {
			return (1 - ink[0]) * (1 - ink[3]), (1 - ink[1]) * (1 - ink[3]), (1 - ink[2]) * (1 - ink[3])
		}
	}
	if convert == nil {
		return nil
	}
	return convertPixels(ctx, d.picture, d.kind, convert)
}

// profileConversion is nil where there is nothing to convert. Perceptual is the table
// that browsers take, without compensating for the black point.
func profileConversion(data []byte, kind colorKind) (convert conversion) {
	if len(data) == 0 || len(data) > maxProfile {
		return nil
	}
	defer func() {
		if recover() != nil { // as with decoders
			convert = nil
		}
	}()
	profile, err := icc.DecodeProfile(bytes.NewReader(data))
	if err != nil {
		return nil
	}
	channels := 3
	switch space := profile.Header.DataColorSpace; {
	case kind == kindCMYK && space == icc.ColorSpaceCMYK:
		channels = 4
	case kind == kindGray && space == icc.ColorSpaceGray:
		channels = 1
	case kind != kindCMYK && space == icc.ColorSpaceRGB:
		if profile.IsSRGB() {
			return nil
		}
	default:
		return nil
	}
	toPCS, err := profile.CreateTransformerToPCS(icc.PerceptualRenderingIntent, channels, true)
	if err != nil {
		return nil
	}
	if channels == 3 {
		toPCS.UseTrilinearInsteadOfTetrahedral() // as browsers interpolate
	}
	fromPCS := icc.NewXYZtosRGB(profile.PCSIlluminant, true, false).Transform
	if profile.Header.ProfileConnectionSpace == icc.ColorSpaceLab {
		fromPCS = icc.NewLABtosRGB(profile.PCSIlluminant, true, false).Transform
	}
	return func(c [4]float64) (r, g, b float64) {
		var pcs [4]float64
		toPCS.TransformGeneral(pcs[:], c[:])
		return fromPCS(pcs[0], pcs[1], pcs[2])
	}
}

// convertPixels converts every pixel, and those that are alike once, as far as a table
// of 65,536 remembers them.
func convertPixels(ctx context.Context, picture *image.NRGBA, kind colorKind, convert conversion) error {
	type known struct{ from, to [4]byte }
	table := make([]known, 1<<16)
	for i := range table {
		table[i].from = [4]byte{0, 0, 0, 1} // of no index but another
	}
	for y := range picture.Rect.Dy() {
		if y%strip == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		row := picture.Pix[y*picture.Stride : (y+1)*picture.Stride]
		for i := 0; i < len(row); i += 4 {
			p := [4]byte(row[i : i+4])
			alpha := byte(255)
			if kind != kindCMYK {
				alpha, p[3] = p[3], 0
			}
			hash := (uint32(p[0]) | uint32(p[1])<<8 | uint32(p[2])<<16 | uint32(p[3])<<24) * 2654435761 >> 16
			k := &table[hash]
			if k.from != p {
				r, g, b := convert([4]float64{float64(p[0]) / 255, float64(p[1]) / 255, float64(p[2]) / 255, float64(p[3]) / 255})
				*k = known{p, [4]byte{level(r), level(g), level(b)}}
			}
			row[i], row[i+1], row[i+2], row[i+3] = k.to[0], k.to[1], k.to[2], alpha
		}
	}
	return nil
}

func level(v float64) byte { return byte(math.Round(min(max(v, 0), 1) * 255)) }

// gammaConversion is that of a PNG's gAMA and cHRM chunks (PNG, 11.3.2), or nil for
// what is sRGB. Without primaries they are those of sRGB.
func gammaConversion(gamma float64, primaries []float64) (convert conversion) {
	const usual = 0.45455 // alone it stands for sRGB, which it is nearly
	if primaries == nil && math.Abs(gamma-usual) < 0.0005 {
		return nil
	}
	from := meta.Primaries{
		White: meta.XY{X: 0.3127, Y: 0.3290},
		Red:   meta.XY{X: 0.64, Y: 0.33}, Green: meta.XY{X: 0.30, Y: 0.60}, Blue: meta.XY{X: 0.15, Y: 0.06},
	}
	if primaries != nil {
		xy := func(at int) meta.XY { return meta.XY{X: primaries[at], Y: primaries[at+1]} }
		from.White, from.Red, from.Green, from.Blue = xy(0), xy(2), xy(4), xy(6)
	}
	defer func() {
		if recover() != nil { // primaries on a line
			convert = nil
		}
	}()
	matrix := from.CalculateRGBtoXYZMatrix()
	toSRGB := icc.NewXYZtosRGB(icc.XYZType{X: from.White.X / from.White.Y, Y: 1, Z: (1 - from.White.X - from.White.Y) / from.White.Y}, true, false)
	return func(c [4]float64) (r, g, b float64) {
		return toSRGB.Transform(matrix.Transform(math.Pow(c[0], 1/gamma), math.Pow(c[1], 1/gamma), math.Pow(c[2], 1/gamma)))
	}
}

// codedConversion is that of a PNG's cICP chunk (PNG, 11.3.2.6; ITU-T H.273), or nil for
// what is sRGB or not known. Pictures of a high dynamic range are not: nothing says how
// bright their white is.
func codedConversion(code []byte) conversion {
	const pq, hlg = 16, 18
	if len(code) != 4 || code[1] == pq || code[1] == hlg {
		return nil
	}
	pipeline := meta.CodingIndependentCodePoints{
		ColorPrimaries: code[0], TransferCharacteristics: code[1], MatrixCoefficients: code[2], VideoFullRange: code[3], IsSet: true,
	}.PipelineToSRGB()
	if pipeline == nil {
		return nil
	}
	return func(c [4]float64) (r, g, b float64) { return pipeline.Transform(c[0], c[1], c[2]) }
}
