package models

import (
	"database/sql"
	"errors"
	"fmt"

	"gorm.io/gorm"
)

// Two orders are kept at a webhook.
//
// The deliveries of one task take turns: none is sent while an older one is
// pending. A task's own run keeps that order for its callback URL in memory; a
// webhook is also sent what was created before that run, what is replayed, and
// what is sent again, so here the rows decide.
//
// What is replayed is sent in the order of its updates, whichever task they are
// of. It stands in the webhook's line: only the head of the line is sent, and only
// by a job that works on the line (ClaimReplay). However many jobs of its own such
// a delivery has, left over or enqueued beside the replay, none of them can claim
// it (ClaimDelivery), and two jobs on one line can do no more than one. A delivery
// that has to wait, for another attempt or for one of its task outside the line,
// leaves the line together with the rest of its task (LeaveLine), and gets a job
// of its own.

// EarlierPending finds the delivery that d has to wait for: when it is due, and
// whether it is replayed. It reports false if it is d's turn. On PostgreSQL it
// waits for the outcome of an attempt that is being stored: either that is seen
// here, or whoever stores it sees d and wakes it (NextPending).
func EarlierPending(tx *Tx, d *Delivery) (earlier Delivery, waits bool, err error) {
	query := `SELECT next_attempt_at, replaying FROM deliveries
		WHERE task_id = ? AND webhook_id = ? AND status = 'pending' AND update_id < ? ORDER BY update_id DESC LIMIT 1`
	if tx.Name() == "postgres" {
		query += " FOR UPDATE"
	}
	err = tx.Raw(query, d.TaskID, d.WebhookID, d.UpdateID).Row().Scan(&earlier.NextAttemptAt, &earlier.Replaying)
	if errors.Is(err, sql.ErrNoRows) {
		return earlier, false, nil
	}
	if err != nil {
		return earlier, false, fmt.Errorf("finding what comes before delivery %s: %w", d.ID, err)
	}
	return earlier, true, nil
}

// NextPending finds the delivery whose turn comes after d, "" if there is none or
// a replay gets there by itself.
func NextPending(db *gorm.DB, d *Delivery) (id string, err error) {
	err = db.Raw(`SELECT CASE WHEN replaying THEN '' ELSE id END FROM deliveries
		WHERE task_id = ? AND webhook_id = ? AND status = 'pending' AND update_id > ? ORDER BY update_id LIMIT 1`,
		d.TaskID, d.WebhookID, d.UpdateID).Row().Scan(&id)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("finding what comes after delivery %s: %w", d.ID, err)
	}
	return id, nil
}

// SupersedeEarlier gives up the progress that d, which is newer, has overtaken.
func SupersedeEarlier(tx *Tx, d *Delivery) error {
	err := tx.Exec(`UPDATE deliveries SET status = 'superseded', next_attempt_at = NULL, updated_at = ?
		WHERE task_id = ? AND webhook_id = ? AND status = 'pending' AND update_id < ?
		AND update_id IN (SELECT id FROM updates WHERE task_id = ? AND sequence > 1 AND status = 'processing')`,
		Now(), d.TaskID, d.WebhookID, d.UpdateID, d.TaskID).Error
	if err != nil {
		return fmt.Errorf("superseding what delivery %s overtakes: %w", d.ID, err)
	}
	return nil
}

// GiveUpDelivery ends a delivery that is pending because there is nobody left to
// make it to.
func GiveUpDelivery(tx *Tx, id, reason string) error {
	err := tx.Exec("UPDATE deliveries SET status = ?, error = ?, next_attempt_at = NULL, updated_at = ? WHERE id = ? AND status = ?",
		DeliveryGone, reason, Now(), id, DeliveryPending).Error
	if err != nil {
		return fmt.Errorf("giving up delivery %s: %w", id, err)
	}
	return nil
}

// GiveUpDeliveries ends what is pending for a webhook, limit at most, and returns
// how many those were.
func GiveUpDeliveries(tx *Tx, webhookID, reason string, limit int) (int64, error) {
	res := tx.Exec(`UPDATE deliveries SET status = 'gone', error = ?, next_attempt_at = NULL, updated_at = ? WHERE id IN
		(SELECT id FROM deliveries WHERE webhook_id = ? AND webhook_id <> '' AND status = 'pending' LIMIT ?)`,
		reason, Now(), webhookID, limit)
	if res.Error != nil {
		return 0, fmt.Errorf("giving up the deliveries of webhook %s: %w", webhookID, res.Error)
	}
	return res.RowsAffected, nil
}

// RedirectDeliveries sends what is pending for a webhook to its new URL.
func RedirectDeliveries(tx *Tx, webhookID, url string) error {
	err := tx.Exec("UPDATE deliveries SET url = ? WHERE webhook_id = ? AND webhook_id <> '' AND status = 'pending'", url, webhookID).Error
	if err != nil {
		return fmt.Errorf("redirecting the deliveries of webhook %s: %w", webhookID, err)
	}
	return nil
}
