package services

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"io"
	"strings"

	"golang.org/x/sync/semaphore"

	"petstore/callbacks"
	"petstore/models"
)

const kindImage = "image"

// thumbnails is what is made of an image whose client asked for nothing else:
// pictures of at most so many pixels on a side, each scaled from the one before.
var thumbnails = []struct {
	name string
	side int
}{{"large", 1280}, {"medium", 640}, {"small", 160}}

// processedName is the name of what a client's own operations make.
const processedName = "processed"

// Imaging is the operation that processes an image: it fetches the file unless
// it was uploaded, makes pictures of it, and stores them.
type Imaging struct {
	store    *models.Store
	blobs    *Blobs
	fetcher  *Fetcher
	decoding *semaphore.Weighted // in pixels: one large picture at a time, or two of up to half that
}

// NewImaging returns the operation for images.
func NewImaging(store *models.Store, blobs *Blobs, fetcher *Fetcher) Operation {
	p := &Imaging{store: store, blobs: blobs, fetcher: fetcher, decoding: semaphore.NewWeighted(maxPixels)}
	return Operation{
		Kind:  kindImage,
		SetID: func(u *callbacks.Update, id string) { u.ImageID = id },
		Run:   p.run,
		Ended: p.ended,
	}
}

// processed is the result of an image.
type processed struct {
	Summary  string             `json:"summary"`
	Variants []processedVariant `json:"variants"`
}

type processedVariant struct {
	Name        string `json:"name"`
	URL         string `json:"url"` // a path on this server
	ContentType string `json:"content_type"`
	Width       int    `json:"width"`
	Height      int    `json:"height"`
	Size        int64  `json:"size"`
}

func (p *Imaging) run(ctx context.Context, task *models.Task, report Report) (any, error) {
	img, err := models.FindImage(p.store.Read(ctx), task.ResourceID)
	if err != nil {
		return nil, err
	}
	if len(img.Variants) > 0 {
		return resultOf(img.Variants), nil // of a run that was interrupted after storing them
	}
	if err := p.fetch(ctx, img, report); err != nil {
		return nil, err
	}
	variants, err := p.process(ctx, img, report)
	if err != nil {
		return nil, err
	}
	err = report(95, "Storing "+plural(int64(len(variants)), "picture"), func(tx *models.Tx) error {
		return models.CreateVariants(tx, variants)
	})
	if err != nil {
		return nil, err
	}
	return resultOf(variants), nil
}

func resultOf(variants []models.ImageVariant) processed {
	var result processed
	var sizes []string
	for _, v := range variants {
		sizes = append(sizes, fmt.Sprintf("%s %d×%d", v.Name, v.Width, v.Height))
		result.Variants = append(result.Variants, processedVariant{
			Name: v.Name, URL: v.Path(), ContentType: v.ContentType, Width: v.Width, Height: v.Height, Size: v.Size,
		})
	}
	result.Summary = plural(int64(len(variants)), "picture") + ": " + strings.Join(sizes, ", ")
	return result
}

// fetch downloads the image's file, unless it is there: uploaded, or downloaded
// by a run that was interrupted later.
func (p *Imaging) fetch(ctx context.Context, img models.Image, report Report) error {
	key := blobOf(img.ID, sourceBlob)
	found, err := p.blobs.Exists(ctx, key)
	if err != nil || found {
		return err
	}
	if img.ImageURL == "" {
		return fmt.Errorf("the upload of image %s is gone: is BLOB_URL another one than before?", img.ID)
	}
	if err := report(5, "Fetching the image"); err != nil {
		return err
	}
	err = p.fetcher.Fetch(ctx, img.ImageURL, func(content io.Reader) error {
		_, err := p.blobs.Put(ctx, key, content)
		return err
	})
	if failed, ok := errors.AsType[*fetchError](err); ok {
		return unprocessable("%s", failed.reason)
	}
	return err
}

