// Package blobs keeps files that are too large for the database.
package blobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"gocloud.dev/blob"
	_ "gocloud.dev/blob/fileblob" // file://, a folder
	_ "gocloud.dev/blob/memblob"  // mem://, forgotten at exit
	"gocloud.dev/gcerrors"

	"petstore/models"
	"petstore/models/db"
)

const (
	// sweepEvery is how long a blob that nothing needs may stay.
	sweepEvery = time.Minute
	// sweepBatch bounds how many of them are deleted between two transactions.
	sweepBatch = 100
)

// Bucket holds files, by key. One that is
// loose (see models.LooseBlob) is deleted in the background, by Start.
type Bucket struct {
	store *models.Store
	files *blob.Bucket

	stop    context.CancelFunc
	sweeper sync.WaitGroup
}

// Open opens the bucket that rawURL names: file:///a/folder, which is made
// when it is missing, or mem://. Drivers for S3, Google Cloud and Azure exist
// (https://gocloud.dev/howto/blob/), and need no more than their import here;
// that of S3 alone makes the program 9 MB larger.
func Open(ctx context.Context, store *models.Store, rawURL string) (*Bucket, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("BLOB_URL %q: want a URL, such as file:///var/lib/petstore/blobs", rawURL)
	}
	if u.Scheme == "file" {
		if err := prepareFolder(u); err != nil {
			return nil, fmt.Errorf("BLOB_URL %q: %w", rawURL, err)
		}
	}
	files, err := blob.OpenBucket(ctx, u.String())
	if err != nil {
		return nil, fmt.Errorf("opening the bucket BLOB_URL %q: %w", rawURL, err)
	}
	return &Bucket{store: store, files: files, stop: func() {}}, nil
}

// prepareFolder makes the folder, sets how fileblob uses it, and removes what
// writes left in it that were killed. A file is written beside its final place,
// since it can be renamed there only within one file system; what it is goes
// into the database, not into a file of its own.
func prepareFolder(u *url.URL) error {
	q := u.Query()
	q.Set("no_tmp_dir", "true")
	q.Set("metadata", "skip")
	u.RawQuery = q.Encode()
	folder := filepath.FromSlash(u.Path)
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return err
	}
	unfinished, err := fs.Glob(os.DirFS(folder), "*/*.tmp")
	if err != nil {
		return err
	}
	for _, name := range unfinished {
		name = filepath.Join(folder, name)
		info, err := os.Stat(name)
		if err == nil && time.Since(info.ModTime()) > time.Hour { // not that of another process
			err = os.Remove(name)
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return syncFolder(filepath.Dir(folder))
}

// Put stores what r holds. When it returns nil all of it is there and survives a
// power cut, otherwise nothing is.
func (b *Bucket) Put(ctx context.Context, key string, r io.Reader) (size int64, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var file *os.File
	w, err := b.files.NewWriter(ctx, key, &blob.WriterOptions{
		ContentType: "application/octet-stream", // what it is, its row knows
		BeforeWrite: func(as func(any) bool) error { as(&file); return nil },
	})
	if err != nil {
		return 0, putError(key, err)
	}
	size, err = io.Copy(w, r)
	if err == nil && file != nil {
		err = file.Sync() // fileblob leaves that to the system, which takes its time
	}
	if err != nil {
		cancel() // a writer whose context has ended stores nothing
		w.Close()
		return 0, putError(key, err)
	}
	if err = w.Close(); err == nil && file != nil {
		err = errors.Join(syncFolder(filepath.Dir(file.Name())), syncFolder(filepath.Dir(filepath.Dir(file.Name()))))
	}
	return size, putError(key, err)
}

func putError(key string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC):
		return &models.Error{Code: db.CodeFull, Message: "The server's disk is full. Nothing of this request was stored.", Err: err}
	}
	return fmt.Errorf("writing blob %s: %w", key, err)
}

// syncFolder makes the names in a folder survive a power cut (fsync(2)).
func syncFolder(name string) error {
	folder, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// Open opens a blob to read. The context must not end before the reader is closed.
func (b *Bucket) Open(ctx context.Context, key string) (io.ReadSeekCloser, error) {
	r, err := b.files.NewReader(ctx, key, nil)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil, &models.Error{Code: models.CodeNotFound, Message: "What you ask for has been deleted.", Err: err}
	}
	if err != nil {
		return nil, fmt.Errorf("opening blob %s: %w", key, err)
	}
	return r, nil
}

// Exists reports whether there is such a blob.
func (b *Bucket) Exists(ctx context.Context, key string) (bool, error) {
	found, err := b.files.Exists(ctx, key)
	if err != nil {
		return false, fmt.Errorf("looking for blob %s: %w", key, err)
	}
	return found, nil
}

// Start sweeps until Close: now, and then every minute.
func (b *Bucket) Start() {
	ctx, stop := context.WithCancel(context.Background())
	b.stop = stop
	b.sweeper.Go(func() {
		ticker := time.NewTicker(sweepEvery)
		defer ticker.Stop()
		for {
			if err := b.Sweep(ctx); err != nil && ctx.Err() == nil {
				slog.Warn("Blobs that nothing needs could not be deleted; it is tried again.", "err", err)
			}
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return
			}
		}
	})
}

// Sweep deletes all blobs whose time has come.
func (b *Bucket) Sweep(ctx context.Context) error {
	for {
		keys, err := models.DueBlobs(b.store.Read(ctx), models.Now(), sweepBatch)
		if err != nil || len(keys) == 0 {
			return err
		}
		if err := b.discard(ctx, keys); err != nil {
			return err
		}
	}
}

// discard deletes loose blobs. Those that it cannot delete stay on the list.
func (b *Bucket) discard(ctx context.Context, keys []string) error {
	var gone []string
	var errs []error
	for _, key := range keys {
		if err := b.files.Delete(ctx, key); err != nil && gcerrors.Code(err) != gcerrors.NotFound {
			errs = append(errs, fmt.Errorf("deleting blob %s: %w", key, err))
			continue
		}
		gone = append(gone, key)
	}
	err := b.store.InTx(ctx, func(tx *models.Tx) error { return models.ForgetBlobs(tx, gone) })
	return errors.Join(append(errs, err)...)
}

// Close stops sweeping and closes the bucket.
func (b *Bucket) Close() error {
	b.stop()
	b.sweeper.Wait()
	if err := b.files.Close(); err != nil {
		return fmt.Errorf("closing the bucket: %w", err)
	}
	return nil
}
