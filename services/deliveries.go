package services

import (
	"context"

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

// maxRedeliveries is how many deliveries one request can renew. Those asked for
// first are done first, so a larger lot takes several requests.
const maxRedeliveries = 1000

// List lists deliveries, newest first.
func (s *Deliveries) List(ctx context.Context, f models.DeliveryFilter, page models.Page) (models.List[models.Delivery], error) {
	return list(ctx, s.store, models.ListDeliveries, f, page)
}

// Get finds a delivery and its attempts, first to last.
func (s *Deliveries) Get(ctx context.Context, id string) (models.Delivery, []models.Attempt, error) {
	db := s.store.Read(ctx)
	d, err := models.FindDelivery(db, id)
	if err != nil {
		return d, nil, err
	}
	attempts, err := models.DeliveryAttempts(db, id)
	return d, attempts, err
}

// Redeliver sends a delivery again, whatever became of it before: now, and with
// all its retries should that fail. A webhook must still be there, and enabled.
func (s *Deliveries) Redeliver(ctx context.Context, id string) (models.Delivery, error) {
	var d models.Delivery
	err := s.store.InTx(ctx, func(tx *models.Tx) (err error) {
		if d, err = models.FindDelivery(tx.DB, id); err != nil {
			return err
		}
		if err = checkWebhook(tx, d.WebhookID); err != nil {
			return err
		}
		return s.renew(tx, &d)
	})
	return d, err
}

// RedeliverAll sends everything again that f matches, newest first, up to 1,000
// deliveries, and returns how many that were.
func (s *Deliveries) RedeliverAll(ctx context.Context, f models.DeliveryFilter) (int, error) {
	var count int
	err := s.store.InTx(ctx, func(tx *models.Tx) error {
		ds, err := models.MatchingDeliveries(tx.DB, f, maxRedeliveries)
		if err != nil {
			return err
		}
		count = len(ds)
		for i := range ds {
			if err := s.renew(tx, &ds[i]); err != nil {
				return err
			}
		}
		return nil
	})
	return count, err
}

func checkWebhook(tx *models.Tx, id string) error {
	if id == "" {
		return nil
	}
	w, err := models.FindWebhook(tx.DB, id)
	if models.Code(err) == models.CodeNotFound {
		return models.Conflict("The webhook %s was deleted.", id)
	}
	if err == nil && !w.Enabled() {
		return errDisabled
	}
	return err
}

// renew makes a delivery again. One that is due anyway is left as it is.
func (s *Deliveries) renew(tx *models.Tx, d *models.Delivery) error {
	renewed, err := models.RenewDelivery(tx, d, false, s.dispatcher.Server)
	if err == nil && renewed {
		again := *d
		tx.AfterCommit(func() { s.dispatcher.Add(&again) })
	}
	return err
}
