package models

import (
	"database/sql"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// The deliveries of one task to one webhook take turns: none is sent while an
// older one is pending. A task's own run keeps that order for its callback URL
// in memory; a webhook is also sent what was created before that run, what is
// replayed, and what is sent again, so here the rows decide.

// EarlierPending reports whether a delivery has to wait for its turn, and when
// the one before it is due.
func EarlierPending(db *gorm.DB, d *Delivery) (due time.Time, waits bool, err error) {
	err = db.Raw(`SELECT next_attempt_at FROM deliveries
		WHERE task_id = ? AND webhook_id = ? AND status = 'pending' AND update_id < ? ORDER BY update_id DESC LIMIT 1`,
		d.TaskID, d.WebhookID, d.UpdateID).Row().Scan(&due)
	if errors.Is(err, sql.ErrNoRows) {
		return due, false, nil
	}
	if err != nil {
		return due, false, fmt.Errorf("finding what comes before delivery %s: %w", d.ID, err)
	}
	return due, true, nil
}

// NextPending finds the delivery whose turn comes after d, "" if there is none.
func NextPending(db *gorm.DB, d *Delivery) (id string, err error) {
	err = db.Raw(`SELECT id FROM deliveries
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

// CreateDeliveryOnce stores a delivery, and reports false if the webhook has one
// of that update already.
func CreateDeliveryOnce(tx *Tx, d *Delivery) (bool, error) {
	var there int64
	err := tx.Raw("SELECT count(*) FROM deliveries WHERE webhook_id = ? AND webhook_id <> '' AND update_id = ?",
		d.WebhookID, d.UpdateID).Row().Scan(&there)
	if err != nil {
		return false, fmt.Errorf("looking for a delivery of update %d: %w", d.UpdateID, err)
	}
	if there > 0 {
		return false, nil
	}
	return true, CreateDelivery(tx, d)
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
