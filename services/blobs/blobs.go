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
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"petstore/models"
	"petstore/models/db"
)

const (
	// sweepEvery is how long a blob that nothing needs may stay.
	sweepEvery = time.Minute
	// sweepBatch bounds how many of them are deleted between two transactions.
	sweepBatch = 100
)

// Bucket holds blobs, by key. An orphan (see models.OrphanBlob) is deleted in the
// background, by Start.
type Bucket struct {
	store *models.Store
	kept  storage

	stop    context.CancelFunc
	sweeper sync.WaitGroup
}

// storage is where blobs are: a folder, or memory. A store of objects would be another
// file with these methods. Those that find no blob return fs.ErrNotExist.
type storage interface {
	// put stores all that r holds, so that it survives a power cut, or nothing.
	put(ctx context.Context, key string, r io.Reader) (size int64, err error)
	open(key string) (io.ReadSeekCloser, error)
	exists(key string) (bool, error)
	remove(key string) error
	close() error
}

// Open opens the bucket that rawURL names: file:///a/folder, which is made when it is
// missing, or mem://.
func Open(store *models.Store, rawURL string) (*Bucket, error) {
	const want = "want file:///a/folder, or mem://"
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, errors.New("BLOB_URL is no URL: " + want) // which may hold a password
	}
	b := &Bucket{store: store, stop: func() {}}
	switch {
	case u.Scheme == "mem":
		b.kept = &memory{blobs: map[string][]byte{}}
	case u.Scheme == "file" && u.Host == "" && u.Path != "" && u.RawQuery == "":
		if b.kept, err = openFolder(filepath.FromSlash(u.Path)); err != nil {
			return nil, fmt.Errorf("BLOB_URL %q: %w", u.Redacted(), err)
		}
	default:
		return nil, fmt.Errorf("BLOB_URL %q: %s", u.Redacted(), want)
	}
	return b, nil
}

// Put stores what r holds. When it returns nil all of it is there and survives a
// power cut, otherwise nothing is.
func (b *Bucket) Put(ctx context.Context, key string, r io.Reader) (size int64, err error) {
	size, err = b.kept.put(ctx, key, r)
	switch {
	case err == nil:
		return size, nil
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return 0, &models.Error{Code: db.CodeFull, Message: "The server's disk is full. Nothing of this request was stored.", Err: err}
	case errors.Is(err, syscall.EROFS), errors.Is(err, fs.ErrPermission):
		return 0, &models.Error{Code: db.CodeUnavailable, Message: "The server cannot store pictures at the moment. Nothing of this request was stored.", Err: err}
	}
	return 0, fmt.Errorf("writing blob %s: %w", key, err)
}

// Open opens a blob to read.
func (b *Bucket) Open(key string) (io.ReadSeekCloser, error) {
	r, err := b.kept.open(key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &models.Error{Code: models.CodeNotFound, Message: "What you ask for has been deleted.", Err: err}
	}
	if err != nil {
		return nil, fmt.Errorf("opening blob %s: %w", key, err)
	}
	return r, nil
}

// Exists reports whether there is such a blob.
func (b *Bucket) Exists(key string) (bool, error) {
	found, err := b.kept.exists(key)
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

// discard deletes orphans. Those that it cannot delete stay on the list.
func (b *Bucket) discard(ctx context.Context, keys []string) error {
	var gone []string
	var errs []error
	for _, key := range keys {
		if err := b.kept.remove(key); err != nil && !errors.Is(err, fs.ErrNotExist) {
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
	if err := b.kept.close(); err != nil {
		return fmt.Errorf("closing the bucket: %w", err)
	}
	return nil
}
