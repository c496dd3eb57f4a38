package models

import (
	"database/sql"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// Two orders are kept at a webhook, by the rows alone. A delivery that has to wait
// is not due: its NextAttemptAt is nil, so nobody looks at it. Whoever ends the one
// before it, in the same transaction, makes it due (ScheduleNext).
//
// The deliveries of one task take turns: none is sent while an older one is
// pending. Progress does not count: what is newer overtakes it.
//
// What is replayed is sent in the order of its updates, whichever task they are
// of: it is in the webhook's replay queue, of which only the head is due. One
// whose attempt fails leaves the queue, so that the others need not wait for its
// retries.

// waitForEarlier makes d due only when nothing older of its task is pending at its
// webhook. On PostgreSQL it waits for the outcome of an attempt that is being
// stored: either that is seen here, or whoever stores it sees d (ScheduleNext). In a group
// it does not, since groups could then meet in a deadlock: what one server stores, it
// stores one after the other, and between two servers, should it come to that, a sweep
// finds what waits in vain (StuckDeliveries).
func waitForEarlier(tx *Tx, d *Delivery) error {
	if d.Sequence <= 1 {
		return nil
	}
	query := `SELECT id FROM deliveries WHERE task_id = ? AND webhook_id = ? AND status = 'pending' AND NOT supersedable AND sequence < ? LIMIT 1`
	if tx.Name() == "postgres" && !tx.InGroup() {
		query += " FOR UPDATE"
	}
	var earlier string
	err := tx.QueryRow(query, d.TaskID, d.WebhookID, d.Sequence).Scan(&earlier)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("finding what comes before delivery %s: %w", d.ID, err)
	}
	d.NextAttemptAt = nil
	return nil
}

// ScheduleNext makes due what has waited for d, which is not pending any more: the next
// of its task, or the head of its webhook's replay queue, if d was in
// it. It returns the ids of what is due, which server has claimed then.
func ScheduleNext(tx *Tx, d *Delivery, wasReplaying bool, server string) (due []string, err error) {
	if d.WebhookID == "" {
		return nil, nil
	}
	const next = `SELECT id FROM deliveries n WHERE n.task_id = ? AND n.webhook_id = ? AND n.status = 'pending' AND n.next_attempt_at IS NULL AND NOT n.replaying
		AND NOT EXISTS (SELECT 1 FROM deliveries e WHERE e.task_id = n.task_id AND e.webhook_id = n.webhook_id AND e.status = 'pending' AND NOT e.supersedable AND e.sequence < n.sequence)
		ORDER BY n.sequence LIMIT 1`
	if d.Status == DeliveryPending { // its attempt has failed
		if err = LeaveReplay(tx, d); err != nil {
			return nil, err
		}
	}
	if due, err = makeNextDue(tx, server, next, d.TaskID, d.WebhookID); err != nil || !wasReplaying {
		return due, err
	}
	head, err := StartReplay(tx, d.WebhookID, server)
	return append(due, head...), err
}

// StartReplay makes due the head of a webhook's replay queue. What has to wait
// for something of its task that is not in the queue leaves it: the others need not.
func StartReplay(tx *Tx, webhookID, server string) (due []string, err error) {
	for {
		var head []Delivery
		err := tx.Where("webhook_id = ? AND status = 'pending' AND replaying", webhookID).Order("update_id").Limit(1).Find(&head).Error
		if err != nil {
			return nil, fmt.Errorf("finding what webhook %s is to be sent next: %w", webhookID, err)
		}
		if len(head) == 0 || head[0].NextAttemptAt != nil {
			return nil, nil
		}
		const first = `SELECT id FROM deliveries n WHERE n.id = ? AND NOT EXISTS (SELECT 1 FROM deliveries e WHERE e.task_id = n.task_id AND e.webhook_id = n.webhook_id
			AND e.status = 'pending' AND NOT e.supersedable AND e.sequence < n.sequence)`
		if due, err = makeNextDue(tx, server, first, head[0].ID); err != nil || len(due) > 0 {
			return due, err
		}
		if err := LeaveReplay(tx, &head[0]); err != nil {
			return nil, err
		}
	}
}

// LeaveReplay takes a delivery, and what its task has behind it, out of the webhook's
// replay queue: they go their own way, in the order of their task.
func LeaveReplay(tx *Tx, d *Delivery) error {
	_, err := tx.Write("UPDATE deliveries SET replaying = FALSE WHERE task_id = ? AND webhook_id = ? AND status = 'pending' AND replaying", d.TaskID, d.WebhookID)
	return wrap(err, "taking task %s out of the replay queue of webhook %s", d.TaskID, d.WebhookID)
}

