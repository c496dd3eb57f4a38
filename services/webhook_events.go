package services

import (
	"context"
	"fmt"
	"time"

	"petstore/callbacks"
	"petstore/models"
)

const (
	kindWebhook = "webhook"
	typePing    = "webhook.ping"
)

// Ping sends a webhook something, to see whether it arrives: signed, tried again,
// and written down like everything else.
//
// All that is sent is an update, and an update belongs to a task. So a ping is
// the smallest task there is, of the kind "webhook": it has ended when it begins,
// and tells of that once. Nothing on its way needs to know.
func (s *Webhooks) Ping(ctx context.Context, id string) (models.Delivery, error) {
	var d models.Delivery
	err := s.store.InTx(ctx, func(tx *models.Tx) error {
		w, err := models.FindWebhook(tx.DB, id)
		if err != nil {
			return err
		}
		if !w.Enabled() {
			return errDisabled
		}
		update, err := s.recordPing(tx, id)
		if err != nil {
			return err
		}
		d = *newWebhookDelivery(update, w)
		tx.Enqueue(models.Job{DeliveryID: d.ID})
		return models.CreateDelivery(tx, &d)
	})
	return d, err
}

func (s *Webhooks) recordPing(tx *models.Tx, webhookID string) (models.Update, error) {
	now := models.Now()
	task := models.Task{
		ID: models.NewID(models.PrefixTask), Kind: kindWebhook, ResourceID: webhookID, Status: models.StatusCompleted,
		Progress: 100, Message: "Ping", Sequence: 1, Metadata: models.Metadata{}, CreatedAt: now, UpdatedAt: now,
	}
	update := models.Update{
		CallbackID: models.NewID(models.PrefixCallback), TaskID: task.ID, Kind: kindWebhook, ResourceID: webhookID,
		Sequence: 1, Type: typePing, Status: task.Status, CreatedAt: now,
	}
	body, err := callbacks.Encode(callbacks.Update{
		CallbackID: update.CallbackID, Type: typePing, TaskID: task.ID, WebhookID: webhookID, Sequence: 1,
		Status: task.Status, Progress: task.Progress, Message: task.Message, Timestamp: now,
	})
	if err != nil {
		return update, fmt.Errorf("encoding a ping of webhook %s: %w", webhookID, err)
	}
	update.Body = string(body)
	if err := models.CreateTask(tx, &task); err != nil {
		return update, err
	}
	if err := models.CreateUpdate(tx, &update); err != nil {
		return update, err
	}
	tx.AfterCommit(func() { s.tasks.hub.Committed(update) })
	return update, nil
}

// Replay sends a webhook the updates since then that it wants and has not
// accepted, oldest first, up to 1,000, and returns how many that are. Those that
// wait for their first attempt, or for their turn in another replay, are on their
// way already, and not counted.
func (s *Webhooks) Replay(ctx context.Context, id string, since time.Time) (int, error) {
	w, err := s.Get(ctx, id)
	if err != nil {
		return 0, err
	}
	missed, err := models.MissedUpdates(s.store.Read(ctx), w, since, kindWebhook, s.replayLimit)
	if err != nil {
		return 0, err
	}
	var ids []string
	err = s.store.InTx(ctx, func(tx *models.Tx) error {
		if w, err = models.LockWebhook(tx, id); err != nil {
			return err
		}
		if !w.Enabled() {
			return errDisabled
		}
		ids, err = prepare(tx, w, missed)
		if err != nil || len(ids) == 0 {
			return err
		}
		tx.Enqueue(models.Job{WebhookID: id})
		return models.LineUp(tx, ids)
	})
	return len(ids), err
}

// prepare makes deliveries of what was missed, or has them made again, and
// returns their ids.
func prepare(tx *models.Tx, w models.Webhook, missed []models.Missed) ([]string, error) {
	now := models.Now()
	ids := make([]string, 0, len(missed))
	for _, m := range missed {
		if m.DeliveryID != "" {
			renewed, err := models.RenewUndelivered(tx, m.DeliveryID)
			if err != nil {
				return nil, err
			}
			if renewed {
				ids = append(ids, m.DeliveryID)
			}
			continue
		}
		d := newWebhookDelivery(m.Update, w)
		d.NextAttemptAt, d.CreatedAt, d.UpdatedAt = &now, now, now
		created, err := models.CreateDeliveryOnce(tx, d)
		if err != nil {
			return nil, err
		}
		if created {
			ids = append(ids, d.ID)
		}
	}
	return ids, nil
}
