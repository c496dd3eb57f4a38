package services

import (
	"bytes"
	"image"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"petstore/models"
)

// TestPhotographs processes real photographs, which come with the sources of Go
// and of golang.org/x/image, and compares the pictures with what they are of:
// block by block, the colours are those of the photograph.
func TestPhotographs(t *testing.T) {
	t.Parallel()
	std := filepath.Join(goSays(t, "env", "GOROOT"), "src", "image", "testdata")
	rose := filepath.Join(goSays(t, "list", "-m", "-f", "{{.Dir}}", "golang.org/x/image"), "testdata")
	g := newGallery(t, options{}, t.TempDir(), nil)
	for file, of := range map[string]string{
		std + "/video-001.jpeg":                  std + "/video-001.png",
		std + "/video-001.progressive.jpeg":      std + "/video-001.png",
		std + "/video-001.cmyk.jpeg":             std + "/video-001.cmyk.png",
		std + "/video-001.q50.420.jpeg":          std + "/video-001.png",
		std + "/video-001.png":                   std + "/video-001.png",
		std + "/video-001.interlaced.gif":        std + "/video-001.png",
		rose + "/yellow_rose.lossless.webp":      rose + "/yellow_rose.png",
		rose + "/go-turns-two-280x360.jpeg":      rose + "/go-turns-two-280x360.jpeg",
		rose + "/blue-purple-pink-large.png":     rose + "/blue-purple-pink-large.png",
		rose + "/blue-purple-pink.lossless.webp": rose + "/blue-purple-pink.png",
	} {
		t.Run(filepath.Base(file), func(t *testing.T) {
			original := photograph(t, of)
			img := g.done(g.create(models.Image{}, bytes.NewReader(readFile(t, file))))
			if img.Task.Status != models.StatusCompleted || len(img.Variants) != 3 {
				t.Fatalf("it is %s with %d pictures: %s", img.Task.Status, len(img.Variants), img.Task.Message)
			}
			for _, v := range img.Variants {
				_, picture, err := readPicture(g.picture(img, v.Name))
				if err != nil {
					t.Fatal(err)
				}
				if far := distance(picture, original); far > 9 {
					t.Errorf("%s is %.1f levels of 255 away from the photograph", v.Name, far)
				}
			}
		})
	}
}

// goSays is the output of the go command.
func goSays(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", args...).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func photograph(t *testing.T, path string) image.Image {
	t.Helper()
	picture, _, err := image.Decode(bytes.NewReader(readFile(t, path)))
	if err != nil {
		t.Fatal(err)
	}
	return picture
}

// distance is how far the colours of two pictures are apart at the most, in levels
// of 255: means of blocks, 4 by 4 of them, so that sizes may differ.
func distance(a, b image.Image) (far float64) {
	const blocks = 4
	for y := range blocks {
		for x := range blocks {
			p, q := blockMean(a, x, y, blocks), blockMean(b, x, y, blocks)
			for i := range p {
				far = max(far, math.Abs(p[i]-q[i]))
			}
		}
	}
	return far
}

func blockMean(m image.Image, x, y, blocks int) (mean [3]float64) {
	b := m.Bounds()
	n := 0.0
	for py := b.Min.Y + y*b.Dy()/blocks; py < b.Min.Y+(y+1)*b.Dy()/blocks; py++ {
		for px := b.Min.X + x*b.Dx()/blocks; px < b.Min.X+(x+1)*b.Dx()/blocks; px++ {
			red, green, blue, _ := m.At(px, py).RGBA()
			mean[0], mean[1], mean[2], n = mean[0]+float64(red>>8), mean[1]+float64(green>>8), mean[2]+float64(blue>>8), n+1
		}
	}
	for i := range mean {
		mean[i] /= n
	}
	return mean
}
