package services

import (
	"context"
	"time"

	"gorm.io/gorm"

	"petstore/callbacks"
	"petstore/models"
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
		now := models.Now()
		update, err := s.tasks.RecordEvent(tx, &models.Task{
			ID: models.NewID(models.PrefixTask), Kind: callbacks.KindWebhook.Name, ResourceID: id, Status: models.StatusCompleted,
			Progress: 100, Message: "Ping", Sequence: 1, Metadata: models.Metadata{}, CreatedAt: now, UpdatedAt: now,
		}, callbacks.EventPing)
		if err != nil {
			return err
		}
		d = *s.dispatcher.Delivery(update, w.ID, w.URL)
		ping := d
		tx.AfterCommit(func() { s.dispatcher.Add(&ping) })
		_, err = models.CreateDelivery(tx, &ping)
		return err
	})
	return d, err
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
	var missed []models.Missed
	err = s.store.LimitedRead(ctx, func(db *gorm.DB) (err error) {
		missed, err = models.MissedUpdates(db, w, since, callbacks.KindWebhook.Name, s.replayLimit)
		return err
	})
	if err != nil {
		return 0, err
	}
	var count int
	err = s.store.InTx(ctx, func(tx *models.Tx) error {
		if w, err = models.LockWebhook(tx, id); err != nil {
			return err
		}
		if !w.Enabled() {
			return errDisabled
		}
		if count, err = s.enqueueReplay(tx, w, missed); err != nil {
			return err
		}
		tx.AfterCommit(func() { s.dispatcher.Wake(models.HostOf(w.URL)) })
		_, err = models.StartReplay(tx, id, s.dispatcher.Server)
		return err
	})
	return count, err
}

// enqueueReplay makes deliveries of what was missed, or has them made again, in the
// webhook's replay queue, and returns how many those are.
func (s *Webhooks) enqueueReplay(tx *models.Tx, w models.Webhook, missed []models.Missed) (count int, err error) {
	now := models.Now()
	var tried []string
	for _, m := range missed {
		if m.DeliveryID != "" {
			tried = append(tried, m.DeliveryID)
			continue
		}
		d := s.dispatcher.Delivery(m.Update, w.ID, w.URL)
		d.NextAttemptAt, d.Replaying, d.Supersedable, d.CreatedAt, d.UpdatedAt = nil, true, false, now, now
		created, err := models.CreateDelivery(tx, d)
		if err != nil {
			return 0, err
		}
		if created {
			count++
		}
	}
	ds, err := models.FindDeliveries(tx.DB, tried)
	for i := range ds {
		if ds[i].Status == models.DeliveryDelivered { // meanwhile
			continue
		}
		ds[i].URL = w.URL
		again, err := models.Redeliver(tx, &ds[i], true, s.dispatcher.Server)
		if err != nil {
			return 0, err
		}
		if again {
			count++
		}
	}
	return count, err
}
