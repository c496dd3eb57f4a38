package db

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"gorm.io/gorm"
)

// TestLongReadsBoundNoLog (reliability 1, another instance): a report and a list are read for as long as they may be, beside so much
// that is written that the write-ahead log would grow without end. Both are ended before that, and the writer waits for neither.
func TestLongReadsBoundNoLog(t *testing.T) {
	s := openStore(t, t.TempDir()+"/test.db")
	e, _ := s.engine.(*sqliteEngine)
	ended := make(chan error, 2)
	reading := make(chan struct{}, 2)
	hold := func(db *gorm.DB) error {
		rows, err := db.Raw("SELECT name FROM sqlite_schema").Rows()
		if err != nil {
			return err
		}
		defer rows.Close()
		rows.Next() // from here on it reads one moment
		reading <- struct{}{}
		<-db.Statement.Context.Done()
		if cause := context.Cause(db.Statement.Context); !errors.Is(cause, ErrSnapshotEnded) {
			t.Errorf("it was ended by %v", cause)
		}
		return errors.Join(rows.Err(), db.Statement.Context.Err())
	}
	ctx := within(t)
	go func() { ended <- s.Snapshot(ctx, hold) }()
	go func() { ended <- s.LimitedRead(ctx, hold) }()
	<-reading
	<-reading
	var largest int64
	for range 60 {
		p := product("a", 1)
		p.Description = strings.Repeat("x", 1<<20)
		inTx(t, s, func(tx *Tx) error { return errors.Join(tx.Exec("DELETE FROM products").Error, tx.Create(p).Error) })
		if info, err := os.Stat(e.log.path); err == nil {
			largest = max(largest, info.Size())
		}
	}
	for range 2 {
		if err := <-ended; !errors.Is(err, ErrSnapshotEnded) && code(err) != CodeOverloaded {
			t.Errorf("who reads is told %v", err)
		}
	}
	if largest > snapshotLimit+8<<20 {
		t.Errorf("the log grew to %d MiB", largest>>20)
	}
}
