package services

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"petstore/callbacks"
	"petstore/models"
)

// What the Courier does for webhooks only: their keys, their turns, and when to
// leave them alone.

// failurePatience is how long a webhook may do nothing but fail before it is
// disabled.
const failurePatience = 5 * 24 * time.Hour

// Why a webhook is disabled, in the words that its owner reads.
const (
	reasonGone    = "The receiver answered 410 Gone."
	reasonFailing = "Every attempt has failed for five days."
	reasonAsked   = "Disabled through the API."
)

var errNoWebhook = errors.New("the webhook is deleted or disabled")

// toWebhooks makes a delivery of an update to each webhook that wants it, not
// stored yet.
func (c *Courier) toWebhooks(update models.Update) []*models.Delivery {
	var deliveries []*models.Delivery
	for _, w := range c.webhooks.matching(update.Type) {
		deliveries = append(deliveries, newWebhookDelivery(update, w))
	}
	return deliveries
}

func newWebhookDelivery(update models.Update, w models.Webhook) *models.Delivery {
	d := newDelivery(update, w.URL)
	d.WebhookID = w.ID
	return d
}

// webhookKeys are the secrets that sign for a webhook now. One that is not in
// memory may have been enabled by another replica a moment ago.
func (c *Courier) webhookKeys(ctx context.Context, id string) ([]string, error) {
	w, known := c.webhooks.get(id)
	if !known {
		var err error
		w, err = models.FindWebhook(c.store.Read(ctx), id)
		if models.Code(err) == models.CodeNotFound || err == nil && !w.Enabled() {
			return nil, errNoWebhook
		}
		if err != nil {
			return nil, err
		}
	}
	return w.KeysAt(c.webhooks.now()), nil
}

// giveUp ends a delivery whose webhook is deleted or disabled.
func (c *Courier) giveUp(ctx context.Context, d *models.Delivery) error {
	return c.store.InTx(ctx, func(tx *models.Tx) error {
		if err := models.GiveUpDelivery(tx, d.ID, errNoWebhook.Error()); err != nil {
			return err
		}
		return enqueueNext(tx, d)
	})
}

// takeTurn stores progress for a webhook, claimed for the attempt that follows,
// or claims it if it was tried before. Progress that it overtakes is given up.
// If it is not ours, wait says when to ask again, 0 for never.
func (c *Courier) takeTurn(ctx context.Context, d *models.Delivery) (ours bool, wait time.Duration, err error) {
	if d.Attempts > 0 {
		return c.claim(ctx, d)
	}
	until := models.Now().Add(lease)
	err = c.store.InTx(ctx, func(tx *models.Tx) (err error) {
		ours, wait = false, 0
		// The delivery of what came after it may have had its turn already.
		if overtaken, err := models.Overtaken(tx, d.Update); err != nil || overtaken {
			return err
		}
		if err = models.SupersedeEarlier(tx, d); err != nil {
			return err
		}
		if wait, err = untilTurn(tx, d); err != nil || wait > 0 {
			wait = min(wait, busyWait) // it is not stored yet, so nobody can wake it
			return err
		}
		claimed := *d
		claimed.NextAttemptAt = &until
		ours, err = models.CreateDeliveryOnce(tx, &claimed)
		return err
	})
	d.NextAttemptAt = &until
	return ours, wait, err
}

// Bounds of how long a delivery sleeps that waits for its turn. The one before it
// wakes it when it is done; this is for when that gets lost.
const (
	minTurnWait = 20 * time.Millisecond
	maxTurnWait = time.Minute
)

// untilTurn is how long a delivery has to wait for those before it, 0 if it is
// its turn.
func untilTurn(tx *models.Tx, d *models.Delivery) (time.Duration, error) {
	if d.WebhookID == "" {
		return 0, nil
	}
	earlier, waits, err := models.EarlierPending(tx, d)
	if err != nil || !waits {
		return 0, err
	}
	if earlier.Replaying { // which may take long
		return busyWait, nil
	}
	return min(max(untilDue(earlier), minTurnWait), maxTurnWait), nil
}

// enqueueNext wakes the delivery that has waited for d, which is not pending any
// more.
func enqueueNext(tx *models.Tx, d *models.Delivery) error {
	next, err := models.NextPending(tx.DB, d)
	if err == nil && next != "" {
		tx.Enqueue(models.Job{DeliveryID: next})
	}
	return err
}

// noteOutcome keeps a webhook's health, in the transaction that stores an
// attempt. In most cases that changes nothing, and writes nothing.
func (c *Courier) noteOutcome(tx *models.Tx, d *models.Delivery, outcome callbacks.Outcome) error {
	if d.WebhookID == "" {
		return nil
	}
	if d.Status != models.DeliveryPending {
		if err := enqueueNext(tx, d); err != nil {
			return err
		}
	} else if d.Replaying { // it has to be tried again
		if err := leaveLine(tx, d); err != nil {
			return err
		}
	}
	now := c.webhooks.now()
	known, inMemory := c.webhooks.get(d.WebhookID)
	if inMemory && !changesHealth(&known, outcome, now) {
		return nil
	}
	w, err := models.LockWebhook(tx, d.WebhookID)
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
		c.webhooks.put(w)
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
	case outcome == callbacks.Failed && w.FailingSince == nil:
		w.FailingSince = &now
	case outcome == callbacks.Failed && now.Sub(*w.FailingSince) >= failurePatience:
		w.Disable(now, reasonFailing)
	default:
		return false
	}
	return true
}
