package services

import (
	"context"
	"log/slog"

	"github.com/stripe/stripe-go/v85"

	"petstore/callbacks"
	"petstore/models"
)

const kindRefund = "refund"

func setRefundID(u *callbacks.Update, id string) { u.RefundID = id }

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
func (c *Charging) refund(ctx context.Context, task *models.Task, report Report) (any, error) {
	r, err := models.FindRefund(c.store.Read(ctx), task.ResourceID)
	if err != nil {
		return nil, err
	}
	sum := money(r.Amount, r.Payment.Currency)
	if err := report(20, "Refunding "+sum); err != nil {
		return nil, err
	}
	waiting := func(message string) error { return report(20, message) }
	err = c.stripe.persist(ctx, waiting, func() error {
		made, err := c.stripe.refund(ctx, r.Payment, r.Amount, r.Reason, r.ID)
		if err != nil {
			return err
		}
		if made.Status == stripe.RefundStatusFailed || made.Status == stripe.RefundStatusCanceled {
			return failWith(CodeRefundFailed)
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
func (c *Charging) refunded(tx *models.Tx, task *models.Task) error {
	r, err := models.FindRefund(tx.DB, task.ResourceID)
	if err != nil {
		return err
	}
	if task.Status != models.StatusCompleted {
		if decided(task.ErrorCode) {
			return models.ReturnRefund(tx, r)
		}
		slog.Error("A refund has failed, and may have been made: look it up at Stripe.",
			"refund_id", r.ID, "provider_id", r.Payment.ProviderID, "code", task.ErrorCode)
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
