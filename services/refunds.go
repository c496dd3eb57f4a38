package services

import (
	"context"
	"log/slog"

	"petstore/callbacks"
	"petstore/models"
	"petstore/services/money"
	"petstore/services/stripeclient"
	"petstore/services/task"

	"gorm.io/gorm"
)

// Refund stores a refund, its task and its first update in one transaction. r says what of which
// payment to give back, all that is left if its Amount is 0, and r.Task whom to tell. The refunds
// of a payment never exceed it, however many are asked for at once.
func (s *Payments) Refund(ctx context.Context, r models.Refund) (models.Refund, error) {
	r.ID, r.CreatedAt = models.NewID(callbacks.KindRefund.Prefix), models.Now()
	r.UpdatedAt = r.CreatedAt
	r.Task.Kind, r.Task.ResourceID, r.Task.Message = callbacks.KindRefund.Name, r.ID, "Refund received"
	var stored models.Refund
	err := s.tasks.Create(ctx, r.Task, func(tx *models.Tx, t models.Task) error {
		stored.Task, stored.TaskID = t, t.ID
		return models.Create(tx, &stored)
	}, func(tx *models.Tx) (err error) {
		stored = r
		if stored.Payment, err = models.LockPayment(tx, r.PaymentID); err != nil {
			return err
		}
		return reserveRefund(tx, &stored)
	})
	return stored, err
}

// reserveRefund takes the amount of a refund from what is left of its payment.
func reserveRefund(tx *models.Tx, r *models.Refund) error {
	p := r.Payment
	if p.Task.Status != models.StatusCompleted {
		return models.Conflict("The payment is %s; only one that is completed can be refunded.", p.Task.Status)
	}
	left := p.Amount - p.Refunded
	if r.Amount > p.Amount {
		return models.Invalid("amount", "must be at most the payment's: %d", p.Amount)
	}
	if r.Amount == 0 {
		r.Amount = left
	} else if err := money.CheckCharge(r.Amount, p.Currency); err != nil {
		return models.Invalid("amount", "%s", err)
	}
	ok := left > 0
	if ok {
		var err error
		if ok, err = models.TakeRefund(tx, p.ID, r.Amount); err != nil {
			return err
		}
	}
	if !ok {
		return models.Conflict("%s of the payment's %s are refunded, or about to be.", money.Format(p.Refunded, p.Currency), money.Format(p.Amount, p.Currency))
	}
	return nil
}

// reasonUnfulfilled is the reason of a refund that nobody asked for: the order that
// was paid has ended without being fulfilled.
const reasonUnfulfilled = "order_failed"

// unfulfilled reports whether an order has ended without what was ordered.
func unfulfilled(order models.Order) bool {
	return order.Task.Status == models.StatusFailed || order.Task.Status == models.StatusCancelled
}

// refundEvents are what a client that picked events of its payment is told of a refund that
// it has not asked for: how that ends.
func refundEvents(picked []string) []string {
	if len(picked) == 0 {
		return nil
	}
	return []string{callbacks.EventType(callbacks.KindRefund.Name, models.StatusCompleted), callbacks.EventType(callbacks.KindRefund.Name, models.StatusFailed)}
}

// refundUnfulfilled gives back what is left of a payment whose order is not
// fulfilled, and calls back who asked for the payment. It is called when the order
// ends and when the payment does, whichever is later; p must be locked.
func refundUnfulfilled(tx *models.Tx, tasks *task.Engine, p models.Payment) error {
	left := p.Amount - p.Refunded
	if p.OrderID == "" || left <= 0 {
		return nil
	}
	order, err := models.LockOrder(tx, p.OrderID)
	if models.Code(err) == models.CodeNotFound {
		return nil // it was fulfilled: another is not deleted while a payment claims it
	}
	if err != nil || !unfulfilled(order) {
		return err
	}
	now := models.Now()
	r := models.Refund{
		ID: models.NewID(callbacks.KindRefund.Prefix), PaymentID: p.ID, Amount: left, Reason: reasonUnfulfilled, CreatedAt: now, UpdatedAt: now,
	}
	draft, err := tasks.DraftFollowing(models.Task{
		Kind: callbacks.KindRefund.Name, ResourceID: r.ID, CallbackURL: p.Task.CallbackURL, CallbackEvents: refundEvents(p.Task.CallbackEvents), Metadata: p.Task.Metadata,
		Message: "The order " + p.OrderID + " is not fulfilled: what was paid is given back",
	})
	if err != nil {
		return err
	}
	r.TaskID = draft.Task.ID
	if _, err := models.TakeRefund(tx, p.ID, left); err != nil {
		return err
	}
	if err := tasks.Begin(tx, draft); err != nil {
		return err
	}
	return models.Create(tx, &r)
}

