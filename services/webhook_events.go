package services

import (
	"context"
	"time"

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
	missed, err := models.MissedUpdates(s.store.Read(ctx), w, since, callbacks.KindWebhook.Name, s.replayLimit)
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
		if count, err = s.lineUp(tx, w, missed); err != nil {
			return err
		}
		tx.AfterCommit(func() { s.dispatcher.Wake(models.HostOf(w.URL)) })
		_, err = models.StartReplay(tx, id, s.dispatcher.Server)
		return err
	})
	return count, err
}

// lineUp makes deliveries of what was missed, or has them made again, in the
// webhook's line of replays, and returns how many those are.
func (s *Webhooks) lineUp(tx *models.Tx, w models.Webhook, missed []models.Missed) (count int, err error) {
	now := models.Now()
	for _, m := range missed {
		var lined bool
		if m.DeliveryID == "" {
			d := s.dispatcher.Delivery(m.Update, w.ID, w.URL)
			d.NextAttemptAt, d.Replaying, d.Supersedable, d.CreatedAt, d.UpdatedAt = nil, true, false, now, now
			lined, err = models.CreateDelivery(tx, d)
		} else {
			lined, err = s.lineUpAgain(tx, m.DeliveryID)
		}
		if err != nil {
			return 0, err
		}
		if lined {
			count++
		}
	}
	return count, nil
}

// lineUpAgain lines up a delivery that was made before, unless it was accepted
// meanwhile, or is on its way.
func (s *Webhooks) lineUpAgain(tx *models.Tx, id string) (bool, error) {
	d, err := models.FindDelivery(tx.DB, id)
	if err != nil || d.Status == models.DeliveryDelivered {
		return false, err
	}
	return models.RenewDelivery(tx, &d, true, s.dispatcher.Server)
}
