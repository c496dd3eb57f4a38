package services

import (
	"context"
	"errors"
	"log/slog"

	"github.com/stripe/stripe-go/v85"

	"petstore/callbacks"
	"petstore/models"
	"petstore/services/money"
	"petstore/services/stripeclient"
	"petstore/services/task"
)

// reverse makes sure that a payment whose outcome is unknown costs nothing.
func (c *Charging) reverse(ctx context.Context, t *models.Task, report task.Progress) (any, error) {
	p, err := models.FindPayment(c.store.Read(ctx), t.ResourceID)
	if err != nil {
		return nil, err
	}
	summary := "Nothing was charged"
	err = c.retry(ctx, report, 10, func() error {
		intent, err := c.stripe.Find(ctx, p)
		switch {
		case err != nil:
		case intent.Status == stripe.PaymentIntentStatusCanceled:
		case intent.Status == stripe.PaymentIntentStatusSucceeded:
			summary = money.Format(p.Amount, p.Currency) + " given back"
			_, err = c.stripe.Refund(ctx, p, p.Amount, "", p.ID+"-reversal")
		default:
			_, err = c.stripe.Cancel(ctx, p)
		}
		return err
	})
	var failure *callbacks.Error
	if errors.As(err, &failure) && failure.Code == stripeclient.CodeProviderUnavailable {
		return nil, errors.New("reversing the payment: Stripe is out of order still") // the engine tries again, later each time
	}
	return struct {
		Summary string `json:"summary"`
	}{summary}, err
}

func (c *Charging) reversed(tx *models.Tx, t *models.Task) error {
	p, err := models.FindPayment(tx.DB, t.ResourceID)
	if err != nil {
		return err
	}
	if t.Status == models.StatusCompleted {
		return models.ReleaseOrder(tx, p)
	}
	slog.Error("A payment has failed, and may have been charged: look it up at Stripe.",
		"payment_id", p.ID, "provider_id", p.ProviderID, "code", t.ErrorCode)
	return nil
}