// GetRefund finds a refund of a payment.
func (s *Payments) GetRefund(ctx context.Context, paymentID, id string) (models.Refund, error) {
	r, err := models.FindRefund(s.store.Read(ctx), id)
	if err == nil && r.PaymentID != paymentID {
		return r, models.NotFound("refund", id)
	}
	return r, err
}

// ListRefunds lists the refunds of a payment, newest first.
func (s *Payments) ListRefunds(ctx context.Context, paymentID string, f models.RefundFilter, page models.Page) (models.List[models.Refund], error) {
	if _, err := s.Get(ctx, paymentID); err != nil {
		return models.List[models.Refund]{}, err
	}
	return list(ctx, s.store, func(db *gorm.DB, f models.RefundFilter, page models.Page) (models.List[models.Refund], error) {
		return models.ListRefunds(db, paymentID, f, page)
	}, f, page)
}

// creditNote is the result of a refund.
type creditNote struct {
	Summary    string `json:"summary"`
	PaymentID  string `json:"payment_id"`
	Amount     int64  `json:"amount"`
	Currency   string `json:"currency"`
	Provider   string `json:"provider"`
	ProviderID string `json:"provider_id"`
}

// refund gives back a payment or a part of it. Stripe knows the refund by its
// id, and makes it once.
func (c *Charging) refund(ctx context.Context, t *models.Task, report task.Progress) (any, error) {
	r, err := models.FindRefund(c.store.Read(ctx), t.ResourceID)
	if err != nil {
		return nil, err
	}
	sum := money.Format(r.Amount, r.Payment.Currency)
	if err := report(20, "Refunding "+sum); err != nil {
		return nil, err
	}
	err = c.retry(ctx, report, 20, func() error {
		reason := r.Reason
		if reason == reasonUnfulfilled { // which Stripe does not know
			reason = ""
		}
		made, err := c.stripe.Refund(ctx, r.Payment, r.Amount, reason, r.ID)
		if err != nil {
			return err
		}
		if err := stripeclient.Refunded(made); err != nil {
			return err
		}
		r.ProviderID = made.ID
		return report(90, sum+" are on their way back", func(tx *models.Tx) error {
			return models.SetRefundProviderID(tx, r.ID, made.ID)
		})
	})
	if err != nil {
		return nil, err
	}
	return creditNote{
		Summary: sum + " refunded", PaymentID: r.PaymentID, Amount: r.Amount, Currency: r.Payment.Currency,
		Provider: r.Payment.Provider, ProviderID: r.ProviderID,
	}, nil
}

// refunded notes what the end of a refund means for its payment. A refund whose
// outcome is unknown stays taken from what is left: better a refund that a
// person has to look up than one that is made twice.
func (c *Charging) refunded(tx *models.Tx, t *models.Task) error {
	r, err := models.FindRefund(tx.DB, t.ResourceID)
	if err != nil {
		return err
	}
	if t.Status != models.StatusCompleted {
		if isDefinitive(t.ErrorCode) {
			return c.returnRefund(tx, r, t)
		}
		slog.Error("A refund has failed, and may have been made: look it up at Stripe.",
			"refund_id", r.ID, "provider_id", r.Payment.ProviderID, "code", t.ErrorCode)
		return nil
	}
	// The last refund of a payment releases its order, even if two end at once.
	if _, err := models.LockPayment(tx, r.PaymentID); err != nil {
		return err
	}
	sum, err := models.CompletedRefunds(tx.DB, r.PaymentID)
	if err != nil || sum < r.Payment.Amount {
		return err
	}
	return models.ReleaseOrder(tx, r.Payment)
}

// returnRefund notes that a refund was not made. If the order was to be given back by
// it, that is tried once more, as a refund that nobody asked for; should Stripe refuse
// that, too, a person has to see to it.
func (c *Charging) returnRefund(tx *models.Tx, r models.Refund, t *models.Task) error {
	if err := models.ReturnRefund(tx, r); err != nil {
		return err
	}
	if r.Reason == reasonUnfulfilled {
		slog.Error("An order that is not fulfilled was paid, and Stripe refuses to give that back: see to it there.",
			"order_id", r.Payment.OrderID, "payment_id", r.PaymentID, "provider_id", r.Payment.ProviderID, "code", t.ErrorCode)
		return nil
	}
	p, err := models.LockPayment(tx, r.PaymentID)
	if err != nil {
		return err
	}
	return refundUnfulfilled(tx, c.tasks, p)
}
