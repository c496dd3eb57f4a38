package picture

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/color/palette"
	"image/draw"
	"image/gif"
	"os"
	"strings"
	"testing"

	"petstore/services/picture/picturetest"
)

var update = flag.Bool("update", false, "write testdata/drawn.txt anew, as Chromium draws")

// near is by how many levels of 255 a channel may differ from what Chromium draws.
const near = 3

// sample is a file with a picture that Chromium draws, too.
type sample struct {
	name string
	file []byte
}

// samples are pictures of all kinds. The numbers are those of reports of wrong ones.
func samples(t testing.TB) []sample {
	t.Helper()
	all := []sample{}
	add := func(name string, file []byte) { all = append(all, sample{name, file}) }
	for _, name := range []string{
		"white.webp", "lossy_alpha.webp", // 30
		"min_oob.gif", "gif_zero.gif", // 31
		"min_badcrc.png",                            // 32
		"s_uneven_2x2_1x1_1x2.jpg", "s_1x1_2x2.jpg", // 33
		"p3_red.jpg", // 34
		"lossy-photo.webp", "lossy-transparent.webp", "lossless.webp", "animated-part.webp",
		"420.jpg", "422.jpg", "440.jpg", "411.jpg", "high.jpg", "third.jpg", "uneven.jpg", "less-luma-than-color.jpg",
		"444-progressive.jpg", "420-progressive.jpg", "uneven-progressive.jpg", "420-restart.jpg",
		"rgb.jpg", "rgb-420.jpg", "gray.jpg", "cmyk.jpg", "cmyk-420-progressive.jpg", "cmyk-unmarked.jpg", "ycck.jpg",
	} {
		add(name, testFile(t, name))
	}
	for _, s := range [][]sample{profiled(t), pngSamples(t), gifSamples(t), damaged(t)} {
		all = append(all, s...)
	}
	for orientation := uint16(2); orientation <= 8; orientation++ {
		tiff := picturetest.Exif(orientation)
		add(fmt.Sprintf("orientation %d, JPEG", orientation), picturetest.WithExif(testFile(t, "420.jpg"), tiff))
	}
	tiff := picturetest.Exif(6)
	add("orientation 6, PNG", picturetest.WithChunks(picturetest.PNG(t, picturetest.Noise(9, 5)), picturetest.Chunk("eXIf", tiff)))
	add("orientation 6, WebP", withWebP(t, "lossless.webp", 1<<3, nil, appendChunk(nil, "EXIF", tiff)))
	return all
}

// profiled have colours that are not those of sRGB.
func profiled(t testing.TB) []sample {
	t.Helper()
	p3, adobe, gray := picturetest.Profile(picturetest.DisplayP3, 1.8), picturetest.Profile(picturetest.AdobeRGB, 2.2), picturetest.GrayProfile(1.0)
	noise, numbers := picturetest.PNG(t, picturetest.Noise(31, 17)), func(n ...uint32) (content []byte) {
		for _, v := range n {
			content = binary.BigEndian.AppendUint32(content, v)
		}
		return content
	}
	cHRM := picturetest.Chunk("cHRM", numbers(31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000))
	return []sample{
		{"Adobe RGB, JPEG", picturetest.WithProfile(testFile(t, "420.jpg"), adobe)},
		{"Display P3, progressive JPEG", picturetest.WithProfile(testFile(t, "444-progressive.jpg"), p3)},
		{"linear gray, JPEG", picturetest.WithProfile(testFile(t, "gray.jpg"), gray)},
		{"a profile of RGB in CMYK", picturetest.WithProfile(testFile(t, "cmyk.jpg"), p3)},
		{"a broken profile", picturetest.WithProfile(testFile(t, "420.jpg"), adobe[:200])},
		{"Adobe RGB, PNG", picturetest.WithChunks(noise, picturetest.ProfileChunk(adobe))},
		{"Display P3, transparent PNG", picturetest.WithChunks(picturetest.PNG(t, transparent()), picturetest.ProfileChunk(p3))},
		{"Display P3, palette PNG", picturetest.WithChunks(picturetest.PNG(t, paletted(31, 17)), picturetest.ProfileChunk(p3))},
		{"linear gray, PNG", picturetest.WithChunks(picturetest.PNG(t, grayed()), picturetest.ProfileChunk(gray))},
		{"Display P3, lossless WebP", withWebP(t, "lossless.webp", webpProfile, appendChunk(nil, "ICCP", p3), nil)},
		{"Adobe RGB, lossy WebP", withWebP(t, "lossy-photo.webp", webpProfile, appendChunk(nil, "ICCP", adobe), nil)},
		{"a profile that is not announced", withWebP(t, "lossless.webp", 0, appendChunk(nil, "ICCP", p3), nil)},
		{"gamma 1, PNG", picturetest.WithChunks(noise, picturetest.Chunk("gAMA", numbers(100_000)))},
		{"gamma and primaries, PNG", picturetest.WithChunks(noise, picturetest.Chunk("gAMA", numbers(55_556)), cHRM)},
		{"the usual gamma, PNG", picturetest.WithChunks(noise, picturetest.Chunk("gAMA", numbers(45_455)))},
		{"sRGB beside a gamma, PNG", picturetest.WithChunks(noise, picturetest.Chunk("sRGB", []byte{0}), picturetest.Chunk("gAMA", numbers(100_000)))},
		{"Display P3 by code, PNG", picturetest.WithChunks(noise, picturetest.Chunk("cICP", []byte{12, 13, 0, 1}))},
	}
}

