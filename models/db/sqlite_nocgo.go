//go:build !cgo

package db

import (
	"errors"

	"modernc.org/sqlite"
)

// Without a C compiler, SQLite translated to Go: slower, and good for
// everything else. Times are written in the form that the C driver uses, so
// that a file can be opened by either build.
const (
	driverName     = "sqlite"
	driverSettings = "&_time_format=sqlite"
)

// sqliteCode is err's extended result code, or 0.
func sqliteCode(err error) int {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return 0
	}
	return e.Code()
}
