package services

import (
	"context"

	"gorm.io/gorm"

	"petstore/models"
	"petstore/services/dispatch"
)

// Deliveries lets clients see what was sent to them, and have it sent again.
type Deliveries struct {
	store      *models.Store
	dispatcher *dispatch.Dispatcher
}

// NewDeliveries returns the deliveries that store holds, sent by dispatcher.
func NewDeliveries(store *models.Store, dispatcher *dispatch.Dispatcher) *Deliveries {
	return &Deliveries{store: store, dispatcher: dispatcher}
}

// Hosts lists the hosts that this server sends to, in the order of their names.
func (s *Deliveries) Hosts(page models.Page) models.List[models.HostStatus] {
	return s.dispatcher.Hosts(page)
}

// maxRedeliveries is how many deliveries one request can make again. Those asked for
// first are done first, so a larger lot takes several requests.
const maxRedeliveries = 1000

// List lists deliveries, newest first.
func (s *Deliveries) List(ctx context.Context, f models.DeliveryFilter, page models.Page) (models.List[models.Delivery], error) {
	return list(ctx, s.store, models.ListDeliveries, f, page)
}

// Get finds a delivery and a page of its attempts, first to last.
func (s *Deliveries) Get(ctx context.Context, id string, page models.Page) (models.Delivery, models.List[models.Attempt], error) {
	db := s.store.Read(ctx)
	d, err := models.FindDelivery(db, id)
	if err != nil {
		return d, models.List[models.Attempt]{}, err
	}
	attempts, err := models.DeliveryAttempts(db, id, page)
	return d, attempts, err
}

// Redeliver sends a delivery again, whatever became of it before: now, and with
// all its retries should that fail. A webhook must still be there, and enabled.
func (s *Deliveries) Redeliver(ctx context.Context, id string) (models.Delivery, error) {
	ds := make([]models.Delivery, 1)
	d := &ds[0]
	err := s.store.InTx(ctx, func(tx *models.Tx) (err error) {
		if *d, err = models.FindDelivery(tx.DB, id); err != nil {
			return err
		}
		if d.WebhookID != "" {
			if d.URL, err = webhookURL(tx, d.WebhookID); err != nil {
				return err
			}
		}
		return s.redeliver(tx, ds)
	})
	return *d, err
}

// RedeliverAll sends everything again that f matches, newest first, up to 1,000
// deliveries, and returns how many that were. They are looked for before the
// transaction, for which all others wait.
func (s *Deliveries) RedeliverAll(ctx context.Context, f models.DeliveryFilter) (int, error) {
	var ids []string
	err := s.store.LimitedRead(ctx, func(db *gorm.DB) (err error) {
		ids, err = models.MatchingDeliveries(db, f, maxRedeliveries)
		return err
	})
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	var ds []models.Delivery
	err = s.store.InTx(ctx, func(tx *models.Tx) (err error) {
		if ds, err = models.StillMatching(tx.DB, f, ids); err != nil {
			return err
		}
		urls, err := models.WebhookURLs(tx.DB)
		if err != nil {
			return err
		}
		for i := range ds {
			if ds[i].WebhookID != "" {
				ds[i].URL = urls[ds[i].WebhookID]
			}
		}
		return s.redeliver(tx, ds)
	})
	return len(ds), err
}

// webhookURL is where a webhook is that is enabled.
func webhookURL(tx *models.Tx, id string) (string, error) {
	w, err := models.FindWebhook(tx.DB, id)
	if models.Code(err) == models.CodeNotFound {
		return "", models.Conflict("The webhook %s was deleted.", id)
	}
	if err == nil && !w.Enabled() {
		return "", errDisabled
	}
	return w.URL, err
}

// redeliver makes deliveries again. Those that are due anyway are left as they are, and cost next to nothing.
func (s *Deliveries) redeliver(tx *models.Tx, ds []models.Delivery) error {
	var due []models.Delivery
	for i := range ds {
		again, err := models.Redeliver(tx, &ds[i], false, s.dispatcher.Server)
		if err != nil {
			return err
		}
		if again {
			due = append(due, ds[i])
		}
	}
	if err := models.ReadUpdates(tx.DB, due); err != nil {
		return err
	}
	tx.AfterCommit(func() {
		for i := range due {
			s.dispatcher.Add(&due[i])
		}
	})
	return nil
}
