package services

import (
	"context"

	"petstore/models"
)

// currencyDefault is what a payment without a currency and an order is in.
const currencyDefault = "USD"

// Payments takes payments and lets clients look after them. How a payment is
// charged is in charging.go.
type Payments struct {
	store  *models.Store
	tasks  *Tasks
	method string
}

// NewPayments returns the payments that store holds, charged by tasks. method is
// charged where a client names none; it may be empty, and then clients must.
func NewPayments(store *models.Store, tasks *Tasks, method string) *Payments {
	return &Payments{store: store, tasks: tasks, method: method}
}

// Create stores a payment, its task, its first update and its job, in one
// transaction. A payment for an order claims it: until the payment has failed
// or is given back, no other can be made for that order.
func (s *Payments) Create(ctx context.Context, n models.NewPayment) (models.Payment, error) {
	now := models.Now()
	p := models.Payment{
		ID: models.NewID(models.PrefixPayment), OrderID: n.OrderID, ClaimsOrder: n.OrderID != "",
		Amount: n.Amount, Currency: n.Currency, Provider: n.Provider, PaymentMethod: n.PaymentMethod,
		Description: n.Description, CreatedAt: now, UpdatedAt: now,
	}
	if p.PaymentMethod == "" {
		p.PaymentMethod = s.method
	}
	if p.PaymentMethod == "" {
		return p, models.Invalid("payment_method", "is required")
	}
	var stored models.Payment
	err := s.store.InTx(ctx, func(tx *models.Tx) (err error) {
		stored = p
		if err = checkOrder(tx, &stored); err != nil {
			return err
		}
		if stored.Currency == "" {
			stored.Currency = currencyDefault
		}
		stored.Task, err = s.tasks.Begin(tx, kindPayment, Request{
			ResourceID: p.ID, CallbackURL: n.CallbackURL, Metadata: n.Metadata, Message: "Payment received",
		})
		if err != nil {
			return err
		}
		stored.TaskID = stored.Task.ID
		return models.CreatePayment(tx, &stored)
	})
	return stored, err
}

// checkOrder checks a payment against the order that it is for, if any: nobody
// pays twice, or another sum than was asked for.
func checkOrder(tx *models.Tx, p *models.Payment) error {
	if p.OrderID == "" {
		return nil
	}
	order, err := models.LockOrder(tx, p.OrderID)
	if models.Code(err) == models.CodeNotFound {
		return models.Invalid("order_id", "names no order: there is no %q", p.OrderID)
	}
	if err != nil {
		return err
	}
	if p.Currency == "" {
		p.Currency = order.Currency
	}
	if p.Currency != order.Currency {
		return models.Invalid("currency", "must be the order's: %s", order.Currency)
	}
	if p.Amount != order.Total {
		return models.Invalid("amount", "must be the order's total: %d, which is %s", order.Total, money(order.Total, order.Currency))
	}
	if order.Task.Status == models.StatusFailed || order.Task.Status == models.StatusCancelled {
		return models.Conflict("The order is %s; there is nothing to pay.", order.Task.Status)
	}
	return checkClaim(tx, order)
}

func checkClaim(tx *models.Tx, order models.Order) error {
	other, found, err := models.FindClaim(tx.DB, order.ID)
	switch {
	case err != nil || !found:
		return err
	case order.PaymentID != "":
		return models.Conflict("The order is paid already, by payment %s.", order.PaymentID)
	case other.Task.Status == models.StatusProcessing:
		return models.Conflict("The order is being paid, by payment %s.", other.ID)
	}
	return models.Conflict("Payment %s of the order has failed, but may have been charged. What was charged is being given back.", other.ID)
}

// Get finds a payment.
func (s *Payments) Get(ctx context.Context, id string) (models.Payment, error) {
	return models.FindPayment(s.store.Read(ctx), id)
}

// List lists payments, newest first.
func (s *Payments) List(ctx context.Context, f models.PaymentFilter, page models.Page) (models.List[models.Payment], error) {
	return models.ListPayments(s.store.Read(ctx), f, page)
}

// Delete removes a payment that has ended, unless it pays an order that is still
// there. Its task, updates and deliveries stay.
func (s *Payments) Delete(ctx context.Context, id string) error {
	return s.store.InTx(ctx, func(tx *models.Tx) error {
		p, err := models.LockPayment(tx, id)
		if err != nil {
			return err
		}
		use, err := models.PaymentInUse(tx.DB, p)
		if err != nil {
			return err
		}
		if use != "" {
			return models.Conflict("%s", use)
		}
		return models.DeletePayment(tx, id)
	})
}

// Refund stores a refund, its task, its first update and its job. The refunds of
// a payment never exceed it, however many are asked for at once.
func (s *Payments) Refund(ctx context.Context, paymentID string, n models.NewRefund) (models.Refund, error) {
	now := models.Now()
	r := models.Refund{
		ID: models.NewID(models.PrefixRefund), PaymentID: paymentID, Amount: n.Amount, Reason: n.Reason, CreatedAt: now, UpdatedAt: now,
	}
	var stored models.Refund
	err := s.store.InTx(ctx, func(tx *models.Tx) (err error) {
		stored = r
		if stored.Payment, err = models.LockPayment(tx, paymentID); err != nil {
			return err
		}
		if err = take(tx, &stored); err != nil {
			return err
		}
		stored.Task, err = s.tasks.Begin(tx, kindRefund, Request{
			ResourceID: r.ID, CallbackURL: n.CallbackURL, Metadata: n.Metadata, Message: "Refund received",
		})
		if err != nil {
			return err
		}
		stored.TaskID = stored.Task.ID
		return models.CreateRefund(tx, &stored)
	})
	return stored, err
}

// take takes the amount of a refund from what is left of its payment.
func take(tx *models.Tx, r *models.Refund) error {
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
	}
	ok := left > 0
	if ok {
		var err error
		if ok, err = models.TakeRefund(tx, p.ID, r.Amount); err != nil {
			return err
		}
	}
	if !ok {
		return models.Conflict("%s of the payment's %s are refunded, or about to be.", money(p.Refunded, p.Currency), money(p.Amount, p.Currency))
	}
	return nil
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
	return models.ListRefunds(s.store.Read(ctx), paymentID, f, page)
}
