package models

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"
)

// Missed is an update that a webhook has asked for and not accepted. DeliveryID
// is "" if it was never tried.
type Missed struct {
	Update
	DeliveryID string
}

// clockSlack is how far the times of updates may run backwards while their ids
// grow: transactions that overlap, a clock that was set.
const clockSlack = time.Minute

// MissedUpdates lists what a webhook has missed of the updates since then, oldest
// first, limit at most. What is waiting for its first attempt or is in the
// replay queue is not missed yet, and what the kind named was told to somebody
// else.
func MissedUpdates(db *gorm.DB, w Webhook, since time.Time, exceptKind string, limit int) ([]Missed, error) {
	first, err := firstUpdateSince(db, since.Add(-clockSlack))
	if err != nil {
		return nil, err
	}
	wanted, args := matching(w.Events)
	var found []struct {
		ID         int64
		DeliveryID string
	}
	err = db.Raw(`SELECT u.id, COALESCE(d.id, '') AS delivery_id
		FROM updates u LEFT JOIN deliveries d ON d.webhook_id = ? AND d.webhook_id <> '' AND d.update_id = u.id
		WHERE u.id >= ? AND u.created_at >= ? AND u.kind <> ?
		AND (d.id IS NULL OR d.status <> 'delivered' AND NOT (d.status = 'pending' AND (d.attempts = 0 OR d.replaying)))
		AND (`+wanted+`) ORDER BY u.id LIMIT ?`,
		append(append([]any{w.ID, first, since, exceptKind}, args...), limit)...).Scan(&found).Error
	ids := make([]int64, len(found))
	for i, f := range found {
		ids[i] = f.ID
	}
	var updates map[int64]Update
	if err == nil {
		updates, err = updatesByID(db, ids)
	}
	if err != nil {
		return nil, fmt.Errorf("listing what webhook %s has missed: %w", w.ID, err)
	}
	missed := make([]Missed, len(found))
	for i, f := range found {
		missed[i] = Missed{updates[f.ID], f.DeliveryID}
	}
	return missed, nil
}

// matching is MatchesEvent in SQL.
func matching(patterns []string) (condition string, args []any) {
	conditions := make([]string, len(patterns))
	for i, pattern := range patterns {
		kind, all := strings.CutSuffix(pattern, ".*")
		switch {
		case pattern == "*":
			return "1 = 1", nil
		case all:
			conditions[i], args = "u.kind = ?", append(args, kind)
		default:
			conditions[i], args = "u.type = ?", append(args, pattern)
		}
	}
	return strings.Join(conditions, " OR "), args
}

// firstUpdateSince finds the id of the first update at or after a time, by
// halving: ids grow with time, and an index by time would cost every update.
func firstUpdateSince(db *gorm.DB, since time.Time) (int64, error) {
	var last int64
	if err := db.Raw("SELECT COALESCE(max(id), 0) FROM updates").Row().Scan(&last); err != nil {
		return 0, fmt.Errorf("finding the last update: %w", err)
	}
	low, high := int64(1), last+1 // the first one is in [low, high]
	for low < high {
		middle := low + (high-low)/2
		var id int64
		var at time.Time
		err := db.Raw("SELECT id, created_at FROM updates WHERE id >= ? ORDER BY id LIMIT 1", middle).Row().Scan(&id, &at)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			high = middle
		case err != nil:
			return 0, fmt.Errorf("finding the first update since %s: %w", since, err)
		case at.Before(since):
			low = id + 1
		default:
			high = middle
		}
	}
	return low, nil
}