func pngSamples(t testing.TB) []sample {
	t.Helper()
	deep := image.NewNRGBA64(image.Rect(0, 0, 16, 16))
	bits := image.NewPaletted(image.Rect(0, 0, 13, 9), color.Palette{color.White, color.Black})
	for i := range deep.Pix {
		deep.Pix[i] = byte(i * 37)
	}
	for i := range bits.Pix {
		bits.Pix[i] = byte(i % 3 / 2)
	}
	return []sample{
		{"16 bits, PNG", picturetest.PNG(t, deep)},
		{"1 bit, PNG", picturetest.PNG(t, bits)},
		{"interlaced PNG", interlaced()},
		{"a transparent color, PNG", picturetest.WithChunks(picturetest.PNG(t, grayed()), picturetest.Chunk("tRNS", []byte{0, 64}))},
	}
}

func gifSamples(t testing.TB) []sample {
	t.Helper()
	whole := picturetest.Written(t, func(out *bytes.Buffer) error {
		return gif.EncodeAll(out, &gif.GIF{Image: []*image.Paletted{paletted(31, 17)}, Delay: []int{0}})
	})
	part := picturetest.Written(t, func(out *bytes.Buffer) error {
		frame := paletted(31, 17)
		frame.Palette[3] = color.Transparent
		frame.Rect = frame.Rect.Add(image.Pt(5, 3))
		return gif.EncodeAll(out, &gif.GIF{Image: []*image.Paletted{frame}, Delay: []int{0}, Config: image.Config{Width: 50, Height: 40}})
	})
	small := bytes.Clone(part)
	binary.LittleEndian.PutUint16(small[6:], 8) // the screen's width
	return []sample{{"GIF", whole}, {"transparent part, GIF", part}, {"beyond the screen, GIF", small}}
}

// damaged have all of their pixels: nobody who looks at them sees the damage.
func damaged(t testing.TB) []sample {
	t.Helper()
	plain := picturetest.PNG(t, picturetest.Noise(16, 12))
	pixels := pngPixels(t, plain)
	end := len(plain) - len(pixels) - 12 - 12
	rebuilt := func(pixels []byte) []byte {
		return append(bytes.Clone(plain[:end]), picturetest.Chunk("IDAT", pixels)...)
	}
	badCRC := bytes.Clone(plain)
	badCRC[len(badCRC)-13] ^= 1 // of IDAT
	return []sample{
		{"a wrong checksum of the pixels' chunk, PNG", badCRC},
		{"a wrong checksum of the pixels, PNG", rebuilt(append(bytes.Clone(pixels[:len(pixels)-1]), pixels[len(pixels)-1]^1))},
		{"no checksum of the pixels, PNG", rebuilt(pixels[:len(pixels)-4])},
		{"no end, PNG", plain[:len(plain)-12]},
		{"garbage after the end, PNG", append(bytes.Clone(plain), "garbage"...)},
		{"a palette in gray, PNG", picturetest.WithChunks(picturetest.PNG(t, grayed()), picturetest.Chunk("PLTE", make([]byte, 12)))},
		{"garbage after the end, JPEG", append(bytes.Clone(testFile(t, "420.jpg")), "garbage"...)},
		{"no end, GIF", bytes.TrimSuffix(picturetest.GIF(t, paletted(9, 9)), []byte{';'})},
	}
}

func pngPixels(t testing.TB, file []byte) []byte {
	t.Helper()
	p, err := readPNG(file)
	if err != nil {
		t.Fatal(err)
	}
	return p.pixels
}

func transparent() image.Image {
	p := image.NewNRGBA(image.Rect(0, 0, 32, 8))
	draw.Draw(p, p.Bounds(), picturetest.Noise(32, 8), image.Point{}, draw.Src)
	for i := range p.Pix {
		if i%4 == 3 {
			p.Pix[i] = byte(i / 4 * 8)
		}
	}
	return p
}

func grayed() *image.Gray {
	p := image.NewGray(image.Rect(0, 0, 32, 8))
	for i := range p.Pix {
		p.Pix[i] = byte(i)
	}
	return p
}

func paletted(w, h int) *image.Paletted {
	p := image.NewPaletted(image.Rect(0, 0, w, h), append(color.Palette{}, palette.Plan9[:128]...))
	for i := range p.Pix {
		p.Pix[i] = byte(i % 128)
	}
	return p
}

