package services

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"log/slog"
	"strings"
	"time"

	"golang.org/x/sync/semaphore"

	"petstore/callbacks"
	"petstore/models"
	"petstore/services/blobs"
	"petstore/services/fetch"
	"petstore/services/picture"
	"petstore/services/task"
)

// Images takes pictures in, lets clients look after them, and serves what was
// made of them. Imaging makes it.
type Images struct {
	store *models.Store
	tasks *task.Engine
	blobs *blobs.Bucket
}

// NewImages returns the images that store and blobs hold, processed by tasks.
func NewImages(store *models.Store, tasks *task.Engine, blobs *blobs.Bucket) *Images {
	return &Images{store: store, tasks: tasks, blobs: blobs}
}

// orphanGrace is how long a blob is left alone that may still be written, or get
// its row.
const orphanGrace = 10 * time.Minute

// Create stores an image, its task and its first update in one transaction. img says where it is and
// what to make of it, and img.Task whom to tell. file is what was uploaded, nil if img has an ImageURL;
// it is stored before, and should the transaction fail then, deleted later.
func (s *Images) Create(ctx context.Context, img models.Image, file io.Reader) (models.Image, error) {
	img.ID, img.CreatedAt = models.NewID(callbacks.KindImage.Prefix), models.Now()
	if img.Operations == nil {
		img.Operations = []models.ImageOperation{}
	}
	upload := blobOf(img.ID, sourceBlob)
	if file != nil {
		if err := s.receive(ctx, upload, file); err != nil {
			return models.Image{}, err
		}
	}
	img.Task.Kind, img.Task.ResourceID, img.Task.Message = callbacks.KindImage.Name, img.ID, "Image received"
	err := s.tasks.Create(ctx, img.Task, func(tx *models.Tx, t models.Task) error {
		img.Task, img.TaskID = t, t.ID
		if file != nil {
			if err := models.KeepBlob(tx, upload); err != nil {
				return err
			}
		}
		return models.Create(tx, &img)
	})
	return img, err
}

// receive stores an upload, which is an orphan until its image is stored.
func (s *Images) receive(ctx context.Context, key string, file io.Reader) error {
	err := s.store.InTx(ctx, func(tx *models.Tx) error {
		return models.AddOrphanBlobs(tx, models.Now().Add(orphanGrace), key)
	})
	if err == nil {
		_, err = s.blobs.Put(ctx, key, file)
	}
	return err
}

// Get finds an image.
func (s *Images) Get(ctx context.Context, id string) (models.Image, error) {
	return models.FindImage(s.store.Read(ctx), id)
}

// List lists images, newest first.
func (s *Images) List(ctx context.Context, f models.ImageFilter, page models.Page) (models.List[models.Image], error) {
	return list(ctx, s.store, models.ListImages, f, page)
}

// Change lets edit change whom an image that is processing calls back, and what
// it tells them.
func (s *Images) Change(ctx context.Context, id string, edit func(t *models.Task) error) (models.Image, error) {
	var img models.Image
	err := s.store.InTx(ctx, func(tx *models.Tx) (err error) {
		if img, err = models.FindImage(tx.DB, id); err != nil {
			return err
		}
		if img.Task, err = models.FindTask(tx.ForUpdate(), img.TaskID); err != nil {
			return err
		}
		if img.Task.Ended() {
			return models.Conflict("The image is %s; only an image that is processing can be changed.", img.Task.Status)
		}
		if err = edit(&img.Task); err != nil {
			return err
		}
		return models.ChangeTask(tx, &img.Task)
	})
	return img, err
}

// Cancel ends the processing of an image.
func (s *Images) Cancel(ctx context.Context, id string) (models.Image, error) {
	img, err := s.Get(ctx, id)
	if err != nil {
		return img, err
	}
	img.Task, err = s.tasks.Cancel(ctx, img.TaskID)
	return img, err
}

// Delete removes an image whose task has ended. Its rows go first, so nobody
// finds an image that is half there; then its blobs, now if that is possible,
// or else in the background.
func (s *Images) Delete(ctx context.Context, id string) error {
	err := s.store.InTx(ctx, func(tx *models.Tx) error {
		img, err := models.FindImage(tx.DB, id)
		if err != nil {
			return err
		}
		if !img.Task.Ended() {
			return models.Conflict("The image is processing: cancel it first.")
		}
		if err := models.NotShown(tx.DB, id); err != nil {
			return err
		}
		if err := models.AddOrphanBlobs(tx, models.Now(), blobsOf(id)...); err != nil {
			return err
		}
		return models.Delete[models.Image](tx, id)
	})
	if err != nil {
		return err
	}
	if err := s.blobs.Sweep(ctx); err != nil {
		slog.WarnContext(ctx, "The blobs of a deleted image are still there; deleting them is tried again.", "image_id", id, "err", err)
	}
	return nil
}

// Imaging is the operation that processes an image: it fetches the file unless
// it was uploaded, makes pictures of it, and stores them.
type Imaging struct {
	store   *models.Store
	blobs   *blobs.Bucket
	fetcher *fetch.Client
	memory  *semaphore.Weighted // in bytes: of all that are decoded, together
}

// imageConcurrency is how many images are worked on at once: many of them wait for their
// file, though never all (fetch.BusyError).
const imageConcurrency = 500

