//go:build !linux

package db

import (
	"math"
	"os"
)

// lockBeyondData leaves it to the lock file: elsewhere such locks end when any descriptor of the file is closed, or keep
// SQLite out.
func lockBeyondData(*os.File) (free bool, err error) { return true, nil }

// freeBytes is not known.
func freeBytes(string) uint64 { return math.MaxUint64 }
