package services

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"petstore/models"
	"petstore/services/picture/picturetest"
)

// TestDamagedPicture (reliability 15, another instance): a file that was damaged after it was stored is not served for the picture
// that was made, to be cached for a day.
func TestDamagedPicture(t *testing.T) {
	g := newGallery(t, options{}, t.TempDir(), nil)
	img := g.done(g.create(models.Image{}, bytes.NewReader(picturetest.PNG(t, picturetest.Corners(20, 10)))))
	whole := g.picture(img, "small")
	flipped := slices.Clone(whole)
	flipped[len(flipped)/2] ^= 1
	for name, content := range map[string][]byte{"one bit": flipped, "cut": whole[:len(whole)-1], "empty": nil, "longer": append(flipped, 0)} {
		if err := os.WriteFile(filepath.Join(g.folder, blobOf(img.ID, "small")), content, 0o600); err != nil {
			t.Fatal(err)
		}
		_, _, err := g.images.Open(within(t), img.ID, "small")
		if err == nil || models.Code(err) != "" || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
