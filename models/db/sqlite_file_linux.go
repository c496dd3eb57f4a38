package db

import (
	"errors"
	"io"
	"math"
	"os"

	"golang.org/x/sys/unix"
)

// lockBeyondData locks the last byte that a file could have, which neither SQLite's data nor its own locks reach. The
// lock is of the file itself, whatever its names; it lasts until the file is closed, and no close of another
// descriptor undoes it (fcntl(2), "Open file description locks"). Where there are none, such as on some
// network file systems, the lock file has to do.
func lockBeyondData(file *os.File) (free bool, err error) {
	last := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart, Start: math.MaxInt64 - 1, Len: 1}
	err = unix.FcntlFlock(file.Fd(), unix.F_OFD_SETLK, &last)
	return !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EACCES), nil
}

// freeBytes is how much may be written beside a file, as far as that is known.
func freeBytes(path string) uint64 {
	var disk unix.Statfs_t
	if err := unix.Statfs(path, &disk); err != nil {
		return math.MaxUint64
	}
	return disk.Bavail * uint64(disk.Bsize) //nolint:gosec // G115: a size is positive
}
