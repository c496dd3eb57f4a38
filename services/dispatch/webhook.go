package dispatch

import (
	"context"
	"log/slog"
	"time"

	"petstore/callbacks"
	"petstore/models"
)

// What is done for webhooks only: their keys, and when to leave them alone.

// disableAfter is how long a webhook may do nothing but fail before it is
// disabled.
const disableAfter = 5 * 24 * time.Hour

// Why a webhook is disabled, in the words that its owner reads.
const (
	reasonGone    = "The receiver answered 410 Gone."
	reasonFailing = "Every attempt has failed for five days."
)

// webhookKeys are the secrets that sign for a webhook now. One that is not in
// memory may have been enabled by another replica a moment ago.
func (d *Dispatcher) webhookKeys(ctx context.Context, id string) ([]string, error) {
	w, known := d.Webhooks.Get(id)
	if !known {
		var err error
		w, err = models.FindWebhook(d.store.Read(ctx), id)
		if models.Code(err) == models.CodeNotFound || err == nil && !w.Enabled() {
			return nil, errNoWebhook
		}
		if err != nil {
			return nil, err
		}
	}
	return w.KeysAt(d.Webhooks.Now()), nil
}

// noteHealth keeps a webhook's health, in the transaction that stores an
// attempt. In most cases that changes nothing, and writes nothing.
func (d *Dispatcher) noteHealth(tx *models.Tx, delivery *models.Delivery, outcome callbacks.Outcome) error {
	if delivery.WebhookID == "" {
		return nil
	}
	now := d.Webhooks.Now()
	known, inMemory := d.Webhooks.Get(delivery.WebhookID)
	if inMemory && !changesHealth(&known, outcome, now) {
		return nil
	}
	w, err := models.LockWebhook(tx, delivery.WebhookID)
	if models.Code(err) == models.CodeNotFound {
		return nil // deleted meanwhile
	}
	if err != nil || !w.Enabled() || !changesHealth(&w, outcome, now) {
		return err
	}
	if err := models.UpdateWebhook(tx, &w); err != nil {
		return err
	}
	tx.AfterCommit(func() {
		d.Webhooks.Put(w)
		if !w.Enabled() {
			slog.Warn("A webhook was disabled.", "webhook_id", w.ID, "reason", w.DisabledReason)
		}
	})
	return nil
}

// changesHealth writes into w what an attempt means for it, and reports whether
// that is anything new.
func changesHealth(w *models.Webhook, outcome callbacks.Outcome, now time.Time) bool {
	switch {
	case outcome == callbacks.Gone:
		w.Disable(now, reasonGone)
	case outcome == callbacks.Delivered && w.FailingSince != nil:
		w.FailingSince = nil
	case outcome == callbacks.Failed && (w.FailingSince == nil || w.FailingSince.After(now.Add(clockSlack))): // or the clock was set back
		w.FailingSince = &now
	case outcome == callbacks.Failed && now.Sub(*w.FailingSince) >= disableAfter:
		w.Disable(now, reasonFailing)
	default:
		return false
	}
	return true
}