// process makes the image's variants and stores their blobs. It holds the file
// and the picture in memory, so it waits for its turn first.
func (p *Imaging) process(ctx context.Context, img models.Image, report Report) ([]models.ImageVariant, error) {
	src, err := p.inspect(ctx, img)
	if err != nil {
		return nil, err
	}
	share := max(int64(src.width)*int64(src.height), maxPixels/2)
	if err := p.decoding.Acquire(ctx, share); err != nil {
		return nil, err
	}
	defer p.decoding.Release(share)
	if err := report(20, fmt.Sprintf("Decoding a %s of %d×%d pixels", src.name, src.width, src.height)); err != nil {
		return nil, err
	}
	picture, err := p.load(ctx, img, src)
	if err != nil {
		return nil, err
	}
	steps := stepsFor(img)
	variants := make([]models.ImageVariant, len(steps))
	for i, step := range steps {
		message := fmt.Sprintf("Making picture %d of %d: %s", i+1, len(steps), step.name)
		if err := report(30+60*i/len(steps), message); err != nil {
			return nil, err
		}
		if picture, err = step.make(picture); err != nil {
			return nil, err
		}
		if variants[i], err = p.save(ctx, img, src, step.name, picture); err != nil {
			return nil, err
		}
		variants[i].Position = i
	}
	return variants, nil
}

// inspect looks at the beginning of the image's file.
func (p *Imaging) inspect(ctx context.Context, img models.Image) (source, error) {
	file, err := p.blobs.Open(ctx, blobOf(img.ID, sourceBlob))
	if err != nil {
		return source{}, err
	}
	defer file.Close()
	content := &watchedReader{r: file}
	src, err := inspect(content)
	if content.err != nil {
		return source{}, fmt.Errorf("reading the file of image %s: %w", img.ID, content.err)
	}
	return src, err
}

// watchedReader keeps the error of reading, so that it isn't blamed on what was
// read.
type watchedReader struct {
	r   io.Reader
	err error
}

func (w *watchedReader) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if err != nil && err != io.EOF {
		w.err = err
	}
	return n, err
}

func (p *Imaging) load(ctx context.Context, img models.Image, src source) (image.Image, error) {
	file, err := p.blobs.Open(ctx, blobOf(img.ID, sourceBlob))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(file)
	if err != nil {
		return nil, fmt.Errorf("reading the file of image %s: %w", img.ID, err)
	}
	return src.load(ctx, data)
}

// step makes one variant, of the picture that the step before has made.
type step struct {
	name string
	make func(image.Image) (image.Image, error)
}

func stepsFor(img models.Image) []step {
	if len(img.Operations) > 0 {
		return []step{{processedName, func(p image.Image) (image.Image, error) { return retouch(p, img.Operations) }}}
	}
	steps := make([]step, len(thumbnails))
	for i, t := range thumbnails {
		steps[i] = step{t.name, func(p image.Image) (image.Image, error) { return shrink(p, t.side), nil }}
	}
	return steps
}

// save writes one variant. The same picture becomes the same bytes at each run.
func (p *Imaging) save(ctx context.Context, img models.Image, src source, name string, picture image.Image) (models.ImageVariant, error) {
	format := img.Format
	if format == "" {
		format = suitable(src.name, picture)
	}
	var file bytes.Buffer
	if err := writePicture(&file, picture, format, img.Quality); err != nil {
		return models.ImageVariant{}, fmt.Errorf("encoding %s of image %s: %w", name, img.ID, err)
	}
	sum := sha256.Sum256(file.Bytes())
	size, err := p.blobs.Put(ctx, blobOf(img.ID, name), &file)
	return models.ImageVariant{
		ImageID: img.ID, Name: name, ContentType: "image/" + format, SHA256: hex.EncodeToString(sum[:]),
		Width: picture.Bounds().Dx(), Height: picture.Bounds().Dy(), Size: size, CreatedAt: models.Now(),
	}, err
}

// ended lets go of the blobs that are not needed any more. A run that was
// cancelled from outside may write on for a moment, so those wait.
func (p *Imaging) ended(tx *models.Tx, task *models.Task) error {
	if task.Status == models.StatusCompleted {
		return models.LoosenBlobs(tx, models.Now(), blobOf(task.ResourceID, sourceBlob))
	}
	return models.LoosenBlobs(tx, models.Now().Add(looseFor), blobsOf(task.ResourceID)...)
}
