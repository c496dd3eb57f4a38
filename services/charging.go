package services

import (
	"context"
	"errors"
	"log/slog"

	"github.com/stripe/stripe-go/v85"

	"petstore/callbacks"
	"petstore/models"
)

const (
	kindPayment  = "payment"
	kindReversal = "reversal"
)

// Charging is the operation that charges a payment, in two steps. First the
// payment is prepared at the provider, which moves no money, and what the
// provider calls it is stored. Then it is confirmed, which the provider does
// once at the most, however often it is asked. So a run that was killed finds
// out what happened before it goes on, and nobody is charged twice.
//
// A payment that fails without its outcome being known, because the provider
// cannot be reached any more, is followed by a reversal: a task of its own that
// gives back what may have been charged.
type Charging struct {
	store  *models.Store
	tasks  *Tasks
	stripe *Stripe
}

// NewCharging returns the operations for payments, refunds and reversals.
func NewCharging(store *models.Store, tasks *Tasks, s *Stripe) []Operation {
	c := &Charging{store: store, tasks: tasks, stripe: s}
	return []Operation{
		{Kind: kindPayment, SetID: setPaymentID, Run: c.charge, Ended: c.charged},
		{Kind: kindRefund, SetID: setRefundID, Run: c.refund, Ended: c.refunded},
		{Kind: kindReversal, SetID: setPaymentID, Run: c.reverse, Ended: c.reversed},
	}
}

func setPaymentID(u *callbacks.Update, id string) { u.PaymentID = id }

// receipt is the result of a payment.
type receipt struct {
	Summary    string `json:"summary"`
	Amount     int64  `json:"amount"`
	Currency   string `json:"currency"`
	Provider   string `json:"provider"`
	ProviderID string `json:"provider_id"`
	OrderID    string `json:"order_id,omitempty"`
}

func (c *Charging) charge(ctx context.Context, task *models.Task, report Report) (any, error) {
	p, err := models.FindPayment(c.store.Read(ctx), task.ResourceID)
	if err != nil {
		return nil, err
	}
	mayBeCharged := p.ProviderID != "" // by a run that was interrupted
	if !mayBeCharged {
		if err := c.prepare(ctx, &p, report); err != nil {
			return nil, err
		}
	}
	err = c.settle(ctx, p, mayBeCharged, report)
	var failure *Failure
	if errors.As(err, &failure) && failure.Code == CodeProviderUnavailable {
		failure.Message += "; should it have charged the payment, that is given back"
	}
	if err != nil {
		return nil, err
	}
	summary := money(p.Amount, p.Currency) + " paid"
	if p.OrderID != "" {
		summary += " for order " + p.OrderID
	}
	return receipt{
		Summary: summary, Amount: p.Amount, Currency: p.Currency,
		Provider: p.Provider, ProviderID: p.ProviderID, OrderID: p.OrderID,
	}, nil
}

// prepare makes a payment known to the provider.
func (c *Charging) prepare(ctx context.Context, p *models.Payment, report Report) error {
	if err := report(10, "Preparing the payment"); err != nil {
		return err
	}
	waiting := func(message string) error { return report(10, message) }
	return c.stripe.persist(ctx, waiting, func() error {
		intent, err := c.stripe.prepare(ctx, *p)
		if err != nil {
			return err
		}
		p.ProviderID = intent.ID
		return report(50, "Charging "+money(p.Amount, p.Currency), func(tx *models.Tx) error {
			return models.SetPaymentProviderID(tx, p.ID, intent.ID)
		})
	})
}

// settle charges a payment. Where an earlier attempt may have done so, it asks
// before it tries again.
func (c *Charging) settle(ctx context.Context, p models.Payment, mayBeCharged bool, report Report) error {
	waiting := func(message string) error { return report(50, message) }
	return c.stripe.persist(ctx, waiting, func() error {
		if mayBeCharged {
			intent, err := c.stripe.find(ctx, p)
			if err != nil {
				return err
			}
			if intent.Status != stripe.PaymentIntentStatusRequiresConfirmation {
				return outcome(intent)
			}
		}
		mayBeCharged = true
		intent, err := c.stripe.confirm(ctx, p)
		if err != nil {
			return err
		}
		return outcome(intent)
	})
}

// outcome is what a PaymentIntent means for its payment: nil if it is charged
// (https://docs.stripe.com/payments/paymentintents/lifecycle).
func outcome(intent *stripe.PaymentIntent) error {
	switch intent.Status {
	case stripe.PaymentIntentStatusSucceeded:
		return nil
	case stripe.PaymentIntentStatusRequiresPaymentMethod:
		return declined(intent.LastPaymentError)
	case stripe.PaymentIntentStatusRequiresAction:
		return failWith(CodeAuthenticationRequired)
	case stripe.PaymentIntentStatusCanceled:
		return failWith(CodeProviderRejected)
	case stripe.PaymentIntentStatusProcessing, stripe.PaymentIntentStatusRequiresConfirmation, stripe.PaymentIntentStatusRequiresCapture:
	}
	return &outage{errUnsettled}
}

// charged notes what the end of a payment means for its order.
func (c *Charging) charged(tx *models.Tx, task *models.Task) error {
	p, err := models.FindPayment(tx.DB, task.ResourceID)
	if err != nil {
		return err
	}
	switch {
	case task.Status == models.StatusCompleted:
		return models.SetPaid(tx, p)
	case p.ProviderID == "" || decided(task.ErrorCode):
		return models.ReleaseOrder(tx, p)
	}
	// Nobody to call back: to a client that follows payment_id, "completed"
	// would read as if the payment had.
	_, err = c.tasks.Begin(tx, kindReversal, Request{ResourceID: p.ID, Metadata: task.Metadata, Message: "The outcome of the payment is unknown"})
	return err
}

// reverse makes sure that a payment whose outcome is unknown costs nothing.
func (c *Charging) reverse(ctx context.Context, task *models.Task, report Report) (any, error) {
	p, err := models.FindPayment(c.store.Read(ctx), task.ResourceID)
	if err != nil {
		return nil, err
	}
	waiting := func(message string) error { return report(10, message) }
	summary := "Nothing was charged"
	err = c.stripe.persist(ctx, waiting, func() error {
		intent, err := c.stripe.find(ctx, p)
		switch {
		case err != nil:
		case intent.Status == stripe.PaymentIntentStatusCanceled:
		case intent.Status == stripe.PaymentIntentStatusSucceeded:
			summary = money(p.Amount, p.Currency) + " given back"
			_, err = c.stripe.refund(ctx, p, p.Amount, "", p.ID+"-reversal")
		default:
			_, err = c.stripe.cancel(ctx, p)
		}
		return err
	})
	var failure *Failure
	if errors.As(err, &failure) && failure.Code == CodeProviderUnavailable {
		return nil, errors.New("reversing the payment: Stripe is out of order still") // the engine tries again, later each time
	}
	return struct {
		Summary string `json:"summary"`
	}{summary}, err
}

func (c *Charging) reversed(tx *models.Tx, task *models.Task) error {
	p, err := models.FindPayment(tx.DB, task.ResourceID)
	if err != nil {
		return err
	}
	if task.Status == models.StatusCompleted {
		return models.ReleaseOrder(tx, p)
	}
	slog.Error("A payment has failed, and may have been charged: look it up at Stripe.",
		"payment_id", p.ID, "provider_id", p.ProviderID, "code", task.ErrorCode)
	return nil
}
