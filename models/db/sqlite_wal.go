package db

import (
	"context"
	"log/slog"
	"os"
	"sync"
	"time"

	"gorm.io/gorm"
)

const (
	// checkpointPages is after how many pages of 4 KiB SQLite copies the log to the database:
	// four times as many as by default, since under load the same pages are written again
	// and again, and copied once.
	checkpointPages = 4000
	// walLimit is how large SQLite's write-ahead log may grow before it is emptied.
	// By itself SQLite copies it to the database now and then, but begins it anew
	// only when nobody happens to read, which under load can take for ever.
	walLimit = 24 << 20
	// snapshotLimit is how large it may grow before those end who read for long.
	snapshotLimit = 48 << 20
	// leastRead is how long they have read then. SQLite's driver interrupts a query once, which is lost on one that is about
	// to begin.
	leastRead = 100 * time.Millisecond
)

// walGuard keeps the write-ahead log small.
type walGuard struct {
	path string

	mu      sync.Mutex
	readers map[*context.CancelCauseFunc]time.Time // that may hold a snapshot for long, since when
}

func newWALGuard(path string) *walGuard {
	return &walGuard{path: path + "-wal", readers: map[*context.CancelCauseFunc]time.Time{}}
}

// enter is for those who read for long: ctx ends when they have to stop.
func (g *walGuard) enter(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.readers[&cancel] = time.Now()
	return ctx, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.readers, &cancel)
		cancel(nil)
	}
}

// bound empties the log if it is large. The writer calls it between two
// transactions; others who read take milliseconds, and are waited for.
func (g *walGuard) bound(db *gorm.DB) {
	info, err := os.Stat(g.path)
	if err != nil || info.Size() < walLimit {
		return
	}
	if info.Size() < snapshotLimit && g.held() {
		return // they may yet end
	}
	g.endSnapshots()
	var busy, frames, copied int
	if err := db.Raw("PRAGMA wal_checkpoint(TRUNCATE)").Row().Scan(&busy, &frames, &copied); err != nil {
		slog.Warn("The write-ahead log could not be emptied.", "bytes", info.Size(), "err", err)
	}
}

func (g *walGuard) held() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.readers) > 0
}

func (g *walGuard) endSnapshots() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for cancel, since := range g.readers {
		if time.Since(since) >= leastRead {
			(*cancel)(ErrSnapshotEnded)
		}
	}
}
