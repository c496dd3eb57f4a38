package db

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// minFree is how many bytes have to be free on the disk for the server to be ready.
const minFree = 1 << 20

// ownedFile is an SQLite file that this process has for itself. Jobs that a dead process left
// running are taken up at start, which would be wrong while that process lives.
type ownedFile struct {
	path string       // what the path that was given leads to
	lock *flock.Flock // of a file beside it
	file *os.File     // the database, with a lock on it where there are such; nil if it can't be opened
	// What was opened: the database, and its write-ahead log.
	data, log os.FileInfo
	index     *os.File // of the log; nil if it can't be opened
}

// ownFile takes the file for this process.
func ownFile(path string) (*ownedFile, error) {
	if err := makeFile(path); err != nil {
		return nil, err
	}
	resolved, err := filepath.EvalSymlinks(path)
	if err != nil {
		resolved = path // SQLite says what is wrong
	}
	f := &ownedFile{path: resolved, lock: flock.New(resolved + ".lock")}
	// This lock first: to close a file undoes SQLite's locks on it, which would be those of a store in this process
	// (https://www.sqlite.org/howtocorrupt.html, section 2.2).
	free, err := f.lock.TryLock()
	if err == nil && free {
		free, err = f.lockItself()
	}
	if err != nil {
		return nil, fmt.Errorf("locking the database %s: %w", path, errors.Join(err, f.release()))
	}
	if !free {
		return nil, errors.Join(fmt.Errorf("the database %s is in use by another petstore: stop that one, or set DATABASE_URL to another file", path), f.release())
	}
	return f, nil
}

// makeFile makes the file and its folder if they are missing.
func makeFile(path string) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	if dir := filepath.Dir(path); dir != "." {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("making the database's folder: %w", err)
		}
	}
	// The secrets of webhooks are in it. SQLite gives its other files the same mode.
	if file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600); err == nil { // if not, SQLite says why
		_ = file.Close()
	}
	return nil
}

// lockItself locks the file, by whatever name it was opened, and whether the one beside it is still there.
func (f *ownedFile) lockItself() (free bool, err error) {
	file, err := os.OpenFile(f.path, os.O_RDWR, 0)
	if err != nil {
		return true, nil //nolint:nilerr // SQLite says what is wrong
	}
	f.file = file
	return lockBeyondData(file)
}

// release gives the file free. SQLite must have closed it.
func (f *ownedFile) release() error {
	err := f.lock.Unlock()
	for _, file := range []*os.File{f.file, f.index} {
		if file != nil {
			err = errors.Join(err, file.Close())
		}
	}
	return err
}

// noteOpened notes what check compares with. SQLite keeps the write-ahead log for as long as a connection is open.
func (f *ownedFile) noteOpened() (err error) {
	if f.data, err = f.file.Stat(); err == nil {
		f.log, err = os.Stat(f.path + "-wal")
	}
	if err == nil {
		f.index, err = os.Open(f.path + "-shm") // Until the end: to close it would undo SQLite's locks on it.
	}
	return err
}

var errFileGone = errors.New("the database's file, or its write-ahead log, is not the one that was opened any more: " +
	"what is written now would be lost. Put it back, or restart the server")

// check returns errFileGone if the files were deleted, replaced, emptied or cut: SQLite goes on writing to what it has opened.
func (f *ownedFile) check() error {
	if !isStill(f.data, f.path) || !isStill(f.log, f.path+"-wal") || f.emptied() || f.logCut() {
		return errFileGone
	}
	return nil
}

// emptied reports whether the database lost all it had. SQLite takes it for a new one then, whatever is in its log.
func (f *ownedFile) emptied() bool {
	found, err := f.file.Stat()
	return err != nil || found.Size() == 0 && f.data.Size() > 0
}

// logCut reports whether the log is shorter than its index says: by 32 bytes, and by 24 and a page for each frame
// (https://www.sqlite.org/walformat.html). The index counts a frame when it is written, and counts none before SQLite cuts the log.
func (f *ownedFile) logCut() bool {
	var before, after [20]byte
	_, err := f.index.ReadAt(before[:], 0)
	log, missing := os.Stat(f.path + "-wal")
	if _, err2 := f.index.ReadAt(after[:], 0); err != nil || err2 != nil || missing != nil {
		return missing != nil
	}
	page := int64(binary.NativeEndian.Uint16(before[14:])) // 1 stands for 65536, which is not ours
	frames := int64(binary.NativeEndian.Uint32(before[16:]))
	return before == after && frames > 0 && log.Size() < 32+frames*(24+page) // else SQLite was at work meanwhile
}

func isStill(opened os.FileInfo, path string) bool {
	found, err := os.Stat(path)
	return err == nil && os.SameFile(found, opened)
}

// room returns an error if the disk is full. Small writes may find room in the files for a while, even then.
func (f *ownedFile) room() error {
	if free := freeBytes(f.path); free < minFree {
		return &Error{Code: CodeFull, Message: "The server's disk is full.", Err: fmt.Errorf("%d bytes are free", free)}
	}
	return nil
}
