package services

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"io"

	"petstore/models"
	"petstore/services/picture"
)

// thumbnails is what is made of an image whose client asked for nothing else:
// pictures of at most so many pixels on a side, each scaled from the one before.
var thumbnails = []struct {
	name string
	side int
}{{"large", 1280}, {"medium", 640}, {"small", 160}}

// processedName is the name of what a client's own operations make.
const processedName = "processed"

// Open opens a picture that was made of an image, to be closed by the caller. It reads all of it first: a file system does not
// tell when a file has been damaged, and what is served is cached under the digest that the picture was made with.
func (s *Images) Open(ctx context.Context, id, name string) (models.ImageVariant, io.ReadSeekCloser, error) {
	variant, err := models.FindVariant(s.store.Read(ctx), id, name)
	if err != nil {
		return variant, nil, err
	}
	content, err := s.blobs.Open(blobOf(id, name))
	if err != nil {
		return variant, nil, err
	}
	if err := checkDigest(content, variant.SHA256); err != nil {
		return variant, nil, errors.Join(fmt.Errorf("reading %s of image %s: %w", name, id, err), content.Close())
	}
	return variant, content, nil
}

// checkDigest reads a file, which then is at its beginning again, and returns an error if its SHA-256 is another.
func checkDigest(file io.ReadSeeker, want string) error {
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return err
	}
	if hex.EncodeToString(sum.Sum(nil)) != want {
		return errors.New("the file is damaged: restore it from a backup")
	}
	_, err := file.Seek(0, io.SeekStart)
	return err
}

// step makes one variant, of the picture that the step before has made.
type step struct {
	name string
	make func(context.Context, image.Image) (image.Image, error)
}

func stepsFor(img models.Image) []step {
	if len(img.Operations) > 0 {
		return []step{{processedName, func(ctx context.Context, p image.Image) (image.Image, error) {
			return picture.Retouch(ctx, p, img.Operations)
		}}}
	}
	steps := make([]step, len(thumbnails))
	for i, t := range thumbnails {
		steps[i] = step{t.name, func(ctx context.Context, p image.Image) (image.Image, error) { return picture.Shrink(ctx, p, t.side) }}
	}
	return steps
}

// save writes one variant, while it is encoded: the file may be as large as the
// picture. The same picture becomes the same bytes at each run.
func (p *Imaging) save(ctx context.Context, img models.Image, src picture.Source, name string, pixels image.Image) (models.ImageVariant, error) {
	format := img.Format
	if format == "" {
		format = picture.Suitable(src.Format, pixels)
	}
	r, w := io.Pipe()
	sum, stored := sha256.New(), make(chan error, 1)
	var size int64
	go func() {
		var err error
		size, err = p.blobs.Put(ctx, blobOf(img.ID, name), io.TeeReader(r, sum))
		r.CloseWithError(err) // so that encoding ends, too
		stored <- err
	}()
	err := picture.Write(ctx, w, pixels, format, img.Quality)
	w.CloseWithError(err)
	if err = errors.Join(err, <-stored); err != nil {
		return models.ImageVariant{}, fmt.Errorf("making %s of image %s: %w", name, img.ID, err)
	}
	return models.ImageVariant{
		ImageID: img.ID, Name: name, ContentType: "image/" + format, SHA256: hex.EncodeToString(sum.Sum(nil)),
		Width: pixels.Bounds().Dx(), Height: pixels.Bounds().Dy(), Size: size, CreatedAt: models.Now(),
	}, nil
}

// sourceBlob is the name of the blob with the file that an image is made of. It
// is deleted when that is done: it is large, and tells where a photograph was
// taken.
const sourceBlob = "source"

// blobOf is the key of one of an image's blobs.
func blobOf(imageID, name string) string { return "images/" + imageID + "." + name }

// blobsOf lists the keys of all blobs that an image can have.
func blobsOf(imageID string) []string {
	keys := []string{blobOf(imageID, sourceBlob), blobOf(imageID, processedName)}
	for _, t := range thumbnails {
		keys = append(keys, blobOf(imageID, t.name))
	}
	return keys
}
