package models

import (
	"petstore/models/db"

	"gorm.io/gorm"
)

// Watermark is how far the updates of a PostgreSQL database can be seen at one
// moment. There transactions take positions side by side, and may commit in
// another order: a position may still appear below one that can be seen.
//
// But whatever appears below Newest later belongs to a transaction that was
// writing then: it took its lock on the table before its position, and its position
// before another took Newest. So once all Writers have ended, the updates up to
// Newest are as they will be for ever.
type Watermark struct {
	Newest  int64  // position that can be seen, 0 for none
	Writers string // transactions that may have taken a lower one, "3/17,4/25"
}

// writers are the transactions that write updates: all that do hold this lock until
// their end (https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-TABLES).
const writers = `SELECT virtualtransaction FROM pg_locks WHERE mode = 'RowExclusiveLock' AND relation = 'updates'::regclass
	AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`

// ReadWatermark reads it as it is now.
func ReadWatermark(view *gorm.DB) (w Watermark, err error) {
	// The statement sees the updates that were committed before it began, and the
	// locks that are held while it runs.
	err = db.QueryRow(view, "SELECT (SELECT COALESCE(MAX(id), 0) FROM updates), COALESCE((SELECT string_agg(virtualtransaction, ',') FROM ("+writers+") AS now), '')").
		Scan(&w.Newest, &w.Writers)
	return w, wrap(err, "looking for new updates")
}

// Settled reports whether all that were writing have ended by now.
func (w Watermark) Settled(view *gorm.DB) (settled bool, err error) {
	if w.Writers == "" {
		return true, nil
	}
	err = db.QueryRow(view, "SELECT NOT EXISTS ("+writers+" AND virtualtransaction = ANY (string_to_array(?, ',')))", w.Writers).Scan(&settled)
	return settled, wrap(err, "looking for transactions under way")
}
