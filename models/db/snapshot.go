package db

import (
	"context"
	"database/sql"
	"errors"

	"gorm.io/gorm"
)

// ErrSnapshotEnded says that a snapshot was ended because of what was written
// meanwhile.
var ErrSnapshotEnded = errors.New("the snapshot was held for too long")

// Snapshot lets fn read the database as it is at one moment, however long that
// takes and whatever is written meanwhile. It holds one of the few connections
// that read, and on SQLite it keeps the write-ahead log from being reused, which
// therefore grows with each write (https://www.sqlite.org/wal.html#avoiding_excessively_large_wal_files):
// callers bound how many they have open. When the log has grown too long, the
// snapshot is ended: ErrSnapshotEnded.
func (s *Store) Snapshot(ctx context.Context, fn func(db *gorm.DB) error) error {
	ctx, leave := s.enterLog(ctx)
	defer leave()
	// SQLite knows one isolation, serializable, and ignores the level; what
	// PostgreSQL calls repeatable read is a snapshot of the first query's moment.
	err := s.Read(ctx).Transaction(fn, &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead})
	if err != nil && errors.Is(context.Cause(ctx), ErrSnapshotEnded) {
		return ErrSnapshotEnded
	}
	return Explain(err)
}

// enterLog is for who may read for long. On SQLite ctx ends when what is written meanwhile has made the write-ahead log too long.
func (s *Store) enterLog(ctx context.Context) (_ context.Context, leave func()) {
	if e, ok := s.engine.(*sqliteEngine); ok {
		return e.log.enter(ctx)
	}
	return ctx, func() {}
}