// interlaced is a PNG in seven passes, of a gradient.
func interlaced() []byte {
	const side = 8
	var lines []byte
	for _, pass := range [][4]int{{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4}, {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}} {
		for y := pass[1]; y < side; y += pass[3] {
			lines = append(lines, 0) // no filter
			for x := pass[0]; x < side; x += pass[2] {
				lines = append(lines, byte(32*x), byte(32*y), 100)
			}
		}
	}
	head := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, side), side)
	out := append([]byte(pngSignature), picturetest.Chunk("IHDR", append(head, 8, 2, 0, 0, 1))...)
	out = append(out, picturetest.Chunk("IDAT", picturetest.Deflated(lines))...)
	return append(out, picturetest.Chunk("IEND", nil)...)
}

// withWebP is a simple file with chunks before and after its pixels.
func withWebP(t testing.TB, name string, flags byte, before, after []byte) []byte {
	t.Helper()
	file := testFile(t, name)
	src, err := Inspect(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	w, h := src.Width-1, src.Height-1
	body := appendChunk([]byte("WEBP"), "VP8X", []byte{flags, 0, 0, 0, byte(w), byte(w >> 8), 0, byte(h), byte(h >> 8), 0})
	return appendChunk(nil, "RIFF", append(append(append(body, before...), file[12:]...), after...))
}

// TestAsChromiumDraws (faults 30 to 34) compares every pixel of the samples with what Chromium draws.
func TestAsChromiumDraws(t *testing.T) {
	c := newChromium(t)
	var drawn strings.Builder
	for _, s := range samples(t) {
		want := c.draw(t, s.file)
		if want == nil {
			t.Errorf("%s: Chromium draws nothing", s.name)
			continue
		}
		_, got, err := readPicture(s.file)
		if err != nil {
			t.Errorf("%s: %v", s.name, err)
			continue
		}
		if size := got.Bounds().Size(); size != want.Rect.Size() {
			t.Errorf("%s: %v pixels, Chromium draws %v", s.name, size, want.Rect.Size())
			continue
		}
		for i := range want.Rect.Dx() * want.Rect.Dy() {
			at := image.Pt(i%want.Rect.Dx(), i/want.Rect.Dx())
			if a, b := pixel(got, at), pixel(want, at); !alike(a, b) {
				t.Errorf("%s: the pixel at %v is %v, Chromium draws %v", s.name, at, a, b)
				break
			}
		}
		fmt.Fprintln(&drawn, s.name+":", want.Rect.Dx(), want.Rect.Dy(), spots(want))
	}
	if *update && !t.Failed() {
		if err := os.WriteFile("testdata/drawn.txt", []byte(drawn.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAsDrawn compares a few pixels of each with what Chromium drew, where it is missing.
func TestAsDrawn(t *testing.T) {
	drawn := strings.Split(strings.TrimSpace(string(testFile(t, "drawn.txt"))), "\n")
	all := samples(t)
	if len(drawn) != len(all) || len(all) < 40 {
		t.Fatalf("%d pictures, and %d that were drawn: go test -run TestAsChromiumDraws -update", len(all), len(drawn))
	}
	for i, s := range all {
		_, got, err := readPicture(s.file)
		if err != nil {
			t.Errorf("%s: %v", s.name, err)
			continue
		}
		if line := fmt.Sprint(s.name+": ", got.Bounds().Dx(), " ", got.Bounds().Dy(), " ", spots(got)); !similar(line, drawn[i]) {
			t.Errorf("got  %s\nwant %s", line, drawn[i])
		}
	}
}

// spots are some pixels of a picture, in words.
func spots(p image.Image) string {
	size, all := p.Bounds().Size(), []string{}
	for i := range 5 {
		c := pixel(p, image.Pt((1+3*i)*size.X/16, (15-3*i)*size.Y/16))
		all = append(all, fmt.Sprint(c.R, c.G, c.B, c.A))
	}
	return strings.Join(all, ", ")
}

// similar compares two lines number by number.
func similar(a, b string) bool {
	p, q := strings.Fields(strings.ReplaceAll(a, ",", "")), strings.Fields(strings.ReplaceAll(b, ",", ""))
	if len(p) != len(q) {
		return false
	}
	for i := range p {
		var m, n int
		if p[i] == q[i] {
			continue
		}
		if _, err := fmt.Sscan(p[i]+" "+q[i], &m, &n); err != nil || m-n > near || n-m > near {
			return false
		}
	}
	return true
}

// pixel is one as a canvas keeps it, with colours that are multiplied with their alpha:
// of those that nobody sees it keeps little.
func pixel(p image.Image, at image.Point) color.RGBA {
	at = at.Add(p.Bounds().Min)
	return color.RGBAModel.Convert(p.At(at.X, at.Y)).(color.RGBA)
}

func alike(a, b color.RGBA) bool {
	for _, d := range []int{int(a.R) - int(b.R), int(a.G) - int(b.G), int(a.B) - int(b.B), int(a.A) - int(b.A)} {
		if d < -near || d > near {
			return false
		}
	}
	return true
}
