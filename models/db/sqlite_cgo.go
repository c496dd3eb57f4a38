//go:build cgo

package db

import (
	"errors"

	"github.com/mattn/go-sqlite3"
)

// With a C compiler, SQLite itself. The statement cache matters: without it a
// third of the server's time goes into preparing the same statements again.
const (
	driverName     = "sqlite3"
	driverSettings = "&_stmt_cache_size=200&_mutex=no" // database/sql uses a connection from one goroutine at a time
)

// sqliteCode is err's extended result code, or 0.
func sqliteCode(err error) int {
	var e sqlite3.Error
	if !errors.As(err, &e) {
		return 0
	}
	if e.ExtendedCode != 0 {
		return int(e.ExtendedCode)
	}
	return int(e.Code)
}
