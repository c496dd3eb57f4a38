package models

import (
	"fmt"

	"gorm.io/gorm"
)

// Horizon is how far the updates of a PostgreSQL database can be seen at one
// moment. There transactions take positions side by side, and may commit in
// another order: a position may still appear below one that can be seen.
//
// But whatever appears below Newest later belongs to a transaction that was
// running then. It had its number before it took its position, for it had written
// the update's task; and it took its position before another took Newest. So its
// number is below Next, and once all transactions below Next have ended, the
// updates up to Newest are as they will be for ever
// (https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-SNAPSHOT).
type Horizon struct {
	Newest int64 // position that can be seen, 0 for none
	Next   int64 // number of a transaction begun after Newest was committed
}

// ReadHorizon reads it as it is now. This takes a transaction's number, of which
// there is no end, but also no need where nothing is new.
func ReadHorizon(db *gorm.DB) (h Horizon, err error) {
	// The statement sees what was committed before it, and takes its number then.
	err = queryRow(db, "SELECT COALESCE(MAX(id), 0), pg_current_xact_id()::text::bigint FROM updates").Scan(&h.Newest, &h.Next)
	if err != nil {
		return h, fmt.Errorf("looking for new updates: %w", err)
	}
	return h, nil
}

// Settled reports whether all transactions have ended by now that may add updates
// below the horizon.
func (h Horizon) Settled(db *gorm.DB) (settled bool, err error) {
	err = queryRow(db, "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint >= ?", h.Next).Scan(&settled)
	if err != nil {
		return false, fmt.Errorf("looking for transactions under way: %w", err)
	}
	return settled, nil
}