// NewImaging returns the operation for images.
func NewImaging(store *models.Store, blobs *blobs.Bucket, fetcher *fetch.Client) task.Operation {
	p := &Imaging{store: store, blobs: blobs, fetcher: fetcher, memory: semaphore.NewWeighted(picture.MaxMemory)}
	return task.Operation{
		Kind: callbacks.KindImage.Name, Concurrency: imageConcurrency,
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

func (p *Imaging) run(ctx context.Context, t *models.Task, report task.Progress) (any, error) {
	img, err := models.FindImage(p.store.Read(ctx), t.ResourceID)
	if err != nil {
		return nil, err
	}
	if len(img.Variants) > 0 {
		return resultOf(img.Variants), nil // of a run that was interrupted after storing them
	}
	if err := p.fetch(ctx, img, report); err != nil {
		return nil, imageFailure(err)
	}
	variants, err := p.process(ctx, img, report)
	if err != nil {
		return nil, imageFailure(err)
	}
	err = report(95, "Storing "+plural(int64(len(variants)), "picture"), func(tx *models.Tx) error {
		return models.Create(tx, variants)
	})
	if err != nil {
		return nil, err
	}
	return resultOf(variants), nil
}

// imageFailure tells the client what is wrong with an image, or with where it is.
func imageFailure(err error) error {
	var reason string
	if failed, ok := errors.AsType[*fetch.Error](err); ok {
		reason = failed.Reason
	} else if wrong, ok := errors.AsType[*picture.Error](err); ok {
		reason = wrong.Reason
	} else if busy, ok := errors.AsType[*fetch.BusyError](err); ok {
		return &task.BusyError{RetryAfter: busy.RetryAfter}
	} else {
		return err
	}
	return &callbacks.Error{Code: task.CodeProcessing, Message: "Failed to process image: " + reason}
}

func resultOf(variants []models.ImageVariant) processed {
	var result processed
	var sizes []string
	for _, v := range variants {
		sizes = append(sizes, fmt.Sprintf("%s %d×%d", v.Name, v.Width, v.Height))
		result.Variants = append(result.Variants, processedVariant{
			Name: v.Name, URL: picturePath(v), ContentType: v.ContentType, Width: v.Width, Height: v.Height, Size: v.Size,
		})
	}
	result.Summary = plural(int64(len(variants)), "picture") + ": " + strings.Join(sizes, ", ")
	return result
}

// fetch downloads the image's file, unless it is there: uploaded, or downloaded
// by a run that was interrupted later.
func (p *Imaging) fetch(ctx context.Context, img models.Image, report task.Progress) error {
	key := blobOf(img.ID, sourceBlob)
	found, err := p.blobs.Exists(key)
	if err != nil || found {
		return err
	}
	if img.ImageURL == "" {
		return fmt.Errorf("the upload of image %s is gone: is BLOB_URL another one than before?", img.ID)
	}
	const progress = 5
	if img.Task.Progress < progress { // not told again each time that there is no room for it
		if err := report(progress, "Fetching the image"); err != nil {
			return err
		}
	}
	return p.fetcher.Fetch(ctx, img.ImageURL, func(content io.Reader) error {
		_, err := p.blobs.Put(ctx, key, content)
		return err
	})
}

// process makes the image's variants and stores their blobs. It holds the file
// and the picture in memory, so it waits for its turn first.
func (p *Imaging) process(ctx context.Context, img models.Image, report task.Progress) ([]models.ImageVariant, error) {
	file, err := p.blobs.Open(blobOf(img.ID, sourceBlob))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	src, err := picture.Inspect(file)
	if err != nil {
		return nil, err
	}
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, fmt.Errorf("measuring the file of image %s: %w", img.ID, err)
	}
	// At most two at a time: there is no more to win, and a crash takes fewer along.
	taken := max(src.Memory(size, img.Operations), picture.MaxMemory/2)
	if err := p.memory.Acquire(ctx, taken); err != nil {
		return nil, err
	}
	defer p.memory.Release(taken)
	if err := task.GuardCrash(ctx); err != nil {
		return nil, err
	}
	if err := report(20, fmt.Sprintf("Decoding a %s of %d×%d pixels", src.Format, src.Width, src.Height)); err != nil {
		return nil, err
	}
	pixels, err := load(ctx, src, file)
	if err != nil {
		return nil, err
	}
	return p.makeVariants(ctx, img, src, pixels, report)
}

func (p *Imaging) makeVariants(ctx context.Context, img models.Image, src picture.Source, pixels image.Image, report task.Progress) ([]models.ImageVariant, error) {
	steps := stepsFor(img)
	variants := make([]models.ImageVariant, len(steps))
	for i, step := range steps {
		message := fmt.Sprintf("Making picture %d of %d: %s", i+1, len(steps), step.name)
		err := report(30+60*i/len(steps), message)
		if err != nil {
			return nil, err
		}
		if pixels, err = step.make(ctx, pixels); err != nil {
			return nil, err
		}
		if variants[i], err = p.save(ctx, img, src, step.name, pixels); err != nil {
			return nil, err
		}
		variants[i].Position = i
	}
	return variants, nil
}

func load(ctx context.Context, src picture.Source, file io.ReadSeeker) (image.Image, error) {
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("reading an image's file again: %w", err)
	}
	data, err := io.ReadAll(file)
	if err != nil {
		return nil, fmt.Errorf("reading an image's file: %w", err)
	}
	return src.Load(ctx, data)
}

// ended lets go of the blobs that are not needed any more. A run that was
// cancelled from outside may write on for a moment, so those wait.
func (p *Imaging) ended(tx *models.Tx, t *models.Task) error {
	if t.Status == models.StatusCompleted {
		return models.AddOrphanBlobs(tx, models.Now(), blobOf(t.ResourceID, sourceBlob))
	}
	return models.AddOrphanBlobs(tx, models.Now().Add(orphanGrace), blobsOf(t.ResourceID)...)
}
