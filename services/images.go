package services

import (
	"context"
	"io"
	"log/slog"
	"time"

	"petstore/models"
)

// Images takes pictures in, lets clients look after them, and serves what was
// made of them. How that is made is in imaging.go.
type Images struct {
	store *models.Store
	tasks *Tasks
	blobs *Blobs
}

// NewImages returns the images that store and blobs hold, processed by tasks.
func NewImages(store *models.Store, tasks *Tasks, blobs *Blobs) *Images {
	return &Images{store: store, tasks: tasks, blobs: blobs}
}

// looseFor is how long a blob is left alone that may still be written, or get
// its row.
const looseFor = 10 * time.Minute

// Create stores an image, its task, its first update and its job, in one
// transaction. An uploaded file is stored before; should the transaction fail
// then, it is deleted later.
func (s *Images) Create(ctx context.Context, n models.NewImage) (models.Image, error) {
	img := models.Image{
		ID: models.NewID(models.PrefixImage), ImageURL: n.ImageURL, Operations: n.Operations,
		Format: n.Format, Quality: n.Quality, CreatedAt: models.Now(),
	}
	upload := blobOf(img.ID, sourceBlob)
	if n.File != nil {
		if err := s.receive(ctx, upload, n.File); err != nil {
			return models.Image{}, err
		}
	}
	err := s.store.InTx(ctx, func(tx *models.Tx) (err error) {
		img.Task, err = s.tasks.Begin(tx, kindImage, Request{
			ResourceID: img.ID, CallbackURL: n.CallbackURL, Metadata: n.Metadata, Message: "Image received",
		})
		if err != nil {
			return err
		}
		if n.File != nil {
			if err := models.KeepBlob(tx, upload); err != nil {
				return err
			}
		}
		img.TaskID = img.Task.ID
		return models.CreateImage(tx, &img)
	})
	return img, err
}

// receive stores an upload, which is loose until its image is stored.
func (s *Images) receive(ctx context.Context, key string, file io.Reader) error {
	err := s.store.InTx(ctx, func(tx *models.Tx) error {
		return models.LoosenBlobs(tx, models.Now().Add(looseFor), key)
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
	return models.ListImages(s.store.Read(ctx), f, page)
}

// Change lets edit change whom an image that is processing calls back, and what
// it tells them.
func (s *Images) Change(ctx context.Context, id string, edit func(task *models.Task) error) (models.Image, error) {
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
		return models.ChangeTask(tx, img.TaskID, img.Task.CallbackURL, img.Task.Metadata)
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
		if err := models.LoosenBlobs(tx, models.Now(), blobsOf(id)...); err != nil {
			return err
		}
		return models.DeleteImage(tx, id)
	})
	if err != nil {
		return err
	}
	if err := s.blobs.Sweep(ctx); err != nil {
		slog.Warn("The blobs of a deleted image are still there; deleting them is tried again.", "image_id", id, "err", err)
	}
	return nil
}

// Open opens a picture that was made of an image, to be closed by the caller.
func (s *Images) Open(ctx context.Context, id, name string) (models.ImageVariant, io.ReadSeekCloser, error) {
	variant, err := models.FindVariant(s.store.Read(ctx), id, name)
	if err != nil {
		return variant, nil, err
	}
	content, err := s.blobs.Open(ctx, blobOf(id, name))
	return variant, content, err
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
