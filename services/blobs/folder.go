package blobs

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"
)

// folder keeps each blob in a file of its own. Nobody but the server's user reads it:
// originals tell where a photograph was taken. A symbolic link leads out of it nowhere.
type folder struct{ root *os.Root }

// openFolder opens a folder, which is made when it is missing, and removes what writes
// left in it that were killed.
func openFolder(name string) (*folder, error) {
	if err := os.MkdirAll(name, 0o700); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	f := &folder{root: root}
	err = errors.Join(f.probe(), f.removeUnfinished(), syncFolder(filepath.Dir(name)))
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return f, nil
}

// probe writes a file, so that a folder that is read only is found at the start.
func (f *folder) probe() error {
	name := unfinished("probe")
	file, err := f.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("the folder cannot be written: %w", err)
	}
	return errors.Join(file.Close(), f.root.Remove(name))
}

// unfinished is the name of a file that is being written, beside its final place: it can
// be renamed only within one file system.
func unfinished(key string) string { return key + "." + rand.Text() + ".tmp" }

func (f *folder) removeUnfinished() error {
	names, err := fs.Glob(f.root.FS(), "*/*.tmp")
	if err != nil {
		return err
	}
	for _, name := range names {
		info, err := f.root.Stat(name)
		if err == nil && time.Since(info.ModTime()) > time.Hour { // not that of another process
			err = f.root.Remove(name)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func (f *folder) put(ctx context.Context, key string, r io.Reader) (int64, error) {
	if err := f.root.MkdirAll(path.Dir(key), 0o700); err != nil {
		return 0, err
	}
	name := unfinished(key)
	file, err := f.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, err
	}
	size, err := io.Copy(file, r)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close(), ctx.Err()); err == nil {
		err = f.root.Rename(name, key)
	}
	if err != nil {
		_ = f.root.Remove(name) // or else at a start
		return 0, err
	}
	within := filepath.Join(f.root.Name(), filepath.FromSlash(path.Dir(key)))
	return size, errors.Join(syncFolder(within), syncFolder(f.root.Name()))
}

// syncFolder makes the names in a folder survive a power cut (fsync(2)).
func syncFolder(name string) error {
	folder, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

func (f *folder) open(key string) (io.ReadSeekCloser, error) { return f.root.Open(key) }

func (f *folder) exists(key string) (bool, error) {
	_, err := f.root.Stat(key)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

func (f *folder) remove(key string) error { return f.root.Remove(key) }

func (f *folder) close() error { return f.root.Close() }