// makeNextDue makes due what a query finds, if it is not due yet.
func makeNextDue(tx *Tx, server, query string, args ...any) (due []string, err error) {
	var id string
	var rows int64
	err = tx.QueryRow(query, args...).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err == nil {
		rows, err = tx.Write("UPDATE deliveries SET next_attempt_at = ?, updated_at = ?, claimed_by = ? WHERE id = ? AND status = 'pending' AND next_attempt_at IS NULL", Now(), Now(), server, id)
	}
	if err != nil {
		return nil, fmt.Errorf("waking what has waited: %w", err)
	}
	if rows == 0 {
		return nil, nil
	}
	return []string{id}, nil
}

// StuckDeliveries finds deliveries that are pending and wait for nothing: what would have made
// them due was lost, by a fault of the disk or of this program. It is empty, or should
// be.
func StuckDeliveries(db *gorm.DB, limit int) ([]string, error) {
	var ids []string
	err := db.Raw(`SELECT n.id FROM deliveries n WHERE n.status = 'pending' AND n.next_attempt_at IS NULL
		AND NOT EXISTS (SELECT 1 FROM deliveries e WHERE e.task_id = n.task_id AND e.webhook_id = n.webhook_id AND e.status = 'pending' AND NOT e.supersedable AND e.sequence < n.sequence)
		AND (NOT n.replaying OR NOT EXISTS (SELECT 1 FROM deliveries e WHERE e.webhook_id = n.webhook_id AND e.status = 'pending' AND e.replaying AND e.update_id < n.update_id))
		LIMIT ?`, limit).Scan(&ids).Error
	return ids, wrap(err, "looking for stuck deliveries")
}

// FutureDatedDeliveries finds deliveries whose latest attempt lies in the future, by
// more than slack: the clock was set back, and they would wait until it has caught up.
func FutureDatedDeliveries(db *gorm.DB, now time.Time, slack time.Duration, limit int) ([]Delivery, error) {
	var ds []Delivery
	err := db.Where("status = 'pending' AND updated_at > ? AND next_attempt_at IS NOT NULL", now.Add(slack)).Limit(limit).Find(&ds).Error
	return ds, wrap(err, "looking for deliveries of the future")
}

// MakeDue makes those of some deliveries due at a time that are pending.
func MakeDue(tx *Tx, at time.Time, ids ...string) error {
	err := tx.Exec("UPDATE deliveries SET next_attempt_at = ?, updated_at = ? WHERE id IN ? AND status = 'pending'", at, Now(), ids).Error
	return wrap(err, "making %d deliveries due", len(ids))
}

// AbandonDelivery ends a delivery that is pending because there is nobody left to
// make it to.
func AbandonDelivery(tx *Tx, id, reason string) error {
	_, err := tx.Write("UPDATE deliveries SET status = 'gone', error = ?, next_attempt_at = NULL, claimed_by = '', replaying = FALSE, updated_at = ? WHERE id = ? AND status = 'pending'",
		reason, Now(), id)
	return wrap(err, "abandoning delivery %s", id)
}

// AbandonDeliveries ends what is pending for a webhook, limit at most, and returns
// how many those were.
func AbandonDeliveries(tx *Tx, webhookID, reason string, limit int) (int64, error) {
	rows, err := tx.Write(`UPDATE deliveries SET status = 'gone', error = ?, next_attempt_at = NULL, claimed_by = '', replaying = FALSE, updated_at = ? WHERE id IN
		(SELECT id FROM deliveries WHERE webhook_id = ? AND webhook_id <> '' AND status = 'pending' LIMIT ?)`,
		reason, Now(), webhookID, limit)
	return rows, wrap(err, "abandoning the deliveries of webhook %s", webhookID)
}

// RedirectDeliveries sends what is pending for a webhook to its new URL.
func RedirectDeliveries(tx *Tx, webhookID, url string) error {
	_, err := tx.Write("UPDATE deliveries SET url = ?, host = ? WHERE webhook_id = ? AND webhook_id <> '' AND status = 'pending'", url, HostOf(url), webhookID)
	return wrap(err, "redirecting the deliveries of webhook %s", webhookID)
}
